"""The SQL that is the same for every source, written from the catalogue.

Pure functions: a catalogue goes in, texts come out that have the form of the files in `sql/`, each
under the path that such a file would have. What is written by hand reads these and names no source
unless it is about that source.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from joblake.quoting import identifier, literal
from joblake.sources.catalogue import Catalogue, JobOutcome, Source
from joblake.sources.schema import (
    EXTRA,
    Column,
    column_of,
    element_columns,
    item_columns,
    observation_schema,
)

ARROW_TYPES: Mapping[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}
"""The types of the lake's columns, as DuckDB calls them."""
_SQL_TYPES = {kind: name.lower() for name, kind in ARROW_TYPES.items()}
_IN_JSON = {"string", "character", "blob", "timestamp", "list", "map", "document"}
"""The kinds of members that are texts within a list: as AWS spells them, or JSON."""
_RESOURCE_COLUMNS = {
    "name": "varchar",
    "status": "varchar",
    "created": "timestamptz",
    "modified": "timestamptz",
    "ended": "timestamptz",
    "model": "varchar",
    "message": "varchar",
}
"""The keys of a declaration that name a member, each with the type that the member has."""


def generated_sql(catalogue: Catalogue) -> dict[str, str]:
    """Every generated view and macro by its path below `sql/`, such as `history/resources.sql`."""
    files = {
        "macros/job_kind.sql": _job_kind(catalogue),
        "macros/outcome.sql": _outcome(catalogue),
        "macros/is_terminal.sql": _is_terminal(catalogue),
        "macros/job_states_as_of.sql": _job_states_as_of(catalogue),
        "history/resources.sql": _resources(catalogue),
        "history/observation_counts.sql": _observation_counts(catalogue),
    }
    for source in catalogue.values():
        files[f"current/{source.table}.sql"] = _current(source)
        for column in item_columns(source.operation):
            if column.member.kind in {"list", "map"}:
                files[f"current/{source.table}_{column.name}.sql"] = _elements(source, column)
    return files


def child_views(source: Source) -> list[str]:
    """The views in `current` that unnest the lists and maps of a source."""
    return [
        f"{source.table}_{column.name}"
        for column in item_columns(source.operation)
        if column.member.kind in {"list", "map"}
    ]


def empty_select(schema: pa.Schema) -> str:
    """A select of no rows that has a schema's columns and types."""
    columns = (f"null::{_SQL_TYPES[field.type]} as {identifier(field.name)}" for field in schema)
    return f"select {', '.join(columns)} where false"


def observation_schemas(catalogue: Catalogue) -> dict[str, pa.Schema]:
    """The columns of every table of observations."""
    return {source.table: observation_schema(source) for source in catalogue.values()}


# --- views of one source -----------------------------------------------------------------------


def _current(source: Source) -> str:
    """The view of a source's resources, each as last observed.

    The names of members are quoted, because AWS may call a member by a word of SQL's.
    """
    keys = key_columns(source)
    members = {column.name: column for column in item_columns(source.operation)}
    own = ["account_id", "region_name", *(["parent"] if source.parent else [])]
    life = [EXTRA, "first_seen_at", "last_seen_at", "last_changed_at", "is_vanished", "run_id"]
    names = [*keys, *own, *(name for name in members if name not in keys), *life]
    selected = ",\n".join(f"    {identifier(name) if name in members else name}" for name in names)
    header = _header(
        f"What {source.operation_id} lists, each resource as last observed.",
        "one row per resource, also of those that AWS no longer lists",
        ["account_id", "region_name", *keys],
        {name: _told(members[name]) if name in members else "" for name in names},
    )
    states = _call("resources_as_of", [literal(source.table), _resource_id(source), "'infinity'"])
    return f"{header}select\n{selected}\nfrom {states}\n"


def _elements(source: Source, column: Column) -> str:
    """The view of a list's elements, or of a map's entries."""
    keys = key_columns(source)
    is_map = column.member.kind == "map"
    place = "entry_key" if is_map else "position"
    elements = {_element_name(element): element for element in element_columns(column)}
    names = [*keys, "account_id", "region_name", place, *elements]
    members = {member.name: member for member in item_columns(source.operation)}
    what = f"{'.'.join(column.path)} of {source.table}"
    header = _header(
        f"The {'entries' if is_map else 'elements'} of {what}, "
        f"one by one; text that is no JSON {'object' if is_map else 'list'} gives no rows.",
        f"one row per {'entry' if is_map else 'element'} of a resource, as last observed",
        ["account_id", "region_name", *keys, place],
        {
            name: _told(members[name])
            if name in keys
            else _told(elements[name])
            if name in elements
            else ""
            for name in names
        },
    )
    values = {name: _element_value(element) for name, element in elements.items()}
    selected = [
        *(identifier(key) for key in keys),
        "account_id",
        "region_name",
        place,
        *(f"{value} as {identifier(name)}" for name, value in values.items()),
    ]
    unnested = "entries_of" if is_map else "elements_of"
    return (
        f"{header}select\n"
        + ",\n".join(f"    {column}" for column in selected)
        + f"\nfrom {unnested}('current.{source.table}', {identifier(column.name)})\n"
        + f"where coalesce({', '.join(map(_element_text, elements.values()))}) is not null\n"
    )


def _element_name(element: Column) -> str:
    return "__".join(["value", element.name] if element.path else ["value"])


def _element_text(element: Column) -> str:
    path = "".join(f'."{name}"' for name in element.path)
    return f"element ->> {literal(f'${path}')}"


def _element_value(element: Column) -> str:
    text = _element_text(element)
    if element.member.kind in _IN_JSON:
        return text
    return f"try_cast({text} as {_SQL_TYPES[element.type]})"


# --- views and macros of all sources -----------------------------------------------------------


def _resources(catalogue: Catalogue) -> str:
    header = _header(
        "Every observation of every source in one shape. What AWS listed without a key cannot be "
        "followed and stands in observations only.",
        "one row per observation",
        ["table_name", "account_id", "region_name", "resource_id", "observed_at", "run_id"],
        dict.fromkeys(
            [
                "table_name",
                "job_kind",
                "account_id",
                "region_name",
                "parent",
                "resource_id",
                "name",
                "status",
                "outcome",
                "is_terminal",
                "created_at",
                "modified_at",
                "ended_at",
                "model",
                "message",
                "run_id",
                "observed_at",
                "change",
            ],
            "",
        ),
    )
    branches = [
        _select(
            [
                *_shape(source, f"{_resource_id(source)} as resource_id"),
                "run_id",
                "observed_at",
                "change",
            ],
            f"observations.{source.table}\nwhere {_resource_id(source)} is not null",
        )
        for source in catalogue.values()
    ]
    return header + "\nunion all\n\n".join(branches)


def _job_states_as_of(catalogue: Catalogue) -> str:
    header = _macro_header(
        "The resources that are jobs, of every source, in one shape, as known at an instant. "
        "`estimated_end_at` is an upper bound of a job's end: its last modification, or, where "
        "AWS tells no end, what the first observation with a terminal status says.",
        "one row per table_name, account_id, region_name and resource_id",
        "the instant",
        "job_states_as_of(as_of) as table",
    )
    branches = [
        _select(
            [
                *_shape(source, "resource_id"),
                f"{_estimated_end(source)} as estimated_end_at",
                "first_seen_at",
                "last_seen_at",
                "is_vanished",
            ],
            _states(source),
        )
        for source in (catalogue.jobs or catalogue).values()
    ]
    return header + "\nunion all\n\n".join(branches)


def _shape(source: Source, resource_id: str) -> list[str]:
    """The columns that make resources of all sources alike."""
    table = literal(source.table)
    told = {key: _member(source, key, kind) for key, kind in _RESOURCE_COLUMNS.items()}
    return [
        f"{table} as table_name",
        f"{'null::varchar' if source.job is None else literal(source.job)} as job_kind",
        "account_id",
        "region_name",
        "parent",
        resource_id,
        f"{told['name']} as name",
        f"{told['status']} as status",
        f"outcome({table}, {told['status']}) as outcome",
        f"is_terminal({table}, {told['status']}) as is_terminal",
        f"{told['created']} as created_at",
        f"{told['modified']} as modified_at",
        f"{told['ended']} as ended_at",
        f"{told['model']} as model",
        f"{told['message']} as message",
    ]


def _states(source: Source) -> str:
    """The source's resources as of an instant, with a first end where nothing else tells one."""
    arguments = [literal(source.table), _resource_id(source), "as_of"]
    if not _tells_end(source):
        status = _member(source, "status", "varchar")
        end = "observed_at" if source.modified is None else _member(source, "modified", "")
        arguments.append(
            f"end_seen := case when is_terminal('{source.table}', {status}) then {end} end"
        )
    return _call("resources_as_of", arguments)


def _estimated_end(source: Source) -> str:
    return _member(source, "modified", "") if _tells_end(source) else "first_end_at"


def _tells_end(source: Source) -> bool:
    """Whether a job's own members bound its end."""
    return source.ended is not None and source.modified is not None


def _observation_counts(catalogue: Catalogue) -> str:
    header = _header(
        "How many observations each run left of each scope.",
        "one row per run and scope that has any",
        ["run_id", "table_name", "account_id", "region_name", "parent"],
        dict.fromkeys(
            ["run_id", "table_name", "account_id", "region_name", "parent", "observation_count"],
            "",
        ),
    )
    scope = "account_id,\n    region_name,\n    parent"
    return header + "\nunion all\n\n".join(
        f"select\n    run_id,\n    {literal(table)} as table_name,\n    {scope},\n"
        f"    count(*) as observation_count\nfrom observations.{table}\ngroup by all\n"
        for table in catalogue
    )


def _job_kind(catalogue: Catalogue) -> str:
    header = _macro_header(
        "The kind of job that the resources of a table are; null where they are none.",
        "a scalar",
        "the table's name",
        "job_kind(table_name) as",
    )
    return header + _cases(
        {table: literal(source.job or "") for table, source in catalogue.jobs.items()}, "null"
    )


def _outcome(catalogue: Catalogue) -> str:
    header = _macro_header(
        "What a resource's status amounts to: succeeded, partially_succeeded, failed, stopped or "
        "expired where it is terminal, else running; unknown for a status that is not known yet. "
        "Null for a table whose statuses have no meaning to joblake.",
        "a scalar",
        "the table's name, the status as AWS spells it",
        "outcome(table_name, status) as",
    )
    return header + _cases(
        {table: _outcome_of(source) for table, source in catalogue.items() if source.outcomes},
        "null",
    )


def _outcome_of(source: Source) -> str:
    meanings: dict[str, list[str]] = {outcome: [] for outcome in (*JobOutcome, "running")}
    for status, outcome in source.outcomes.items():
        meanings[outcome].append(status)
    meanings["running"] += source.running
    whens = (
        f"        when status in {_list(statuses)} then {literal(str(meaning))}\n"
        for meaning, statuses in meanings.items()
        if statuses
    )
    return f"case\n{''.join(whens)}        else 'unknown'\n    end"


def _is_terminal(catalogue: Catalogue) -> str:
    header = _macro_header(
        "Whether a resource has come to its end, so that its outcome is that of something ended; "
        "false for an absent status and for one that is not known yet. A plain list for each "
        "table, because DuckDB can ask the files themselves for it.",
        "a scalar",
        "the table's name, the status as AWS spells it",
        "is_terminal(table_name, status) as",
    )
    whens = {
        table: f"status in {_list(source.outcomes)}"
        for table, source in catalogue.items()
        if source.outcomes
    }
    return f"{header}status is not null and {_cases(whens, 'false')}"


def _cases(values: Mapping[str, str], otherwise: str) -> str:
    if not values:
        return f"{otherwise}\n"
    whens = "".join(f"    when {literal(key)} then {value}\n" for key, value in values.items())
    return f"case table_name\n{whens}    else {otherwise}\nend\n"


# --- parts -------------------------------------------------------------------------------------


def key_columns(source: Source) -> list[str]:
    """The columns that identify a resource within its account and region."""
    return [column_of(source, member) for member in source.key]


def _resource_id(source: Source) -> str:
    """The expression of a resource's identifier; null where a part of its key is absent."""
    return " || ' ' || ".join(f"nullif({identifier(key)}, '')" for key in key_columns(source))


def _member(source: Source, key: str, kind: str) -> str:
    """The column that holds what a key of the declaration names, else a null of that type."""
    member = getattr(source, key)
    return f"null::{kind}" if member is None else identifier(column_of(source, member))


def _select(columns: Sequence[str], rows: str) -> str:
    named = ",\n".join(f"    {column}" for column in columns)
    return f"select\n{named}\nfrom {rows}\n"


def _call(macro: str, arguments: Iterable[str]) -> str:
    given = ",\n".join(f"    {argument}" for argument in arguments)
    return f"{macro}(\n{given}\n)"


def _list(texts: Iterable[str]) -> str:
    return f"({', '.join(map(literal, texts))})"


def _told(column: Column) -> str:
    """What AWS says of a member, or its path where AWS says nothing."""
    return column.member.documentation or f"AWS's {'.'.join(column.path) or 'value'}"


def _header(description: str, grain: str, key: Iterable[str], columns: Mapping[str, str]) -> str:
    told = "".join(f"--   {name}: {text}\n" for name, text in columns.items() if text)
    return (
        _heading("description", description)
        + _heading("grain", grain)
        + _heading("key", ", ".join(key))
        + _heading("columns", ", ".join(columns))
        + told
    )


def _macro_header(description: str, grain: str, parameters: str, signature: str) -> str:
    return (
        _heading("description", description)
        + _heading("grain", grain)
        + _heading("parameters", parameters)
        + f"create macro {signature}\n"
    )


def _heading(name: str, text: str) -> str:
    lines = textwrap.wrap(
        f"-- {name}: {text}", 100, subsequent_indent="--   ", break_long_words=False
    )
    return "".join(f"{line}\n" for line in lines)
