"""The tolerant parser of items goes value by value and loses nothing for being odd.

Whatever fits no column stands in `extra` as JSON. Pure functions: items in, an Arrow table out.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

import pyarrow as pa

from joblake.listing.json_text import canonical_json, is_utf8
from joblake.sources.schema import EPOCH, EXTRA, item_columns, listed_schema
from joblake.sources.service_model import Member, Operation

MemberPath = tuple[str, ...]

_INT64 = range(-(2**63), 2**63)


def flatten_items(items: Iterable[object], operation: Operation) -> tuple[pa.Table, int]:
    """Flatten loaded items value by value; the second figure counts the odd values.

    An item that is no object at all stands whole in `extra`.
    """
    columns = {column.path: column.name for column in item_columns(operation)}
    rows: list[dict[str, object]] = []
    odd_values = 0
    for item in items:
        cells: dict[MemberPath, object] = {}
        if isinstance(item, dict):
            rest, odd = _take_apart(item, operation.item, (), cells)
        else:
            rest, odd = item, 1
        extra = canonical_json(rest) if rest != {} else None
        rows.append({columns[path]: cell for path, cell in cells.items()} | {EXTRA: extra})
        odd_values += odd
    return pa.Table.from_pylist(rows, listed_schema(operation)), odd_values


def _take_apart(
    item: dict[str, Any], shape: Member, path: MemberPath, cells: dict[MemberPath, object]
) -> tuple[object, int]:
    """Move into `cells` what the shape knows.

    Returns the rest, nested as it was, and how many values of it the shape knows but its columns
    cannot hold.
    """
    rest: dict[str, Any] = {}
    odd_values = 0
    for name, value in item.items():
        child = shape.member_by_name.get(name)
        if value is None:
            continue
        if child is None:
            rest[name] = value
        elif child.kind == "structure" and isinstance(value, dict):
            inner, odd = _take_apart(value, child, (*path, name), cells)
            odd_values += odd
            if inner:
                rest[name] = inner
        else:
            try:
                cells[*path, name] = _cell(child, value)
            except (ValueError, OverflowError, TypeError):
                rest[name] = value
                odd_values += 1
    return rest, odd_values


def _cell(member: Member, value: object) -> object:
    """Convert a value for its column; ValueError where the column cannot hold it exactly."""
    match member.kind, value:
        case "timestamp", _:
            return _instant(value)
        case (("string" | "character" | "blob"), str()) if is_utf8(value):
            return value
        case "boolean", bool():
            return value
        case (("integer" | "long"), int()) if not isinstance(value, bool) and value in _INT64:
            return value
        case (("integer" | "long"), float()) if value.is_integer() and int(value) in _INT64:
            return int(value)
        case (("float" | "double"), int() | float()) if not isinstance(value, bool):
            return float(value)
        case ("list", list()) | ("map", dict()) | ("document", _):
            return canonical_json(value)
    raise ValueError(member.kind)


def _instant(value: object) -> datetime:
    """Read an instant from ISO 8601 (in UTC without a zone), epoch seconds or an RFC 822 date."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(type(value).__name__)
    if isinstance(value, str):
        text = value.strip().upper()
        if text[:1].isalpha():
            instant = parsedate_to_datetime(value)
        elif text[4:5] == "-" or "T" in text:
            instant = datetime.fromisoformat(text)
        else:
            return _epoch_instant(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    return _epoch_instant(repr(value))


def _epoch_instant(text: str) -> datetime:
    """Read seconds since 1970, rounded down to microseconds as in every other spelling."""
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not seconds.is_finite() or seconds.copy_abs() > timedelta.max.days * 86400:
        raise OverflowError(text)
    return EPOCH + timedelta(microseconds=math.floor(seconds * 1_000_000))
