"""The views of one source: its resources as last observed, and the lists and maps they hold."""

from joblake.quoting import identifier, literal
from joblake.sources.catalogue import Source
from joblake.sources.schema import EXTRA, Column, element_columns, item_columns
from joblake.warehouse.generated.columns import SQL_TYPES, key_columns, resource_id
from joblake.warehouse.generated.text import call, view_header

_IN_JSON = {"string", "character", "blob", "timestamp", "list", "map", "document"}
"""The kinds of members whose values within a list stay texts, as AWS spells them or as JSON."""


def current_view(source: Source) -> str:
    """The view of a source's resources, each as last observed.

    The names of members are quoted, because AWS may call a member by a word of SQL's.
    """
    keys = key_columns(source)
    members = {column.name: column for column in item_columns(source.operation)}
    own = ["account_id", "region_name", *(["parent"] if source.parent else [])]
    life = [EXTRA, "first_seen_at", "last_seen_at", "last_changed_at", "is_vanished", "run_id"]
    names = [*keys, *own, *(name for name in members if name not in keys), *life]
    selected = ",\n".join(f"    {identifier(name) if name in members else name}" for name in names)
    header = view_header(
        f"The resources that {source.operation_id} lists, each as last observed.",
        "one row per resource, also of those that AWS no longer lists",
        ["account_id", "region_name", *keys],
        names,
        {name: _told(members[name]) for name in names if name in members},
    )
    states = call("resources_as_of", [literal(source.table), resource_id(source), "'infinity'"])
    return f"{header}select\n{selected}\nfrom {states}\n"


def elements_view(source: Source, column: Column) -> str:
    """The view of a list's elements, or of a map's entries."""
    keys = key_columns(source)
    is_map = column.member.kind == "map"
    place = "entry_key" if is_map else "position"
    elements = {_element_name(element): element for element in element_columns(column)}
    names = [*keys, "account_id", "region_name", place, *elements]
    members = {member.name: member for member in item_columns(source.operation)}
    described = {**{key: members[key] for key in keys}, **elements}
    what = f"{'.'.join(column.path)} of {source.table}"
    header = view_header(
        f"The {'entries' if is_map else 'elements'} of {what}, "
        f"one by one; text that is no JSON {'object' if is_map else 'list'} gives no rows.",
        f"one row per {'entry' if is_map else 'element'} of a resource, as last observed",
        ["account_id", "region_name", *keys, place],
        names,
        {name: _told(column) for name, column in described.items()},
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
    return f"try_cast({text} as {SQL_TYPES[element.type]})"


def _told(column: Column) -> str:
    """The description of a member by AWS, or its path where AWS gives none."""
    return column.member.documentation or f"AWS's {'.'.join(column.path) or 'value'}"
