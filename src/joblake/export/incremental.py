"""Where an incremental listing begins: late enough to be short, early enough to miss nothing new.

A resource that has ended changes no more, and one that was created before the last listing has
been seen. So whatever is new or may have changed was created after the oldest resource that had
not ended, or after the last listing, whichever is earlier. What is deleted shows only in a
listing of everything, which is due every few days.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.outcome import ListingOutcome
from joblake.settings.settings import Settings
from joblake.sources.catalogue import Source
from joblake.sources.schema import column_of
from joblake.sources.service_model import ParameterValue

# Nights begin a few seconds earlier or later.
_TOLERANCE = timedelta(hours=1)
_NEWEST = pc.ScalarAggregateOptions(skip_nulls=False)


def narrowing(
    lake: Lake, scope: Scope, source: Source, settings: Settings, now: datetime
) -> dict[str, ParameterValue]:
    """The request parameter that leaves out what need not be listed; none where all must be.

    All must be where the source has no filter by time, where no complete listing is less than
    `full_listing_days` old, where one waits for confirmation, and where files of the scope cannot
    be read, which the merge will tell. Call with the scope locked.
    """
    parameter = source.created_after
    if parameter is None or source.status is None or source.created is None:
        return {}
    try:
        listings = _listings(lake.scope_listing_files(scope))
        complete = [row for row in listings if row["outcome"] == ListingOutcome.complete]
        if not complete or complete[-1]["held"]:
            return {}
        due_at = complete[-1]["started_at"] + timedelta(days=settings.full_listing_days)
        if now >= due_at - _TOLERANCE:
            return {}
        seen_until = _seen_until(listings, parameter)
        oldest = _oldest_running(lake.scope_files(scope), source, source.status, source.created)
    except (pa.ArrowException, OSError, KeyError):
        return {}
    since = min(seen_until, oldest or seen_until)
    since -= timedelta(minutes=settings.overlap_minutes)
    return {parameter: since.replace(microsecond=0)}


def _listings(files: Iterable[Path]) -> list[dict[str, Any]]:
    """A scope's listings on record, in order of time."""
    columns = ["started_at", "outcome", "held", "filters"]
    rows = [row for file in files for row in pq.ParquetFile(file).read(columns).to_pylist()]
    return sorted(rows, key=lambda row: row["started_at"])


def _seen_until(listings: Iterable[Mapping[str, Any]], parameter: str) -> datetime:
    """Until when everything that was created has been listed.

    By complete listings, and by those that were filtered by time alone and left no gap.
    """
    seen_until: datetime | None = None
    for row in listings:
        if row["outcome"] == ListingOutcome.complete:
            seen_until = row["started_at"]
        elif row["outcome"] == ListingOutcome.filtered and seen_until is not None:
            filters = json.loads(row["filters"] or "{}")
            if set(filters) == {parameter}:
                is_joined = datetime.fromisoformat(filters[parameter]) <= seen_until
                seen_until = row["started_at"] if is_joined else seen_until
    if seen_until is None:
        raise ValueError("there is no complete listing")
    return seen_until


def _oldest_running(
    files: Iterable[Path], source: Source, status_member: str, created_member: str
) -> datetime | None:
    """When the oldest resource was created that had neither ended nor vanished when last seen.

    None where there is none. Rows without a key or a time of creation cannot be followed.
    """
    keys = [column_of(source, name) for name in source.key]
    status, created = column_of(source, status_member), column_of(source, created_member)
    columns = [*keys, status, created, "observed_at", "change"]
    tables = [pq.ParquetFile(file).read(columns) for file in files]
    if not tables:
        return None
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
