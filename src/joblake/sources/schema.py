"""From the shape of a listed item to flat columns with Arrow types.

Pure functions: the service model decides every column and type, no row ever does. Structures
become columns joined by a double underscore; lists, maps and free-form documents become JSON text,
because the lake holds scalars only (string, int64, double, bool, timestamp[us, UTC]).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from joblake.sources.catalogue import Source

if TYPE_CHECKING:
    from joblake.sources.service_model import Member, Operation

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIMESTAMP = pa.timestamp("us", tz="UTC")
EXTRA = "extra"

SCALARS: dict[str, pa.DataType] = {
    "string": pa.string(),
    "character": pa.string(),
    "blob": pa.string(),
    "integer": pa.int64(),
    "long": pa.int64(),
    "float": pa.float64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": TIMESTAMP,
}
_JSON_KINDS = frozenset({"list", "map", "document"})


@dataclass(frozen=True)
class Column:
    """A flat column: its name, the path of wire names it comes from, and its Arrow type."""

    name: str
    path: tuple[str, ...]
    member: "Member"
    type: pa.DataType
    is_sensitive: bool

    @property
    def is_json(self) -> bool:
        """Whether the column holds a list, map or document as JSON text."""
        return self.member.kind in _JSON_KINDS


@cache
def item_columns(operation: "Operation") -> tuple[Column, ...]:
    """The flat columns of the items that an operation lists, in the model's order."""
    return tuple(_columns(operation.item, (), is_secret=operation.item.is_sensitive))


def element_columns(column: Column) -> tuple[Column, ...]:
    """The flat columns of each element of a list or map; one without a path for a scalar."""
    element = column.member.element
    return () if element is None else tuple(_columns(element, (), is_secret=column.is_sensitive))


def is_sensitive(member: "Member") -> bool:
    """Whether the model marks the member as sensitive, or anything in the lists it holds."""
    if member.is_sensitive or member.element is None:
        return member.is_sensitive
    return is_sensitive(member.element) or any(map(is_sensitive, member.element.members))


def _columns(member: "Member", path: tuple[str, ...], *, is_secret: bool) -> Iterator[Column]:
    from joblake.sources.service_model import column_name  # noqa: PLC0415 - queries load no botocore

    if member.kind == "structure":
        for child in member.members:
            yield from _columns(
                child, (*path, child.name), is_secret=is_secret or is_sensitive(child)
            )
        return
    yield Column(
        name="__".join(column_name(name) for name in path),
        path=path,
        member=member,
        type=pa.string() if member.kind in _JSON_KINDS else _scalar_type(member),
        is_sensitive=is_secret,
    )


def _scalar_type(member: "Member") -> pa.DataType:
    try:
        return SCALARS[member.kind]
    except KeyError:
        raise TypeError(
            f"no column type for shape kind {member.kind!r} of {member.name!r}"
        ) from None


def column_of(source: Source, member_name: str) -> str:
    """The column that holds a top-level member of a source's items."""
    path = (member_name,)
    return next(c.name for c in item_columns(source.operation) if c.path == path)


@cache
def listed_schema(operation: "Operation") -> pa.Schema:
    """The columns of one listed page: the item's members, then `extra`."""
    fields = [pa.field(column.name, column.type) for column in item_columns(operation)]
    return pa.schema([*fields, pa.field(EXTRA, pa.string())])


def observation_schema(source: Source) -> pa.Schema:
    """The columns of a source's observation files.

    `run_id` and `observed_at` tell which listing saw the row and when, `change` is `added`,
    `changed` or `vanished`; a vanished row repeats the last known members.
    """
    head = [
        pa.field("run_id", pa.string()),
        pa.field("observed_at", TIMESTAMP),
        pa.field("change", pa.string()),
        pa.field("account_id", pa.string()),
        pa.field("region_name", pa.string()),
        pa.field("parent", pa.string()),
    ]
    return pa.schema([*head, *listed_schema(source.operation)])
