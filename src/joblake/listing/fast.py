"""The fast parser of items: pyarrow parses them all at once, by the service model's schema.

It leaves to the tolerant parser whatever pyarrow refuses or finds beyond the schema. Pure
functions: JSON in, an Arrow table out.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from joblake import arrow
from joblake.listing.json_text import canonical_json
from joblake.sources.schema import EPOCH, MICROSECOND, SCALARS, Column, item_columns, listed_schema
from joblake.sources.service_model import Member, Operation

# Services print up to nine fractional digits, mostly three; microseconds refuse more than six.
_WIRE_UNITS = ("us", "ns")
_CALENDAR = range(
    (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND,
    (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND + 1,
)
_ITEM = "item"
_OPENING, _CLOSING = b'{"item":', b"}\n"
_ZERO = arrow.numbers(np.zeros(1, np.int32))
# JSON writes these characters as they are, without escapes.
_PLAIN = bytes(byte for byte in range(32, 256) if byte not in b'"\\')


def parse_rows(items: Sequence[msgspec.Raw], operation: Operation) -> pa.Table | None:
    """Parse items into the columns of `schema.listed_schema`; None where pyarrow cannot.

    Each item must be a JSON value; a null gives no row.
    """
    if not items:
        return arrow.no_rows(listed_schema(operation))
    # Each item stands in an object of its own, because a bare null crashes pyarrow.
    padded = (_CLOSING + _OPENING).join([b"", *items, b""])
    lines = pa.py_buffer(padded)[len(_CLOSING) : -len(_OPENING)]
    tables = (_parse_with(_wire_schema(operation, unit), lines) for unit in _WIRE_UNITS)
    parsed = next((table for table in tables if table is not None), None)
    if parsed is None or parsed.num_rows != len(items):
        return None
    structs = parsed.column(_ITEM).combine_chunks()
    if structs.null_count:
        structs = structs.drop_null()
    arrays = [_column_array(structs, column) for column in item_columns(operation)]
    if not _are_in_calendar([array for array in arrays if pa.types.is_timestamp(array.type)]):
        return None
    return pa.Table.from_arrays(
        [*arrays, pa.nulls(len(structs), pa.string())], schema=listed_schema(operation)
    )


def _parse_with(schema: pa.Schema, lines: pa.Buffer) -> pa.Table | None:
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(lines),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=schema,
                # Inference has no limit of depth: deep nesting would crash the process.
                unexpected_field_behavior="error",
                newlines_in_values=True,
            ),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=lines.size + 1),
        )
        # read_json lets through text that is no UTF-8.
        table.validate(full=True)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return table


@cache
def _wire_schema(operation: Operation, unit: str) -> pa.Schema:
    return pa.schema([pa.field(_ITEM, _wire_type(operation.item, unit))])


def _wire_type(member: Member, unit: str) -> pa.DataType:
    match member.kind:
        case "structure":
            # A page that has one of the members left out here goes to the tolerant parser.
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
        case kind:
            return SCALARS[kind]


def _has_wire_type(member: Member) -> bool:
    """Whether Arrow can hold the member: no map or document, nor a list it would respell."""
    if member.kind == "list":
        return _keeps_spelling(member)
    return member.kind not in {"map", "document"}


def _keeps_spelling(member: Member) -> bool:
    """Whether JSON text made from Arrow values equals the service's; instants are respelled."""
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
        # A mere cast would round instants before 1970 up, and the tolerant parser rounds down.
        return pc.floor_temporal(array, unit="microsecond").cast(column.type, safe=False)
    return array


def _are_in_calendar(instants: list[pa.Array]) -> bool:
    """Whether all instants are within Python's years 1 to 9999, which an offset may leave."""
    microseconds = pa.chunked_array([array.view(pa.int64()) for array in instants], pa.int64())
    bounds = pc.min_max(microseconds).as_py().values()
    return all(bound is None or bound in _CALENDAR for bound in bounds)


def _json_texts(array: pa.Array, member: Member) -> pa.Array:
    """Write what `canonical_json` writes for each value, for all at once; nulls stay null."""
    match member.kind:
        case "structure":
            children = sorted(member.members, key=lambda child: child.name)
            named = (
                _joined(json.dumps(child.name), ":", _json_texts(_field(array, child.name), child))
                for child in children
            )
            # The brace is joined with them, because joining only nulls would give null.
            opened = pc.binary_join_element_wise(
                arrow.text("{"), *named, arrow.text(","), null_handling="skip"
            )
            texts = pc.replace_substring(_joined(opened, "}"), "{,", "{", max_replacements=1)
        case "list" if member.element is not None:
            elements = _json_texts(array.flatten(), member.element)
            elements = pc.fill_null(elements, arrow.text("null"))
            ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), _ZERO[0]))
            lists = pa.ListArray.from_arrays(pa.concat_arrays([_ZERO, ends]), elements)
            inner = pc.binary_join(lists, arrow.text(","))
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
    """Whether JSON writes any character of the texts as an escape."""
    _, offsets, characters = array.buffers()
    if characters is None or not len(array):
        return False
    ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return bool(characters[ends[0] : ends[-1]].to_pybytes().translate(None, _PLAIN))


def _field(structs: pa.StructArray, name: str) -> pa.Array:
    # `field` is faster, but ignores which structures are null.
    return pc.struct_field(structs, name) if structs.null_count else structs.field(name)


def _joined(*parts: str | pa.Array) -> pa.Array:
    scalars = (arrow.text(part) if isinstance(part, str) else part for part in (*parts, ""))
    return pc.binary_join_element_wise(*scalars)
