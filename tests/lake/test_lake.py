"""Where the files of a lake lie, and how one replaces another."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joblake.errors import LakeError, UsageError
from joblake.lake.layout import month_of, scope_path
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


# --- paths -------------------------------------------------------------------------------------


def test_paths_are_as_documented(lake):
    """Hive folders with the zeros of accounts, a membership where there is one, a file a month."""
    place = lake.root / "custom_models" / "account=012345678901" / "region=us-east-1"
    assert lake.partition(SCOPE, "2026-11") == place / "month=2026-11" / "observations.parquet"
    rooms = Path(
        "trained_model_inference_jobs",
        "account=012345678901",
        "region=eu-west-1",
        f"parent={MEMBERSHIP}",
        "month=2026-11",
    )
    assert lake.partition(ROOMS, "2026-11") == lake.root / rooms / "observations.parquet"
    assert lake.listing_partition(ROOMS, "2026-11") == (
        lake.root / "listings" / rooms / "listings.parquet"
    )


def test_files_are_found_where_they_are_written(lake):
    """A table's files are those of all its scopes and months, and no other table's."""
    other = Scope("custom_models", "111122223333", "us-east-1")
    written = [(SCOPE, "2026-11"), (SCOPE, "2026-02"), (other, "2026-11"), (ROOMS, "2026-11")]
    for scope, month in written:
        for target in (lake.partition(scope, month), lake.listing_partition(scope, month)):
            with lake.overwriting(target):
                pass
    for path in (lake.root / "stray.parquet", lake.partition(SCOPE, "2026-11").with_name("x")):
        path.touch()
    months = [lake.partition(SCOPE, month) for month in ("2026-02", "2026-11")]
    assert paths_of(lake.scope_files(SCOPE)) == months
    assert paths_of(lake.table_files("custom_models")) == [
        *months,
        lake.partition(other, "2026-11"),
    ]
    assert paths_of(lake.table_files(ROOMS.table)) == [lake.partition(ROOMS, "2026-11")]
    assert paths_of(lake.table_files("unheard_of")) == []
    listings = sorted(lake.listing_partition(scope, month) for scope, month in written)
    assert paths_of(lake.listing_files()) == listings
    assert paths_of(lake.scope_listing_files(ROOMS)) == [lake.listing_partition(ROOMS, "2026-11")]


def test_locks_and_spools_lie_where_no_table_is(lake):
    """Nothing but partitions stands under a table's folder."""
    lake.spool(SCOPE).mkdir(parents=True)
    with lake.locked(SCOPE):
        assert {path.name for path in lake.root.iterdir()} == {".spool", ".locks"}


@pytest.mark.parametrize(
    ("instant", "month"),
    [
        (datetime(2026, 11, 10, tzinfo=UTC), "2026-11"),
        (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), "2026-01"),
    ],
)
def test_the_month_of_an_instant(instant, month):
    """Months sort as text."""
    assert month_of(instant) == month


def test_a_scope_says_where_it_is():
    """Messages name a scope in one line."""
    assert str(SCOPE) == "custom_models 012345678901 us-east-1"
    assert str(ROOMS).endswith(MEMBERSHIP)


# --- values are checked before they touch a path -----------------------------------------------

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "../..",
    "/etc",
    "a/b",
    "us-east-1/..",
    "us-east-1\n",
    "us-east-1\0",
    "*",
    "[a]",
    "region=us-east-1",
    "%2e%2e",
    "١٢٣٤٥٦٧٨٩٠١٢",
    "\uff55\uff53-east-1",
]


@pytest.mark.parametrize("value", [*HOSTILE, "1" * 11, "1" * 13, "12345678901a", "012345678901\n"])
def test_hostile_accounts_are_refused(value):
    """An account is twelve digits."""
    with pytest.raises(UsageError, match="is not a valid account"):
        Scope("custom_models", value, "us-east-1")


@pytest.mark.parametrize("value", [*HOSTILE, "US-EAST-1", "us_east_1", "us-east", "us-east-100"])
def test_hostile_regions_are_refused(value):
    """A region has the form of AWS region names."""
    with pytest.raises(UsageError, match="is not a valid region"):
        Scope("custom_models", "012345678901", value)


@pytest.mark.parametrize("value", ["", "us-east-1\n", "us-east-1\0", "\ud800", "a" * 2049])
def test_parents_that_no_file_can_hold_are_refused(value):
    """A parent is printable text of some length."""
    with pytest.raises(UsageError, match="is not a valid parent"):
        Scope("custom_models", "012345678901", "us-east-1", value)


@pytest.mark.parametrize("value", [".", "..", "../..", "/etc", "a/b", "*", "[a]", "a=b", "arn:a:b"])
def test_a_parent_that_is_no_plain_word_is_named_by_its_hash(value):
    """Whatever a service calls a parent, its folder is one plain word, and of this parent alone."""
    folder = scope_path(Scope("custom_models", "012345678901", "us-east-1", value))
    assert re.fullmatch(r"parent=[0-9a-f]{32}", folder.name)
    assert folder != scope_path(Scope("custom_models", "012345678901", "us-east-1", f"{value}x"))


@pytest.mark.parametrize("value", [*HOSTILE, "Custom", "1_table", "_table", ".spool"])
def test_hostile_tables_are_refused(value):
    """A table is a lower-case name."""
    with pytest.raises(UsageError, match="is not a valid table"):
        Scope(value, "012345678901", "us-east-1")


VALID = ("custom_models", "012345678901", "us-east-1", MEMBERSHIP)


@given(st.data())
def test_no_value_leads_out_of_the_lake(data):
    """A valid value with anything put into it is refused, or is one plain folder of the lake."""
    values = list(VALID)
    which = data.draw(st.integers(0, 3))
    at = data.draw(st.integers(0, len(values[which])))
    noise = data.draw(st.text(st.characters(), min_size=1, max_size=5) | st.sampled_from("/.-_0a"))
    values[which] = values[which][:at] + noise + values[which][at:]
    try:
        scope = Scope(*values)
    except UsageError as error:
        assert "is not a valid" in str(error)  # noqa: PT017 - only some values are refused
        return
    parts = Lake(Path("/lake")).partition(scope, "2026-11").relative_to("/lake").parts
    assert len(parts) == 6
    assert all(re.fullmatch(r"[a-z0-9_=.-]+", part) for part in parts)
    assert not {".", ".."} & set(parts)


REGIONS = st.from_regex(r"[a-z]{2,5}(-[a-z]+){1,3}-[0-9]{1,2}", fullmatch=True)


@given(
    st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    REGIONS,
    st.uuids().map(str) | st.none(),
)
def test_what_aws_allows_makes_a_path_of_its_own(table, account, region, membership):
    """Valid values stand in the path as they are, one folder each."""
    lake = Lake(Path("/lake"))
    path = lake.partition(Scope(table, account, region, membership), "2026-11")
    folders = [table, f"account={account}", f"region={region}"]
    folders += [f"parent={membership}"] if membership else []
    assert path.relative_to("/lake").parts == (*folders, "month=2026-11", "observations.parquet")


def test_every_region_of_aws_is_valid():
    """The pattern of regions refuses none that botocore knows, secret partitions included."""
    from joblake.aws.regions import known_regions  # noqa: PLC0415 - boto3 is of no use to the other tests

    regions = known_regions()
    assert {"us-east-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1"} <= regions
    for region in regions:
        Scope("custom_models", "012345678901", region)


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
