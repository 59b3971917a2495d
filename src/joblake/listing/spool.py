"""The spool keeps a listing's rows on the local disk until they are merged.

It is one Arrow stream for each scope. A batch holds the rows of one page or more, with the token
of the page that follows. Memory stays bounded whatever the size of the listing, and an interrupted
listing goes on after its last whole batch: a torn tail is dropped.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa

from joblake import arrow
from joblake.errors import LakeError
from joblake.lake.disk import create, lake_errors
from joblake.listing.rows import ParsedRows

_FILE = "pages.arrows"
_COPY = "pages.tmp"
_PAGES = b"joblake_pages"
_SPOOL = b"joblake_spool"


@dataclass(frozen=True)
class SpoolIdentity:
    """Tells one listing from another: the digest of its query, and when it began.

    `known_until` is the instant of the newest observation of the scope by then.
    """

    query: str
    started_at: datetime
    known_until: datetime | None = None

    def continues(self, earlier: "SpoolIdentity", resume_within: timedelta) -> bool:
        """Whether this listing may go on with the pages of an earlier one."""
        age = self.started_at - earlier.started_at
        return self.query == earlier.query and timedelta(0) <= age <= resume_within


class Spool:
    """Holds the rows of one scope's listing. LakeError when the disk refuses them.

    `rows`, `pages` and `odd_values` count what it holds; `next_token` is that of the last page;
    `started_at` and `known_until` are those of the listing that its first page belongs to.
    """

    def __init__(self, folder: Path, schema: pa.Schema, file_mode: int) -> None:
        self._path = folder / _FILE
        self._schema = schema
        self._file_mode = file_mode
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._file: pa.NativeFile | None = None
        self.rows = self.pages = self.odd_values = 0
        self.next_token: str | None = None
        self.started_at: datetime | None = None
        self.known_until: datetime | None = None

    def begin(self, identity: SpoolIdentity, *, resume_within: timedelta | None) -> bool:
        """Open the spool for writing; True when it holds pages of an interrupted listing.

        Its pages are kept when that listing asked the same and is at most `resume_within` old,
        never where that is None.
        """
        earlier = self._read_identity()
        if (
            earlier is None
            or resume_within is None
            or not identity.continues(earlier, resume_within)
        ):
            self._open(self._path, identity)
            return False
        # Only whole batches are copied: a torn tail is gone, and writing can go on.
        copy = self._path.with_name(_COPY)
        self._open(copy, earlier)
        for parsed in self._whole_rows():
            self.append(parsed)
        with lake_errors(self._path, "spool to"):
            copy.rename(self._path)
        return self.pages > 0

    def append(self, parsed: ParsedRows) -> None:
        """Add the rows of one page or more as one batch."""
        # A writer that failed is gone: its end mark after half a batch could make that look whole.
        writer, self._writer = self._writer, None
        if writer is None:
            raise ValueError("the spool is not open")
        batches = parsed.rows.combine_chunks().to_batches()
        batch = batches[0] if batches else arrow.empty_batch(self._schema)
        pages = (parsed.next_token, parsed.odd_values, parsed.page_count)
        with lake_errors(self._path, "spool to"):
            writer.write_batch(batch, custom_metadata={_PAGES: json.dumps(pages)})
        self._writer = writer
        self.rows += batch.num_rows
        self.pages += parsed.page_count
        self.odd_values += parsed.odd_values
        self.next_token = parsed.next_token

    def restart(self, identity: SpoolIdentity) -> None:
        """Forget every page and begin anew."""
        self.close()
        self._open(self._path, identity)

    def reader(self) -> pa.RecordBatchReader:
        """Close the spool and read all rows in their order, a batch at a time.

        The reader raises LakeError at its end when the file does not hold what was written to it.
        """
        self.close()
        return pa.RecordBatchReader.from_batches(self._schema, self._checked_batches())

    def close(self) -> None:
        """Finish the file; its pages stay for a resume until `discard`."""
        writer, file = self._writer, self._file
        self._writer = self._file = None
        with lake_errors(self._path, "spool to"):
            if writer is not None:
                writer.close()
            if file is not None:
                file.close()

    def discard(self) -> None:
        """Remove the file."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _open(self, path: Path, identity: SpoolIdentity) -> None:
        self.rows = self.pages = self.odd_values = 0
        self.next_token = None
        self.started_at, self.known_until = identity.started_at, identity.known_until
        schema = self._schema.with_metadata({_SPOOL: msgspec.json.encode(identity)})
        with lake_errors(path, "spool to"):
            # Arrow's own file goes on after a short write, where Python's leaves a hole.
            self._file = pa.OSFile(create(path, self._file_mode), "wb")
            self._writer = pa.ipc.new_stream(self._file, schema)

    def _read_identity(self) -> SpoolIdentity | None:
        """Read which listing wrote the file; None where this schema cannot go on with it."""
        try:
            with pa.OSFile(str(self._path)) as source:
                schema = pa.ipc.open_stream(source).schema
            written = (schema.metadata or {})[_SPOOL]
            identity = msgspec.json.decode(written, type=SpoolIdentity)
        except (OSError, pa.ArrowInvalid, KeyError, msgspec.MsgspecError):
            return None
        return identity if schema.equals(self._schema) else None

    def _whole_rows(self) -> Iterator[ParsedRows]:
        for batch, metadata in self._whole_batches():
            yield ParsedRows(pa.Table.from_batches([batch]), *json.loads(metadata[_PAGES]))

    def _checked_batches(self) -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch, _ in self._whole_batches() if self.pages else ():
            yield batch
            rows += batch.num_rows
        if rows != self.rows:
            raise LakeError(f"{self._path} does not hold the pages that were written to it")

    def _whole_batches(self) -> Iterator[tuple[pa.RecordBatch, dict[bytes, bytes]]]:
        with pa.OSFile(str(self._path)) as source:
            reader = pa.ipc.open_stream(source)
            while True:
                try:
                    batch, metadata = reader.read_next_batch_with_custom_metadata()
                except (StopIteration, OSError, pa.ArrowInvalid):
                    return
                # The file's schema says which listing wrote it; ours does not.
                yield batch.replace_schema_metadata(self._schema.metadata), dict(metadata or {})
