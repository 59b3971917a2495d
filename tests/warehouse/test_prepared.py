"""The views that are kept bound: what opens faster by them, and what never depends on them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import joblake
from command_line import JOBLAKE
from declared import CATALOGUE
from joblake.lake.local import Lake
from joblake.sources.catalogue import Catalogue
from joblake.warehouse import prepared
from joblake.warehouse.views import read_views
from joblake.warehouse.warehouse import open_warehouse
from lake_rows import write_rows

ROWS = {"model_invocation_jobs": [{"observed_at": "2026-01-01", "change": "added", "job_arn": "a"}]}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of prepared files, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "joblake" / "views"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path / "lake")
    write_rows(lake, ROWS)
    return lake


def jobs(lake: Lake, catalogue: Catalogue = CATALOGUE) -> list[str]:
    with open_warehouse(lake, catalogue) as warehouse:
        return [row["job_arn"] for row in warehouse.query("from jobs").to_pylist()]


def prepared_file(cache: Path) -> Path:
    (file,) = cache.iterdir()
    return file


def test_views_are_prepared_once(cache: Path, lake: Lake):
    """The first opening prepares the file, the next one reads it, and it is not written again."""
    assert jobs(lake) == ["a"]
    before = prepared_file(cache).stat()
    assert jobs(lake) == ["a"]
    assert prepared_file(cache).stat().st_mtime_ns == before.st_mtime_ns
    assert cache.stat().st_mode & 0o777 == 0o700


def test_prepared_views_are_the_same(cache: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch):
    """Every view has the columns, types and rows that it has when it is created anew."""
    names = [f"{view.schema}.{view.name}" for view in read_views(CATALOGUE)]
    with open_warehouse(lake, CATALOGUE) as first, open_warehouse(lake, CATALOGUE) as second:
        for name in names:
            query = f"select * exclude (hours) from (select 1 as hours, * from {name}) order by all"
            assert second.query(query).arrow() == first.query(query).arrow()
    monkeypatch.setattr(prepared, "create_views", None)
    assert jobs(lake) == ["a"]
    assert prepared_file(cache).is_file()


@pytest.mark.parametrize("damage", ["empty", "half", "text", "noise", "foreign", "folder"])
def test_a_broken_file_breaks_nothing(damage: str, cache: Path, lake: Lake):
    """Whatever lies under the name of a prepared file, queries are answered; it is replaced."""
    jobs(lake)
    file = prepared_file(cache)
    whole = file.read_bytes()
    file.unlink()
    match damage:
        case "foreign":
            duckdb.connect(file).execute("create table t as select 1 as a").close()
        case "folder":
            file.mkdir()
        case _:
            file.write_bytes(
                {
                    "empty": b"",
                    "half": whole[: len(whole) // 2],
                    "text": b"no database at all\n" * 1000,
                    "noise": whole[:20_000] + b"\xff" * 100_000 + whole[120_000:],
                }[damage]
            )
    assert jobs(lake) == ["a"]
    assert jobs(lake) == ["a"]
    if damage != "folder":
        assert file.stat().st_size == len(whole)


@pytest.mark.parametrize("obstacle", ["file", "link", "relative"])
def test_a_folder_that_cannot_be_written(
    obstacle: str, cache: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
):
    """Without a cache folder queries are answered all the same, and nothing is left anywhere."""
    if obstacle == "file":
        cache.parents[1].write_text("in the way")
    elif obstacle == "link":
        cache.parents[1].symlink_to("/dev/null/nowhere")
    else:
        monkeypatch.setattr(prepared.platformdirs, "user_cache_path", Path)
    before = sorted(Path.cwd().iterdir())
    assert jobs(lake) == ["a"]
    assert sorted(Path.cwd().iterdir()) == before


LIMITED = """
import resource, sys
import joblake
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
print(joblake.open(sys.argv[1]).query("from jobs").num_rows)
"""


@pytest.mark.parametrize("size", [20_000, 100_000])
def test_a_full_disk(size: int, cache: Path, lake: Lake):
    """Where the prepared file cannot be written whole, queries are answered and it is not left."""
    command = [sys.executable, "-c", LIMITED, str(lake.root), str(size)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (finished.stdout, finished.stderr) == ("1\n", "")
    assert list(cache.iterdir()) == []


def test_the_key_follows_the_catalogue(cache: Path, lake: Lake):
    """Another catalogue has a file of its own, and so have other service models of the user."""
    jobs(lake)
    smaller = CATALOGUE["custom_models"].model_copy(update={"running": ()})
    others = [source for source in CATALOGUE.sources if source.table != "custom_models"]
    jobs(lake, Catalogue((*others, smaller)))
    assert len(list(cache.iterdir())) == 2


def test_the_key_follows_the_users_models(
    cache: Path, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A service model that the user puts into ~/.aws/models is noticed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    jobs(lake)
    model = tmp_path / ".aws" / "models" / "nothing" / "2026-01-01" / "service-2.json"
    model.parent.mkdir(parents=True)
    model.write_text("{}")
    jobs(lake)
    assert len(list(cache.iterdir())) == 2


def test_old_files_are_cleared(cache: Path, lake: Lake):
    """Files of other versions do not pile up; the newest stay."""
    cache.mkdir(parents=True)
    for number in range(20):
        old = cache / f"{number}.duckdb"
        old.touch()
        os.utime(old, (number, number))
    jobs(lake)
    assert {path.name for path in cache.iterdir()} > {"19.duckdb"}
    assert len(list(cache.iterdir())) < 10


def test_processes_at_once(cache: Path, lake: Lake):
    """Processes that prepare the same views at the same time all answer, and leave one file."""
    command = [*JOBLAKE, "query", "from jobs", "--lake", str(lake.root), "--format", "json"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert outputs[0] == outputs[1] == outputs[2]
    assert prepared_file(cache).suffix == ".duckdb"


def test_queries_need_no_service_models(cache: Path, lake: Lake):
    """Once views are prepared, a query loads neither botocore nor pandas."""
    program = """
import json, sys
import joblake
joblake.open(sys.argv[1]).query("from jobs")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    joblake.open(lake.root).close()
    assert prepared_file(cache).is_file()
    command = [sys.executable, "-c", program, str(lake.root)]
    loaded = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert not {"botocore", "boto3", "pandas", "prefect"} & set(loaded)
