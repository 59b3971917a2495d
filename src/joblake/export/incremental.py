"""This module decides where an incremental listing begins.

A resource that has ended changes no more, and one that was created before the last listing has
been seen. Every resource that is new or may have changed was therefore created after the oldest one
that had not ended, or after the last listing, whichever is earlier. Only a listing of everything
shows that a resource was deleted; one is due every few days.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from joblake import arrow
from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.lake.ledger import LedgerRow
from joblake.lake.past import ScopePast
from joblake.outcome import ListingOutcome
from joblake.settings.settings import Settings
from joblake.sources.catalogue import Source
from joblake.sources.schema import column_of, observation_schema
from joblake.sources.service_model import ParameterValue

# Nights begin a few seconds earlier or later.
_TOLERANCE = timedelta(hours=1)
_NEWEST = pc.ScalarAggregateOptions(skip_nulls=False)


def narrowing(
    past: ScopePast, source: Source, settings: Settings, now: datetime
) -> dict[str, ParameterValue]:
    """The request parameter that narrows the listing; none where everything must be listed.

    That is so where the source has no filter by time, where no complete listing is less than
    `full_listing_days` old, and where the last one held a mass vanish for confirmation.
    UnreadableFileError where one of the scope's files is damaged.
    """
    parameter = source.created_after
    if parameter is None or source.status is None or source.created is None:
        return {}
    listings = past.listings
    complete = [row for row in listings if row.outcome is ListingOutcome.complete]
    if not complete or complete[-1].held:
        return {}
    due_at = complete[-1].started_at + timedelta(days=settings.full_listing_days)
    if now >= due_at - _TOLERANCE:
        return {}
    since = _seen_until(complete[0].started_at, listings, parameter)
    oldest = _oldest_running(past.files, source, source.status, source.created)
    since = min(since, oldest or since) - timedelta(minutes=settings.overlap_minutes)
    return {parameter: since.replace(microsecond=0)}


def _seen_until(first: datetime, listings: Iterable[LedgerRow], parameter: str) -> datetime:
    """The instant until which every created resource has been listed.

    Complete listings count; the earliest began at `first`. Later ones that were filtered by time
    alone count where they left no gap.
    """
    seen_until = first
    for row in listings:
        if row.outcome is ListingOutcome.complete:
            seen_until = row.started_at
        elif row.outcome is ListingOutcome.filtered and row.started_at > first:
            filters = json.loads(row.filters or "{}")
            is_by_time = set(filters) == {parameter}
            if is_by_time and datetime.fromisoformat(filters[parameter]) <= seen_until:
                seen_until = row.started_at
    return seen_until


def _oldest_running(
    files: Iterable[LakeFile], source: Source, status_member: str, created_member: str
) -> datetime | None:
    """The instant of creation of the oldest resource that had neither ended nor vanished.

    None where there is no such resource. Rows without a key or a time of creation do not count.
    """
    keys = [column_of(source, name) for name in source.key]
    status, created = column_of(source, status_member), column_of(source, created_member)
    columns = [*keys, status, created, "observed_at", "change"]
    # Files that an older SDK wrote may lack columns.
    tables = [arrow.no_rows(observation_schema(source)).select(columns)]
    for file in files:
        with parquet.reading(file) as opened:
            tables.append(opened.read(columns))
    observed = pa.concat_tables(tables, promote_options="default").sort_by("observed_at")
    for key in keys:
        observed = observed.filter(pc.is_valid(observed.column(key)))
    newest = observed.group_by(keys, use_threads=False).aggregate(
        [(name, "last", _NEWEST) for name in (status, created, "change")]
    )
    has_ended = pc.is_in(newest.column(f"{status}_last"), pa.array(list(source.outcomes)))
    is_gone = pc.equal(newest.column("change_last"), "vanished")
    running = newest.filter(pc.invert(pc.or_(has_ended, is_gone)))
    oldest: datetime | None = pc.min(running.column(f"{created}_last")).as_py()
    return oldest
