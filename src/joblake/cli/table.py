"""A result as a table of text, fitted to the terminal where there is one.

A terminal shows each row on one line: texts are shortened first, then columns that are the same in
every row are told once below the table, then the middle ones give way, and the last lines say so.
A file or a pipe gets every row and column whole.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import IO, Any

import pyarrow as pa
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from joblake.cli.values import rows_of, text_of

TERMINAL_ROWS = 500
"""How many rows a terminal gets."""

_NARROW_TEXT = 18
_TOLD_TEXT = 40
_SMALL = 0.1  # below it two decimals would say too little
_GAP = "  "
_CUT = "…"
_EXPLANATION = ("explain_key", "explain_value")
_BREAKS = re.compile(r"[\t\n\r]+")
# Names come from AWS as they are; none of them may steer the reader's terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Column:
    """A column as text: its name and cells, and how it may be laid out."""

    name: str
    cells: Sequence[str]
    is_number: bool
    can_shrink: bool

    @cached_property
    def width(self) -> int:
        """The cells of a terminal that the name and the longest value take."""
        return max(cell_len(text) for text in (self.name, *self.cells))

    @cached_property
    def is_same(self) -> bool:
        """Whether more than one row says the same, and none says anything else."""
        return len(self.cells) > 1 and len(set(self.cells)) == 1


def write_table(result: pa.RecordBatchReader, stream: IO[str]) -> None:
    """Write the rows under their column names; on a terminal as many as it can show."""
    if tuple(result.schema.names) == _EXPLANATION:
        for _, drawing in rows_of(result):
            stream.write(f"{drawing}\n")
    elif stream.isatty():
        _write_fitted(result, stream)
    else:
        columns = _columns(result.schema, list(_lines(result)))
        _write(columns, [column.width for column in columns], stream)


def _write_fitted(result: pa.RecordBatchReader, stream: IO[str]) -> None:
    rows: list[list[str]] = []
    count = 0
    batches = iter(result)
    for batch in batches:
        rows += islice(_lines([batch]), TERMINAL_ROWS - len(rows))
        count += batch.num_rows
        if len(rows) == TERMINAL_ROWS:
            break
    columns = _columns(result.schema, rows)
    available = Console(file=stream).width
    widths = fit(columns, available)
    _write(columns, widths, stream)
    stream.write("\n")
    count += sum(batch.num_rows for batch in batches)
    for line in _missing(columns, widths, len(rows), count):
        stream.write(f"{textwrap.fill(line, available)}\n")


def _lines(batches: Iterable[pa.RecordBatch]) -> Iterator[list[str]]:
    return ([shown(cell) for cell in row] for row in rows_of(batches))


def _columns(schema: pa.Schema, rows: Sequence[Sequence[str]]) -> list[Column]:
    cells = list(zip(*rows, strict=True)) or [()] * len(schema)
    return [
        Column(
            _printable(field.name),
            texts,
            is_number=_is_number(field.type),
            can_shrink=not (_is_number(field.type) or _is_short(field.type)),
        )
        for field, texts in zip(schema, cells, strict=True)
    ]


def fit(columns: Sequence[Column], available: int) -> list[int]:
    """The width of each column on a terminal of `available` cells; 0 for those that are hidden."""
    least = [
        min(column.width, _NARROW_TEXT if column.can_shrink else column.width, available)
        for column in columns
    ]
    kept = list(range(len(columns)))
    if _total([least[place] for place in kept]) > available:
        kept = [place for place in kept if not columns[place].is_same] or kept[:1]
    wanted = len(kept)
    while len(kept) > 1 and _total(_marked([least[place] for place in kept], wanted)) > available:
        del kept[len(kept) // 2]
    widths = [least[place] if place in kept else 0 for place in range(len(columns))]
    spare = available - _total(_marked([least[place] for place in kept], wanted))
    growing = sorted(kept, key=lambda place: columns[place].width - least[place])
    for position, place in enumerate(growing):
        share = max(spare, 0) // (len(growing) - position)
        growth = min(columns[place].width - least[place], share)
        widths[place] += growth
        spare -= growth
    return widths


def _marked(widths: list[int], wanted: int) -> list[int]:
    """The widths, with that of the sign that stands for hidden columns where there are any."""
    return widths if len(widths) == wanted else [*widths, len(_CUT)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _write(columns: Sequence[Column], widths: Sequence[int], stream: IO[str]) -> None:
    """Write the columns that have a width, a sign where others gave way, and a line below names."""
    names = list(_parts([column.name for column in columns], columns, widths))
    stream.write(f"{_joined(names)}\n{'─' * _total([cell_len(name) for name in names])}\n")
    for row in zip(*(column.cells for column in columns), strict=True):
        stream.write(f"{_joined(_parts(row, columns, widths))}\n")


def _joined(parts: Iterator[str] | list[str]) -> str:
    return _GAP.join(parts).rstrip()


def _parts(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    is_cut = False
    for text, column, width in zip(texts, columns, widths, strict=True):
        if width:
            clipped = clip(text, width)
            blank = " " * (width - cell_len(clipped))
            yield blank + clipped if column.is_number else clipped + blank
        elif not (is_cut or column.is_same):
            is_cut = True
            yield _CUT


def clip(text: str, width: int) -> str:
    """A text in at most so many cells: a sentence loses its end, a name or ARN its middle."""
    if cell_len(text) <= width:
        return text
    tail = 0 if " " in text else (width - 1) // 2
    head = set_cell_size(text, width - 1 - tail)
    return head + _CUT + (set_cell_size(text[::-1], tail)[::-1] if tail else "")


def _missing(
    columns: Sequence[Column], widths: Sequence[int], row_count: int, count: int
) -> Iterator[str]:
    """How many rows there are, and what the table does not show of them."""
    hidden = [column for column, width in zip(columns, widths, strict=True) if not width]
    told = [column for column in hidden if column.is_same]
    gone = [column for column in hidden if not column.is_same]
    is_cut = any(0 < width < c.width for c, width in zip(columns, widths, strict=True))
    rows = "1 row" if count == 1 else f"{count:,} rows"
    if row_count < count:
        rows += f", the first {row_count:,} shown"
    is_whole = row_count == count and not (gone or is_cut)
    yield rows if is_whole else f"{rows}; --format csv has all of it"
    if told:
        values = (f"{column.name} {_told(column.cells[0])}" for column in told)
        yield f"the same in every row: {', '.join(values)}"
    if gone:
        noun = "1 column" if len(gone) == 1 else f"{len(gone)} columns"
        yield f"{noun} hidden: {', '.join(column.name for column in gone)}"


def _told(cell: str) -> str:
    return clip(cell, _TOLD_TEXT) if cell else "(none)"


def shown(cell: Any) -> str:
    """A value as people read it: rounded, instants to the second with Z for UTC, null as blank."""
    match cell:
        case None:
            return ""
        case bool():
            return text_of(cell)
        case float() if cell == 0 or not abs(cell) < _SMALL:
            return f"{cell:,.2f}"
        case float():
            return f"{cell:.2g}"
        case datetime():
            second = cell.replace(microsecond=0, tzinfo=None).isoformat(" ")
            return f"{second}Z" if cell.tzinfo is UTC else second
        case _:
            return _printable(text_of(cell))


def _printable(text: str) -> str:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", text))


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_short(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind) or pa.types.is_boolean(kind))
