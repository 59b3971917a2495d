"""Query results in every format, for every type that DuckDB may return."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import joblake
from joblake.cli.formats import write_result
from joblake.errors import UsageError
from joblake.quoting import literal
from joblake.warehouse.warehouse import Warehouse

INSTANT = "2026-11-10T02:00:00.100000Z"

# A column of each type: its value in SQL, and how it reads in CSV and in JSON.
TYPES = [
    ("text", "'ä🦜'", "ä🦜", "ä🦜"),
    ("delimited", "'a,\"b\"\nc\r\nd\re;\t'", 'a,"b"\nc\r\nd\re;\t', 'a,"b"\nc\r\nd\re;\t'),
    ("empty", "''", "", ""),
    ("number_like", "'007'", "007", "007"),
    ("integer", "(-9223372036854775808)::bigint", str(-(2**63)), -(2**63)),
    ("beyond_doubles", "9007199254740993", "9007199254740993", 2**53 + 1),
    ("unsigned", "18446744073709551615::ubigint", str(2**64 - 1), 2**64 - 1),
    ("huge", f"{2**70}::hugeint", str(2**70), 2**70),
    ("double", "0.1::double", "0.1", 0.1),
    ("not_a_number", "'nan'::double", "nan", None),
    ("infinite", "'inf'::double", "inf", None),
    ("negative_infinite", "'-inf'::float", "-inf", None),
    ("boolean", "true", "true", True),
    ("decimal", "1.50::decimal(10, 2)", "1.50", 1.5),
    ("instant", "timestamptz '2026-11-10 02:00:00.1Z'", INSTANT, INSTANT),
    ("endless", "'infinity'::timestamptz", "infinity", "infinity"),
    (
        "local",
        "timestamp '2026-11-10 02:00:00'",
        "2026-11-10 02:00:00.000000",
        "2026-11-10 02:00:00.000000",
    ),
    (
        "precise",
        "timestamp_ns '2026-11-10 02:00:00.000000001'",
        "2026-11-10 02:00:00.000000001",
        "2026-11-10 02:00:00.000000001",
    ),
    ("day", "date '2026-11-10'", "2026-11-10", "2026-11-10"),
    ("last_day", "'infinity'::date", "infinity", "infinity"),
    ("clock", "time '02:00'", "02:00:00.000000", "02:00:00.000000"),
    ("midnight", "time '24:00:00'", "24:00:00.000000", "24:00:00.000000"),
    (
        "interval",
        "interval '14 months -2 days -3723.5 seconds'",
        "1 year 2 months -2 days -01:02:03.5",
        "1 year 2 months -2 days -01:02:03.5",
    ),
    ("octets", r"'\x00\xff'::blob", r"\x00\xFF", r"\x00\xFF"),
    ("bits", "'101'::bit", "101", "101"),
    ("choice", "'b'::enum('a', 'b')", "b", "b"),
    ("either", "union_value(n := 1)", '{"n":1}', {"n": 1}),
    ("many", "['a', null]", '["a",null]', ["a", None]),
    ("two", "['nan'::double, 1]::double[2]", "[null,1.0]", [None, 1.0]),
    (
        "nested",
        "{'at': timestamptz '2026-11-10 02:00:00.1Z', 'n': [1.5, 'nan'::double]}",
        f'{{"at":"{INSTANT}","n":[1.5,null]}}',
        {"at": INSTANT, "n": [1.5, None]},
    ),
    ("mapped", "map {'a': 'inf'::double}", '{"a":null}', {"a": None}),
    ("nameless", "row(1, 'nan'::double)", "[1,null]", [1, None]),
    ("document", """'{"a": 1}'::json""", '{"a": 1}', {"a": 1}),
    ("nothing", "null", "", None),
]
NAMES = [name for name, *_ in TYPES]
EVERYTHING = "select {} union all select {}".format(
    ", ".join(f"{value} as {name}" for name, value, *_ in TYPES),
    ", ".join(f"null as {name}" for name in NAMES),
)
"""A row with a value of each type, and a row of nulls."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """An open lake without rows, to ask for values."""
    with joblake.open(tmp_path_factory.mktemp("results") / "lake") as opened:
        yield opened


@pytest.fixture
def written(lake, tmp_path):
    """A function that gives the file that a format makes of a statement."""

    def write(sql: str, output_format: str, path: Path = tmp_path / "result") -> str:
        write_result(lake, sql, output_format=output_format, output=path)
        return path.read_bytes().decode()

    return write


def test_csv_reads_back(written):
    """Each value of each type stands in its cell, delimiters and line breaks included."""
    header, values, nulls = csv.reader(io.StringIO(written(EVERYTHING, "csv"), newline=""))
    assert header == NAMES
    assert dict(zip(NAMES, values, strict=True)) == {name: cell for name, _, cell, _ in TYPES}
    assert nulls == [""] * len(NAMES)


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]))] * 2), min_size=1))
def test_csv_reads_back_whatever_the_texts(lake, tmp_path_factory, rows):
    """No text breaks a row."""
    # DuckDB's SQL cannot hold NUL.
    rows = [tuple(text.replace("\0", "") for text in row) for row in rows]
    values = ", ".join(f"({literal(a)}, {literal(b)})" for a, b in rows)
    path = tmp_path_factory.mktemp("csv") / "result"
    write_result(lake, f"from (values {values}) t(a, b)", output_format="csv", output=path)
    text = path.read_bytes().decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], *map(list, rows)]


def test_csv_tells_null_from_the_empty_text(written):
    """Null is an empty cell, the empty text a quoted one."""
    assert written("select null as a, '' as b", "csv") == 'a,b\n,""\n'


def test_csv_keeps_a_row_whose_only_cell_is_empty(written):
    """Readers skip blank lines, so a null is quoted where it is all of a row."""
    assert written("from (values (1), (null), (3)) t(a)", "csv") == 'a\n1\n""\n3\n'


def test_csv_quotes_names_too(written):
    """The name of a column may hold commas and quotes."""
    text = written('select 1 as "a,b", 2 as """c"""', "csv")
    assert next(csv.reader(io.StringIO(text))) == ["a,b", '"c"']


MIXED = """
    select created_at, created_at::timestamp as local_at, n from (
        values (timestamptz '2026-01-01 10:00:00.123Z', 1), (null, null),
        (timestamptz '2026-01-01 10:00:01Z', 9007199254740993)
    ) t(created_at, n)
"""


@pytest.mark.parametrize("output_format", ["csv", "ndjson", "json"])
def test_instants_have_one_spelling_that_readers_know(written, tmp_path, output_format):
    """With a fraction and without, pandas, polars, pyarrow and DuckDB read each instant back."""
    path = tmp_path / f"mixed.{output_format}"
    text = written(MIXED, output_format, path)
    assert text.count("2026-01-01T10:00:00.123000Z") == 1
    assert text.count("2026-01-01 10:00:01.000000") == 1
    expected = duckdb.sql(MIXED).to_arrow_table()
    if output_format == "csv":
        found = [
            pd.read_csv(path),
            pl.read_csv(path, try_parse_dates=True).to_pandas(),
            pyarrow.csv.read_csv(path).to_pandas(),
            duckdb.sql(f"from read_csv('{path}')").to_arrow_table().to_pandas(),
        ]
    else:
        is_ndjson = output_format == "ndjson"
        read = pl.read_ndjson if is_ndjson else pl.read_json
        as_instants = (
            pl.col("created_at").str.to_datetime(time_zone="UTC"),
            pl.col("local_at").str.to_datetime(),
        )
        found = [
            pd.read_json(path, lines=is_ndjson, dtype=False),
            read(path).with_columns(*as_instants).to_pandas(),
            duckdb.sql(f"from read_json('{path}')").to_arrow_table().to_pandas(),
        ]
    for frame in found:
        for name, zone in (("created_at", "UTC"), ("local_at", None)):
            column = pd.to_datetime(frame[name])  # of the whole column, in one format
            assert (column.dt.tz is not None) == (zone is not None)
            instants = [None if pd.isna(at) else at.to_pydatetime() for at in column]
            naive = [at and at.replace(tzinfo=None) for at in instants]
            wanted = expected.column(name).to_pylist()
            assert naive == [at and at.replace(tzinfo=None) for at in wanted]


@pytest.mark.parametrize("output_format", ["json", "ndjson"])
def test_json_reads_back(written, output_format):
    """Each value of each type is JSON of the strict kind, NaN and infinity null."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = written(EVERYTHING, output_format)
    assert text.endswith("\n")
    documents = [text] if output_format == "json" else text.splitlines()
    parsed = [json.loads(document, parse_constant=refuse) for document in documents]
    values, nulls = parsed[0] if output_format == "json" else parsed
    assert values == {name: value for name, _, _, value in TYPES}
    assert nulls == dict.fromkeys(NAMES)
    assert type(values["huge"]) is int


def test_a_result_without_rows_is_a_result(written):
    """It is [] in JSON, no line in ndjson, a header in CSV and in a table."""
    sql = "select 'x' as a where false"
    assert json.loads(written(sql, "json")) == []
    assert written(sql, "ndjson") == ""
    assert written(sql, "csv") == "a\n"
    assert written(sql, "table").split() == ["a", "─"]


def test_results_of_several_batches_are_written_whole_and_in_order(written):
    """A long result loses no row in any format."""
    sql = "select range as a from range(50_000) order by a desc"
    expected = [str(n) for n in range(49_999, -1, -1)]
    assert written(sql, "csv").split() == ["a", *expected]
    assert [str(row["a"]) for row in json.loads(written(sql, "json"))] == expected
    assert [str(json.loads(line)["a"]) for line in written(sql, "ndjson").split()] == expected
    assert written(sql, "table").split()[-50_000:] == expected


def test_parquet_reads_back(written, tmp_path):
    """Parquet keeps values and types as they are."""
    values = "select 'ä' as text, 1 as n, [1.5] as many, now() as instant, 1.5::decimal(5, 2) as d"
    path = tmp_path / "result.parquet"
    with pytest.raises(UnicodeDecodeError):
        written(values, "parquet", path)
    found = pq.read_table(path)
    assert found.column_names == ["text", "n", "many", "instant", "d"]
    assert found.drop_columns("instant").to_pylist()[0]["many"] == [1.5]
    assert str(found.schema.field("instant").type) == "timestamp[us, tz=UTC]"


def test_parquet_goes_to_a_redirected_stdout(lake, capfdbinary):
    """`--format parquet > file` gives the file."""
    write_result(lake, "select 1 as a", output_format="parquet")
    assert pq.read_table(io.BytesIO(capfdbinary.readouterr().out)).to_pylist() == [{"a": 1}]


@pytest.mark.parametrize("output_format", ["table", "csv", "json", "ndjson"])
def test_text_goes_to_stdout_without_output(lake, capsys, written, output_format):
    """Stdout and a file get the same."""
    sql = "from (values ('x', 1.5), (null, 2)) t(a, b)"
    write_result(lake, sql, output_format=output_format)
    assert capsys.readouterr().out == written(sql, output_format)


def test_a_table_away_from_a_terminal_cuts_long_values(lake, written, capsys):
    """Each row is one short line, in a file and through a pipe; CSV has the values whole."""
    arn = "arn:" + "x" * 1_000_000
    sql = f"from (values ('{arn}', '{arn}', 1), ('a', null, null)) t(arn, b, n)"
    write_result(lake, sql)
    for text in (written(sql, "table"), capsys.readouterr().out):
        lines = text.splitlines()
        assert len(lines) == 4
        assert [len(line) for line in lines] == [245, 245, 245, 1]
        assert all(value in {arn[:119] + "…", "1"} for value in lines[2].split())
    assert written(sql, "csv").count(arn) == 2


def test_a_table_shows_every_type(written):
    """A table of odd types is a table; nulls are blank, texts in brackets are no markup."""
    text = written(EVERYTHING, "table")
    assert all(name in text.splitlines()[0] for name in NAMES)
    assert "ä🦜" in text
    assert "None" not in text
    markup = """from (values ('[red]x[/red]'), ('[/]')) t("[b]a[/b]")"""
    shown = written(markup, "table").split()
    assert shown[0] == "[b]a[/b]"
    assert shown[-2:] == ["[red]x[/red]", "[/]"]


@pytest.mark.parametrize("output_format", ["table", "csv", "json", "ndjson", "parquet"])
def test_a_file_that_cannot_be_written_is_a_usage_error(lake, tmp_path, output_format):
    """A missing folder, a folder in place of a file, a full disk: named, with the reason."""
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    for path, reason in (
        (tmp_path / "no" / "such" / "folder", "No such file or directory"),
        (tmp_path, "directory"),
        (full, "No space left on device"),
    ):
        with pytest.raises(UsageError, match=f"cannot write {path}.*{reason}"):
            write_result(lake, "select 'x' as a, 1 as b", output_format=output_format, output=path)
    assert full.exists(), "what could not be written is not removed either"
