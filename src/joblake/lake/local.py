"""The lake on a local disk.

A writer commits by replacing one file, so that a reader sees the old file or the new one and
nothing between. It writes under a name that no reader globs; fsync, rename and fsync of the folder
make the change durable. A lock for each scope keeps other writers away; the operating system drops
it when its owner dies.
"""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from joblake.errors import UsageError
from joblake.lake.disk import create, fsync, lake_errors, make_durable_folder, walk
from joblake.lake.file import LakeFile
from joblake.lake.layout import (
    LEDGER,
    LISTINGS,
    OBSERVATIONS,
    Layout,
    partitions_of_scope,
    partitions_of_tables,
    scope_path,
)
from joblake.lake.scope import Scope


@dataclass(frozen=True)
class Lake(Layout):
    """A local folder of Parquet partitions. `file_mode` is the permission of every file.

    Its paths are those of the layout; what lies at one is a LakeFile, which says where to read it.
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
        folder = self.root / ".locks"
        if not self.exists():
            folder = next(parent for parent in self.root.parents if parent.exists())
        with lake_errors(folder):
            if self.exists():
                folder.mkdir(exist_ok=True)
            with TemporaryDirectory(prefix=".joblake-", dir=folder):
                pass

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        with lake_errors(self.root, "read"):
            return self.root.exists()

    def has_files(self) -> bool:
        """Whether any listing or observation is here."""
        return any(f.name in {LISTINGS, OBSERVATIONS} for f in self._files_below(self.root))

    def spool(self, scope: Scope) -> Path:
        """The local folder that keeps a scope's pages until they are merged."""
        return self.work / ".spool" / scope.table / scope_path(scope)

    def scope_files(self, scope: Scope) -> list[LakeFile]:
        """A scope's observation files, oldest month first."""
        return self._months(self.scope_folder(scope), OBSERVATIONS)

    def scope_listing_files(self, scope: Scope) -> list[LakeFile]:
        """A scope's listing files, oldest month first."""
        return self._months(self.ledger_folder(scope), LISTINGS)

    def _months(self, folder: Path, name: str) -> list[LakeFile]:
        found = self._files_below(folder)
        return self._fetched(found, partitions_of_scope(folder, found, name))

    def file_at(self, path: Path) -> LakeFile | None:
        """The file at a path, where there is one."""
        found = self._files_below(path.parent)
        return next(iter(self._fetched(found, [path])), None) if path in found else None

    def table_files(self, table: str) -> list[LakeFile]:
        """All observation files of a table, over every scope and month."""
        found = self._files_below(self.root / table)
        return self._fetched(found, partitions_of_tables(self.root, found, OBSERVATIONS))

    def listing_files(self) -> list[LakeFile]:
        """All listing files, over every table, scope and month."""
        folder = self.root / LEDGER
        found = self._files_below(folder)
        return self._fetched(found, partitions_of_tables(folder, found, LISTINGS))

    def name_of(self, path: Path) -> str:
        """What people call a path of the lake."""
        return str(path)

    def _files_below(self, folder: Path) -> Mapping[Path, str | None]:
        """The path of every file below a folder, with its version where the storage has versions.

        It is empty where there is no such folder. LakeError where the folder cannot be read, which
        a glob would show as empty.
        """
        with lake_errors(folder, "read"):
            return dict.fromkeys(walk(folder))

    def _fetched(self, found: Mapping[Path, str | None], paths: Sequence[Path]) -> list[LakeFile]:
        """The files at some of the paths that were found, ready to be read."""
        del found
        return [LakeFile(path, path, self.name_of(path)) for path in paths]

    @contextmanager
    def locked(self, scope: Scope) -> Iterator[None]:
        """Lock the scope for writing, once other runs on this machine have released it.

        The files that dead runs left under temporary names are cleared.
        """
        with self._locked("_".join((scope.table, *scope_path(scope).parts))):
            self._clear_temporary_files(scope)
            yield

    @contextmanager
    def locked_marts(self) -> Iterator[None]:
        """Lock the marts for publishing, in the same way."""
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
                    shutil.rmtree(leftover)  # rows that a dead merge had spilled
                else:
                    leftover.unlink(missing_ok=True)

    def replacing(self, target: Path, known: LakeFile | None) -> AbstractContextManager[Path]:
        """Give a temporary path to write, whose content was made from the `known` file at `target`.

        Like `overwriting`, but RaceLostError where another machine has replaced the file since, or
        made one where none was known. Call with the scope locked.
        """
        del known  # on a local disk the lock keeps everybody else away
        return self.overwriting(target)

    @contextmanager
    def overwriting(self, target: Path) -> Iterator[Path]:
        """Give a temporary path to write; it becomes the file at `target` when the block ends well.

        LakeError when the storage refuses. `target` is then as it was.
        """
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        with lake_errors(target):
            make_durable_folder(target.parent)
        with self.scratch(temporary), lake_errors(target):
            yield temporary
            fsync(temporary)
            temporary.rename(target)
            fsync(target.parent)

    def remove(self, path: Path) -> None:
        """Take away the file at a path, if there is one."""
        with lake_errors(path):
            path.unlink(missing_ok=True)

    @contextmanager
    def scratch(self, path: Path) -> Iterator[Path]:
        """An empty file with the lake's permissions, which is gone when the block ends."""
        with lake_errors(path):
            try:
                os.close(create(path, self.file_mode))
                yield path
            finally:
                path.unlink(missing_ok=True)
