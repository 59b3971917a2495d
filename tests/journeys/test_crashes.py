"""Killed, refused and overtaken: the lake holds the old state or the new one, and is repaired."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from declared import CATALOGUE
from exporting import ACCOUNT, JOBS, REGION, customization_job, listing_rows, run_export, serving
from joblake.endpoint import FixedResources
from joblake.lake.layout import scope_path
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.warehouse.warehouse import open_warehouse
from lake_rows import paths_of

NIGHT = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SCOPE = Scope("model_customization_jobs", ACCOUNT, REGION)
FIRST = [customization_job(number) for number in range(1, 8)]
SECOND = [
    *FIRST[1:5],
    customization_job(6, status="Completed", lastModifiedTime=NIGHT),
    customization_job(7, status="Failed"),
    customization_job(8),
]
OF_THE_RUN = ("run_id", "observed_at")

both_pasts = pytest.mark.parametrize(
    "nights", ["a lake with a past", "no lake yet"], indirect=True, scope="module"
)
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed (Debian: apt install strace)"
)


@pytest.fixture(scope="module", autouse=True)
def endpoint():
    """The resources of an endpoint in its second night, to which boto3 talks here."""
    resources = FixedResources({JOBS: SECOND})
    with serving(resources):
        yield resources


@dataclass(frozen=True)
class Nights:
    """The lake before the night that is disturbed, and its two permitted contents."""

    lake: Path
    before: list
    after: list


@pytest.fixture(scope="module")
def nights(endpoint, request, tmp_path_factory):
    """What the lake holds before the second night, and after an undisturbed one."""
    folder = tmp_path_factory.mktemp("nights")
    if getattr(request, "param", None) == "no lake yet":
        (folder / "lake").mkdir()
    else:
        endpoint.lists[JOBS] = FIRST
        assert run_export(folder / "lake", at=NIGHT).is_good
        endpoint.lists[JOBS] = SECOND
    before = contents(folder / "lake")
    shutil.copytree(folder / "lake", folder / "undisturbed")
    assert run_export(folder / "undisturbed", at=NIGHT + DAY).is_good
    return Nights(folder / "lake", before, contents(folder / "undisturbed"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Exports in processes of their own, ready to be killed."""
    folder = tmp_path_factory.mktemp("driver")
    said = (folder / "stderr").open("w+")
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "PYTHONWARNINGS": "ignore",
    }
    process = subprocess.Popen(
        [sys.executable, Path(__file__).parents[1] / "crash_driver.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        env=environment,
        cwd=folder,
    )

    class Driver:
        def start(self, lake, at, *, is_traced=False):
            order = {"lake": str(lake), "at": at.isoformat(), "is_traced": is_traced}
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        def code(self):
            """The exit code of the export; negative for the signal that ended it."""
            return os.waitstatus_to_exitcode(int(process.stdout.readline()))

        def words(self):
            said.seek(0)
            text = said.read()
            said.seek(0)
            said.truncate()
            return text

    with said, process:
        yield Driver()
        process.stdin.close()


def contents(lake):
    """All observations of the lake as DuckDB reads them, apart from run and time; in order."""
    return sorted(
        (
            {name: str(value) for name, value in row.items() if name not in OF_THE_RUN}
            for row in contents_in_time(lake)
        ),
        key=lambda row: (row["job_arn"], row["change"], row["status"]),
    )


def contents_in_time(lake):
    """The same with run and time, in order of time."""
    files = [str(file) for file in paths_of(Lake(lake).table_files(SCOPE.table))]
    if not files:
        return []
    with duckdb.connect() as connection:
        return (
            connection.read_parquet(files, union_by_name=True, hive_partitioning=False)
            .order("observed_at, job_arn")
            .to_arrow_table()
            .to_pylist()
        )


def traced(driver, lake, calls, injection=None, at=NIGHT + DAY):
    """Export under strace, counting or disturbing system calls on the lake's files.

    Gives the exit code and how often each call was made. strace counts each call by itself, so
    that the nth of several is never asked for.
    """
    pid = driver.start(lake, at, is_traced=True)
    log = lake.parent / "strace.log"
    paths = [argument for path in places(lake, at, pid) for argument in ("-P", str(path))]
    command = ["strace", "-f", "-qq", "-p", str(pid), "-o", str(log), "-e", f"trace={calls}"]
    if injection is not None:
        command += ["-e", f"inject={calls}:{injection}"]
    with subprocess.Popen([*command, *paths], stderr=subprocess.PIPE, text=True) as strace:
        code = driver.code()
        complaint = strace.communicate()[1]
    assert not complaint, complaint
    made = re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE)
    return code, Counter(made)


def places(lake, at, pid):
    """Every path of the lake that an export of the scope touches."""
    there = Lake(lake)
    month = f"{at:%Y-%m}"
    files = [there.partition(SCOPE, month), there.listing_partition(SCOPE, month)]
    yield from files
    for file in files:
        yield file.with_name(f".{file.name}.{pid}.tmp")
        yield from (folder for folder in file.parents if folder.is_relative_to(lake))
    spool = there.spool(SCOPE)
    yield from (spool / "pages.arrows", spool / "pages.tmp", spool / "news.tmp", spool)
    yield lake / ".locks"
    name = "_".join((SCOPE.table, *scope_path(SCOPE).parts)) + ".lock"
    yield lake / ".locks" / name


@contextmanager
def copy_of(lake, folder):
    """A copy of a lake that is thrown away afterwards."""
    copy = folder / "disturbed" / "lake"
    shutil.copytree(lake, copy)
    try:
        yield copy
    finally:
        shutil.rmtree(copy.parent)


def check_old_or_new(nights, lake):
    """A reader finds the state before or after the night, and nothing between; True for after."""
    found = contents(lake)
    assert found in (nights.before, nights.after)
    return found == nights.after


def check_repair(nights, lake, at=NIGHT + DAY + MINUTE):
    """The next run completes and leaves what an undisturbed night leaves, and no debris."""
    (result,) = run_export(lake, at=at, page_size=2).scopes
    assert (result.outcome, result.listed) == ("complete", len(SECOND)), result
    assert contents(lake) == nights.after
    assert listing_rows(lake)[-1]["outcome"] == "complete"
    debris = [path for path in lake.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    assert {path.suffix for path in debris} <= {".lock"}


def kill_at(nights, driver, folder, calls, number):
    """Kill the export at the nth of some calls; None where it made fewer."""
    with copy_of(nights.lake, folder) as lake:
        code, _ = traced(driver, lake, calls, f"signal=SIGKILL:when={number}")
        is_new = check_old_or_new(nights, lake)
        if code == 0:
            return None
        assert code == -signal.SIGKILL, driver.words()
        check_repair(nights, lake)
        return is_new


WRITES = ("write", "writev", "pwrite64", "pwritev", "ftruncate", "fallocate")
NAMES = ("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat")
MODES = ("fchmod", "fchmodat", "chmod")
SYNCS = ("fsync", "fdatasync")
OPENS = ("openat", "open", "creat")
READS = ("read", "pread64", "readv", "preadv", "getdents64", "newfstatat", "stat", "statx")


def numbers(count):
    """Which of so many calls to disturb: all, or every other one of the spool's many writes."""
    return range(1, count + 1, 1 if count < 100 else 2)


def calls_made(nights, driver, folder, calls):
    """How often an undisturbed export makes each of some calls on the lake's files."""
    with copy_of(nights.lake, folder) as lake:
        code, made = traced(driver, lake, ",".join(calls))
        assert code == 0, driver.words()
        assert contents(lake) == nights.after
    return made


@both_pasts
@needs_strace
def test_a_killed_export_leaves_the_old_state_or_the_new(nights, driver, tmp_path, record_property):
    """SIGKILL at some of the writes, syncs and renames: readable, old or new, and repaired.

    The sweep below kills at every one of them.
    """
    moments = [("write", 1), ("write", 30), ("pwrite64", 1), ("openat", 9), ("unlink", 3)]
    moments += [("fsync", number) for number in (1, 2, 3, 4)] + [("rename", 1), ("rename", 2)]
    survived = Counter(kill_at(nights, driver, tmp_path, *moment) for moment in moments)
    kills = survived[True] + survived[False]
    record_property("figures", f"{kills} kills survived")
    assert kills >= 10
    assert survived[True]
    assert survived[False]


@needs_strace
@pytest.mark.sweep
@both_pasts
def test_kills_at_every_system_call(nights, driver, tmp_path, record_property):
    """SIGKILL before each open, write, sync, rename and removal of an export, one after another."""
    made = calls_made(nights, driver, tmp_path, [*WRITES, *NAMES, *MODES, *SYNCS, *OPENS])
    survived = Counter()
    for call, count in made.items():
        killed = [kill_at(nights, driver, tmp_path, call, n) for n in numbers(count)]
        survived.update(killed)
    del survived[None]  # calls of another thread, which counts by itself
    record_property("figures", f"{survived.total()} kills survived: {dict(survived)}, {dict(made)}")
    assert survived.total() >= 100  # of each past, so 200 of both
    assert survived[True]
    assert survived[False]


def refuse(nights, driver, folder, calls, injection):
    """Let calls fail; False where none did. An export that says it is good has to be."""
    with copy_of(nights.lake, folder) as lake:
        driver.words()
        code, _ = traced(driver, lake, calls, injection)
        has_failed = "(INJECTED)" in (folder / "disturbed" / "strace.log").read_text()
        words = driver.words()
        assert code in {0, 1, 3}, words
        is_new = check_old_or_new(nights, lake)
        if code == 0:
            assert is_new, f"said to be complete: {calls} {injection} {words}"
            assert listing_rows(lake)[-1]["outcome"] == "complete"
        else:
            assert re.search("failed: |partial: |cannot (read|write) ", words), words
        check_repair(nights, lake)
        return has_failed


REFUSALS = [
    (WRITES, "error=ENOSPC:when={}+"),
    (WRITES, "error=EIO:when={}"),
    (SYNCS, "error=EIO:when={}"),
    (SYNCS, "error=ENOSPC:when={}+"),
    (NAMES, "error=EACCES:when={}"),
    (NAMES, "error=EIO:when={}+"),
    (MODES, "error=EPERM:when={}"),
    (OPENS, "error=EACCES:when={}"),
    (OPENS, "error=EIO:when={}"),
    (OPENS, "error=ENOSPC:when={}+"),
    (READS, "error=EIO:when={}"),
    (READS, "error=EACCES:when={}+"),
]


@needs_strace
@both_pasts
def test_a_refusing_disk_leaves_the_old_state_or_the_new(nights, driver, tmp_path):
    """Full, broken and forbidden, here and there: an outcome, never a traceback, and repaired.

    The sweep below refuses every call.
    """
    samples = [
        ("write", "error=ENOSPC:when=3+"),
        ("write", "error=EIO:when=60"),
        ("pwrite64", "error=ENOSPC:when=1+"),
        ("fsync", "error=EIO:when=1"),
        ("fsync", "error=EIO:when=4"),
        ("rename", "error=EACCES:when=1"),
        ("rename", "error=EIO:when=2"),
        ("openat", "error=EACCES:when=3"),
        ("openat", "error=ENOSPC:when=12+"),
        ("getdents64", "error=EIO:when=1"),
    ]
    assert sum(refuse(nights, driver, tmp_path, *sample) for sample in samples) >= 8


@needs_strace
@pytest.mark.sweep
@pytest.mark.parametrize(
    ("calls", "injection"), REFUSALS, ids=[f"{calls[0]} {how}" for calls, how in REFUSALS]
)
def test_refusals_of_every_system_call(  # noqa: PLR0913, PLR0917 - fixtures and a matrix
    nights, driver, tmp_path, record_property, calls, injection
):
    """ENOSPC, EIO and EACCES at each call of an export: old or new, told, and repaired."""
    made = calls_made(nights, driver, tmp_path, calls)
    refused = sum(
        refuse(nights, driver, tmp_path, call, injection.format(number))
        for call, count in made.items()
        for number in numbers(count)
    )
    record_property("figures", f"{refused} refusals survived, {dict(made)}")
    assert refused


def kill_randomly(nights, driver, folder, kills):
    """Kill exports at moments between their beginning and their end, until so many have died."""
    chance = random.Random(7)
    survived = Counter()
    longest = 0.1
    while survived["killed"] < kills:
        with copy_of(nights.lake, folder) as lake:
            began = time.monotonic()
            pid = driver.start(lake, NIGHT + DAY)
            time.sleep(chance.uniform(0.0, longest))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if driver.code() == 0:
                longest = time.monotonic() - began  # this one was through before
                survived["ended before"] += 1
            else:
                survived["killed"] += 1
                longest *= 1.1
            is_new = check_old_or_new(nights, lake)
            check_repair(nights, lake)
            survived["new" if is_new else "old"] += 1
    return survived


@pytest.mark.sweep
def test_kills_at_any_moment(nights, driver, tmp_path, record_property):
    """SIGKILL after a random while, two hundred times, where no system call marks the moment."""
    survived = kill_randomly(nights, driver, tmp_path, 200)
    record_property("figures", f"200 kills survived, {dict(survived)}")


def test_a_kill_at_any_moment_is_survived(nights, driver, tmp_path):
    """The same a few times, without strace."""
    assert kill_randomly(nights, driver, tmp_path, 5)["killed"] == 5


def test_debris_of_dead_runs_is_cleared(nights, tmp_path):
    """Temporary files of a run that died are gone after the next one, and none is ever read."""
    with copy_of(nights.lake, tmp_path) as lake:
        there = Lake(lake)
        leftovers = [
            there.partition(SCOPE, "2026-11").with_name(".observations.parquet.4711.tmp"),
            there.listing_partition(SCOPE, "2026-10").with_name(".listings.parquet.4711.tmp"),
            there.spool(SCOPE) / "news.tmp",
            there.spool(SCOPE) / "pages.tmp",
            there.spool(SCOPE) / "spill.tmp" / "duckdb_temp_storage.tmp",
        ]
        for leftover in leftovers:
            leftover.parent.mkdir(parents=True, exist_ok=True)
            leftover.write_bytes(b"half a file")
        assert contents(lake) == nights.before
        check_repair(nights, lake)


# --- two at once -----------------------------------------------------------------------------


@both_pasts
def test_a_run_repeated_the_same_night_adds_nothing(nights, tmp_path):
    """Once more, at the same instant or a minute later: the same observations, one more listing."""
    with copy_of(nights.lake, tmp_path) as lake:
        for minutes in (0, 0, 1):
            assert run_export(lake, at=NIGHT + DAY + minutes * MINUTE).is_good
            assert contents(lake) == nights.after
        assert len(listing_rows(lake)) >= 3


@both_pasts
def test_two_threads_on_one_lake_leave_what_one_leaves(nights, tmp_path):
    """Eight runs of the night at once in one process: as if they had come one after the other."""
    with copy_of(nights.lake, tmp_path) as lake, ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(run_export, lake, at=NIGHT + DAY, page_size=2) for _ in range(8)]
        assert all(run.result().is_good for run in runs)
        assert contents(lake) == nights.after
        times = [row["observed_at"] for row in contents_in_time(lake)]
        assert len({str(at) for at in times}) == (2 if nights.before else 1)
        assert sum(row["added"] for row in listing_rows(lake)) == 8 if nights.before else 7
        debris = [path for path in lake.rglob("*") if path.is_file()]
        assert {path.suffix for path in debris} == {".parquet", ".lock"}


@both_pasts
def test_two_processes_on_one_lake_leave_what_one_leaves(nights, driver, tmp_path):
    """A process and the test itself export the same scope again and again, at once."""
    with copy_of(nights.lake, tmp_path) as lake:
        for _ in range(5):
            driver.start(lake, NIGHT + DAY)
            assert run_export(lake, at=NIGHT + DAY, page_size=2).is_good
            assert driver.code() == 0, driver.words()
            assert contents(lake) == nights.after


def test_a_reader_never_sees_less(tmp_path, endpoint):
    """While night after night is written, every query succeeds and shows whole nights only.

    Each night adds one job and changes another, so that a reader who saw half a night would
    count it.
    """
    lake = tmp_path / "lake"
    seen = []
    sql = """
        select
            count(*) filter (change = 'added') as added,
            count(*) filter (change = 'changed') as changed
        from observations.model_customization_jobs
    """

    def write():
        try:
            for number in range(500):
                if len(set(seen)) > 5:
                    break
                endpoint.lists[JOBS] = [
                    customization_job(n, status="Completed" if n < number else "InProgress")
                    for n in range(number + 1)
                ]
                assert run_export(lake, at=NIGHT + number * MINUTE).is_good
        finally:
            endpoint.lists[JOBS] = SECOND

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        while not writer.done():
            with open_warehouse(Lake(lake), CATALOGUE) as warehouse:
                for _ in range(3):
                    (row,) = warehouse.query(sql).to_pylist()
                    seen.append((row["added"], row["changed"]))
        writer.result()
    assert all(changed == max(0, added - 1) for added, changed in seen), seen
    assert [added for added, _ in seen] == sorted(added for added, _ in seen)
    assert len(set(seen)) > 5
