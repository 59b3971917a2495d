"""The past of a scope: what the lake holds of it when its lock is taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.lake.ledger import LedgerFile, LedgerRow, read_ledger
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.sources.catalogue import Source
from joblake.sources.schema import EPOCH, MICROSECOND, observation_schema

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class ScopePast:
    """A scope's observation files, oldest month first, and its ledger.

    It is read once, before the listing begins, and handed to everything that follows.
    `last_observed_at` is the instant of the newest observation.
    """

    files: tuple[LakeFile, ...]
    ledger: tuple[LedgerFile, ...]
    last_observed_at: datetime | None

    @property
    def listings(self) -> list[LedgerRow]:
        """The scope's listings on record, in order of time."""
        rows = [row for month in self.ledger for row in month.rows()]
        return sorted(rows, key=lambda row: row.started_at)

    def next_instant(self, observed_at: datetime) -> datetime:
        """`observed_at`, or just after the newest observation: time never runs backwards."""
        if self.last_observed_at is None or observed_at > self.last_observed_at:
            return observed_at
        return self.last_observed_at + _TICK


def read_past(lake: Lake, scope: Scope, source: Source) -> ScopePast:
    """Read what earlier listings left of a scope. Call with the scope locked.

    UnreadableFileError where one of its files is damaged or foreign: what cannot be merged or put
    on record need not be listed.
    """
    files = lake.scope_files(scope)
    parquet.require_readable(files, observation_schema(source))
    ledger = read_ledger(lake, scope)
    instants = (instant for file in files for instant in _newest_instants(file))
    return ScopePast(tuple(files), ledger, max(filter(None, instants), default=None))


def _newest_instants(file: LakeFile) -> Iterator[datetime | None]:
    """The newest `observed_at` of each batch of a file's rows; None for a batch of nulls."""
    with parquet.reading(file) as opened:
        for batch in opened.iter_batches(columns=["observed_at"]):
            # As a number, because pyarrow imports pandas for each instant that it makes Python's.
            newest = pc.max(batch.column(0).cast(pa.int64())).as_py()
            yield None if newest is None else EPOCH + newest * MICROSECOND
