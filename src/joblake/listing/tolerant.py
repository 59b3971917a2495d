"""The tolerant door for a page's items: value by value, where nothing is lost for being odd.

What fits no column stands in `extra` as JSON. Pure functions: items in, an Arrow table out.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

import pyarrow as pa

from joblake.sources.schema import EPOCH, item_columns, listed_schema
from joblake.sources.service_model import Member, Operation

_INT64 = range(-(2**63), 2**63)


@dataclass
class _Row:
    """One item taken apart: column values, what fits no column, and how much of it was odd."""

    values: dict[tuple[str, ...], object] = field(default_factory=dict)
    odd_values: int = 0


def flatten_items(items: Iterable[object], operation: Operation) -> tuple[pa.Table, int]:
    """Flatten parsed items value by value; the second figure counts the odd values.

    An item that is no object at all stands whole in `extra`.
    """
    columns = item_columns(operation)
    values: list[list[object]] = [[] for _ in columns]
    extras: list[str | None] = []
    odd_values = 0
    for item in items:
        row = _Row()
        if isinstance(item, dict):
            rest: object = _take_apart(item, operation.item, (), row)
        else:
            rest, row.odd_values = item, 1
        for column, cells in zip(columns, values, strict=True):
            cells.append(row.values.get(column.path))
        extras.append(canonical_json(rest) if rest != {} else None)
        odd_values += row.odd_values
    schema = listed_schema(operation)
    arrays = [
        pa.array(cells, schema.field(column.name).type)
        for column, cells in zip(columns, values, strict=True)
    ]
    return pa.Table.from_arrays([*arrays, pa.array(extras, pa.string())], schema=schema), odd_values


def _take_apart(
    item: dict[str, Any], shape: Member, path: tuple[str, ...], row: _Row
) -> dict[str, Any]:
    """Move what the shape knows into `row` and return the rest, nested as it was."""
    rest: dict[str, Any] = {}
    for name, value in item.items():
        child = shape.member_by_name.get(name)
        if value is None:
            continue
        if child is None:
            rest[name] = value
        elif child.kind == "structure" and isinstance(value, dict):
            inner = _take_apart(value, child, (*path, name), row)
            if inner:
                rest[name] = inner
        else:
            try:
                row.values[(*path, name)] = _cell(child, value)
            except (ValueError, OverflowError, TypeError):
                rest[name] = value
                row.odd_values += 1
    return rest


def _cell(member: Member, value: object) -> object:
    """The value as its column holds it; ValueError where the column cannot hold it exactly."""
    match member.kind, value:
        case "timestamp", _:
            return _instant(value)
        case (("string" | "character" | "blob"), str()) if _is_utf8(value):
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
    """An instant from ISO 8601 (UTC where no zone is given), epoch seconds or an RFC 822 date."""
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
    """The instant so many seconds after 1970, rounded down to microseconds like any other."""
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not seconds.is_finite() or seconds.copy_abs() > timedelta.max.days * 86400:
        raise OverflowError(text)
    return EPOCH + timedelta(microseconds=math.floor(seconds * 1_000_000))


def load_json(body: bytes) -> Any:
    """Parse JSON as it is met in the wild: bytes that are no UTF-8 become lone surrogates."""
    text = body.decode("utf-8-sig", errors="surrogateescape")
    return json.loads(text, strict=False, parse_float=_float, parse_int=_int, parse_constant=str)


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _int(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # past Python's limit of digits
        return text


def canonical_json(value: object) -> str:
    """JSON text that is equal for equal values: keys sorted, null members left out.

    Text that UTF-8 cannot carry (lone surrogates) is written as escapes.
    """
    pruned = _without_null_members(value)
    text = json.dumps(pruned, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if _is_utf8(text):
        return text
    return json.dumps(pruned, sort_keys=True, separators=(",", ":"))


def _without_null_members(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_null_members(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_null_members(element) for element in value]
    return value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
