"""The lake on a local disk: where it can be, how one file replaces another, and its locks."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from joblake.errors import LakeError, UsageError
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from lake_rows import paths_of

MEMBERSHIP = "7d3f1c52-9a41-4f0e-8f43-6f0f3f1d2a01"
SCOPE = Scope("custom_models", "012345678901", "us-east-1")
ROOMS = Scope("trained_model_inference_jobs", "012345678901", "eu-west-1", MEMBERSHIP)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(tmp_path / "lake")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


# --- where a lake can be -----------------------------------------------------------------------


def test_a_lake_may_not_exist_yet(tmp_path):
    """Naming a lake creates nothing."""
    lake = Lake.at(tmp_path / "not" / "yet")
    assert lake.root == tmp_path / "not" / "yet"
    assert list(tmp_path.iterdir()) == []


def test_a_relative_lake_stays_where_it_was_named(tmp_path, monkeypatch):
    """The working directory of later does not move a lake."""
    lake = Lake.at("lake")
    monkeypatch.chdir("/")
    assert lake.root == tmp_path / "lake"


@pytest.mark.parametrize("below", ["", "lake", "a/b/c"])
def test_a_file_is_no_lake(tmp_path, below):
    """A lake that is a file, or lies below one, is refused before any listing."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file is a file; give a folder"):
        Lake.at(tmp_path / "file" / below)


@pytest.mark.parametrize("location", ["s3://bucket/prefix", "https://example.com/lake"])
def test_a_url_is_no_lake(location):
    """What looks like a URL never becomes a folder of that name."""
    with pytest.raises(UsageError, match=location):
        Lake.at(location)


@pytest.mark.parametrize("location", ["", " ", "a\0b", "~no-such-user-here/lake"])
def test_what_names_no_folder_is_no_lake(location):
    """An empty name is not the working directory, and an unknown home is no crash."""
    with pytest.raises(UsageError, match="give"):
        Lake.at(location)


# --- replacing ---------------------------------------------------------------------------------


def written(lake: Lake, text: str = "new") -> Path:
    """A partition that holds a text."""
    target = lake.partition(SCOPE, "2026-11")
    with lake.overwriting(target) as temporary:
        temporary.write_text(text)
    return target


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_files_have_the_permissions_of_the_lake(tmp_path, mask, mode):
    """Neither a lax umask opens a file nor a strict one closes it."""
    lake = Lake.at(tmp_path / "lake", file_mode=mode)
    with umask(mask):
        target = written(lake)
        assert permissions(target) == mode
        target.chmod(0o400)
        assert permissions(written(lake)) == mode


def test_files_are_private_by_default(lake):
    """Without a setting only the owner reads the lake, whatever the umask; locks included."""
    with umask(0), lake.locked(SCOPE):
        assert permissions(written(lake)) == 0o600
        (lock,) = (lake.root / ".locks").iterdir()
        assert permissions(lock) == 0o600


def test_the_temporary_file_is_one_that_no_reader_globs(lake):
    """While a file is written, readers see the old one alone."""
    target = written(lake, "old")
    with lake.overwriting(target) as temporary:
        temporary.write_text("half")
        assert temporary.parent == target.parent
        assert not temporary.match("*.parquet")
        assert paths_of(lake.table_files(SCOPE.table)) == [target]
        assert target.read_text() == "old"
    assert target.read_text() == "half"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), RuntimeError("y")])
def test_an_error_leaves_the_old_file_and_nothing_else(lake, error):
    """A block that fails changes nothing, and its error passes through."""
    target = written(lake, "old")
    with pytest.raises(type(error)):
        fail_while_replacing(lake, target, error)
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_before_the_first_file_leaves_none(lake):
    """A partition that never was is not there after a failure."""
    target = lake.partition(SCOPE, "2026-11")
    with pytest.raises(ValueError, match="x"), lake.overwriting(target):
        raise ValueError("x")
    assert list(target.parent.iterdir()) == []


def test_a_refusing_file_system_is_a_lake_error_with_path_and_reason(lake):
    """A full disk is told as such, on the file that was to be written."""
    target = written(lake, "old")
    with pytest.raises(LakeError) as caught:
        fail_while_replacing(lake, target, OSError(28, os.strerror(28)))
    assert str(target) in str(caught.value)
    assert "No space left on device" in str(caught.value)
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_that_cannot_be_made_is_a_lake_error(lake):
    """A file in the way of a partition's folder is named."""
    blocked = lake.root / SCOPE.table
    blocked.parent.mkdir()
    blocked.write_text("")
    with pytest.raises(LakeError, match="Not a directory"):
        written(lake)


def test_a_scratch_file_is_gone_afterwards(lake, tmp_path):
    """A scratch file lives as long as its block, with the lake's permissions."""
    path = tmp_path / "a" / "scratch"
    with umask(0), lake.scratch(path):
        assert permissions(path) == 0o600
        assert path.read_bytes() == b""
    assert not path.exists()


def fail_while_replacing(lake: Lake, target: Path, error: BaseException) -> None:
    with lake.overwriting(target) as temporary:
        temporary.write_text("half")
        raise error


# --- locks -------------------------------------------------------------------------------------


def test_a_second_thread_waits_for_the_lock(lake):
    """Two threads never hold one scope at once; each gets its turn."""
    inside, most = 0, 0
    turns = []

    def enter(name: int) -> None:
        nonlocal inside, most
        for _ in range(20):
            with lake.locked(SCOPE):
                inside += 1
                most = max(most, inside)
                written(lake, str(name))
                inside -= 1
            turns.append(name)

    threads = [threading.Thread(target=enter, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert sorted(turns) == [0] * 20 + [1] * 20 + [2] * 20


HOLDER = """
import sys
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
lake = Lake.at(sys.argv[1])
with lake.locked(Scope("custom_models", "012345678901", "us-east-1")):
    print("held", flush=True)
    sys.stdin.readline()
    lake.root.joinpath("released").touch()
"""


def start_holder(lake: Lake) -> subprocess.Popen[str]:
    """Another process that holds the lock until it is told to go on."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lake.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_process_waits_for_the_lock(lake):
    """A scope that another run holds is entered only when that run has let it go."""
    with start_holder(lake) as holder:
        waiting = threading.Event()
        order = []

        def enter() -> None:
            waiting.set()
            with lake.locked(SCOPE):
                order.append((lake.root / "released").exists())

        thread = threading.Thread(target=enter)
        thread.start()
        waiting.wait()
        with lake.locked(ROOMS):
            assert order == []  # another scope is free, this one is not
        holder.stdin.write("\n")
        holder.stdin.flush()
        thread.join()
    assert order == [True]


def test_a_dead_holder_holds_nothing(lake):
    """The lock of a killed run is free at once, and its temporary files are cleared."""
    partition = lake.partition(SCOPE, "2026-11")
    leftovers = [
        partition.with_name(f".{partition.name}.4711.tmp"),
        lake.listing_partition(SCOPE, "2026-02").with_name(".listings.parquet.4711.tmp"),
    ]
    elsewhere = lake.partition(ROOMS, "2026-11").with_name(".observations.parquet.4711.tmp")
    target = written(lake, "old")
    for path in (*leftovers, elsewhere):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    with start_holder(lake) as holder:
        holder.kill()
        holder.wait()
        partition.with_name(f".{partition.name}.4712.tmp").write_text("half")
        with lake.locked(SCOPE):
            assert not any(path.exists() for path in leftovers)
            assert list(target.parent.iterdir()) == [target]
    assert target.read_text() == "old"
    assert elsewhere.exists(), "another scope's files are its own holder's"


def test_a_lock_that_cannot_be_made_is_a_lake_error(lake):
    """A lake without rights or with a file in the way is named before the listing."""
    lake.root.mkdir()
    (lake.root / ".locks").write_text("")
    with pytest.raises(LakeError, match=r"\.locks"), lake.locked(SCOPE):
        pass


def test_a_lock_is_let_go_after_an_error(lake):
    """A failed scope can be tried again in the same process."""
    with pytest.raises(ValueError, match="x"), lake.locked(SCOPE):
        raise ValueError("x")
    with lake.locked(SCOPE):
        written(lake)
