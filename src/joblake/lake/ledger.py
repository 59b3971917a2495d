"""The ledger: the listings on record, one row for each scope that a run listed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from joblake import arrow
from joblake.errors import RaceLostError
from joblake.lake.layout import month_of
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.outcome import ListingOutcome
from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.schema import EPOCH, TIMESTAMP, observation_schema

ATTEMPTS = 10
"""How often a scope's file is written at most, where another machine writes it meanwhile."""
_TICK = timedelta(microseconds=1)
_SUMMED = ("added", "changed", "vanished", "requests")
_Result = TypeVar("_Result")
_TYPES: Mapping[type, pa.DataType] = {
    str: pa.string(),
    ListingOutcome: pa.string(),
    int: pa.int64(),
    datetime: TIMESTAMP,
}


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """One listing on record: whose it was, how it ended, and what it changed.

    `filters` is the JSON text of what narrowed the listing. `listed` to `vanished` count resources.
    `held` counts those that were missing all at once and are not believed to have vanished until
    the next complete listing confirms it.
    """

    run_id: str
    table_name: str
    account_id: str
    region_name: str
    parent: str | None
    started_at: datetime
    ended_at: datetime
    outcome: ListingOutcome
    filters: str | None = None
    listed: int = 0
    added: int = 0
    changed: int = 0
    vanished: int = 0
    held: int = 0
    pages: int = 0
    requests: int = 0
    error: str | None = None

    @property
    def scope(self) -> Scope:
        """The scope that was listed."""
        return Scope(self.table_name, self.account_id, self.region_name, self.parent)


def _arrow_type(annotation: Any) -> pa.DataType:
    """The type of a column; KeyError for a field that no column can hold."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return _TYPES[kinds[0] if kinds else annotation]


LEDGER_SCHEMA = pa.schema([(field.name, _arrow_type(field.type)) for field in fields(LedgerRow)])


def until_won(work: Callable[[], _Result]) -> _Result:
    """Do it again, from what the lake then has, as long as another machine is faster."""
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except RaceLostError:
            continue
    return work()


@dataclass(frozen=True)
class ScopePast:
    """What the lake already says of a scope."""

    last_observed_at: datetime | None

    def next_instant(self, observed_at: datetime) -> datetime:
        """`observed_at`, or just after the newest observation: time never runs backwards."""
        if self.last_observed_at is None or observed_at > self.last_observed_at:
            return observed_at
        return self.last_observed_at + _TICK


def scope_past(lake: Lake, scope: Scope, files: Sequence[Path]) -> ScopePast:
    """Read what earlier listings left in the scope's files. Call with the scope locked."""
    lake.require_readable(files, observation_schema(shipped_catalogue().named(scope.table)))
    # What cannot be put on record must not be merged either.
    lake.require_readable(lake.scope_listing_files(scope), LEDGER_SCHEMA)
    instants = (instant for file in files for instant in _newest_instants(lake, file))
    return ScopePast(max(instants, default=None))


def _newest_instants(lake: Lake, file: Path) -> Iterator[datetime]:
    """The newest `observed_at` of each batch of a file's rows; none of a batch of nulls."""
    with _readable(lake, file):
        for batch in pq.ParquetFile(file).iter_batches(columns=["observed_at"]):
            microseconds = pc.max(batch.column(0).cast(pa.int64())).as_py()
            if microseconds is not None:
                yield EPOCH + timedelta(microseconds=microseconds)


def commit_listing(lake: Lake, row: LedgerRow) -> None:
    """Put a listing on record. Call with its scope locked.

    A run that tries a scope again has one row all the same: that of the last try, from the start
    of the first one, with the changes and requests of all.
    """
    until_won(lambda: _commit_listing(lake, row))


def _commit_listing(lake: Lake, row: LedgerRow) -> None:
    target = lake.listing_partition(row.scope, month_of(row.started_at))
    stored = arrow.no_rows(LEDGER_SCHEMA)
    files = {lake.place_of(file): file for file in lake.scope_listing_files(row.scope)}
    # The first try may lie in the month before.
    for place in sorted({*list(files)[-2:], target}.intersection(files)):
        lake.require_readable([files[place]], LEDGER_SCHEMA)
        listings = _read_listings(lake, files[place])
        is_earlier_try = pc.equal(listings.column("run_id"), arrow.text(row.run_id))
        if place == target or pc.any(is_earlier_try).as_py():
            target, stored = place, listings.filter(pc.invert(is_earlier_try))
            for earlier in listings.filter(is_earlier_try).to_pylist():
                if earlier["ended_at"] == row.ended_at:
                    return  # this very try, whose answer was lost
                sums = {name: earlier[name] + getattr(row, name) for name in _SUMMED}
                row = replace(row, started_at=earlier["started_at"], **sums)
            break
    with lake.replacing(target) as temporary:
        rows = pa.concat_tables([stored, _as_table(row)], promote_options="default")
        pq.write_table(rows, temporary)


def _as_table(row: LedgerRow) -> pa.Table:
    """The row as Arrow; by way of JSON, because any other way imports pandas."""
    values = {name: getattr(row, name) for name in LEDGER_SCHEMA.names}
    body = json.dumps(values, default=datetime.isoformat).encode()
    options = pyarrow.json.ParseOptions(
        explicit_schema=LEDGER_SCHEMA, unexpected_field_behavior="error"
    )
    return pyarrow.json.read_json(pa.BufferReader(body), parse_options=options)


def _read_listings(lake: Lake, file: Path) -> pa.Table:
    # ParquetFile, because read_table would add the folder's Hive keys as columns.
    with _readable(lake, file):
        return pq.ParquetFile(file).read()


@contextmanager
def _readable(lake: Lake, file: Path) -> Iterator[None]:
    """UnreadableFileError where the file is damaged."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise lake.damaged(file, error) from error
