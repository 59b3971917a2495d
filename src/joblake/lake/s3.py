"""The lake on S3 has the same files under the same names, as objects.

An object is read whole, in one GET: a reader sees the old object or the new one, never ranges of
both. Replacing is a conditional PUT (If-Match, If-None-Match): when two writers started from the
same object, one wins and the other merges again. Copies of objects are kept by their ETag in a
local folder, because a night changes few of them.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import botocore.exceptions as boto_errors
from botocore.handlers import VALID_BUCKET, VALID_S3_ARN

from joblake.aws.refusals import describe, error_words
from joblake.aws.storage import storage_client
from joblake.errors import JoblakeError, LakeError, RaceLostError, UsageError
from joblake.lake.disk import lake_errors
from joblake.lake.file import LakeFile
from joblake.lake.layout import S3_SCHEME
from joblake.lake.local import Lake
from joblake.lake.scope import Scope

DOWNLOADS_AT_ONCE = 16
KEEP_COPIES_SECONDS = 7 * 86_400
"""How long a copy that nobody asks for stays on the local disk."""
_WRITER = "joblake-writer"
_MARKER = ".joblake"
_CHUNK_BYTES = 1 << 20
# S3 answers the loser of a race with these: 409 while the winner writes, 404 where it removed.
_LOST_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})


@dataclass(frozen=True)
class S3Lake(Lake):
    """A lake below `s3://bucket/prefix`; its paths are `bucket/prefix/…`, and it reads copies.

    Safe for use by several threads that replace different files.
    """

    work_root: Path = Path()
    client: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, location: str, *, file_mode: int, work_folder: Path) -> "S3Lake":
        """The lake at an s3:// location; UsageError where that names no bucket."""
        bucket, *prefix = location.removeprefix(S3_SCHEME).rstrip("/").split("/")
        if not bucket or {"", ".", ".."} & {bucket, *prefix} or not location.isprintable():
            raise UsageError(f"lake {location!r}: expected s3://bucket or s3://bucket/prefix")
        if not (VALID_BUCKET.search(bucket) or VALID_S3_ARN.search(bucket)):
            raise UsageError(
                f"lake {location!r}: {bucket!r} is no name of a bucket, which has letters, digits, "
                "dots and hyphens"
            )
        root = Path(bucket, *prefix)
        client = storage_client(connections=DOWNLOADS_AT_ONCE)
        # Two endpoints may have buckets of the same name, whose pages must not be mixed.
        endpoint = hashlib.sha256(client.meta.endpoint_url.encode()).hexdigest()[:8]
        try:
            work = work_folder.expanduser().absolute() / endpoint / root
        except RuntimeError as error:
            raise UsageError(f"work folder {work_folder}: {error}") from error
        return cls(root, file_mode, work, client)

    @property
    def work(self) -> Path:
        """The local folder of locks, unmerged pages and copies."""
        return self.work_root

    def prepare(self) -> None:
        """See that objects can be written here, and that the storage keeps its conditions.

        LakeError where not: without conditional writes, two writers would lose rows.
        """
        super().prepare()
        marker = self.root / _MARKER
        with suppress(RaceLostError):
            self._put(marker, b"", IfNoneMatch="*")
        for name, value in (("IfNoneMatch", "*"), ("IfMatch", '"no such version"')):
            with suppress(RaceLostError):
                self._put(marker, b"", **{name: value})
                raise LakeError(
                    f"{self.name_of(marker)}: this storage overwrites objects despite {name}, so "
                    "that writers would lose each other's rows; use one with conditional writes"
                )

    def try_writing(self) -> None:
        """See Lake.try_writing; an empty object stays behind."""
        self.prepare()

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        prefix = self._key(self.root / "_").removesuffix("_")
        with self._errors(self.root, "list"):
            answer = self.client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=2)
        found = {entry["Key"] for entry in answer.get("Contents", ())}
        return bool(found) and found != {self._key(self.root / _MARKER)}

    def name_of(self, path: Path) -> str:
        """The s3:// name of a path of the lake."""
        return S3_SCHEME + path.as_posix()

    def remove(self, path: Path) -> None:
        """Take away the object at a path, if there is one."""
        with self._errors(path, "remove"):
            self.client.delete_object(Bucket=self._bucket, Key=self._key(path))

    def replacing(self, target: Path, known: LakeFile | None) -> AbstractContextManager[Path]:
        """See Lake.replacing."""
        if known is None:
            return self.overwriting(target, IfNoneMatch="*")
        return self.overwriting(target, IfMatch=str(known.version))

    @contextmanager
    def overwriting(self, target: Path, **condition: str) -> Iterator[Path]:
        """See Lake.overwriting; RaceLostError where the object does not meet the condition."""
        temporary = self.work / "uploads" / f"{uuid.uuid4()}.tmp"
        with self.scratch(temporary):
            yield temporary
            with lake_errors(temporary, "read"), temporary.open("rb") as body:
                version = self._put(target, body, **condition)
            self._keep(temporary, target, version)

    def _files_below(self, folder: Path) -> Mapping[Path, str | None]:
        found: dict[Path, str | None] = {}
        with self._errors(folder, "list"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key(folder) + "/"
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    path = Path(self._bucket, entry["Key"])
                    if self._key(path) == entry["Key"]:  # not `a//b` or `folder/`
                        found[path] = entry["ETag"]
        return found

    def _fetched(self, found: Mapping[Path, str | None], paths: Sequence[Path]) -> list[LakeFile]:
        if not paths:
            return []
        with ThreadPoolExecutor(min(len(paths), DOWNLOADS_AT_ONCE)) as pool:
            return list(pool.map(lambda path: self._fetch(path, str(found[path])), paths))

    def _fetch(self, path: Path, version: str) -> LakeFile:
        copy = self._copy(path, version)
        with lake_errors(copy):
            try:
                os.utime(copy)  # a copy that is asked for is kept
            except FileNotFoundError:
                return self._download(path)
        return LakeFile(path, copy, self.name_of(path), version)

    def _download(self, path: Path) -> LakeFile:
        """Copy an object as it is now, which may be newer than the version that was listed."""
        for is_last in (False, False, True):
            temporary = self._copies / f"{uuid.uuid4()}.tmp"
            with self._errors(path, "read"), self.scratch(temporary):
                try:
                    answer = self.client.get_object(Bucket=self._bucket, Key=self._key(path))
                    with lake_errors(temporary), temporary.open("wb") as file:
                        for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                            file.write(chunk)
                except boto_errors.HTTPClientError:  # botocore repeats requests, not bodies
                    if is_last:
                        raise
                    continue
                return self._keep(temporary, path, answer["ETag"])
        raise AssertionError("unreachable")

    def _keep(self, temporary: Path, path: Path, version: str) -> LakeFile:
        """Make a file, which must be whole, the copy of an object's version."""
        copy = self._copy(path, version)
        with lake_errors(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(copy)
        return LakeFile(path, copy, self.name_of(path), version)

    def _copy(self, path: Path, version: str) -> Path:
        name = hashlib.sha256(f"{path.as_posix()}\n{version}".encode()).hexdigest()
        return self._copies / f"{name}{path.suffix}"

    @cached_property
    def _copies(self) -> Path:
        """The folder of copies, without old ones and without the uploads of runs that died."""
        oldest = time.time() - KEEP_COPIES_SECONDS
        for file in [*self.work.glob("copies/*"), *self.work.glob("uploads/*")]:
            with lake_errors(file), suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()
        return self.work / "copies"

    def _clear_temporary_files(self, scope: Scope) -> None:
        self._clear(self.spool(scope).glob("*.tmp"))

    def _put(self, path: Path, body: Any, **condition: str) -> str:
        """Write an object and return its version; RaceLostError where the condition fails."""
        writer = str(uuid.uuid4())
        with self._errors(path, "write"):
            try:
                answer = self.client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(path),
                    Body=body,
                    Metadata={_WRITER: writer},
                    **condition,
                )
            except (boto_errors.ClientError, boto_errors.BotoCoreError) as error:
                # The request may have won although its answer was lost.
                answer = self._head(path)
                if answer["Metadata"].get(_WRITER) != writer:
                    is_refusal = isinstance(error, boto_errors.ClientError)
                    if not is_refusal or error_words(error)[0] not in _LOST_CODES:
                        raise
                    raise RaceLostError(
                        f"another writer replaced {self.name_of(path)} meanwhile; run again"
                    ) from error
        return str(answer["ETag"])

    def _head(self, path: Path) -> Any:
        try:
            return self.client.head_object(Bucket=self._bucket, Key=self._key(path))
        except (boto_errors.ClientError, boto_errors.BotoCoreError):
            return {"Metadata": {}}

    @property
    def _bucket(self) -> str:
        return self.root.parts[0]

    def _key(self, path: Path) -> str:
        return "/".join(path.parts[1:])

    @contextmanager
    def _errors(self, path: Path, what: str) -> Iterator[None]:
        """Turn what S3 refuses into a LakeError that names the path."""
        try:
            yield
        except JoblakeError:
            raise
        except Exception as error:
            raise LakeError(
                f"cannot {what} {self.name_of(path)}: {describe(error)}; check the bucket's name, "
                "rights and endpoint"
            ) from error
