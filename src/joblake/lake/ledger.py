"""What the lake has on record of a scope: how far its past goes, and what its listings came to."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from joblake import arrow
from joblake.errors import RaceLostError
from joblake.lake.local import Lake, Scope, month_of
from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.schema import EPOCH, LISTING_SCHEMA, observation_schema

ATTEMPTS = 10
"""How often a scope's file is written at most, where another machine writes it meanwhile."""
_TICK = timedelta(microseconds=1)
_SUMMED = ("added", "changed", "vanished", "requests")
_Result = TypeVar("_Result")


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
    lake.require_readable(lake.scope_listing_files(scope), LISTING_SCHEMA)
    instants = (instant for file in files for instant in _newest_instants(lake, file))
    return ScopePast(max(instants, default=None))


def _newest_instants(lake: Lake, file: Path) -> Iterator[datetime]:
    """The newest `observed_at` of each batch of a file's rows; none of a batch of nulls."""
    with _readable(lake, file):
        for batch in pq.ParquetFile(file).iter_batches(columns=["observed_at"]):
            microseconds = pc.max(batch.column(0).cast(pa.int64())).as_py()
            if microseconds is not None:
                yield EPOCH + timedelta(microseconds=microseconds)


def commit_listing(lake: Lake, scope: Scope, row: dict[str, Any]) -> None:
    """Put a row of `schema.LISTING_SCHEMA` on record. Call with the scope locked.

    A run that tries a scope again has one row all the same: that of the last try, from the start
    of the first one, with the changes and requests of all.
    """
    until_won(lambda: _commit_listing(lake, scope, row))


def _commit_listing(lake: Lake, scope: Scope, row: dict[str, Any]) -> None:
    target = lake.listing_partition(scope, month_of(row["started_at"]))
    stored = arrow.no_rows(LISTING_SCHEMA)
    files = {lake.place_of(file): file for file in lake.scope_listing_files(scope)}
    # The first try may lie in the month before.
    for place in sorted({*list(files)[-2:], target}.intersection(files)):
        lake.require_readable([files[place]], LISTING_SCHEMA)
        listings = _read_listings(lake, files[place])
        is_earlier_try = pc.equal(listings.column("run_id"), arrow.text(row["run_id"]))
        if place == target or pc.any(is_earlier_try).as_py():
            target, stored = place, listings.filter(pc.invert(is_earlier_try))
            for earlier in listings.filter(is_earlier_try).to_pylist():
                if earlier["ended_at"] == row["ended_at"]:
                    return  # this very try, whose answer was lost
                added = {name: earlier[name] + row[name] for name in _SUMMED}
                row = row | added | {"started_at": earlier["started_at"]}
            break
    with lake.replacing(target) as temporary:
        rows = pa.concat_tables([stored, _listing(row)], promote_options="default")
        pq.write_table(rows, temporary)


def _listing(row: dict[str, Any]) -> pa.Table:
    """The row of a listing as Arrow; by way of JSON, because any other imports pandas."""
    body = json.dumps(row, default=datetime.isoformat).encode()
    options = pyarrow.json.ParseOptions(
        explicit_schema=LISTING_SCHEMA, unexpected_field_behavior="error"
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
