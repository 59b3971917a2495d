"""The SQL that tells what a listing changes in the known state of a scope.

Whole rows are compared, because record counts move while the last-modified time stands still. They
are compared as hashes: 128 bits identify a resource and 64 bits its state, so that memory holds
some forty bytes for each resource and no rows. Two states of one resource share a hash once in
2^64 changes; such a change would go unseen.

The functions are pure: they take a listing and files, and return DuckDB's SQL. The tables and
views build on each other in this order: `spool` and `typed` (Arrow), `listed`, `observed`,
`stored`, `older`, `learnt`, `remembered`, `known`, `shown`, `missed`, `news`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from joblake.lake.file import LakeFile
from joblake.lake.scope import Scope
from joblake.quoting import identifier, literal, patterns
from joblake.sources.catalogue import Source
from joblake.sources.schema import EPOCH, EXTRA, MICROSECOND, column_of, item_columns, listed_schema

ROW_NUMBER = "listed_row_number"
CHANGED, ADDED = 1, 2


@dataclass(frozen=True)
class Listed:
    """One listing's rows and what may be concluded from them.

    The listing ran from `started_at` to `ended_at`; `known_until` is the instant of the scope's
    newest observation when it began. `observed_at` is the instant of its rows, unless the scope has
    newer ones. `is_whole` says that it was complete and unfiltered, so that a resource it does not
    show has vanished. Each call of `rows` reads the rows from the first one on.
    """

    scope: Scope
    source: Source
    rows: Callable[[], pa.RecordBatchReader]
    run_id: str
    started_at: datetime
    ended_at: datetime
    known_until: datetime | None
    observed_at: datetime
    is_whole: bool
    mass_vanish_share: float
    store_sensitive: bool = True

    @property
    def names(self) -> list[str]:
        """The columns of a listed row."""
        return list(listed_schema(self.source.operation).names)


def listed_sql(listed: Listed) -> str:
    """Reduce each listed row to its identity, its state and when it was last modified."""
    source = listed.source
    modified = "null" if source.modified is None else identifier(column_of(source, source.modified))
    return f"""
        select
            {ROW_NUMBER},
            {_identity(source)} as identity,
            {_state(map(identifier, listed.names))} as state,
            {modified} as modified_at
        from spool
    """


FORGET_REPEATED_SQL = f"""
    delete from listed
    where {ROW_NUMBER} in (
        select {ROW_NUMBER}
        from listed
        where identity in (select identity from listed group by identity having count(*) > 1)
        qualify row_number() over (
            partition by identity order by modified_at desc nulls last, {ROW_NUMBER} desc
        ) > 1
    )
"""
"""A resource that was listed twice keeps its newest state, or the later one of two equally new."""


def observed_sql(listed: Listed, files: Sequence[LakeFile]) -> str:
    """Give every observation, as its file has it, the identity of its resource."""
    stored = f"union all by name select * from {_parquet(files)}" if files else ""
    identity = _identity(listed.source)
    return f"select *, {identity} as stored_identity from (select * from typed {stored})"


def stored_sql(listed: Listed) -> str:
    """Reduce each resource to its identity and the state of its newest observation."""
    return f"""
        with newest as (
            select
                stored_identity as identity,
                max(struct_pack(
                    observed_at := observed_at,
                    state := {_state(_members(listed).values())},
                    is_alive := change <> 'vanished',
                    has_extra := coalesce(json_valid(extra), false)
                )) as observation
            from observed
            group by stored_identity
        )
        select identity, unnest(observation) from newest
    """


OLDER_SQL = """
    select stored.identity, stored.observed_at
    from stored anti join listed
        on stored.identity = listed.identity and stored.state = listed.state
    where is_alive and has_extra
"""
"""These known resources have an `extra`, and the listing does not show them in that state."""

# Arrow has no integers of 128 bits.
OLDER_EXTRAS_SQL = """
    select stored_identity::varchar as stored_identity, extra
    from observed semi join older
        on stored_identity = older.identity and observed.observed_at = older.observed_at
"""
LEARNT_SQL = "select * replace (stored_identity::uhugeint as stored_identity) from learnt_rows"


def remembered_sql(listed: Listed, *, has_learnt: bool) -> str:
    """Spell every observation as today's model and settings would store it."""
    members = _members(listed)
    columns = ", ".join(f"{member} as {identifier(name)}" for name, member in members.items())
    if not has_learnt:
        return f"select stored_identity, observed_at, change, {columns} from observed"
    learnt = ", ".join(
        f"if(learnt.stored_identity is null, observed.extra, learnt.extra) as {name}"
        if name == EXTRA
        else f"coalesce(observed.{quoted}, learnt.{quoted}) as {quoted}"
        for name, quoted in zip(members, map(identifier, members), strict=True)
    )
    return f"""
        select stored_identity, observed_at, change, {columns}
        from (
            select observed.stored_identity, observed_at, change, {learnt}
            from observed left join learnt on observed.stored_identity = learnt.stored_identity
        )
    """


def known_sql(listed: Listed, *, has_learnt: bool) -> str:
    """Spell each resource's newest observation as today's model and settings would store it."""
    columns = "identity, stored_identity, observed_at, state, is_alive"
    stored = "select *, identity as stored_identity from stored"
    if not has_learnt:
        return f"select {columns} from ({stored})"
    # A row without a key is identified by its content, which has just moved between columns.
    return f"""
        with relearnt as (
            select
                {_identity(listed.source)} as identity,
                stored_identity,
                observed_at,
                {_state(map(identifier, listed.names))} as state,
                true as is_alive
            from remembered semi join older
                on stored_identity = older.identity and remembered.observed_at = older.observed_at
        )
        select {columns}
        from (
            select {columns} from ({stored}) anti join older using (identity)
            union all
            select {columns} from relearnt
        )
        qualify row_number() over (partition by identity order by observed_at desc) = 1
    """


def shown_sql(listed: Listed) -> str:
    """Select the listed rows that are new or differ from the known state."""
    return f"""
        select {ROW_NUMBER}, known.identity is null or not known.is_alive as is_new
        from listed left join known using (identity)
        where (is_new or listed.state <> known.state)
            and (known.identity is null or {_is_older(listed)})
    """


def missed_sql(listed: Listed) -> str:
    """Select the known resources that a whole listing does not show.

    A resource that two complete listings in a row missed has vanished. The verdict decides about
    the others.
    """
    return f"""
        select
            known.identity,
            known.stored_identity,
            known.observed_at,
            held.identity is not null as is_confirmed
        from known anti join listed using (identity)
        left join held on known.identity = try_cast(held.identity as uhugeint)
        where {listed.is_whole} and known.is_alive and {_is_older(listed)}
    """


def partition_sql(
    listed: Listed, month: LakeFile | None, *, has_vanished: bool, is_held: bool
) -> str:
    """Add the new rows to those of the month's file; columns of a newer SDK are kept."""
    stored = f"union all by name select * from {_parquet([month])}" if month else ""
    names = ", ".join(map(identifier, listed.names))
    sql = f"""
        select * from typed {stored}
        union all by name
        select {_head(listed, f"if(code = {ADDED}, 'added', 'changed')")}, {names} from news
        where code > 0
    """
    if not has_vanished:
        return sql
    return f"""
        {sql}
        union all by name
        select {_head(listed, "'vanished'")}, {names}
        from remembered semi join missed
            on remembered.stored_identity = missed.stored_identity
                and remembered.observed_at = missed.observed_at
                and (missed.is_confirmed or {not is_held})
    """


def _head(listed: Listed, change: str) -> str:
    """Spell the columns that tell which listing saw a row, when and where."""
    return f"""
        {literal(listed.run_id)} as run_id,
        {_instant(listed.observed_at)} as observed_at,
        {change} as change,
        {literal(listed.scope.account_id)} as account_id,
        {literal(listed.scope.region_name)} as region_name,
        {_nullable(listed.scope.parent)} as parent
    """


def _nullable(text: str | None) -> str:
    return "null::varchar" if text is None else literal(text)


def _is_older(listed: Listed) -> str:
    """Spell whether a known row is older than the listing; one that came since is as new."""
    return f"known.observed_at <= {_instant(listed.known_until)}"


def _identity(source: Source) -> str:
    """Spell what identifies a row's resource: its key, or its whole content where it has no key.

    Null columns do not count, so that the identity outlasts a new member of the model. Sensitive
    columns do not count, because a setting can make them null.
    """
    names = set(listed_schema(source.operation).names) - _sensitive(source)
    pairs = ", ".join(
        f"{{name: {literal(name)}, content: {identifier(name)}::varchar}}" for name in sorted(names)
    )
    content = f"list_filter([{pairs}], lambda pair: pair.content is not null)"
    keys = [f"nullif({identifier(column_of(source, member))}, '')" for member in source.key]
    # Several members make a key together. Where one is missing, all of it is null.
    key = " || chr(31) || ".join(keys)
    return f"md5_number(coalesce({key}, to_json({content})::varchar))"


def _members(listed: Listed) -> dict[str, str]:
    """The columns of a listed row, each with the SQL of what the settings allow to be stored."""
    sensitive = set() if listed.store_sensitive else _sensitive(listed.source)
    return {
        name: f"if(false, {identifier(name)}, null)" if name in sensitive else identifier(name)
        for name in listed.names
    }


def _sensitive(source: Source) -> set[str]:
    return {column.name for column in item_columns(source.operation) if column.is_sensitive}


def _state(members: Iterable[str]) -> str:
    return f"hash({', '.join(members)})"


def _parquet(files: Sequence[LakeFile]) -> str:
    paths = patterns(file.local for file in files)
    return f"read_parquet({paths}, union_by_name = true, hive_partitioning = false)"


def _instant(instant: datetime | None) -> str:
    if instant is None:
        return "null::timestamptz"
    return f"make_timestamptz({(instant - EPOCH) // MICROSECOND})"
