"""Query results in every format, for every type that DuckDB may return."""

import csv
import io
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import joblake
from joblake.cli.formats import write_result
from joblake.errors import UsageError

INSTANT = datetime(2026, 11, 10, 2, 0, 0, 123_456, tzinfo=UTC)

# A column of each type: a value and how it reads in CSV and in JSON.
TYPES = [
    ("text", pa.string(), "ä🦜", "ä🦜", "ä🦜"),
    ("delimited", pa.string(), 'a,"b"\nc\r\nd\re;\t', 'a,"b"\nc\r\nd\re;\t', 'a,"b"\nc\r\nd\re;\t'),
    ("empty", pa.string(), "", "", ""),
    ("number_like", pa.string(), "007", "007", "007"),
    ("integer", pa.int64(), -(2**63), str(-(2**63)), -(2**63)),
    ("unsigned", pa.uint64(), 2**64 - 1, str(2**64 - 1), 2**64 - 1),
    ("double", pa.float64(), 0.1, "0.1", 0.1),
    ("not_a_number", pa.float64(), math.nan, "nan", None),
    ("infinite", pa.float64(), math.inf, "inf", None),
    ("negative_infinite", pa.float64(), -math.inf, "-inf", None),
    ("boolean", pa.bool_(), True, "true", True),
    ("instant", pa.timestamp("us", "UTC"), INSTANT, INSTANT.isoformat(), INSTANT.isoformat()),
    ("whole", pa.decimal128(38, 0), Decimal(2**70), str(2**70), 2**70),
    ("decimal", pa.decimal128(10, 2), Decimal("1.50"), "1.50", 1.5),
    ("day", pa.date32(), date(2026, 11, 10), "2026-11-10", "2026-11-10"),
    ("clock", pa.time64("us"), time(2, 0), "02:00:00", "02:00:00"),
    ("interval", pa.duration("us"), timedelta(hours=1), "1:00:00", "1:00:00"),
    (
        "months",
        pa.month_day_nano_interval(),
        pa.MonthDayNano([14, -2, -3_723_500_000_000]),
        "1 year 2 months -2 days -01:02:03.5",
        "1 year 2 months -2 days -01:02:03.5",
    ),
    ("octets", pa.binary(), b"\x00\xff", "00ff", "00ff"),
    ("many", pa.list_(pa.string()), ["a", None], '["a", null]', ["a", None]),
    (
        "nested",
        pa.struct([("at", pa.timestamp("us", "UTC")), ("n", pa.list_(pa.float64()))]),
        {"at": INSTANT, "n": [1.5, math.nan]},
        f'{{"at": "{INSTANT.isoformat()}", "n": [1.5, null]}}',
        {"at": INSTANT.isoformat(), "n": [1.5, None]},
    ),
    (
        "mapped",
        pa.map_(pa.string(), pa.int64()),
        [("a", 1)],
        '[["a", 1]]',
        [["a", 1]],
    ),
    ("nothing", pa.null(), None, "", None),
]
NAMES = [name for name, *_ in TYPES]


@pytest.fixture
def everything() -> pa.Table:
    """A row with a value of each type, and a row of nulls."""
    return pa.table({name: pa.array([value, None], kind) for name, kind, value, *_ in TYPES})


def written(result: pa.Table, output_format: str, folder: Path) -> str:
    """What a format writes to a file."""
    path = folder / "result"
    write_result(result.to_reader(), output_format, path)
    return path.read_bytes().decode()


def test_csv_reads_back(everything, tmp_path):
    """Each value of each type stands in its cell, delimiters and line breaks included."""
    text = written(everything, "csv", tmp_path)
    header, values, nulls = csv.reader(io.StringIO(text, newline=""))
    assert header == NAMES
    assert dict(zip(NAMES, values, strict=True)) == {name: cell for name, _, _, cell, _ in TYPES}
    assert nulls == [""] * len(NAMES)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_csv_reads_back_whatever_the_texts(tmp_path_factory, rows):
    """No text breaks a row."""
    result = pa.Table.from_pylist(
        [{"a": a, "b": b} for a, b in rows], pa.schema([("a", pa.string()), ("b", pa.string())])
    )
    text = written(result, "csv", tmp_path_factory.mktemp("csv"))
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], *map(list, rows)]


def test_csv_keeps_a_row_whose_only_cell_is_empty(tmp_path):
    """A null in a result of one column is a row all the same."""
    text = written(pa.table({"a": ["x", None, ""]}), "csv", tmp_path)
    assert list(csv.reader(io.StringIO(text))) == [["a"], ["x"], [""], [""]]


@pytest.mark.parametrize("output_format", ["json", "ndjson"])
def test_json_reads_back(everything, tmp_path, output_format):
    """Each value of each type is JSON of the strict kind, NaN and infinity null."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = written(everything, output_format, tmp_path)
    assert text.endswith("\n")
    documents = [text] if output_format == "json" else text.splitlines()
    parsed = [json.loads(document, parse_constant=refuse) for document in documents]
    values, nulls = parsed[0] if output_format == "json" else parsed
    assert values == {name: value for name, _, _, _, value in TYPES}
    assert nulls == dict.fromkeys(NAMES)
    assert type(values["whole"]) is int


def test_json_of_no_rows_is_an_empty_list(tmp_path):
    """A result without rows is a result: [] in JSON, no line in ndjson, a header in CSV."""
    result = pa.table({"a": pa.array([], pa.string())})
    assert json.loads(written(result, "json", tmp_path)) == []
    assert written(result, "ndjson", tmp_path) == ""
    assert written(result, "csv", tmp_path) == "a\n"
    assert written(result, "table", tmp_path).split() == ["a", "─"]


def test_results_of_several_batches_are_written_whole(tmp_path):
    """A chunked result loses no row in any format."""
    result = pa.concat_tables([pa.table({"a": [n]}) for n in range(3)])
    assert written(result, "csv", tmp_path).split() == ["a", "0", "1", "2"]
    assert [row["a"] for row in json.loads(written(result, "json", tmp_path))] == [0, 1, 2]
    assert len(written(result, "ndjson", tmp_path).splitlines()) == 3
    assert written(result, "table", tmp_path).split()[-3:] == ["0", "1", "2"]


def test_parquet_reads_back(everything, tmp_path):
    """Parquet keeps values and types as they are."""
    path = tmp_path / "result.parquet"
    everything = everything.drop_columns("months")
    write_result(everything.to_reader(), "parquet", path)
    found = pq.read_table(path)
    assert found.schema.equals(everything.schema)
    assert repr(found.to_pylist()) == repr(everything.to_pylist())  # NaN differs from itself


def test_parquet_goes_to_a_redirected_stdout(capfdbinary):
    """`--format parquet > file` gives the file."""
    result = pa.table({"a": [1]})
    write_result(result.to_reader(), "parquet", None)
    assert pq.read_table(io.BytesIO(capfdbinary.readouterr().out)).equals(result)


@pytest.mark.parametrize("output_format", ["table", "csv", "json", "ndjson"])
def test_text_goes_to_stdout_without_output(capsys, tmp_path, output_format):
    """Stdout and a file get the same."""
    result = pa.table({"a": ["x", None], "b": [1.5, 2]})
    write_result(result.to_reader(), output_format, None)
    assert capsys.readouterr().out == written(result, output_format, tmp_path)


@pytest.mark.parametrize("length", [300, 50_000, 250_000])
def test_a_table_away_from_a_terminal_is_never_folded(tmp_path, capsys, length):
    """Each row is one line with all of its text, in a file and through a pipe."""
    arn = "arn:" + "x" * length
    result = pa.table({"arn": [arn] * 2, "other": [arn, None], "n": [1, None]})
    write_result(result.to_reader(), "table", None)
    for text in (written(result, "table", tmp_path), capsys.readouterr().out):
        lines = text.splitlines()
        assert len(lines) == 4
        assert lines[2].split() == [arn, arn, "1"]
        assert lines[3].split() == [arn]


def test_a_table_shows_every_type(everything, tmp_path):
    """A table of odd types is a table; nulls are blank, texts in brackets are no markup."""
    text = written(everything, "table", tmp_path)
    assert all(name in text.splitlines()[0] for name in NAMES)
    assert "ä🦜" in text
    assert "None" not in text
    markup = pa.table({"[b]a[/b]": ["[red]x[/red]", "[/]"]})
    shown = written(markup, "table", tmp_path).split()
    assert shown[0] == "[b]a[/b]"
    assert shown[-2:] == ["[red]x[/red]", "[/]"]


@pytest.mark.parametrize("output_format", ["table", "csv", "json", "ndjson", "parquet"])
def test_a_file_that_cannot_be_written_is_a_usage_error(everything, tmp_path, output_format):
    """A missing folder, a folder in place of a file, a full disk: named, with the reason."""
    result = everything.select(["text", "integer"])
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    for path, reason in (
        (tmp_path / "no" / "such" / "folder", "No such file or directory"),
        (tmp_path, "directory"),
        (full, "No space left on device"),
    ):
        with pytest.raises(UsageError, match=f"cannot write {path}.*{reason}"):
            write_result(result.to_reader(), output_format, path)
    assert full.exists(), "what could not be written is not removed either"


@pytest.mark.parametrize("value", ["'infinity'::date", "'infinity'::timestamptz"])
def test_what_python_cannot_hold_is_one_line(value, tmp_path):
    """A date beyond the years that Python knows is refused with the way out."""
    with joblake.open(tmp_path / "lake") as lake, pytest.raises(UsageError, match="cast others"):
        write_result(lake.stream(f"select {value} as x"), "csv", tmp_path / "x.csv")
