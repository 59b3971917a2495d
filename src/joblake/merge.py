"""From a listing's pages and a scope's known state to observations.

An observation is written only when a resource was added, changed or vanished. DuckDB compares the
whole row, because record counts move while the last-modified time stands still. The result goes to
a new file, which replaces the month's file in one step.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

# Its classes stand quoted in the annotations below: Prefect keeps these functions beyond the end of
# the interpreter, and DuckDB's binding reports as leaked whatever evaluated annotations then hold.
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from joblake.catalog import Source, source_named
from joblake.errors import LakeError, RaceLostError, UnreadableFileError
from joblake.flatten import flatten_extras
from joblake.lake import Lake, Scope, month_of
from joblake.schema import (
    EXTRA,
    LISTING_SCHEMA,
    column_of,
    item_columns,
    listed_schema,
    observation_schema,
)

HOLD_ABOVE = 20
"""A scope of at most this many resources may vanish at once without being held."""
MERGES = 10
"""How often a merge is done again at most, because another machine wrote the scope meanwhile."""
_TICK = timedelta(microseconds=1)
_POSITION = "listed_position"
_SUMMED = ("added", "changed", "vanished", "requests")
_Result = TypeVar("_Result")
_WAY_OUT = "; restore it from a backup or move it out of the lake, then run again"


@dataclass(frozen=True)
class Merged:
    """How many resources a listing showed and what it changed. `held` did not vanish yet."""

    listed: int
    added: int
    changed: int
    vanished: int
    held: int = 0


@dataclass(frozen=True)
class Listed:
    """One listing's rows and what may be concluded from them.

    It began at `started_at`, when the newest observation of the scope was of `known_until`;
    `observed_at` is the instant of its rows, unless the scope has newer ones. `is_whole` says that
    it was complete and unfiltered, so that what it does not show has vanished.
    """

    scope: Scope
    source: Source
    rows: pa.Table
    run_id: str
    started_at: datetime
    known_until: datetime | None
    observed_at: datetime
    is_whole: bool
    mass_vanish_share: float
    store_sensitive: bool = True


def merge(lake: Lake, listed: Listed) -> Merged:
    """Write the observations that a listing gives rise to. Call with the scope locked.

    What another machine observed since the listing began stands, because it is as new. LakeError
    when the lake refuses, UnreadableFileError when one of the scope's files is damaged or foreign;
    either way the lake is as it was.
    """
    return _until_won(lambda: _merge(lake, listed))


def _until_won(work: Callable[[], _Result]) -> _Result:
    """Do it again, from what the lake then has, as long as another machine is faster."""
    for _ in range(MERGES - 1):
        try:
            return work()
        except RaceLostError:
            continue
    return work()


def _merge(lake: Lake, listed: Listed) -> Merged:
    known_files = lake.scope_files(listed.scope)
    past = _scope_past(lake, listed.scope, known_files)
    listed = replace(listed, observed_at=past.next_instant(listed.observed_at))
    target = lake.partition(listed.scope, month_of(listed.observed_at))
    month = [file for file in known_files if lake.place_of(file) == target]
    positions = pa.array(np.arange(listed.rows.num_rows))
    news = lake.spool(listed.scope) / "news.tmp"
    with lake.scratch(news), _connection(lake, known_files, listed.scope) as connection:
        held = _read_held(lake, listed)
        connection.register("held", held)
        connection.register("spool", listed.rows.append_column(_POSITION, positions))
        connection.register("typed", observation_schema(listed.source).empty_table())
        connection.execute(f"create temp view listed as {_listed_sql(listed.source)}")
        connection.execute(f"create temp view stored as {_stored_sql(listed.source, known_files)}")
        learnt = _learnt(connection, listed)
        connection.register("learnt", learnt)
        connection.execute(f"create temp view known as {_known_sql(listed, learnt.num_rows)}")
        shown = _count(connection, "select count(*) from listed")
        _copy(connection, _news_sql(listed), news)
        by_change = f"select change, count(*) from {_parquet([news])} group by change"
        merged = _verdict(listed, shown, dict(connection.execute(by_change).fetchall()))
        if merged.added + merged.changed + merged.vanished:
            with lake.replacing(target) as temporary:
                _copy(connection, _partition_sql(month, news, is_held=merged.held > 0), temporary)
        if listed.is_whole and (merged.held or held.num_rows):
            _write_held(lake, listed, connection, news, is_held=merged.held > 0)
    return merged


def _read_held(lake: Lake, listed: Listed) -> pa.Table:
    """What the complete listing before this one missed and held: this one may confirm it.

    A listing that is resumed after it was held must not confirm itself.
    """
    file = lake.file_at(lake.held(listed.scope))
    nothing = pa.table({"identity": pa.array([], pa.string())})
    if file is None:
        return nothing
    try:
        held = pq.ParquetFile(file).read()
        started_at = datetime.fromisoformat((held.schema.metadata or {})[b"started_at"].decode())
    except (pa.ArrowInvalid, OSError, KeyError, ValueError):
        return nothing  # not confirmed, so held again
    return held if started_at < listed.started_at else nothing


def _write_held(
    lake: Lake,
    listed: Listed,
    connection: "duckdb.DuckDBPyConnection",
    news: Path,
    *,
    is_held: bool,
) -> None:
    """Keep what is missing for the next complete listing; no row where nothing is held."""
    missing = connection.sql(
        f"select {_identity(listed.source)} as identity from {_parquet([news])} "
        f"where change = 'missing' and {is_held}"
    ).to_arrow_table()
    marked = missing.replace_schema_metadata({"started_at": listed.started_at.isoformat()})
    with lake.replacing(lake.held(listed.scope), is_whole=True) as temporary:
        pq.write_table(marked, temporary)


def _learnt(connection: "duckdb.DuckDBPyConnection", listed: Listed) -> pa.Table:
    """What today's model makes of known rows whose `extra` the listing shows no more.

    A newer SDK knows members that an older one could only keep in `extra`. That is no change of
    the resource: its known row is compared as today's model would have stored it.
    """
    older: pa.Table = connection.sql("""
        select identity, extra
        from stored anti join listed using (identity, extra)
        where change <> 'vanished' and extra is not null and json_valid(extra)
    """).to_arrow_table()
    rows = flatten_extras(
        older.column("extra").to_pylist(),
        listed.source.operation,
        store_sensitive=listed.store_sensitive,
    )
    return rows.append_column("identity", older.column("identity"))


def _verdict(listed: Listed, shown: int, counts: dict[str, int]) -> Merged:
    added, changed = counts.get("added", 0), counts.get("changed", 0)
    confirmed, missing = counts.get("vanished", 0), counts.get("missing", 0)
    alive = shown - added + confirmed + missing
    if alive > HOLD_ABOVE and missing > alive * listed.mass_vanish_share:
        return Merged(shown, added, changed, confirmed, held=missing)
    return Merged(shown, added, changed, confirmed + missing)


def commit_listing(lake: Lake, scope: Scope, row: dict[str, Any]) -> None:
    """Put a row of `schema.LISTING_SCHEMA` on record. Call with the scope locked.

    A run that tries a scope again has one row all the same: that of the last try, from the start
    of the first one, with the changes and requests of all.
    """
    _until_won(lambda: _commit_listing(lake, scope, row))


def _commit_listing(lake: Lake, scope: Scope, row: dict[str, Any]) -> None:
    target = lake.listing_partition(scope, month_of(row["started_at"]))
    stored = LISTING_SCHEMA.empty_table()
    files = {lake.place_of(file): file for file in lake.scope_listing_files(scope)}
    # The first try may lie in the month before.
    for place in sorted({*list(files)[-2:], target}.intersection(files)):
        lake.require_readable([files[place]], LISTING_SCHEMA)
        listings = _read(lake, files[place])
        is_earlier_try = pc.equal(listings.column("run_id"), row["run_id"])
        if place == target or pc.any(is_earlier_try).as_py():
            target, stored = place, listings.filter(pc.invert(is_earlier_try))
            for earlier in listings.filter(is_earlier_try).to_pylist():
                added = {name: earlier[name] + row[name] for name in _SUMMED}
                row = row | added | {"started_at": earlier["started_at"]}
            break
    rows = [stored, pa.Table.from_pylist([row], LISTING_SCHEMA)]
    with lake.replacing(target) as temporary:
        pq.write_table(pa.concat_tables(rows, promote_options="default"), temporary)


@dataclass(frozen=True)
class ScopePast:
    """What the lake already says of a scope."""

    last_observed_at: datetime | None

    def next_instant(self, observed_at: datetime) -> datetime:
        """`observed_at`, or just after the newest observation: time never runs backwards."""
        if self.last_observed_at is None or observed_at > self.last_observed_at:
            return observed_at
        return self.last_observed_at + _TICK


def scope_past(lake: Lake, scope: Scope) -> ScopePast:
    """Read what earlier listings left. Call with the scope locked."""
    return _scope_past(lake, scope, lake.scope_files(scope))


def _scope_past(lake: Lake, scope: Scope, files: Sequence[Path]) -> ScopePast:
    lake.require_readable(files, observation_schema(source_named(scope.table)))
    instants = [_read(lake, file, columns=["observed_at"]).column("observed_at") for file in files]
    # What cannot be put on record must not be merged either.
    lake.require_readable(lake.scope_listing_files(scope), LISTING_SCHEMA)
    return ScopePast(max((pc.max(column).as_py() for column in instants), default=None))


def _read(lake: Lake, file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a file; UnreadableFileError where it is damaged."""
    try:
        # ParquetFile, because read_table would add the folder's Hive keys as columns.
        return pq.ParquetFile(file).read(columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        name = lake.name_of(file)
        raise UnreadableFileError(f"{name} is damaged ({error}){_WAY_OUT}") from error


# --- SQL -------------------------------------------------------------------------------------


def _listed_sql(source: Source) -> str:
    """The listing's rows, one for each resource: the newest state, then the later page, wins."""
    newest = [f"{_POSITION} desc"]
    if source.modified is not None:
        newest.insert(0, f"{_name(column_of(source, source.modified))} desc nulls last")
    return f"""
        with newest as (
            select {_POSITION}, {_identity(source)} as identity
            from spool
            qualify row_number() over (partition by identity order by {", ".join(newest)}) = 1
        )
        select spool.*, newest.identity from spool join newest using ({_POSITION})
    """


def _stored_sql(source: Source, files: Sequence[Path]) -> str:
    """The newest observation of each resource, as its file has it."""
    stored = f"union all by name select * from {_parquet(files)}" if files else ""
    return f"""
        with observations as (
            select *, {_identity(source)} as identity from (select * from typed {stored})
        ),
        newest as (
            select identity, max(observed_at) as observed_at from observations group by identity
        )
        select observations.* from observations join newest using (identity, observed_at)
    """


def _known_sql(listed: Listed, learnt_count: int) -> str:
    """The newest observation of each resource, as today's model and settings would store it."""
    names = listed_schema(listed.source.operation).names
    sensitive = set() if listed.store_sensitive else _sensitive(listed.source)
    columns = [
        f"if(false, {_name(name)}, null) as {_name(name)}" if name in sensitive else _name(name)
        for name in names
    ]
    if not learnt_count:
        return f"select {', '.join(columns)}, identity, change, observed_at from stored"
    members = ", ".join(
        f"if(learnt.identity is null, stored.extra, learnt.extra) as {name}"
        if name == EXTRA
        else f"coalesce(stored.{_name(name)}, learnt.{_name(name)}) as {_name(name)}"
        for name in names
    )
    # Without a key the content identifies a row, and that has just moved between columns.
    return f"""
        select {", ".join(columns)}, {_identity(listed.source)} as identity, change, observed_at
        from (
            select {members}, stored.change, stored.observed_at
            from stored left join learnt on stored.identity = learnt.identity
        )
        qualify row_number() over (partition by identity order by observed_at desc) = 1
    """


def _news_sql(listed: Listed) -> str:
    names = [_name(name) for name in listed_schema(listed.source.operation).names]
    differs = " or ".join(f"listed.{name} is distinct from known.{name}" for name in names)
    head = ", ".join(
        (
            f"{_literal(listed.run_id)} as run_id",
            f"make_timestamptz({_microseconds(listed.observed_at)}) as observed_at",
            "{change} as change",
            f"{_literal(listed.scope.account_id)} as account_id",
            f"{_literal(listed.scope.region_name)} as region_name",
        )
    )
    is_new = "known.identity is null or known.change = 'vanished'"
    is_older = "false"
    if listed.known_until is not None:
        is_older = f"known.observed_at <= make_timestamptz({_microseconds(listed.known_until)})"
    change = f"case when {is_new} then 'added' else 'changed' end"
    sql = f"""
        select {head.format(change=change)}, {", ".join(f"listed.{name}" for name in names)}
        from listed left join known using (identity)
        where ({is_new} or {differs}) and (known.identity is null or {is_older})
    """
    if not listed.is_whole:
        return sql
    # What two complete listings in a row miss has vanished; of the rest the verdict decides.
    gone = "case when held.identity is null then 'missing' else 'vanished' end"
    return f"""
        {sql}
        union all
        select {head.format(change=gone)}, {", ".join(f"known.{name}" for name in names)}
        from known anti join listed using (identity)
        left join held on known.identity = held.identity
        where known.change <> 'vanished' and {is_older}
    """


def _partition_sql(month: Sequence[Path], news: Path, *, is_held: bool) -> str:
    """The month's rows with the new ones; columns of a newer SDK are kept."""
    stored = f"union all by name select * from {_parquet(month)}" if month else ""
    condition = "where change <> 'missing'" if is_held else ""
    change = "if(change = 'missing', 'vanished', change) as change"
    return f"""
        select * from typed {stored}
        union all by name select * replace ({change}) from {_parquet([news])} {condition}
    """


def _identity(source: Source) -> str:
    """What makes a row this resource: its key, or its whole content where it came without one.

    Null columns do not count, so that a content stays the same when the model gets a new member;
    nor do sensitive ones, which a setting makes null.
    """
    names = set(listed_schema(source.operation).names) - _sensitive(source)
    pairs = ", ".join(
        f"{{name: {_literal(name)}, content: {_name(name)}::varchar}}" for name in sorted(names)
    )
    content = f"list_filter([{pairs}], lambda pair: pair.content is not null)"
    key = f"nullif({_name(column_of(source, source.key))}, '')"
    return f"coalesce({key}, md5(to_json({content})::varchar))"


def _sensitive(source: Source) -> set[str]:
    return {column.name for column in item_columns(source.operation) if column.is_sensitive}


def _parquet(files: Sequence[Path]) -> str:
    # DuckDB takes every path for a pattern.
    paths = ", ".join(_literal(re.sub(r"([*?\[])", r"[\1]", str(file))) for file in files)
    return f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"


def _copy(connection: "duckdb.DuckDBPyConnection", sql: str, path: Path) -> None:
    connection.execute(
        f"copy ({sql}) to {_literal(str(path))} "
        "(format parquet, compression zstd, use_tmp_file false)"
    )


def _count(connection: "duckdb.DuckDBPyConnection", sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row is not None else 0


@contextmanager
def _connection(
    lake: Lake, files: Sequence[Path], scope: Scope
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """An in-memory DuckDB; its refusals become errors that name the file at fault."""
    # What does not fit in memory spills beside the spool, where nobody else may read.
    spill = lake.spool(scope) / "spill.tmp"
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(mode=0o700, parents=True)
    connection = duckdb.connect(
        config={
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
            "temp_directory": str(spill),
        }
    )
    try:
        yield connection
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if damaged := [file for file in files if _is_damaged(file)]:
            name = lake.name_of(damaged[0])
            raise UnreadableFileError(f"{name} is damaged ({reason}){_WAY_OUT}") from error
        raise LakeError(f"DuckDB could not merge: {reason}; check the lake's disk") from error
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def _is_damaged(file: Path) -> bool:
    try:
        for _ in pq.ParquetFile(file).iter_batches():
            pass
    except (pa.ArrowInvalid, OSError):
        return True
    return False


def _microseconds(instant: datetime) -> int:
    return int(pa.scalar(instant, pa.timestamp("us", "UTC")).value)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
