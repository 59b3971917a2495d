"""The lake: where each file lies, and how one file replaces another.

A partition is one file and committing is replacing it, so that a reader sees the old file or the
new one and nothing between. Writing happens under a name that no reader globs; fsync, rename and
fsync of the folder make the change durable. A scope has one writer at a time, held by a lock that
the operating system drops when its owner dies.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from filelock import FileLock

from joblake.errors import LakeError, UnreadableFileError, UsageError

OBSERVATIONS = "observations.parquet"
LISTINGS = "listings.parquet"
DEFAULT_LAKE = "data/lake"

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+){1,3}-[0-9]{1,2}")
_MEMBERSHIP = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")


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
                raise UsageError(f"{value!r} is not a valid {what}")

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
        """The lake at a path, which may not exist yet. UsageError where it cannot be a lake."""
        text = str(location)
        if "://" in text:
            raise UsageError(f"lake {text}: only local folders can be a lake in this version")
        root = Path(text).expanduser()
        for path in (root, *root.parents):
            if path.exists() and not path.is_dir():
                raise UsageError(f"lake {text}: {path} is a file; give a folder with --lake")
        return cls(root.absolute(), file_mode)

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
        return sorted((self.root / scope.table / scope.folder).glob(f"month=*/{OBSERVATIONS}"))

    def scope_listing_files(self, scope: Scope) -> list[Path]:
        """A scope's listing files, oldest month first."""
        folder = self.root / "listings" / scope.table / scope.folder
        return sorted(folder.glob(f"month=*/{LISTINGS}"))

    def table_files(self, table: str) -> list[Path]:
        """All observation files of a table, over every scope and month."""
        return _partitions(self.root / table, OBSERVATIONS)

    def listing_files(self) -> list[Path]:
        """All listing files, over every table, scope and month."""
        tables = self.root / "listings"
        return sorted(file for folder in tables.glob("*") for file in _partitions(folder, LISTINGS))

    @contextmanager
    def locked(self, scope: Scope) -> Iterator[None]:
        """Hold the scope for writing, waiting for another run that holds it.

        Whoever gets the lock also clears what dead runs left under temporary names.
        """
        name = "_".join((scope.table, *scope.folder.parts)) + ".lock"
        path = self.root / ".locks" / name
        with _lake_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, mode=self.file_mode, thread_local=False)
            lock.acquire()
        try:
            self._clear_temporary_files(scope)
            yield
        finally:
            lock.release()

    def _clear_temporary_files(self, scope: Scope) -> None:
        for folder in (self.root / scope.table, self.root / "listings" / scope.table):
            for leftover in (folder / scope.folder).glob("month=*/.*.tmp"):
                with _lake_errors(leftover):
                    leftover.unlink(missing_ok=True)

    @contextmanager
    def replacing(self, target: Path) -> Iterator[Path]:
        """Give a temporary path to write; it becomes `target` when the block ends well.

        Call with the scope locked. LakeError when the file system refuses; `target` is then as
        it was.
        """
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
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
                os.close(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, self.file_mode))
                yield path
            finally:
                path.unlink(missing_ok=True)


def unreadable_files(files: Iterable[Path]) -> list[tuple[Path, str]]:
    """The files that are not Parquet, each with the reason."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    refused = []
    for file in files:
        try:
            pq.read_metadata(file)
        except (pa.ArrowInvalid, OSError) as error:
            refused.append((file, str(error).splitlines()[0]))
    return refused


def require_readable(files: Iterable[Path]) -> None:
    """UnreadableFileError naming the first file that is not Parquet, and the way out."""
    for file, reason in unreadable_files(files):
        raise UnreadableFileError(
            f"{file} is not a readable Parquet file ({reason}); restore it from a backup or move "
            "it out of the lake, then run again"
        )


def month_of(instant: datetime) -> str:
    """The partition month of an instant in UTC: `2026-11`."""
    return instant.strftime("%Y-%m")


def _partitions(table_folder: Path, name: str) -> list[Path]:
    scopes = "account=*/region=*"
    patterns = (f"{scopes}/month=*/{name}", f"{scopes}/membership=*/month=*/{name}")
    return sorted(file for pattern in patterns for file in table_folder.glob(pattern))


@contextmanager
def _lake_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LakeError(
            f"cannot write {path}: {reason}; check the lake's disk and rights"
        ) from error


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
