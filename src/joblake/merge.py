"""From a listing's pages and a scope's known state to observations.

An observation is written only when a resource was added, changed or vanished. DuckDB compares the
whole row, because record counts move while the last-modified time stands still. The result goes to
a new file, which replaces the month's file in one step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from joblake.catalog import Source
from joblake.errors import LakeError
from joblake.lake import Lake, Scope, month_of, require_readable
from joblake.schema import LISTING_SCHEMA, column_of, listed_schema, observation_schema

HOLD_ABOVE = 20
"""A scope of at most this many resources may vanish at once without being held."""
_TICK = timedelta(microseconds=1)
_POSITION = "listed_position"


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

    `observed_at` is the instant of its rows; `is_whole` says that it was complete and
    unfiltered, so that what it does not show has vanished; `confirms_vanish` that the complete
    listing before it was held.
    """

    scope: Scope
    source: Source
    rows: pa.Table
    run_id: str
    observed_at: datetime
    is_whole: bool
    confirms_vanish: bool
    mass_vanish_share: float


def merge(lake: Lake, listed: Listed) -> Merged:
    """Write the observations that a listing gives rise to. Call with the scope locked.

    LakeError when the lake refuses, UnreadableFileError when one of the scope's files is damaged;
    either way the lake is as it was.
    """
    known_files = lake.scope_files(listed.scope)
    target = lake.partition(listed.scope, month_of(listed.observed_at))
    positions = pa.array(np.arange(listed.rows.num_rows))
    news = lake.spool(listed.scope) / "news.tmp"
    with lake.scratch(news), _connection(known_files) as connection:
        connection.register("spool", listed.rows.append_column(_POSITION, positions))
        connection.register("typed", observation_schema(listed.source).empty_table())
        connection.execute(f"create temp view listed as {_listed_sql(listed.source)}")
        connection.execute(f"create temp view known as {_known_sql(listed.source, known_files)}")
        shown = _count(connection, "select count(*) from listed")
        _copy(connection, _news_sql(listed), news)
        by_change = f"select change, count(*) from {_parquet([news])} group by change"
        merged = _verdict(listed, shown, dict(connection.execute(by_change).fetchall()))
        if merged.added + merged.changed + merged.vanished:
            with lake.replacing(target) as temporary:
                _copy(connection, _partition_sql(target, news, is_held=merged.held > 0), temporary)
    return merged


def _verdict(listed: Listed, shown: int, counts: dict[str, int]) -> Merged:
    added, changed = counts.get("added", 0), counts.get("changed", 0)
    vanished = counts.get("vanished", 0)
    alive = shown - added + vanished
    is_mass = alive > HOLD_ABOVE and vanished > alive * listed.mass_vanish_share
    if is_mass and not listed.confirms_vanish:
        return Merged(shown, added, changed, vanished=0, held=vanished)
    return Merged(shown, added, changed, vanished)


def commit_listing(lake: Lake, scope: Scope, row: dict[str, object]) -> None:
    """Add a row of `schema.LISTING_SCHEMA` to the scope's listings. Call with the scope locked."""
    started_at = row["started_at"]
    if not isinstance(started_at, datetime):
        raise TypeError("a listing row needs its started_at")
    target = lake.listing_partition(scope, month_of(started_at))
    tables = [pa.Table.from_pylist([row], LISTING_SCHEMA)]
    if target.exists():
        tables.insert(0, _read_listings([target]))
    with lake.replacing(target) as temporary:
        pq.write_table(pa.concat_tables(tables, promote_options="default"), temporary)


@dataclass(frozen=True)
class ScopePast:
    """What the lake already says of a scope."""

    last_observed_at: datetime | None
    is_vanish_held: bool

    def next_instant(self, observed_at: datetime) -> datetime:
        """`observed_at`, or just after the newest observation: time never runs backwards."""
        if self.last_observed_at is None or observed_at > self.last_observed_at:
            return observed_at
        return self.last_observed_at + _TICK


def scope_past(lake: Lake, scope: Scope) -> ScopePast:
    """Read what earlier listings left. Call with the scope locked."""
    files = lake.scope_files(scope)
    last_observed_at = None
    if files:
        with _connection(files) as connection:
            sql = f"select epoch_us(max(observed_at)) from {_parquet(files)}"
            microseconds = _count(connection, sql)
            last_observed_at = pa.scalar(microseconds, pa.timestamp("us", "UTC")).as_py()
    rows = _read_listings(lake.scope_listing_files(scope)).to_pylist()
    complete = [row for row in rows if row["outcome"] == "complete"]
    newest = max(complete, key=lambda row: row["started_at"], default=None)
    return ScopePast(last_observed_at, newest is not None and newest["error"] is not None)


def _read_listings(files: Sequence[Path]) -> pa.Table:
    try:
        # ParquetFile, because read_table would add the folder's Hive keys as columns.
        tables = [pq.ParquetFile(file).read() for file in files]
    except (pa.ArrowInvalid, OSError):
        require_readable(files)
        raise
    return pa.concat_tables([LISTING_SCHEMA.empty_table(), *tables], promote_options="default")


# --- SQL -------------------------------------------------------------------------------------


def _listed_sql(source: Source) -> str:
    """The listing's rows, one for each resource: the newest state, then the later page, wins."""
    newest = [f"{_POSITION} desc"]
    if source.modified is not None:
        newest.insert(0, f"{_name(column_of(source, source.modified))} desc nulls last")
    return f"""
        select *, {_identity(source)} as identity
        from spool
        qualify row_number() over (partition by identity order by {", ".join(newest)}) = 1
    """


def _known_sql(source: Source, files: Sequence[Path]) -> str:
    """The newest observation of each resource."""
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
    change = f"case when {is_new} then 'added' else 'changed' end"
    sql = f"""
        select {head.format(change=change)}, {", ".join(f"listed.{name}" for name in names)}
        from listed left join known using (identity)
        where {is_new} or {differs}
    """
    if not listed.is_whole:
        return sql
    return f"""
        {sql}
        union all
        select {head.format(change="'vanished'")}, {", ".join(f"known.{name}" for name in names)}
        from known anti join listed using (identity)
        where known.change <> 'vanished'
    """


def _partition_sql(target: Path, news: Path, *, is_held: bool) -> str:
    """The month's rows with the new ones; columns of a newer SDK are kept."""
    stored = f"union all by name select * from {_parquet([target])}" if target.exists() else ""
    condition = "where change <> 'vanished'" if is_held else ""
    return f"""
        select * from typed {stored}
        union all by name select * from {_parquet([news])} {condition}
    """


def _identity(source: Source) -> str:
    """What makes a row this resource: its key, or its whole content where it came without one."""
    names = listed_schema(source.operation).names
    content = ", ".join(f"{_name(name)}::varchar" for name in names)
    return f"coalesce({_name(column_of(source, source.key))}, md5([{content}]::varchar))"


def _parquet(files: Sequence[Path]) -> str:
    paths = ", ".join(_literal(str(file)) for file in files)
    return f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    connection.execute(
        f"copy ({sql}) to {_literal(str(path))} "
        "(format parquet, compression zstd, use_tmp_file false)"
    )


def _count(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row is not None else 0


@contextmanager
def _connection(files: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB; its refusals become errors that name the file at fault."""
    connection = duckdb.connect(config={"TimeZone": "UTC", "autoinstall_known_extensions": False})
    try:
        yield connection
    except duckdb.Error as error:
        require_readable(files)
        reason = str(error).splitlines()[0]
        raise LakeError(f"DuckDB could not merge: {reason}; check the lake's disk") from error
    finally:
        connection.close()


def _microseconds(instant: datetime) -> int:
    return int(pa.scalar(instant, pa.timestamp("us", "UTC")).value)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
