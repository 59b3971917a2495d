"""How DuckDB spells the rows of a result as text: lines of CSV, lines of JSON, cells for people.

DuckDB's own spelling is kept wherever a type has only one. It writes instants and times of day with
as many digits as each value needs, which breaks readers that take a column's format from its first
rows, and its `to_json` writes NaN and infinity, which JSON lacks: those are converted before.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from joblake.quoting import identifier, literal

if TYPE_CHECKING:
    import duckdb

Spelling = Callable[["duckdb.DuckDBPyRelation"], "duckdb.DuckDBPyRelation"]
"""Makes texts of the columns of a relation."""


@dataclass(frozen=True)
class Texts:
    """A result as texts: the names of its columns, which of them are numbers, and the batches."""

    names: tuple[str, ...]
    are_numbers: tuple[bool, ...]
    batches: pa.RecordBatchReader


_NESTED = frozenset({"list", "array", "struct", "tuple", "map", "union"})
_FLOATS = frozenset({"float", "double"})
_INSTANTS = {
    "timestamp with time zone": "%Y-%m-%dT%H:%M:%S.%fZ",
    "timestamp": "%Y-%m-%d %H:%M:%S.%f",
    "timestamp_s": "%Y-%m-%d %H:%M:%S.%f",
    "timestamp_ms": "%Y-%m-%d %H:%M:%S.%f",
    "timestamp_ns": "%Y-%m-%d %H:%M:%S.%n",
}
_SECONDS = {"timestamp with time zone": "%Y-%m-%d %H:%M:%SZ"} | dict.fromkeys(
    ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), "%Y-%m-%d %H:%M:%S"
)
_SMALL = 0.1  # below it two decimals would say too little
_CSV_SPECIAL = '[,"\r\n]'


def is_number(kind: "duckdb.sqltypes.DuckDBPyType") -> bool:
    """Whether the values of a type are numbers."""
    return kind.id.endswith(("int", "float", "double", "decimal", "bignum"))


def csv_lines(relation: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """A line of CSV for each row: null is an empty cell, the empty text a quoted one.

    A row that is one null is a quoted cell too, because readers skip blank lines.
    """
    cells = [_csv_cell(value, kind) for value, kind in _columns(relation)]
    line = " || ',' || ".join(cells)
    if len(cells) == 1:
        line = f"""coalesce(nullif({line}, ''), '""')"""
    return relation.project(f"{line} as line")


def csv_header(names: Iterable[str]) -> str:
    """The line of CSV that names the columns."""
    return ",".join(
        '"' + name.replace('"', '""') + '"' if re.search(_CSV_SPECIAL, name) else name
        for name in names
    )


def json_lines(relation: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """A JSON object for each row."""
    members = [
        f"{literal(name)}, {_plain(value, kind)}"
        for name, (value, kind) in zip(relation.columns, _columns(relation), strict=True)
    ]
    return relation.project(f"json_object({', '.join(members)})::varchar as line")


def cells(relation: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """A text for each value as people read it: rounded, to the second, null as a blank."""
    shown = [
        f"coalesce({_shown(value, kind)}, '') as {identifier(name)}"
        for name, (value, kind) in zip(relation.columns, _columns(relation), strict=True)
    ]
    return relation.project(", ".join(shown))


def _columns(
    relation: "duckdb.DuckDBPyRelation",
) -> list[tuple[str, "duckdb.sqltypes.DuckDBPyType"]]:
    return [(f"#{number}", kind) for number, kind in enumerate(relation.types, 1)]


def _csv_cell(value: str, kind: "duckdb.sqltypes.DuckDBPyType") -> str:
    text = _text(value, kind)
    if is_number(kind) or kind.id == "boolean":
        return f"coalesce({text}, '')"
    return f"""case
        when {text} = '' or regexp_matches({text}, {literal(_CSV_SPECIAL)})
        then '"' || replace({text}, '"', '""') || '"'
        else coalesce({text}, '')
    end"""


def _shown(value: str, kind: "duckdb.sqltypes.DuckDBPyType") -> str:
    if kind.id in _SECONDS:
        return f"strftime({value}, {literal(_SECONDS[kind.id])})"
    if kind.id in _FLOATS:
        style = f"if(abs({value}) between 1e-300 and {_SMALL}, '{{:.2g}}', '{{:,.2f}}')"
        return f"format({style}, {value}::double)"
    return _text(value, kind)


def _text(value: str, kind: "duckdb.sqltypes.DuckDBPyType") -> str:
    """A value in full as one text; JSON for what is nested."""
    if kind.id in _NESTED:
        return f"to_json({_plain(value, kind)})::varchar"
    return f"{value if kind.id in _FLOATS else _plain(value, kind)}::varchar"


def _plain(value: str, kind: "duckdb.sqltypes.DuckDBPyType", depth: int = 0) -> str:
    """A value as one that `to_json` spells well, whatever it is nested in."""
    item = f"item_{depth}"
    match kind.id:
        case "float" | "double":
            return f"case when isfinite({value}) then {value} end"
        case "time" | "time_ns":
            whole = (
                f"{value}::varchar || case when {value}::varchar like '%.%' then '' else '.' end"
            )
            return f"rpad({whole}, {len('10:00:00.') + (6 if kind.id == 'time' else 9)}, '0')"
        case "list" | "array":
            inner = _plain(item, _children(kind)[0][1], depth + 1)
            return f"list_transform({value}, lambda {item}: {inner})"
        case "struct":
            members = ", ".join(
                f"{literal(name)}: "
                + _plain(f"struct_extract({value}, {literal(name)})", child, depth + 1)
                for name, child in _children(kind)
            )
            return f"case when {value} is not null then {{{members}}} end"
        case "tuple":
            items = ", ".join(
                _plain(f"struct_extract_at({value}, {number})", child, depth + 1)
                for number, (_, child) in enumerate(_children(kind), 1)
            )
            return f"case when {value} is not null then row({items}) end"
        case "map":
            inner = _plain(f"{item}.value", _children(kind)[1][1], depth + 1)
            entry = f"lambda {item}: {{'key': {item}.key, 'value': {inner}}}"
            return f"map_from_entries(list_transform(map_entries({value}), {entry}))"
        case instant if instant in _INSTANTS:
            return f"strftime({value}, {literal(_INSTANTS[instant])})"
        case _:
            return value


def _children(
    kind: "duckdb.sqltypes.DuckDBPyType",
) -> list[tuple[str, "duckdb.sqltypes.DuckDBPyType"]]:
    return kind.children  # type: ignore[return-value]  # an array's size, the only other, is unused
