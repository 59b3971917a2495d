"""The Python door: `joblake.open`, and what an answer gives pandas, Arrow and others."""

import json
import math
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import joblake
from joblake.errors import UnreadableFileError, UsageError
from joblake.lake.local import Lake
from joblake.warehouse.result import QueryResult
from joblake.warehouse.warehouse import Warehouse
from lake_rows import write_rows

TABLE = "model_invocation_jobs"
ROW = {
    "observed_at": "2026-01-02",
    "change": "added",
    "job_arn": "a",
    "status": "Completed",
    "submit_time": "2026-01-01 10:00",
    "total_record_count": 9_007_199_254_740_993,
}
UNFINISHED = {**ROW, "job_arn": "b", "status": "Submitted", "total_record_count": None}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two jobs, one of them with nulls."""
    write_rows(Lake.at(tmp_path / "lake"), {TABLE: [ROW, UNFINISHED]})
    return tmp_path / "lake"


def test_one_line_gives_a_data_frame(lake: Path):
    """`joblake.open(lake).query(sql).df()` is all that pandas needs."""
    frame = joblake.open(lake).query("from jobs order by job_arn").df()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["job_arn"]) == ["a", "b"]
    assert frame["created_at"][0] == pd.Timestamp("2026-01-01 10:00", tz="UTC")


def test_one_line_gives_arrow(lake: Path):
    """`.arrow()` is a pyarrow Table in the lake's types."""
    table = joblake.open(str(lake)).query("from jobs order by job_arn").arrow()
    assert isinstance(table, pa.Table)
    assert table.schema.field("created_at").type == pa.timestamp("us", "UTC")
    assert table["job_arn"].to_pylist() == ["a", "b"]


def test_parameters(lake: Path):
    """Values are passed beside the statement."""
    answer = joblake.open(lake).query("select status from jobs where job_arn = $1", ["b"])
    assert answer.to_pylist() == [{"status": "Submitted"}]


def test_an_answer_outlives_its_lake(lake: Path):
    """Rows are in memory: closing the lake, or losing it, changes no answer."""
    with joblake.open(lake) as opened:
        answer = opened.query("select job_arn from jobs order by all")
    for path in lake.rglob("*.parquet"):
        path.unlink()
    assert answer.to_pylist() == [{"job_arn": "a"}, {"job_arn": "b"}]
    assert len(answer) == answer.num_rows == 2
    assert repr(answer) == "<2 rows of job_arn>"


def test_nulls_leave_types_alone(lake: Path):
    """Counts stay exact integers and flags stay flags beside nulls; nulls are pandas' own."""
    frame = (
        joblake.open(lake)
        .query(
            "select total_record_count as records, nullif(is_vanished, job_arn = 'b') as gone, "
            "null::integer as small from model_invocation_jobs order by job_arn"
        )
        .df()
    )
    assert [str(kind) for kind in frame.dtypes] == ["Int64", "boolean", "Int32"]
    assert frame["records"][0] == 9_007_199_254_740_993
    assert frame["records"][1] is pd.NA


def test_no_row_decides_a_type(lake: Path, tmp_path: Path):
    """A view's frame has the same types with rows and without."""
    views = [f"{view.schema}.{view.name}" for view in joblake.open(lake).views()]
    with joblake.open(lake) as full, joblake.open(tmp_path / "none") as empty:
        for view in views:
            types = full.query(f"from {view}").df().dtypes
            assert list(empty.query(f"from {view}").df().dtypes) == list(types), view


def test_every_kind_of_value_reaches_pandas(lake: Path):
    """Dates are dates to pandas, decimals and sums floats, and lists lists."""
    frame = (
        joblake.open(lake)
        .query(
            "select date '2026-01-01' as day, 1.25 as price, sum(3) as total, 0.5::double as share,"
            " [1, 2] as numbers, {a: 1} as pair, interval 1 day as span, 'x' as word"
        )
        .df()
    )
    (row,) = frame.to_dict("records")
    assert row["day"] == pd.Timestamp("2026-01-01")
    assert (row["price"], row["total"], row["share"]) == (1.25, 3.0, 0.5)
    assert {str(frame[name].dtype) for name in ("price", "total", "share")} == {"float64"}
    assert list(row["numbers"]) == [1, 2]
    assert row["pair"] == {"a": 1}
    assert row["word"] == "x"


def test_polars_and_duckdb_take_an_answer(lake: Path):
    """What speaks Arrow needs no method of ours."""
    answer = joblake.open(lake).query("select job_arn, created_at from jobs order by all")
    assert pl.DataFrame(answer).to_dicts() == answer.to_pylist()
    assert pa.table(answer) == answer.arrow()
    assert duckdb.connect().sql("select count(*) from answer").fetchall() == [(2,)]


def test_values_of_python(lake: Path):
    """Rows as dicts hold Python's own values, instants in UTC."""
    (row,) = (
        joblake.open(lake)
        .query("select created_at, created_at::date as day, 'nan'::double as n from jobs limit 1")
        .to_pylist()
    )
    assert row["created_at"] == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert row["day"] == date(2026, 1, 1)
    assert math.isnan(row["n"])


def test_the_lake_of_the_command_line(lake: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a folder it is the command line's: JOBLAKE_LAKE, joblake.toml, data/lake."""
    assert joblake.open().query("from jobs").num_rows == 0
    Path("joblake.toml").write_text(f"lake = '{lake}'\n")
    assert joblake.open().query("from jobs").num_rows == 2
    monkeypatch.setenv("JOBLAKE_LAKE", "elsewhere")
    assert joblake.open().query("from jobs").num_rows == 0
    assert joblake.open(lake).query("from jobs").num_rows == 2


def test_a_folder_needs_no_settings(lake: Path):
    """A named folder opens whatever else is wrong with the settings."""
    Path("joblake.toml").write_text("nonsense")
    assert joblake.open(lake).query("from jobs").num_rows == 2


def test_a_lake_that_does_not_exist(tmp_path: Path):
    """It is empty, and not made."""
    answer = joblake.open(tmp_path / "none").query("from jobs")
    assert answer.df().empty
    assert answer.column_names[0] == "job_arn"
    assert answer.schema == answer.arrow().schema
    assert not (tmp_path / "none").exists()


def test_refusals(lake: Path):
    """What only the command line's user could see is an exception here."""
    with pytest.raises(UsageError, match="local folder or s3://"):
        joblake.open("https://bucket/lake")
    with pytest.raises(UsageError, match="read only"):
        joblake.open(lake).query("drop view jobs")
    (path,) = lake.rglob("observations.parquet")
    path.write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="restore it from a backup"):
        joblake.open(lake)
    opened = joblake.open(lake, skip_unreadable=True)
    assert [skipped for skipped, _ in opened.skipped] == [str(path)]


def test_types_are_told(lake: Path):
    """What `open` and `query` return are the documented classes, and their words say how."""
    assert isinstance(joblake.open(lake), Warehouse)
    assert isinstance(joblake.open(lake).query("select 1 as a"), QueryResult)
    for text in (joblake.__doc__, joblake.open.__doc__):
        assert text is not None
        assert ".df()" in text
        assert ".arrow()" in text


def test_importing_loads_nothing():
    """`import joblake` brings in the standard library alone, and no module of joblake's own."""
    program = """
import json, sys
before = set(sys.modules)
import joblake
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    loaded = {name.partition(".")[0] for name in json.loads(output)}
    assert loaded <= {"joblake"} | sys.stdlib_module_names
    assert [name for name in json.loads(output) if name.startswith("joblake")] == ["joblake"]
