"""The warehouse: what opens on which lakes, what a query can read, and how it fails."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from declared import CATALOGUE, SOURCES
from joblake.errors import UnreadableFileError, UsageError
from joblake.lake.ledger import LEDGER_SCHEMA
from joblake.lake.local import Lake
from joblake.sources.schema import observation_schema
from joblake.warehouse.warehouse import Warehouse, open_warehouse
from lake_rows import instant, paths_of, write_file, write_rows

TABLE = "model_invocation_jobs"
SCHEMA = observation_schema(SOURCES[TABLE])
ROW = {"observed_at": "2026-01-01", "change": "added", "job_arn": "a", "status": "Completed"}
LISTING = {"table_name": TABLE, "started_at": "2026-01-01", "outcome": "complete", "listed": 1}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """One job and its listing."""
    lake = Lake.at(tmp_path / "lake")
    write_rows(lake, {TABLE: [ROW], "listings": [LISTING]})
    return lake


@pytest.fixture(scope="module")
def read_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same for tests that only read, beside a file that is none of a query's business."""
    folder = tmp_path_factory.mktemp("read")
    lake = Lake.at(folder / "lake")
    write_rows(lake, {TABLE: [ROW], "listings": [LISTING]})
    (folder / "secret.csv").write_text("password\nhunter2\n")
    (lake.root / "link.csv").symlink_to(folder / "secret.csv")
    return lake


@pytest.fixture(scope="module")
def warehouse(read_lake: Lake) -> Iterator[Warehouse]:
    with open_warehouse(read_lake, CATALOGUE) as warehouse:
        yield warehouse


def test_lake_that_does_not_exist(tmp_path: Path):
    """A lake that was never written to has every table, typed and empty, and is not created."""
    lake = Lake.at(tmp_path / "none")
    with open_warehouse(lake, CATALOGUE) as warehouse:
        for source in SOURCES.values():
            answer = warehouse.query(f"from observations.{source.table}")
            assert answer.schema == observation_schema(source)
            assert answer.num_rows == 0
        assert warehouse.query("from observations.listings").schema == LEDGER_SCHEMA
    assert not lake.root.exists()


def test_files_of_older_and_newer_sdks(lake: Lake):
    """Columns that older files lack are null; those that newer files add come after ours."""
    (path,) = paths_of(lake.table_files(TABLE))
    rows = pq.read_table(path, partitioning=None)
    older = path.parents[1] / "month=2025-12" / path.name
    newer = path.parents[1] / "month=2026-02" / path.name
    write_file(older, rows.select([*rows.column_names[:5], "job_arn"]))
    colours = pa.array(["blue"])
    write_file(newer, rows.append_column("colour", colours).select(["colour", *rows.column_names]))
    with open_warehouse(lake, CATALOGUE) as warehouse:
        answer = warehouse.query(f"from observations.{TABLE} order by colour, status")
        assert answer.schema == SCHEMA.append(pa.field("colour", pa.string()))
        assert answer.arrow()["colour"].to_pylist() == ["blue", None, None]
        assert answer.arrow()["status"].to_pylist() == ["Completed", "Completed", None]


def test_only_older_files(lake: Lake):
    """A table whose every file lacks a column still has it, with its type."""
    (path,) = paths_of(lake.table_files(TABLE))
    write_file(path, pq.read_table(path, partitioning=None).drop_columns(["total_record_count"]))
    with open_warehouse(lake, CATALOGUE) as warehouse:
        assert warehouse.query(f"from observations.{TABLE}").schema == SCHEMA


def test_column_of_another_type(lake: Lake):
    """A file that holds a column of ours in another type is foreign, and named."""
    (path,) = paths_of(lake.table_files(TABLE))
    rows = pq.read_table(path, partitioning=None)
    place = rows.column_names.index("total_record_count")
    write_file(path, rows.set_column(place, "total_record_count", pa.array([7], pa.int32())))
    with pytest.raises(UnreadableFileError, match="total_record_count is int32, not int64"):
        open_warehouse(lake, CATALOGUE)
    with open_warehouse(lake, CATALOGUE, skip_unreadable=True) as warehouse:
        assert [skipped for skipped, _ in warehouse.skipped] == [str(path)]


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "it's",
        'dou"ble',
        "a [x] b",
        "[",
        "*?",
        "**",
        "{a,b}",
        "back\\slash",
        "back\\slash #b?c=d",
        "b\\[x]*",
        "ü n\nl",
        "%20",
    ],
)
def test_strange_folders(name: str, tmp_path: Path):
    """Whatever a lake's folder is called, its own files are read and no neighbour's."""
    for folder in ("a x b", "anything", name):
        write_rows(Lake.at(tmp_path / folder), {TABLE: [{**ROW, "job_name": folder}]})
    with open_warehouse(Lake.at(tmp_path / name), CATALOGUE) as warehouse:
        assert warehouse.query("select job_name from jobs").to_pylist() == [{"job_name": name}]


def test_bare_names(warehouse: Warehouse):
    """A view needs no schema before its name, and a table's name alone means its latest state."""
    assert "is_vanished" in warehouse.query(f"from {TABLE}").column_names
    assert "change" in warehouse.query("from listings, job_status_changes").column_names
    assert warehouse.query("from added_twice").num_rows == 0
    assert warehouse.query("from job_durations, listing_coverage").num_rows == 0


def test_times_are_utc(warehouse: Warehouse):
    """Times are shown, truncated and taken in UTC, wherever the query runs."""
    answer = warehouse.query(
        "select timestamptz '2026-01-01 00:00:00' as at, first_seen_at from jobs"
    )
    assert answer.arrow()["at"].to_pylist() == [instant("2026-01-01")]
    assert answer.schema.types == [pa.timestamp("us", "UTC")] * 2


def test_parameters(warehouse: Warehouse):
    """Values are passed beside the statement."""
    for sign, parameters in (("$1", ["a"]), ("?", ["a"]), ("$arn", {"arn": "a"})):
        sql = f"select job_arn from jobs where job_arn = {sign}"
        assert warehouse.query(sql, parameters).to_pylist() == [{"job_arn": "a"}]
        assert warehouse.stream(sql, parameters).read_all().to_pylist() == [{"job_arn": "a"}]


def test_opening_again_sees_new_rows(lake: Lake):
    """A reader sees what was committed since by opening again."""
    with open_warehouse(lake, CATALOGUE) as warehouse:
        assert warehouse.query("from jobs").num_rows == 1
    write_rows(lake, {TABLE: [{**ROW, "observed_at": "2026-02-01", "job_arn": "b"}]})
    with open_warehouse(lake, CATALOGUE) as warehouse:
        assert warehouse.query("from jobs").num_rows == 2


@pytest.mark.parametrize("name", ["observations", "listings"])
@pytest.mark.parametrize("damage", ["empty", "half", "text", "footer"])
def test_damaged_file(name: str, damage: str, lake: Lake):
    """A file that is not Parquet is named with the way out, or left out where that was asked."""
    write_rows(lake, {TABLE: [{**ROW, "observed_at": "2026-02-01", "job_arn": "b"}]})
    found = lake.table_files(TABLE) if name == "observations" else lake.listing_files()
    files = paths_of(found)
    whole = files[0].read_bytes()
    damaged = {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "text": b"not a Parquet file at all\n",
        "footer": whole[:-60] + b"\xff" * 50 + whole[-10:],
    }
    files[0].write_bytes(damaged[damage])
    with pytest.raises(UnreadableFileError, match="restore it from a backup") as caught:
        open_warehouse(lake, CATALOGUE).query("from jobs, listings")
    assert str(files[0]) in str(caught.value)
    with open_warehouse(lake, CATALOGUE, skip_unreadable=True) as warehouse:
        assert [path for path, _ in warehouse.skipped] == [str(files[0])]
        assert warehouse.query("from jobs").num_rows == (1 if name == "observations" else 2)


@pytest.mark.parametrize("noise", [b"\xff", b"\x00"])
def test_damaged_pages(noise: bytes, lake: Lake):
    """Damage behind a sound footer is named too, when a query comes upon it."""
    rows = [{**ROW, "job_arn": hashlib.sha256(bytes([n])).hexdigest()} for n in range(250)]
    (path,) = write_rows(lake, {TABLE: rows})
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + noise * 9000 + whole[9004:])
    with open_warehouse(lake, CATALOGUE) as warehouse, pytest.raises(UnreadableFileError) as caught:
        warehouse.query("from jobs")
    assert str(path) in str(caught.value)


def test_file_that_went_away(lake: Lake):
    """A file that is gone since the lake was opened is named."""
    with open_warehouse(lake, CATALOGUE) as warehouse:
        (path,) = paths_of(lake.table_files(TABLE))
        path.unlink()
        with pytest.raises(UnreadableFileError, match=r"observations\.parquet"):
            warehouse.query("from jobs")


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as a",
        "-- first\nselect 1 as a; -- last",
        "from jobs",
        "values (1)",
        "table jobs",
        "with a as (select 1 as b) from a",
        "describe jobs",
        "summarize jobs",
        "show tables",
        "show all tables",
        "explain select 1",
        "explain analyze from jobs",
        "explain (format json) from jobs",
        "pivot jobs on status using count(*)",
        "pivot jobs on status in ('Completed') using count(*);",
        "unpivot (select 1 as a, 2 as b) on a, b",
    ],
)
def test_reading_is_allowed(sql: str, warehouse: Warehouse):
    """Every statement that only reads answers, and another can follow."""
    assert warehouse.query(sql).column_names
    assert warehouse.query("from jobs").num_rows == 1


REFUSED = [
    "",
    "-- nothing",
    "select 1; select 2",
    "copy (select 1) to '{lake}/x.parquet'",
    "copy jobs to '{file}' (use_tmp_file false)",
    "with a as (copy (select 1) to '{file}' (use_tmp_file false)) from a",
    "with a as (copy (select 1) to '{lake}/x.csv') select * from jobs",
    "explain analyze copy (select 1) to '{file}' (use_tmp_file false)",
    "explain analyze with a as (copy (select 1) to '{file}' (use_tmp_file false)) from a",
    "/* x */ explain /* y */ analyze copy (select 1) to '{file}'",
    "explain (analyze) copy (select 1) to '{file}' (use_tmp_file false)",
    "explain (format json, analyze) copy (select 1) to '{file}' (use_tmp_file false)",
    "with a as (copy (select 1) to '{file}' (use_tmp_file false)) pivot a on \"Count\"",
    (
        "from json_execute_serialized_sql(json_serialize_sql('with a as (copy (select 1) to "
        "''{file}'' (use_tmp_file false)) from a'))"
    ),
    "from system.main.\"JSON_execute_serialized_sql\"(json_serialize_sql('select 1 as a'))",
    "from query('from json_exec' || 'ute_serialized_sql(json_serialize_sql(''select 1 as a''))')",
    "explain analyze from query('select 1')",
    "select * from jobs where exists (from query('select 1'))",
    "pivot (from query('select 1 as a')) on a",
    "from query('with a as (copy (select 1) to ''{file}'' (use_tmp_file false)) from a')",
    "from (with a as (copy (select 1) to '{file}' (use_tmp_file false)) from a)",
    "pivot (with a as (copy (select 1) to '{file}' (use_tmp_file false)) from a) on 1",
    "from jobs) union all (with a as (copy (select 1) to '{file}') from a",
    "export database '{lake}/x'",
    "import database '{lake}/x'",
    "attach '{lake}/x.duckdb' as x",
    "attach ':memory:' as x",
    "detach memory",
    "install httpfs",
    "load httpfs",
    "set threads = 1",
    "reset search_path",
    "use history",
    "set variable a = 1",
    "pragma enable_profiling",
    "call enable_logging()",
    "checkpoint",
    "vacuum",
    "begin",
    "create table a as select 1",
    "create or replace view current.jobs as select 1",
    "create secret (type s3)",
    "drop view history.jobs",
    "prepare a as select 1",
    "from enable_logging(storage = 'file', storage_path = '{lake}/log')",
    "from enable_profiling(save_location = '{lake}/profile')",
    "from read_text('/etc/passwd')",
    "from read_text('{lake}/../secret.csv')",
    "from read_text('{lake}/model_invocation_jobs/../../secret.csv')",
    "from read_csv('{lake}/link.csv')",
    "from read_csv('file://{lake}/../secret.csv')",
    "from sniff_csv('{lake}/../secret.csv')",
    "from read_blob('{lake}/**')",
    "from glob('/etc/*')",
    "from glob('{lake}/*')",
    "from '/etc/passwd'",
    "from read_parquet('https://example.com/x.parquet')",
    "from read_parquet('s3://bucket/x.parquet')",
    "from parquet_metadata('{lake}/../secret.parquet')",
    "from read_duckdb('{lake}/x.duckdb')",
    "from parquet_file_metadata('/etc/passwd')",
    "select getenv('HOME')",
    "from python_variable",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_fence(sql: str, read_lake: Lake, warehouse: Warehouse):
    """Nothing but reading the lake's own files gets through, and nothing changes on disk."""
    python_variable = pa.table({"a": [1]})
    before = _contents(read_lake.root.parent)
    statement = sql.replace("{lake}", str(read_lake.root))
    statement = statement.replace("{file}", str(paths_of(read_lake.table_files(TABLE))[0]))
    with pytest.raises(UsageError) as caught:
        warehouse.query(statement)
    assert "\n" not in str(caught.value)
    assert _contents(read_lake.root.parent) == before
    assert warehouse.query("from jobs").num_rows == python_variable.num_rows


def _contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("selec 1", 'syntax error at or near "selec" at line 1, column 1'),
        ("from jobs\nwhere 1 = = 1", 'syntax error at or near "=" at line 2, column 11'),
        ("from nowhere_at_all", "Table with name nowhere_at_all does not exist"),
        ("select jobname from jobs", 'Referenced column "jobname" not found in FROM clause'),
        ("select 'a'::int", "Could not convert string 'a' to INT32"),
        ("select $1", "Values were not provided for the following parameters: 1"),
        ("insert into jobs values (1)", "INSERT is refused; queries are read only"),
        ("select 1; select 2", "expected one statement, found 2"),
        ("from glob('/etc/*')", "a query can read the views of its lake only"),
    ],
)
def test_wrong_query_is_one_line(sql: str, line: str, warehouse: Warehouse):
    """A wrong query is told in one line that says what and where, without DuckDB's traceback."""
    with pytest.raises(UsageError) as caught:
        warehouse.query(sql)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_configuration_is_locked(warehouse: Warehouse):
    """What keeps queries inside is DuckDB's own configuration, which nothing can change again."""
    names = ("enable_external_access", "autoload_known_extensions", "lock_configuration")
    settings = warehouse.query("select name, value from duckdb_settings()").to_pylist()
    values = {row["name"]: row["value"] for row in settings}
    assert [values[name] for name in names] == ["false", "false", "true"]


def test_spilling_leaves_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Spilled rows go to the temporary folder, for the owner alone, and away with the warehouse."""
    monkeypatch.chdir(tmp_path)
    with open_warehouse(lake, CATALOGUE) as warehouse:
        (row,) = warehouse.query("select current_setting('temp_directory') as folder").to_pylist()
        folder = Path(row["folder"])
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


@pytest.mark.parametrize("ask", [Warehouse.query, Warehouse.stream])
def test_what_arrow_would_distort_is_text(warehouse: Warehouse, ask):
    """Types that Arrow has not, or has only half, come as DuckDB spells them."""
    rows = ask(
        warehouse,
        f"""select {2**128 - 1}::uhugeint as "a""b", 1 as c, '0101'::bit as bits, 2 as c,
        '12:00:00+02'::timetz as t, 5::bignum as big""",
    )
    table = rows.arrow() if ask is Warehouse.query else rows.read_all()
    values = [column.to_pylist() for column in table.columns]
    assert values == [[str(2**128 - 1)], [1], ["0101"], [2], ["12:00:00+02"], ["5"]]
    assert (table.column_names[0], table.column_names[2]) == ('a"b', "bits")
