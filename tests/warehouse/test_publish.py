"""The marts: what BI engines read in them, and how they replace one another."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from command_line import JOBLAKE, run_joblake
from declared import CATALOGUE
from joblake.errors import LakeError, UnreadableFileError
from joblake.lake.local import Lake
from joblake.sources.schema import TIMESTAMP
from joblake.warehouse.publish import DATABASE, marts, publish, scalar_sql
from joblake.warehouse.views import read_views
from joblake.warehouse.warehouse import open_warehouse
from lake_rows import paths_of, write_rows

VIEWS = {f"{view.schema}.{view.name}": view for view in read_views(CATALOGUE)}
MARTS = marts(CATALOGUE)
NAMES = [VIEWS[name].name for name in MARTS]
SCALARS = {pa.string(), pa.int64(), pa.float64(), pa.bool_(), TIMESTAMP, pa.date32()}

BATCHES = "model_invocation_jobs"
BATCH = {
    "job_arn": "arn:batch",
    "job_name": "<script>alert(1)</script>, \"quoted\" 'ü'\n🦆",
    "model_id": "amazon.nova-lite-v1:0",
    "submit_time": "2026-01-01 00:30",
    "vpc_config__subnet_ids": '["subnet-1", "subnet-2"]',
    "vpc_config__security_group_ids": '["sg-1"]',
}
TUNING = {
    "job_arn": "arn:tuning",
    "job_name": "tuning",
    "base_model_arn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    "custom_model_arn": "arn:model",
    "status": "Completed",
    "creation_time": "2026-01-01 03:00",
    "end_time": "2026-01-01 04:00:00.123456",
    "status_details__training_details__status": "Completed",
    "status_details__training_details__creation_time": "2026-01-01 03:10",
    "status_details__training_details__last_modified_time": "2026-01-01 03:50",
}
ROOMS = "00000000-0000-4000-8000-000000000001"
INFERENCE = {
    "trained_model_inference_job_arn": "arn:inference",
    "parent": ROOMS,
    "status": "ACTIVE",
    "create_time": "1969-12-31 23:59:59",
    "output_configuration__members": '[{"accountId": "444455556666"}]',
}
MODEL = {"model_arn": "arn:model", "model_name": "tuned", "creation_time": "2026-01-01 04:00"}
FIRST, SECOND = (
    {"observed_at": "2026-01-02 02:00", "change": "added"},
    {"observed_at": "2026-01-03 02:00", "change": "changed"},
)
ROWS: dict[str, list[dict[str, Any]]] = {
    BATCHES: [
        {**BATCH, **FIRST, "status": "InProgress"},
        {**BATCH, **SECOND, "status": "Completed", "end_time": "2026-01-02 12:00"},
    ],
    "model_customization_jobs": [{**TUNING, **FIRST}],
    "trained_model_inference_jobs": [{**INFERENCE, **FIRST}],
    "custom_models": [{**MODEL, **FIRST}],
    "listings": [
        {"table_name": BATCHES, "started_at": "2026-01-02 02:00", "outcome": "complete"},
        {"table_name": BATCHES, "started_at": "2026-01-03 02:00", "outcome": "complete"},
    ],
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that has rows for every mart."""
    lake = Lake.at(tmp_path / "lake")
    write_rows(lake, ROWS)
    return lake


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same, published, for tests that only read."""
    lake = Lake.at(tmp_path_factory.mktemp("full"))
    write_rows(lake, ROWS)
    publish(lake, CATALOGUE)
    return lake


@pytest.fixture
def published(full: Lake, tmp_path: Path) -> Lake:
    """The same, for tests that write."""
    shutil.copytree(full.root, tmp_path / "lake")
    return Lake.at(tmp_path / "lake")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """What is published of a lake that was never written to."""
    lake = Lake.at(tmp_path_factory.mktemp("empty") / "lake")
    publish(lake, CATALOGUE)
    return lake


def add_job(lake: Lake, number: int) -> None:
    job = {**FIRST, "observed_at": f"2026-02-{number:02}", "job_arn": f"arn:{number}"}
    write_rows(lake, {BATCHES: [job]})


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    return rows


def contents(lake: Lake) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in lake.mart("").iterdir()}


@contextmanager
def database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published database as a tool opens it, in a DuckDB of its own."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{path}' as marts (read_only)")
        connection.execute("use marts")
        yield connection


# --- what is in them ---------------------------------------------------------------------------


def test_marts_have_names_of_their_own():
    """No two marts share a file: a view's name is enough to tell it from the others."""
    assert len(set(NAMES)) == len(MARTS)


def test_every_mart_has_rows(full: Lake):
    """The lake of these tests leaves no mart without something to read."""
    assert [name for name in NAMES if not rows_of(full.mart(f"{name}.parquet"))] == []


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_says_what_its_view_says(name: str, full: Lake):
    """A mart has the columns and rows of its view, in the order of the view's key."""
    view = VIEWS[name]
    with open_warehouse(full, CATALOGUE) as warehouse:
        answer = warehouse.query(f"from {name} order by {', '.join(view.key)}")
    mart = pq.ParquetFile(full.mart(f"{view.name}.parquet")).read()
    assert mart.column_names == list(view.columns)
    volatile = {"hours_since_complete"}  # counts from now
    assert mart.drop_columns(list(volatile & view.columns.keys())).to_pylist() == [
        {name: value for name, value in row.items() if name not in volatile}
        for row in answer.to_pylist()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_marts_hold_scalars_only(name: str, full: Lake, empty: Lake):
    """Every column is text, a 64-bit number, a boolean, an instant in UTC or a date; always."""
    schema = pq.read_schema(full.mart(f"{name}.parquet"))
    assert set(schema.types) <= SCALARS
    assert pq.read_schema(empty.mart(f"{name}.parquet")) == schema


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'a'::varchar", "a"),
        ("'a'::enum('a', 'b')", "a"),
        ("""'{"a": 1}'::json""", '{"a": 1}'),
        ("'00000000-0000-4000-8000-000000000001'::uuid", ROOMS),
        ("1::tinyint", 1),
        ("1::uinteger", 1),
        ("sum(1)", 1),
        ("1.25::decimal(9, 2)", 1.25),
        ("1.5::float", 1.5),
        ("'nan'::double", "nan"),
        ("true", True),
        ("date '2026-01-01'", date(2026, 1, 1)),
        ("(timestamptz '2026-01-01')::date", date(2026, 1, 1)),
        ("epoch_us(timestamp '2026-01-01')", 1767225600000000),
        ("['a', null]", '["a",null]'),
        ("array_value(1, 2)", "[1,2]"),
        ("{a: [1], b: 'x'}", '{"a":[1],"b":"x"}'),
        ("[{a: 1}]", '[{"a":1}]'),
        ("map {'a': 1}", '{"a":1}'),
        ("null::integer[]", None),
    ],
)
def test_other_types_become_scalars(value: str, expected: Any):
    """A view may come to use any type: the mart holds what BI tools read."""
    connection = duckdb.connect()
    connection.execute(f"create view v as select {value} as x")
    ((_, kind, *_),) = connection.execute("describe v").fetchall()
    answer = connection.sql(f"select {scalar_sql('x', kind)} as x from v").to_arrow_table()
    assert answer.schema.field("x").type in SCALARS
    (row,) = answer.to_pylist()
    assert str(row["x"]) == str(expected)


@pytest.mark.parametrize("kind", ["INTERVAL", "BLOB", "TIME", "A NEW TYPE"])
def test_a_type_without_a_scalar_is_an_error(kind: str):
    """No type becomes text in silence."""
    with pytest.raises(TypeError, match="no type of a mart for x, which is"):
        scalar_sql("x", kind)


# --- who reads them ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_pandas_reads_every_mart(name: str, full: Lake, empty: Lake):
    """Every mart is read by pandas, with instants in UTC, also where it is empty."""
    rows = rows_of(full.mart(f"{name}.parquet"))
    frame = pd.read_parquet(full.mart(f"{name}.parquet"))
    assert len(frame) == len(rows)
    zoned = [str(kind) for kind in frame.dtypes if str(kind).startswith("datetime64")]
    assert set(zoned) <= {"datetime64[us, UTC]"}
    nothing = pd.read_parquet(empty.mart(f"{name}.parquet"))
    assert list(nothing.columns) == list(frame.columns)
    assert nothing.empty


@pytest.mark.parametrize("name", NAMES)
def test_polars_reads_every_mart(name: str, full: Lake, empty: Lake):
    """The rows of each mart are read by polars, and the same types where it is empty."""
    frame = pl.read_parquet(full.mart(f"{name}.parquet"))
    assert frame.to_dicts() == rows_of(full.mart(f"{name}.parquet"))
    nothing = pl.read_parquet(empty.mart(f"{name}.parquet"))
    assert nothing.schema == frame.schema
    assert nothing.is_empty()


@pytest.fixture(scope="module")
def hyper() -> Iterator[Any]:
    """Tableau's engine: a process of its own on a local socket, ended with the tests."""
    api = pytest.importorskip("tableauhyperapi", reason="Hyper has no wheel for this machine")
    telemetry = api.Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU
    with (
        api.HyperProcess(telemetry, parameters={"log_config": ""}) as process,
        api.Connection(process.endpoint) as connection,
    ):
        yield connection


@pytest.mark.parametrize("name", NAMES)
def test_tableau_reads_every_mart(name: str, hyper: Any, full: Lake, empty: Lake):
    """Tableau's Hyper reads the rows of each mart as they are, and the empty one too."""
    path = full.mart(f"{name}.parquet")
    query = "select * from external('{}', format => 'parquet')"
    with hyper.execute_query(query.format(path)) as result:
        found = [[_plain(cell) for cell in row] for row in result]
    assert found == [list(row.values()) for row in rows_of(path)]
    with hyper.execute_query(query.format(empty.mart(f"{name}.parquet"))) as result:
        assert [column.name.unescaped for column in result.schema.columns] == (
            pq.read_schema(path).names
        )
        assert list(result) == []


def _plain(cell: Any) -> Any:
    """A value of Hyper's as Python's."""
    for method in ("to_datetime", "to_date"):
        if hasattr(cell, method):
            return getattr(cell, method)()
    return cell


@pytest.mark.parametrize("name", NAMES)
def test_the_database_has_every_mart(name: str, full: Lake, empty: Lake):
    """joblake.duckdb has a table for each mart, of the same types and rows."""
    mart = pq.ParquetFile(full.mart(f"{name}.parquet")).read()
    with database(full.mart(DATABASE)) as connection:
        table = connection.sql(f"from {name}").to_arrow_table()
    assert table.schema == mart.schema
    assert table.to_pylist() == mart.to_pylist()
    with database(empty.mart(DATABASE)) as connection:
        assert connection.sql(f"from {name}").to_arrow_table() == mart.schema.empty_table()


def test_the_database_is_in_the_format_of_duckdb_1(full: Lake):
    """joblake.duckdb has the storage version that every DuckDB 1.x opens, and nothing but marts."""
    with database(full.mart(DATABASE)) as connection:
        ((tags,),) = connection.execute(
            "select tags from duckdb_databases() where database_name = 'marts'"
        ).fetchall()
        tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert tags["storage_version"].rstrip("+") == "v1.0.0"
    assert int.from_bytes(full.mart(DATABASE).read_bytes()[12:20], "little") == 64
    assert sorted(name for (name,) in tables) == sorted(NAMES)


# --- how they are replaced ---------------------------------------------------------------------


def test_what_was_published_is_told(lake: Lake):
    """Each file is told with its rows and size; the database has the rows of all marts."""
    *marts, whole = publish(lake, CATALOGUE)
    assert [mart.name for mart in marts] == NAMES
    for mart in marts:
        assert mart.path == str(lake.root / "marts" / f"{mart.name}.parquet")
        assert mart.rows == len(rows_of(mart.path))
        assert mart.bytes == Path(mart.path).stat().st_size
    assert whole.path == str(lake.root / "marts" / "joblake.duckdb")
    assert whole.rows == sum(mart.rows for mart in marts)
    assert sorted(contents(lake)) == sorted(Path(file.path).name for file in (*marts, whole))


def test_publishing_again_replaces_everything(published: Lake):
    """The marts show what the lake has now; unchanged, it gives the same Parquet files."""
    before = contents(published)
    publish(published, CATALOGUE)
    again = contents(published)
    timeless = set(before) - {DATABASE, "listing_coverage.parquet"}
    assert {name: again[name] for name in timeless} == {name: before[name] for name in timeless}
    add_job(published, 1)
    publish(published, CATALOGUE)
    assert "arn:1" in [row["job_arn"] for row in rows_of(published.mart("jobs.parquet"))]
    with database(published.mart(DATABASE)) as connection:
        assert connection.execute("select count(*) from jobs").fetchall() == [(4,)]


@pytest.mark.parametrize(("mask", "mode"), [(0, 0o600), (0o077, 0o640), (0o277, 0o600)])
def test_permissions(mask: int, mode: int, tmp_path: Path):
    """Every file has the permissions of the lake, whatever the umask."""
    lake = Lake.at(tmp_path / "lake", file_mode=mode)
    lake.mart("").mkdir(parents=True)
    (lake.root / ".locks").mkdir()
    before = os.umask(mask)
    try:
        published = publish(lake, CATALOGUE)
    finally:
        os.umask(before)
    assert {Path(file.path).stat().st_mode & 0o777 for file in published} == {mode}


def test_a_damaged_lake_leaves_the_old_marts(published: Lake):
    """A file that cannot be read is named; the marts stay as they were, all of them."""
    before = contents(published)
    add_job(published, 1)
    *_, path = paths_of(published.table_files(BATCHES))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableFileError, match="restore it from a backup") as caught:
        publish(published, CATALOGUE)
    assert str(path) in str(caught.value)
    assert contents(published) == before


def test_damage_far_into_a_file(lake: Lake):
    """Damage that shows only while rows are streamed is told in the same way."""
    rows = [{**FIRST, "job_arn": "arn:many", "client_request_token": "x" * 30}]
    (path,) = write_rows(lake, {BATCHES: rows})
    many = pa.concat_tables([pq.ParquetFile(path).read()] * 300_000).combine_chunks()
    pq.write_table(many, path, row_group_size=10_000, use_dictionary=False, compression="none")
    whole = path.read_bytes()
    place = len(whole) * 9 // 10
    path.write_bytes(whole[:place] + b"\xff" * 90_000 + whole[place + 90_000 :])
    with open_warehouse(lake, CATALOGUE) as warehouse:
        reader = warehouse.stream(f"from observations.{BATCHES}")
        assert reader.read_next_batch().num_rows > 0
        with pytest.raises(UnreadableFileError, match="restore it from a backup") as caught:
            reader.read_all()
    assert str(path) in str(caught.value)


LIMITED = """
import resource, sys
from joblake.errors import LakeError
from joblake.lake.local import Lake
from joblake.sources.catalogue import shipped_catalogue
from joblake.warehouse.publish import publish
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    publish(Lake.at(sys.argv[1]), shipped_catalogue())
except LakeError as error:
    print(error)
"""


@pytest.mark.parametrize(("size", "file"), [(500, "jobs.parquet"), (50_000, DATABASE)])
def test_a_full_disk_leaves_the_old_marts(size: int, file: str, published: Lake):
    """What cannot be written is a LakeError that names it, and nothing is replaced."""
    before = contents(published)
    add_job(published, 1)
    command = [sys.executable, "-c", LIMITED, str(published.root), str(size)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout.startswith("cannot ")
    assert file in finished.stdout
    assert contents(published) == before


def test_what_a_dead_publisher_left_is_cleared(published: Lake):
    """A publisher that was killed leaves the old marts, and its litter to the next one."""
    for name in (".jobs.parquet.99999.tmp", f".{DATABASE}.99999.tmp"):
        published.mart(name).write_bytes(b"half")
    files = publish(published, CATALOGUE)
    assert sorted(contents(published)) == sorted(Path(file.path).name for file in files)


KILLED = """
import os, signal, sys
from pathlib import Path
from joblake.lake.local import Lake
from joblake.sources.catalogue import shipped_catalogue
from joblake.warehouse.publish import publish
left = int(sys.argv[2])
def watch(event, arguments):
    global left
    if event == "os.rename" and "/marts/" in str(arguments[0]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
publish(Lake.at(sys.argv[1]), shipped_catalogue())
"""


@pytest.mark.parametrize("renames", [0, 1, 5])
def test_a_killed_publisher(renames: int, published: Lake):
    """Killed before any of its renames, each file is the old one or the new one, and whole."""
    add_job(published, 1)
    command = [sys.executable, "-c", KILLED, str(published.root), str(renames)]
    assert subprocess.run(command, check=False).returncode == -9
    for name in NAMES:
        pq.ParquetFile(published.mart(f"{name}.parquet")).read()
    assert len(rows_of(published.mart("jobs.parquet"))) == 3
    with database(published.mart(DATABASE)) as connection:
        (count,) = connection.execute("select count(*) from jobs").fetchall()
    assert count == (4 if renames else 3,)
    files = publish(published, CATALOGUE)
    assert sorted(contents(published)) == sorted(Path(file.path).name for file in files)


def test_readers_never_see_less(published: Lake):
    """While marts are published again and again, every read of every file succeeds."""
    done = threading.Event()
    failures: list[Exception] = []
    seen: set[int] = set()

    def read() -> None:
        while not done.is_set():
            try:
                for name in NAMES:
                    # Polars opens a path twice, and would meet two files.
                    pl.read_parquet(published.mart(f"{name}.parquet").read_bytes())
                seen.add(len(rows_of(published.mart("jobs.parquet"))))
                with database(published.mart(DATABASE)) as connection:
                    seen.update(*connection.execute("select count(*) from jobs").fetchall())
            except Exception as error:  # noqa: BLE001 - any failure is the finding
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 3):
        add_job(published, number)
        publish(published, CATALOGUE)
    done.set()
    reader.join()
    assert failures == []
    assert seen == {3, 4}


def test_a_reader_keeps_what_it_has_open(published: Lake):
    """A tool that holds the database open goes on reading the old one."""
    with database(published.mart(DATABASE)) as old:
        add_job(published, 1)
        publish(published, CATALOGUE)
        assert old.execute("select count(*) from jobs").fetchall() == [(3,)]
        assert len(old.execute("from job_phases").fetchall()) > 0
    with database(published.mart(DATABASE)) as new:
        assert new.execute("select count(*) from jobs").fetchall() == [(4,)]


def test_what_a_tool_wrote_does_not_spoil_the_next_database(published: Lake):
    """A write-ahead log that a tool left beside the old database goes with it."""
    program = f"""
import duckdb, os
connection = duckdb.connect({str(published.mart(DATABASE))!r})
connection.execute("create table mine as select 1 as a")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert published.mart(f"{DATABASE}.wal").exists()
    publish(published, CATALOGUE)
    assert not published.mart(f"{DATABASE}.wal").exists()
    with database(published.mart(DATABASE)) as connection:
        assert connection.execute("select count(*) from duckdb_tables()").fetchall() == [
            (len(NAMES),)
        ]


def test_one_publisher_at_a_time(lake: Lake):
    """A second publisher waits for the first and then publishes what the lake has by then."""
    entered, told = threading.Event(), []

    def wait() -> None:
        entered.set()
        told.append(publish(lake, CATALOGUE))

    second = threading.Thread(target=wait)
    with lake.locked_marts():
        second.start()
        assert entered.wait(10)
        second.join(0.5)
        assert second.is_alive()
        assert not lake.mart("").exists()
        add_job(lake, 1)
    second.join(60)
    assert len(rows_of(lake.mart("jobs.parquet"))) == 4


def test_publishers_in_several_processes(lake: Lake):
    """Publishers at the same time all succeed, and leave whole marts and no litter."""
    command = [*JOBLAKE, "publish", "--lake", str(lake.root)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0].decode().split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    names = sorted(Path(line).name for line in outputs[0])
    assert outputs[0] == outputs[1]
    assert sorted(contents(lake)) == names
    assert len(rows_of(lake.mart("jobs.parquet"))) == 3


@pytest.mark.parametrize("name", ["it's *? a#b?c=d", "a [x] ü n\nl", "back\\slash"])
def test_strange_folders(name: str, tmp_path: Path):
    """Whatever a lake's folder is called, its marts are in it."""
    lake = Lake.at(tmp_path / name)
    write_rows(lake, ROWS)
    *_, whole = publish(lake, CATALOGUE)
    assert whole.rows > 3
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_marts_are_no_part_of_the_lake(lake: Lake):
    """Publishing changes no answer: nobody takes marts for observations."""
    with open_warehouse(lake, CATALOGUE) as warehouse:
        before = warehouse.query("from jobs order by job_arn").to_pylist()
    publish(lake, CATALOGUE)
    with open_warehouse(lake, CATALOGUE) as warehouse:
        assert warehouse.query("from jobs order by job_arn").to_pylist() == before


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    """A file in the place of the folder is a LakeError that names it."""
    lake = Lake.at(tmp_path)
    lake.mart("").touch()
    with pytest.raises(LakeError, match="marts"):
        publish(lake, CATALOGUE)


# --- the command -------------------------------------------------------------------------------


def test_command_lists_the_files(lake: Lake):
    """Files on stdout, one a line; what they hold on stderr."""
    finished = run_joblake("publish", "--lake", str(lake.root))
    assert finished.returncode == 0
    files = [Path(line) for line in finished.stdout.splitlines()]
    assert [file.name for file in files] == [*(f"{name}.parquet" for name in NAMES), DATABASE]
    assert all(file.is_file() for file in files)
    assert len(finished.stderr.splitlines()) == len(files)
    assert finished.stderr.startswith("jobs: 3 rows, ")


def test_command_in_json(lake: Lake):
    """With --json, stdout is one JSON array of the files."""
    told = json.loads(run_joblake("publish", "--lake", str(lake.root), "--json").stdout)
    assert [file["name"] for file in told] == [*NAMES, DATABASE]
    assert told[0] == {
        "name": "jobs",
        "path": str(lake.mart("jobs.parquet")),
        "rows": 3,
        "bytes": lake.mart("jobs.parquet").stat().st_size,
    }


def test_command_takes_the_settings(lake: Lake):
    """Lake and permissions come from joblake.toml as they do for an export."""
    Path("joblake.toml").write_text(f"lake = '{lake.root}'\nfile_mode = 0o640\n")
    assert run_joblake("publish").returncode == 0
    assert lake.mart("jobs.parquet").stat().st_mode & 0o777 == 0o640


def test_command_on_a_damaged_lake(lake: Lake):
    """A damaged lake is exit code 3, one line, and no file on stdout."""
    paths_of(lake.listing_files())[0].write_bytes(b"")
    finished = run_joblake("publish", "--lake", str(lake.root))
    assert finished.returncode == 3
    assert finished.stdout == ""
    assert finished.stderr.startswith("error: ")
    assert len(finished.stderr.splitlines()) == 1
