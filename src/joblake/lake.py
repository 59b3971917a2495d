"""The lake: where each file lies, and how one file replaces another.

A partition is one file and committing is replacing it, so that a reader sees the old file or the
new one and nothing between. Writing happens under a name that no reader globs; fsync, rename and
fsync of the folder make the change durable. A scope has one writer at a time, held by a lock that
the operating system drops when its owner dies.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from filelock import FileLock

from joblake.errors import LakeError, UnreadableFileError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

OBSERVATIONS = "observations.parquet"
LISTINGS = "listings.parquet"
DEFAULT_LAKE = "data/lake"

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+){1,3}-[0-9]{1,2}")
_MEMBERSHIP = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")
_COLUMNS_OF_EVERY_FILE = frozenset(
    {"run_id", "account_id", "region_name", "observed_at", "change", "started_at", "outcome"}
)


@dataclass(frozen=True, order=True)
class Scope:
    """One source in one place: the unit of listing, of failure and of writing.

    Every value is checked before it can touch a path: 12 digits for the account, the form of AWS
    region names, a lower-case UUID for the membership. UsageError otherwise.
    """

    table: str
    account_id: str
    region_name: str
    membership_identifier: str | None = None

    def __post_init__(self) -> None:
        for what, value, pattern in (
            ("table", self.table, _TABLE),
            ("account", self.account_id, _ACCOUNT),
            ("region", self.region_name, _REGION),
            ("membership", self.membership_identifier, _MEMBERSHIP),
        ):
            if value is not None and not pattern.fullmatch(value):
                raise UsageError(f"{value!r:.60} is not a valid {what}")

    @property
    def folder(self) -> PurePosixPath:
        """The scope's Hive folders below its table."""
        place = PurePosixPath(f"account={self.account_id}", f"region={self.region_name}")
        if self.membership_identifier is not None:
            place /= f"membership={self.membership_identifier}"
        return place

    def __str__(self) -> str:
        """The scope in one line: `custom_models 111122223333 us-east-1`."""
        parts = (self.table, self.account_id, self.region_name, self.membership_identifier)
        return " ".join(part for part in parts if part is not None)


@dataclass(frozen=True)
class Lake:
    """A local folder of Parquet partitions. `file_mode` is the permission of every file."""

    root: Path
    file_mode: int = 0o600

    @classmethod
    def at(cls, location: str | Path, *, file_mode: int = 0o600) -> "Lake":
        """The lake at a path, which may not exist yet.

        UsageError where it cannot be a lake, LakeError where the disk does not say.
        """
        text = str(location)
        if "://" in text:
            raise UsageError(f"lake {text}: only local folders can be a lake in this version")
        if not text.strip() or "\0" in text:
            raise UsageError(f"lake {text!r} is no path of a folder; give one with --lake")
        try:
            root = Path(text).expanduser()
        except RuntimeError as error:
            raise UsageError(f"lake {text}: {error}; give a folder with --lake") from error
        for path in (root, *root.parents):
            with _lake_errors(path, "read"):
                is_file = path.exists() and not path.is_dir()
            if is_file:
                raise UsageError(f"lake {text}: {path} is a file; give a folder with --lake")
        return cls(root.absolute(), file_mode)

    def prepare(self) -> None:
        """Make the folders that every writer needs; LakeError where that cannot be."""
        with _lake_errors(self.root):
            locks = self.root / ".locks"
            locks.mkdir(parents=True, exist_ok=True)
            if not os.access(locks, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        with _lake_errors(self.root, "read"):
            return self.root.exists()

    def partition(self, scope: Scope, month: str) -> Path:
        """The observation file of a scope and month (`2026-11`)."""
        return self.root / scope.table / scope.folder / f"month={month}" / OBSERVATIONS

    def listing_partition(self, scope: Scope, month: str) -> Path:
        """The listing file of a scope and month."""
        return self.root / "listings" / scope.table / scope.folder / f"month={month}" / LISTINGS

    def spool(self, scope: Scope) -> Path:
        """The folder that keeps a scope's pages until they are merged."""
        return self.root / ".spool" / scope.table / scope.folder

    def scope_files(self, scope: Scope) -> list[Path]:
        """A scope's observation files, oldest month first."""
        return _months(self.root / scope.table / scope.folder, OBSERVATIONS)

    def scope_listing_files(self, scope: Scope) -> list[Path]:
        """A scope's listing files, oldest month first."""
        return _months(self.root / "listings" / scope.table / scope.folder, LISTINGS)

    def table_files(self, table: str) -> list[Path]:
        """All observation files of a table, over every scope and month."""
        return _partitions(self.root / table, OBSERVATIONS)

    def listing_files(self) -> list[Path]:
        """All listing files, over every table, scope and month."""
        tables = self.root / "listings"
        names = [name for name in _names_in(tables) if _TABLE.fullmatch(name)]
        return [file for name in names for file in _partitions(tables / name, LISTINGS)]

    def mart(self, file_name: str) -> Path:
        """A file that is published for BI tools."""
        return self.root / "marts" / file_name

    @contextmanager
    def locked(self, scope: Scope) -> Iterator[None]:
        """Hold the scope for writing, waiting for another run that holds it.

        Whoever gets the lock also clears what dead runs left under temporary names.
        """
        with self._locked("_".join((scope.table, *scope.folder.parts))):
            self._clear_temporary_files(scope)
            yield

    @contextmanager
    def locked_marts(self) -> Iterator[None]:
        """Hold the marts for publishing, in the same way."""
        with self._locked("marts"):
            for leftover in (self.root / "marts").glob(".*.tmp"):
                with _lake_errors(leftover):
                    leftover.unlink(missing_ok=True)
            yield

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        path = self.root / ".locks" / f"{name}.lock"
        with _lake_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, mode=self.file_mode, thread_local=False)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _clear_temporary_files(self, scope: Scope) -> None:
        files = self.root / scope.table / scope.folder
        listings = self.root / "listings" / scope.table / scope.folder
        leftovers = [
            *files.glob("month=*/.*.tmp"),
            *listings.glob("month=*/.*.tmp"),
            *self.spool(scope).glob("*.tmp"),
        ]
        for leftover in leftovers:
            with _lake_errors(leftover):
                if leftover.is_dir():
                    shutil.rmtree(leftover)  # what a dead merge had spilled
                else:
                    leftover.unlink(missing_ok=True)

    @contextmanager
    def replacing(self, target: Path) -> Iterator[Path]:
        """Give a temporary path to write; it becomes `target` when the block ends well.

        Call with the scope locked. LakeError when the file system refuses; `target` is then as
        it was.
        """
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        with _lake_errors(target):
            _make_durable_folder(target.parent)
        with self.scratch(temporary), _lake_errors(target):
            yield temporary
            _fsync(temporary)
            temporary.rename(target)
            _fsync(target.parent)

    @contextmanager
    def scratch(self, path: Path) -> Iterator[Path]:
        """An empty file with the lake's permissions, which is gone when the block ends."""
        with _lake_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, self.file_mode)
                try:
                    os.fchmod(descriptor, self.file_mode)  # whatever the umask says
                finally:
                    os.close(descriptor)
                yield path
            finally:
                path.unlink(missing_ok=True)


def unreadable_files(
    files: Iterable[Path], schema: "pa.Schema | None" = None
) -> list[tuple[Path, str]]:
    """The files that are not Parquet, each with the reason.

    With a `schema`, also those that another program wrote: without the columns that say which
    run saw a row where, or with another type for a column of ours. Older files may lack columns
    and newer ones have more. LakeError for a file that may not be read: that is no damage.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    refused = []
    for file in files:
        try:
            found = pq.read_schema(file)
        except PermissionError as error:
            raise LakeError(
                f"cannot read {file}: Permission denied; it may well be sound: read it as its "
                "owner, or have its rights changed (file_mode sets those of new files)"
            ) from error
        except (pa.ArrowInvalid, OSError) as error:
            refused.append((file, str(error).splitlines()[0]))
            continue
        if schema is not None and (reason := _difference(found, schema)):
            refused.append((file, reason))
    return refused


def require_readable(files: Iterable[Path], schema: "pa.Schema | None" = None) -> None:
    """UnreadableFileError naming the first unreadable file (see there), and the way out."""
    for file, reason in unreadable_files(files, schema):
        raise UnreadableFileError(
            f"{file} is not a readable Parquet file of joblake ({reason}); restore it from a "
            "backup or move it out of the lake, then run again"
        )


def _difference(found: "pa.Schema", schema: "pa.Schema") -> str | None:
    """What shows that a file is none of ours; None where it is."""
    for expected in schema:
        if expected.name not in found.names:
            if expected.name in _COLUMNS_OF_EVERY_FILE:
                return f"it has no column {expected.name}"
        elif (kind := found.field(expected.name).type) != expected.type:
            return f"its column {expected.name} is {kind}, not {expected.type}"
    return None


def month_of(instant: datetime) -> str:
    """The partition month of an instant in UTC: `2026-11`."""
    return instant.strftime("%Y-%m")


def _partitions(table: Path, name: str) -> list[Path]:
    """The files called `name` in every month of every scope of a table."""
    regions = [
        region for account in _folders(table, "account") for region in _folders(account, "region")
    ]
    memberships = [place for region in regions for place in _folders(region, "membership")]
    return sorted(file for scope in regions + memberships for file in _months(scope, name))


def _months(scope: Path, name: str) -> list[Path]:
    """The files called `name` in the months of one scope, oldest first."""
    return [month / name for month in _folders(scope, "month") if name in _names_in(month)]


def _folders(folder: Path, key: str) -> list[Path]:
    return [folder / entry for entry in _names_in(folder) if entry.startswith(f"{key}=")]


def _names_in(folder: Path) -> list[str]:
    """What a folder holds, in order; nothing where there is no such folder.

    LakeError where it cannot be read: to a glob it would look empty.
    """
    with _lake_errors(folder, "read"):
        try:
            return sorted(entry.name for entry in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []


def _make_durable_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that a power failure does not take them back."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(exist_ok=True)
        _fsync(made.parent)


@contextmanager
def _lake_errors(path: Path, what: str = "write") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LakeError(
            f"cannot {what} {path}: {reason}; check the lake's disk and rights"
        ) from error


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
