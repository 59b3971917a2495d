"""The lake on a local disk: how one file replaces another.

Committing is replacing one file, so that a reader sees the old file or the
new one and nothing between. Writing happens under a name that no reader globs; fsync, rename and
fsync of the folder make the change durable. A scope has one writer at a time, held by a lock that
the operating system drops when its owner dies.
"""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filelock import FileLock

from joblake.errors import LakeError, UnreadableFileError, UsageError
from joblake.lake.disk import fsync, lake_errors, make_durable_folder, walk
from joblake.lake.layout import (
    LISTINGS,
    OBSERVATIONS,
    Layout,
    partitions_of_scope,
    partitions_of_table,
    scope_path,
)
from joblake.lake.scope import TABLE, Scope

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS_OF_EVERY_FILE = frozenset(
    {"run_id", "account_id", "region_name", "observed_at", "change", "started_at", "outcome"}
)


@dataclass(frozen=True)
class Lake(Layout):
    """A local folder of Parquet partitions. `file_mode` is the permission of every file.

    What it says of files are local paths to read from, and places to replace; `place_of` leads from
    the one to the other and `name_of` to what people call it. Here all three are the same; of a
    lake on S3 (`s3_lake.S3Lake`) they are not.
    """

    file_mode: int = 0o600

    @classmethod
    def at(cls, location: str | Path, *, file_mode: int = 0o600) -> "Lake":
        """The lake at a path, which may not exist yet; `settings.lake_at` knows S3 too.

        UsageError where it cannot be a lake, LakeError where the disk does not say.
        """
        text = str(location)
        if "://" in text:
            raise UsageError(f"lake {text}: a lake is a local folder or s3://bucket/prefix")
        if not text.strip() or "\0" in text:
            raise UsageError(f"lake {text!r} is no path of a folder; give one with --lake")
        try:
            root = Path(text).expanduser()
        except RuntimeError as error:
            raise UsageError(f"lake {text}: {error}; give a folder with --lake") from error
        for path in (root, *root.parents):
            with lake_errors(path, "read"):
                is_file = path.exists() and not path.is_dir()
            if is_file:
                raise UsageError(f"lake {text}: {path} is a file; give a folder with --lake")
        return cls(root.absolute(), file_mode)

    @property
    def work(self) -> Path:
        """The local folder of locks and unmerged pages."""
        return self.root

    def prepare(self) -> None:
        """Make the folders that every writer needs; LakeError where that cannot be."""
        with lake_errors(self.work):
            locks = self.work / ".locks"
            locks.mkdir(parents=True, exist_ok=True)
            if not os.access(locks, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def try_writing(self) -> None:
        """See whether an export could write here; LakeError where not. No trace is left."""
        place = self.root / ".locks"
        if not self.exists():
            place = next(folder for folder in self.root.parents if folder.exists())
        with lake_errors(place):
            if self.exists():
                place.mkdir(exist_ok=True)
            with TemporaryDirectory(prefix=".joblake-", dir=place):
                pass

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        with lake_errors(self.root, "read"):
            return self.root.exists()

    def has_files(self) -> bool:
        """Whether any listing or observation is here, as in any folder that is a lake's."""
        return any(f.name in {LISTINGS, OBSERVATIONS} for f in self._files_below(self.root))

    def spool(self, scope: Scope) -> Path:
        """The local folder that keeps a scope's pages until they are merged."""
        return self.work / ".spool" / scope.table / scope_path(scope)

    def scope_files(self, scope: Scope) -> list[Path]:
        """A scope's observation files, oldest month first."""
        folder = self.scope_folder(scope)
        paths = self._files_below(folder)
        return self._fetched(partitions_of_scope(folder, paths, OBSERVATIONS))

    def scope_listing_files(self, scope: Scope) -> list[Path]:
        """A scope's listing files, oldest month first."""
        folder = self.ledger_folder(scope)
        return self._fetched(partitions_of_scope(folder, self._files_below(folder), LISTINGS))

    def file_at(self, place: Path) -> Path | None:
        """The file to read from at a place, where there is one."""
        found = self._fetched([file for file in self._files_below(place.parent) if file == place])
        return found[0] if found else None

    def table_files(self, table: str) -> list[Path]:
        """All observation files of a table, over every scope and month."""
        folder = self.table_folder(table)
        paths = self._files_below(folder)
        return self._fetched(partitions_of_table(folder, paths, OBSERVATIONS))

    def listing_files(self) -> list[Path]:
        """All listing files, over every table, scope and month."""
        folder = self.ledger_root
        paths = self._files_below(folder)
        tables = sorted({path.relative_to(folder).parts[0] for path in paths})
        return self._fetched(
            [
                path
                for table in tables
                if TABLE.fullmatch(table)
                for path in partitions_of_table(folder / table, paths, LISTINGS)
            ]
        )

    def place_of(self, file: Path) -> Path:
        """The place that a file to read from was found at."""
        return file

    def name_of(self, path: Path) -> str:
        """What people call a place, or a file to read from."""
        return str(path)

    def _files_below(self, folder: Path) -> list[Path]:
        """Every place below a folder that has a file; none where there is no such folder.

        LakeError where it cannot be read: to a glob it would look empty.
        """
        with lake_errors(folder, "read"):
            return list(walk(folder))

    def _fetched(self, places: list[Path]) -> list[Path]:
        """The files to read from, in the order of their places."""
        return places

    @contextmanager
    def locked(self, scope: Scope) -> Iterator[None]:
        """Hold the scope for writing, waiting for another run on this machine that holds it.

        Whoever gets the lock also clears what dead runs left under temporary names.
        """
        with self._locked("_".join((scope.table, *scope_path(scope).parts))):
            self._clear_temporary_files(scope)
            yield

    @contextmanager
    def locked_marts(self) -> Iterator[None]:
        """Hold the marts for publishing, in the same way."""
        with self._locked("marts"):
            self._clear(self.mart("").glob(".*.tmp"))
            yield

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        path = self.work / ".locks" / f"{name}.lock"
        with lake_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, mode=self.file_mode, thread_local=False)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _clear_temporary_files(self, scope: Scope) -> None:
        self._clear(self.scope_folder(scope).glob("month=*/.*.tmp"))
        self._clear(self.ledger_folder(scope).glob("month=*/.*.tmp"))
        self._clear(self.ledger_folder(scope).glob(".*.tmp"))
        self._clear(self.spool(scope).glob("*.tmp"))

    def _clear(self, leftovers: Iterable[Path]) -> None:
        for leftover in list(leftovers):
            with lake_errors(leftover):
                if leftover.is_dir():
                    shutil.rmtree(leftover)  # what a dead merge had spilled
                else:
                    leftover.unlink(missing_ok=True)

    @contextmanager
    def replacing(self, target: Path, *, is_whole: bool = False) -> Iterator[Path]:
        """Give a temporary path to write; it becomes the file at `target` when the block ends well.

        Call with the scope locked. What is written was made from what this lake object has last
        shown of the scope, unless it `is_whole` in itself: where another machine has replaced the
        file since, RaceLostError. LakeError when the storage refuses. `target` is then as it was.
        """
        del is_whole  # on a local disk the lock keeps everybody else away
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        with lake_errors(target):
            make_durable_folder(target.parent)
        with self.scratch(temporary), lake_errors(target):
            yield temporary
            fsync(temporary)
            temporary.rename(target)
            fsync(target.parent)

    def remove(self, place: Path) -> None:
        """Take away the file at a place, if there is one."""
        with lake_errors(place):
            place.unlink(missing_ok=True)

    @contextmanager
    def scratch(self, path: Path) -> Iterator[Path]:
        """An empty file with the lake's permissions, which is gone when the block ends."""
        with lake_errors(path):
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
        self, files: Iterable[Path], schema: "pa.Schema | None" = None
    ) -> list[tuple[Path, str]]:
        """The files that are not Parquet, each with the reason.

        With a `schema`, also those that another program wrote: without the columns that say which
        run saw a row where, or with another type for a column of ours. Older files may lack columns
        and newer ones have more. LakeError for a file that may not be read: that is no damage.
        """
        return self.schemas_of(files, schema)[1]

    def schemas_of(
        self, files: Iterable[Path], schema: "pa.Schema | None" = None
    ) -> "tuple[dict[Path, pa.Schema], list[tuple[Path, str]]]":
        """The schemas of those files that are readable, and the others with the reasons."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schemas, refused = {}, []
        for file in files:
            try:
                found = pq.read_schema(file)
            except PermissionError as error:
                raise LakeError(
                    f"cannot read {self.name_of(file)}: Permission denied; it may well be sound: "
                    "read it as its owner, or have its rights changed (file_mode sets those of "
                    "new files)"
                ) from error
            except (pa.ArrowInvalid, OSError) as error:
                refused.append((file, str(error).splitlines()[0]))
                continue
            if schema is not None and (reason := _difference(found, schema)):
                refused.append((file, reason))
            else:
                schemas[file] = found
        return schemas, refused

    def require_readable(self, files: Iterable[Path], schema: "pa.Schema | None" = None) -> None:
        """UnreadableFileError naming the first unreadable file (see there), and the way out."""
        for file, reason in self.unreadable_files(files, schema):
            raise self.unreadable(file, reason)

    def unreadable(self, file: Path, reason: str) -> UnreadableFileError:
        """The error of a file that is none of ours, and the way out."""
        return self._unreadable(file, f"is not a readable Parquet file of joblake ({reason})")

    def damaged(self, file: Path, reason: object) -> UnreadableFileError:
        """The error of a file whose pages cannot be read, and the way out."""
        return self._unreadable(file, f"is damaged ({reason})")

    def _unreadable(self, file: Path, what: str) -> UnreadableFileError:
        return UnreadableFileError(
            f"{self.name_of(file)} {what}; restore it from a backup or move it out of the lake, "
            "then run again"
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
