"""From the body of one answer to a flat Arrow table.

Pages come in through two doors. The fast one lets pyarrow parse the body against the explicit
schema of the service model. Whatever it refuses, or finds beyond the schema, goes through the
tolerant one: value by value, where nothing is lost for being odd. Both give the same table for a
page that both accept. Whether a body is a page at all, and which page follows, is known long before
its rows are, so that the next request need not wait for them. Pure functions: bytes in, `Page` out.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from joblake import columns
from joblake.errors import DamagedPageError
from joblake.schema import EXTRA, Column, is_sensitive, item_columns, listed_schema
from joblake.service_model import Member, Operation

# Services print up to nine fractional digits, mostly three; microseconds refuse more than six.
_WIRE_UNITS = ("us", "ns")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CALENDAR = range(
    (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND,
    (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND + 1,
)
_INT64 = range(-(2**63), 2**63)
_ZERO = columns.numbers(np.zeros(1, np.int32))
# What json.dumps writes as it is, when it need not be ASCII.
_PLAIN = bytes(byte for byte in range(32, 256) if byte not in b'"\\')
_MAX_DEPTH = 64  # pages of the known shapes nest five deep
_QUOTE = ord('"')
_NOT_MARKS = bytes(set(range(256)) - set(b'{}[]"'))
_DEPTH_STEPS = np.array([(byte in b"{[") - (byte in b"}]") for byte in range(256)], np.int8)


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    `rows` has the columns of `schema.listed_schema`; `next_token` is None on the last page;
    `odd_values` counts the values that fit no column and stand in `extra` instead.
    """

    rows: pa.Table
    next_token: str | None
    odd_values: int = 0


@dataclass(frozen=True)
class UnreadPage:
    """What is a page for certain, its rows unread.

    `read` reads them on any thread; `next_token` is None on the last page.
    """

    next_token: str | None
    read: Callable[[], Page]


def receive_page(body: bytes, operation: Operation, *, store_sensitive: bool = True) -> UnreadPage:
    """Take the body of a successful answer for what it is, and leave its rows for later.

    Sensitive members become null unless `store_sensitive`. DamagedPageError when the body is not
    a JSON object with the operation's list of items: such a body must never pass for an empty page.
    """

    def stored(page: Page) -> Page:
        return page if store_sensitive else _without_sensitive(page, operation)

    envelope = _read_envelope(body, operation)
    if envelope is None:
        try:
            page = stored(_parse_tolerant(body, operation))
        except RecursionError as error:
            raise DamagedPageError(
                f"{operation.name} answered with JSON that is nested too deeply"
            ) from error
        return UnreadPage(page.next_token, lambda: page)
    token = _token(envelope.token)
    return UnreadPage(
        token,
        lambda: stored(_parse_fast(body, operation, token) or _parse_tolerant(body, operation)),
    )


def parse_page(body: bytes, operation: Operation, *, store_sensitive: bool = True) -> Page:
    """The page of a successful answer's body; of bad ones see `receive_page`."""
    return receive_page(body, operation, store_sensitive=store_sensitive).read()


def canonical_json(value: object) -> str:
    """JSON text that is equal for equal values: keys sorted, null members left out.

    Text that UTF-8 cannot carry (lone surrogates) is written as escapes.
    """
    pruned = _without_null_members(value)
    text = json.dumps(pruned, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if _is_utf8(text):
        return text
    return json.dumps(pruned, sort_keys=True, separators=(",", ":"))


# --- the envelope ----------------------------------------------------------------------------


def _read_envelope(body: bytes, operation: Operation) -> Any:
    """What stands around the items: a `token`. None where the tolerant door must decide."""
    try:
        envelope = _envelope_decoder(operation).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return envelope if _is_shallow(body) else None


@cache
def _envelope_decoder(operation: Operation) -> "msgspec.json.Decoder[Any]":
    # Raw values are read for their syntax alone.
    kind = msgspec.defstruct(
        "Envelope",
        [("items", list[msgspec.Raw]), ("token", str | None, None)],
        rename={"items": operation.result_key, "token": operation.output_token},
    )
    return msgspec.json.Decoder(kind)


def _is_shallow(body: bytes) -> bool:
    """Whether no value of a JSON text is nested so deeply that pyarrow's parser would crash.

    It recurses without a limit, and takes the whole process with it.
    """
    if b"\\" in body:  # what an escape stands for is no bracket, and ends no text
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(body.translate(None, _NOT_MARKS), np.uint8)
    is_in_text = np.cumsum(marks == _QUOTE, dtype=np.int32) & 1
    steps = np.where(is_in_text, 0, _DEPTH_STEPS[marks])
    return bool(np.cumsum(steps, dtype=np.int32).max() <= _MAX_DEPTH)


# --- the fast door ---------------------------------------------------------------------------


def _parse_fast(body: bytes, operation: Operation, token: str | None) -> Page | None:
    """The page, or None where the tolerant door must decide."""
    tables = (_parse_with(_wire_schema(operation, unit), body, operation) for unit in _WIRE_UNITS)
    return next((Page(rows, token) for rows in tables if rows is not None), None)


def _parse_with(schema: pa.Schema, body: bytes, operation: Operation) -> pa.Table | None:
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(body),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=schema,
                unexpected_field_behavior="infer",
                newlines_in_values=True,
            ),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(body) + 1),
        )
        # Without this, text that is no UTF-8 would reach the lake.
        table.validate(full=True)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    items = table.column(operation.result_key)
    if table.num_rows != 1 or items.null_count or items.type != _type_of(schema, operation):
        return None
    structs = items.combine_chunks().flatten()
    if structs.null_count:
        structs = structs.drop_null()
    arrays = [_column_array(structs, column) for column in item_columns(operation)]
    if not _are_in_calendar([array for array in arrays if pa.types.is_timestamp(array.type)]):
        return None
    return pa.Table.from_arrays(
        [*arrays, pa.nulls(len(structs), pa.string())], schema=listed_schema(operation)
    )


def _type_of(schema: pa.Schema, operation: Operation) -> pa.DataType:
    return schema.field(operation.result_key).type


@cache
def _wire_schema(operation: Operation, unit: str) -> pa.Schema:
    return pa.schema(
        [
            pa.field(operation.output_token, pa.string()),
            pa.field(operation.result_key, pa.list_(_wire_type(operation.item, unit))),
        ]
    )


def _wire_type(member: Member, unit: str) -> pa.DataType:
    match member.kind:
        case "structure":
            # Members without a schema, found unexpected, send the page through the tolerant door.
            return pa.struct(
                [
                    pa.field(child.name, _wire_type(child, unit))
                    for child in member.members
                    if _has_wire_type(child)
                ]
            )
        case "list" if member.element is not None:
            return pa.list_(_wire_type(member.element, unit))
        case "timestamp":
            return pa.timestamp(unit, tz="UTC")
        case "integer" | "long":
            return pa.int64()
        case "float" | "double":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case _:
            return pa.string()


def _has_wire_type(member: Member) -> bool:
    """Whether a schema can describe it: no map, no document, no list that it would respell."""
    if member.kind == "list":
        return member.element is not None and _keeps_spelling(member.element)
    return member.kind not in {"map", "document"}


def _keeps_spelling(member: Member) -> bool:
    """Whether its JSON text is the same after a detour through Arrow; not so for instants."""
    match member.kind:
        case "structure":
            return bool(member.members) and all(map(_keeps_spelling, member.members))
        case "list":
            return member.element is not None and _keeps_spelling(member.element)
        case kind:
            return kind in {"string", "integer", "long", "boolean"}


def _column_array(structs: pa.StructArray, column: Column) -> pa.Array:
    if not _has_wire_type(column.member):
        return pa.nulls(len(structs), pa.string())
    array = structs
    for name in column.path:
        array = _field(array, name)
    if column.is_json:
        return _json_texts(array, column.member)
    if array.type != column.type:
        # A mere cast would round instants before 1970 up, and the tolerant door rounds down.
        return pc.floor_temporal(array, unit="microsecond").cast(column.type, safe=False)
    return array


def _are_in_calendar(instants: list[pa.Array]) -> bool:
    """Whether no offset has put an instant out of the years 1 to 9999, which Python can tell."""
    microseconds = pa.chunked_array([array.view(pa.int64()) for array in instants], pa.int64())
    bounds = pc.min_max(microseconds).as_py().values()
    return all(bound is None or bound in _CALENDAR for bound in bounds)


def _json_texts(array: pa.Array, member: Member) -> pa.Array:
    """`canonical_json` of all values at once; null where a value is."""
    match member.kind:
        case "structure":
            children = sorted(member.members, key=lambda child: child.name)
            named = (
                _joined(json.dumps(child.name), ":", _json_texts(_field(array, child.name), child))
                for child in children
            )
            # The brace goes in with them, because a row of nulls alone would be dropped.
            opened = pc.binary_join_element_wise(
                columns.text("{"), *named, columns.text(","), null_handling="skip"
            )
            texts = pc.replace_substring(_joined(opened, "}"), "{,", "{", max_replacements=1)
        case "list" if member.element is not None:
            elements = _json_texts(array.flatten(), member.element)
            elements = pc.fill_null(elements, columns.text("null"))
            ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), _ZERO[0]))
            lists = pa.ListArray.from_arrays(pa.concat_arrays([_ZERO, ends]), elements)
            inner = pc.binary_join(lists, columns.text(","))
            texts = _joined("[", inner, "]")
        case "string" if _has_escapes(array):
            texts = pa.array(map(canonical_json, array.to_pylist()), pa.string())
        case "string":
            texts = _joined('"', array, '"')
        case _:
            texts = array.cast(pa.string())
    nothing = pa.nulls(1, pa.string())[0]
    return pc.if_else(array.is_valid(), texts, nothing) if array.null_count else texts


def _has_escapes(array: pa.StringArray) -> bool:
    """Whether JSON writes one of the texts otherwise than it is."""
    _, offsets, characters = array.buffers()
    if characters is None or not len(array):
        return False
    ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return bool(characters[ends[0] : ends[-1]].to_pybytes().translate(None, _PLAIN))


def _field(structs: pa.StructArray, name: str) -> pa.Array:
    # The first is faster, and knows nothing of structures that are null.
    return pc.struct_field(structs, name) if structs.null_count else structs.field(name)


def _joined(*parts: str | pa.Array) -> pa.Array:
    scalars = (columns.text(part) if isinstance(part, str) else part for part in (*parts, ""))
    return pc.binary_join_element_wise(*scalars)


# --- the tolerant door -----------------------------------------------------------------------


@dataclass
class _Row:
    """One item taken apart: column values, what fits no column, and how much of it was odd."""

    values: dict[tuple[str, ...], object] = field(default_factory=dict)
    odd_values: int = 0


def _parse_tolerant(body: bytes, operation: Operation) -> Page:
    try:
        answer = _loads(body)
    except ValueError as error:
        raise DamagedPageError(
            f"{operation.name} answered with something that is no JSON"
        ) from error
    items = answer.get(operation.result_key) if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise DamagedPageError(f"{operation.name} answered without a list {operation.result_key!r}")
    token = answer.get(operation.output_token)
    if token is not None and not isinstance(token, str):
        raise DamagedPageError(f"{operation.name} answered with a token that is no text")
    rows, odd_values = flatten_items((item for item in items if item is not None), operation)
    return Page(rows, _token(token), odd_values)


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


def flatten_extras(
    extras: Iterable[str], operation: Operation, *, store_sensitive: bool = True
) -> pa.Table:
    """Texts of `extra` as items of their own: members that the model has learnt become columns.

    What still fits no column is in the `extra` of the result, spelled as it was.
    """
    rows, _ = flatten_items(map(json.loads, extras), operation)
    page = Page(rows, None)
    return (page if store_sensitive else _without_sensitive(page, operation)).rows


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
    return _EPOCH + timedelta(microseconds=math.floor(seconds * 1_000_000))


def _loads(body: bytes) -> Any:
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


# --- shared ----------------------------------------------------------------------------------


def _without_sensitive(page: Page, operation: Operation) -> Page:
    rows = page.rows
    for index, column in enumerate(item_columns(operation)):
        if column.is_sensitive:
            empty = pa.nulls(rows.num_rows, column.type)
            rows = rows.set_column(index, rows.schema.field(index), empty)
    sensitive = list(_sensitive_paths(operation.item, ()))
    texts = [_drop_paths(text, sensitive) for text in rows.column(EXTRA).to_pylist()]
    rows = rows.set_column(rows.num_columns - 1, EXTRA, pa.array(texts, pa.string()))
    return Page(rows, page.next_token, page.odd_values)


def _sensitive_paths(shape: Member, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for child in shape.members:
        if is_sensitive(child):
            yield (*path, child.name)
        else:
            yield from _sensitive_paths(child, (*path, child.name))


def _drop_paths(text: str | None, paths: Iterable[tuple[str, ...]]) -> str | None:
    if text is None:
        return None
    rest = {"item": json.loads(text)}
    for path in paths:
        place = rest
        for name in ("item", *path[:-1]):
            # What stands in the place of a structure may hold what the structure would have.
            if not isinstance(place.get(name), dict):
                place.pop(name, None)
                break
            place = place[name]
        else:
            place.pop(path[-1], None)
    item = rest.get("item", {})
    return canonical_json(item) if item != {} else None


def _token(token: str | None) -> str | None:
    return token if token is not None and token.strip() else None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_null_members(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_null_members(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_null_members(element) for element in value]
    return value
