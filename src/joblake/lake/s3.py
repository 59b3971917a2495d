"""A lake on S3: the same files under the same names, with objects for files.

An object is read whole, in one GET of the version that was listed: a reader sees the old object or
the new one, never ranges of both. Replacing is a conditional PUT (If-Match, If-None-Match), so that
of two writers who started from the same object one wins and the other merges again. Copies of
objects are kept by their ETag in a local folder, because a night changes few of them.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.exceptions as boto_errors
from botocore.handlers import VALID_BUCKET, VALID_S3_ARN

from joblake.aws.connections import storage_client
from joblake.aws.refusals import describe, error_words
from joblake.errors import JoblakeError, LakeError, RaceLostError, UsageError
from joblake.lake.disk import lake_errors
from joblake.lake.layout import S3_SCHEME
from joblake.lake.local import Lake
from joblake.lake.scope import Scope

DOWNLOADS_AT_ONCE = 16
KEEP_COPIES_SECONDS = 7 * 86_400
"""How long a copy that nobody asks for stays on the local disk."""
_WRITER = "joblake-writer"
_MARKER = ".joblake"
_CHUNK_BYTES = 1 << 20
# What S3 answers to the loser of a race: 409 while the winner writes, 404 where it removed.
_LOST_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})


@dataclass(frozen=True)
class S3Lake(Lake):
    """A lake below `s3://bucket/prefix`; places are `bucket/prefix/…`, files are local copies.

    An object of this class remembers the version of every place that it has shown, and replaces
    only that one. Safe for use by several threads that replace different places.
    """

    work_root: Path = Path()
    client: Any = field(default=None, compare=False, repr=False)
    _versions: dict[Path, str] = field(default_factory=dict, compare=False, repr=False)
    _places: dict[Path, Path] = field(default_factory=dict, compare=False, repr=False)

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
        # Two endpoints may have buckets of one name, and their pages must not meet.
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
            self._put(marker, b"", {"IfNoneMatch": "*"})
        for name, value in (("IfNoneMatch", "*"), ("IfMatch", '"no such version"')):
            with suppress(RaceLostError):
                self._put(marker, b"", {name: value})
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

    def place_of(self, file: Path) -> Path:
        """The place that a copy was made of."""
        return self._places.get(file, file)

    def name_of(self, path: Path) -> str:
        """The s3:// name of a place or of a copy."""
        return S3_SCHEME + self.place_of(path).as_posix()

    def remove(self, place: Path) -> None:
        """Take away the object at a place, if there is one."""
        with self._errors(place, "remove"):
            self.client.delete_object(Bucket=self._bucket, Key=self._key(place))
        self._versions.pop(place, None)

    @contextmanager
    def replacing(self, target: Path, *, is_whole: bool = False) -> Iterator[Path]:
        """See Lake.replacing."""
        temporary = self.work / "uploads" / f"{uuid.uuid4()}.tmp"
        with self.scratch(temporary):
            yield temporary
            condition: dict[str, str] = {}
            if not is_whole:
                version = self._versions.get(target)
                condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
            with lake_errors(temporary, "read"), temporary.open("rb") as body:
                version = self._put(target, body, condition)
            self._versions[target] = version
            self._keep(temporary, target, version)

    def _files_below(self, folder: Path) -> list[Path]:
        places = []
        for known in list(self._versions):  # in one step: other threads add to it
            if known.is_relative_to(folder):
                del self._versions[known]
        with self._errors(folder, "list"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key(folder) + "/"
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    place = Path(self._bucket, entry["Key"])
                    if self._key(place) == entry["Key"]:  # not `a//b` or `folder/`
                        self._versions[place] = entry["ETag"]
                        places.append(place)
        return places

    def _fetched(self, places: list[Path]) -> list[Path]:
        if not places:
            return []
        if not self._places:
            self._clear_old_copies()
        with ThreadPoolExecutor(min(len(places), DOWNLOADS_AT_ONCE)) as pool:
            return list(pool.map(self._fetch, places))

    def _fetch(self, place: Path) -> Path:
        copy = self._copy(place, self._versions[place])
        with lake_errors(copy):
            try:
                os.utime(copy)  # what is asked for is kept
            except FileNotFoundError:
                copy = self._download(place)
        self._places[copy] = place
        return copy

    def _download(self, place: Path) -> Path:
        """Copy an object as it is now, which may be newer than the version that was listed."""
        for is_last in (False, False, True):
            temporary = self.work / "copies" / f"{uuid.uuid4()}.tmp"
            with self._errors(place, "read"), self.scratch(temporary):
                try:
                    answer = self.client.get_object(Bucket=self._bucket, Key=self._key(place))
                    with lake_errors(temporary), temporary.open("wb") as file:
                        for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                            file.write(chunk)
                except boto_errors.HTTPClientError:  # botocore repeats requests, not bodies
                    if is_last:
                        raise
                    continue
                self._versions[place] = answer["ETag"]
                return self._keep(temporary, place, answer["ETag"])
        raise AssertionError("unreachable")

    def _keep(self, temporary: Path, place: Path, version: str) -> Path:
        """Make a file, which must be whole, the copy of an object's version."""
        copy = self._copy(place, version)
        with lake_errors(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(copy)
        self._places[copy] = place
        return copy

    def _copy(self, place: Path, version: str) -> Path:
        name = hashlib.sha256(f"{place.as_posix()}\n{version}".encode()).hexdigest()
        return self.work / "copies" / f"{name}{place.suffix}"

    def _clear_old_copies(self) -> None:
        """Remove copies that nobody asked for lately, and uploads of runs that died."""
        oldest = time.time() - KEEP_COPIES_SECONDS
        for file in [*self.work.glob("copies/*"), *self.work.glob("uploads/*")]:
            with lake_errors(file), suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()

    def _clear_temporary_files(self, scope: Scope) -> None:
        self._clear(self.spool(scope).glob("*.tmp"))

    def _put(self, place: Path, body: Any, condition: dict[str, str]) -> str:
        """Write an object and return its version; RaceLostError where the condition fails."""
        writer = str(uuid.uuid4())
        with self._errors(place, "write"):
            try:
                answer = self.client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(place),
                    Body=body,
                    Metadata={_WRITER: writer},
                    **condition,
                )
            except (boto_errors.ClientError, boto_errors.BotoCoreError) as error:
                # A request may have won although its answer, or that of a repeated one, was lost.
                answer = self._head(place)
                if answer["Metadata"].get(_WRITER) != writer:
                    if not _is_lost(error):
                        raise
                    raise RaceLostError(
                        f"another writer replaced {self.name_of(place)} meanwhile; run again"
                    ) from error
        return str(answer["ETag"])

    def _head(self, place: Path) -> Any:
        try:
            return self.client.head_object(Bucket=self._bucket, Key=self._key(place))
        except (boto_errors.ClientError, boto_errors.BotoCoreError):
            return {"Metadata": {}}

    @property
    def _bucket(self) -> str:
        return self.root.parts[0]

    def _key(self, place: Path) -> str:
        return "/".join(place.parts[1:])

    @contextmanager
    def _errors(self, place: Path, what: str) -> Iterator[None]:
        """Turn what S3 refuses into a LakeError that names the place."""
        try:
            yield
        except JoblakeError:
            raise
        except Exception as error:
            raise LakeError(
                f"cannot {what} {self.name_of(place)}: {describe(error)}; check the bucket's name, "
                "rights and endpoint"
            ) from error


def _is_lost(error: Exception) -> bool:
    return isinstance(error, boto_errors.ClientError) and error_words(error)[0] in _LOST_CODES
