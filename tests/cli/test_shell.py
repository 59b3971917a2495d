"""The interactive shell: harlequin over a lake's views, on a terminal."""

import importlib.util
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harlequin.exception import HarlequinConnectionError, HarlequinQueryError
from harlequin.plugins import load_adapter

from command_line import JOBLAKE, run_joblake
from joblake.cli.shell import LakeAdapter, LakeConnection
from joblake.lake.local import Lake
from lake_rows import paths_of, write_rows

SECONDS = 120
RUN_QUERY, QUIT, ENTER = b"\n", b"\x11", b"\r"
JOBS = [
    {"observed_at": "2026-01-01", "change": "added", "job_arn": arn, "status": "Completed"}
    for arn in ("a", "b")
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two jobs."""
    lake = Lake.at(tmp_path / "lake")
    write_rows(lake, {"model_invocation_jobs": JOBS})
    return lake


class Terminal:
    """Our end of the terminal that a program runs on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._shown = b""

    def wait_for(self, text: bytes) -> None:
        """Read the screen of the program until this text stands on it."""
        deadline = time.monotonic() + SECONDS
        while text not in self._shown:
            ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
            assert ready, self._shown[-2000:]
            self._shown += os.read(self._descriptor, 65_536)

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, text)

    def drain(self) -> None:
        """Read until the program has gone."""
        try:
            while os.read(self._descriptor, 65_536):
                pass
        except OSError:  # EIO: the other side is closed
            pass


@contextmanager
def running(*arguments: str, home: Path) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """A joblake command on a terminal of 110 columns, in a home of its own."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm-256color", "COLUMNS": "110", "LINES": "34", "HOME": str(home)}
    with subprocess.Popen(
        [*JOBLAKE, *arguments],
        env=os.environ | environment | {"LC_ALL": "C.UTF-8"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(ours), process
        finally:
            process.kill()
            os.close(ours)


def test_the_shell_starts_on_a_terminal_and_answers(lake: Lake, tmp_path: Path):
    """A typed query over a bare view name shows its answer; Ctrl-Q ends the shell."""
    home = tmp_path / "home"
    home.mkdir()
    with running("shell", "--lake", str(lake.root), home=home) as (terminal, process):
        terminal.wait_for(b"Database Connected")
        terminal.type(ENTER)  # away with a notice that harlequin may have on the locale
        terminal.type(b"select 'count' || 'ed ' || count(*) as c from jobs")
        terminal.type(RUN_QUERY)
        terminal.wait_for(b"counted 2")
        terminal.type(QUIT)
        terminal.drain()
        assert process.wait(SECONDS) == 0


def connection_to(lake: Lake, **options: object) -> LakeConnection:
    connection = LakeAdapter((str(lake.root),), **options).connect()
    assert isinstance(connection, LakeConnection)
    return connection


def test_harlequin_finds_the_adapter():
    """It is a plug-in: `harlequin --adapter joblake LAKE` and `hsql` know it too."""
    assert load_adapter("joblake") is LakeAdapter


def test_the_catalogue_shows_the_views(lake: Lake):
    """Schemas, views and columns stand in harlequin's tree."""
    connection = connection_to(lake)
    (database,) = connection.get_catalog().items
    schemas = {item.label: item for item in database.fetch_children()}
    assert {"current", "history", "reports", "checks", "observations"} <= schemas.keys()
    views = {item.label: item for item in schemas["history"].fetch_children()}
    assert "duration_seconds" in [item.label for item in views["jobs"].fetch_children()]
    assert "jobs_as_of" in {completion.label for completion in connection.get_completions()}
    connection.close()


@pytest.mark.parametrize(
    "sql",
    [
        "create table t as select 1",
        "copy jobs to '{lake}/x.csv'",
        "copy jobs to '{file}' (use_tmp_file false)",
        "attach '{lake}/x.duckdb' as x",
        "from read_text('/etc/passwd')",
        "set threads = 1",
        "selekt",
    ],
)
def test_the_shell_reads_only(lake: Lake, sql: str):
    """The shell refuses the statements that the command line refuses, in a line, and goes on."""
    connection = connection_to(lake)
    (file,) = paths_of(lake.table_files("model_invocation_jobs"))
    before = file.read_bytes()
    with pytest.raises(HarlequinQueryError) as caught:
        connection.execute(sql.format(lake=lake.root, file=file))
    assert str(caught.value)
    assert file.read_bytes() == before
    cursor = connection.execute("from jobs")
    assert cursor is not None
    rows = cursor.fetchall()
    assert rows is not None
    assert len(rows) == 2
    connection.close()


def test_a_damaged_lake_can_be_skipped(lake: Lake):
    """The damaged file is named in an error, or at the start with --skip-corrupt."""
    (file,) = paths_of(lake.table_files("model_invocation_jobs"))
    file.write_bytes(b"not parquet")
    with pytest.raises(HarlequinConnectionError, match=re.escape(str(file))):
        connection_to(lake)
    connection = connection_to(lake, skip_corrupt=True)
    assert str(file) in connection.init_message
    connection.close()


def test_without_harlequin_the_shell_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
):
    """The extra is named, in one line."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    finished = run_joblake("shell")
    assert finished.returncode == 2
    assert "joblake[shell]" in finished.stderr


def test_without_a_terminal_the_shell_says_what_does_without():
    """A pipe is no place for a shell."""
    finished = run_joblake("shell")
    assert finished.returncode == 2
    assert finished.stderr == "error: the shell needs a terminal; `joblake query` does without\n"
