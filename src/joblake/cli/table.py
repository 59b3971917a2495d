"""Results as tables for people: one line for each row, numbers to the right, long texts cut.

A terminal gets the first rows, and the first columns that it has room for; a last line names the
others. A file or a pipe gets every row and column as plain text.
"""

import re
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import IO

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from joblake.warehouse.spelling import Texts

TERMINAL_ROWS = 500
"""How many rows a terminal gets."""
LONGEST_TEXT = 120
"""How many cells of a terminal a value takes at most; the ARNs of jobs take fewer."""

_NARROW_TEXT = 20  # an instant, so that none is cut
_GAP = "  "
_CUT = "…"
_EXPLANATION = ("explain_key", "explain_value")
_BREAKS = re.compile(r"[\t\n\r]+")
# Names come from AWS as they are; none of them may steer the reader's terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Column:
    """A column as text: its name and cells, and whether they are numbers, which are never cut."""

    name: str
    cells: Sequence[str]
    is_number: bool

    @cached_property
    def width(self) -> int:
        """The cells of a terminal that the name and the longest value take."""
        return max(map(cell_len, (self.name, *self.cells)))

    @property
    def least(self) -> int:
        """The width that the column must have to be shown, with the gap before it."""
        return len(_GAP) + (self.width if self.is_number else min(self.width, _NARROW_TEXT))

    def padded(self, text: str) -> str:
        """One of its texts, as wide as the column."""
        blank = " " * (self.width - cell_len(text))
        return blank + text if self.is_number else text + blank


def write_table(texts: Texts, stream: IO[str]) -> None:
    """Write the rows under their column names; to a terminal as many as it can show."""
    if texts.names == _EXPLANATION:
        for batch in texts.batches:
            stream.writelines(f"{drawing}\n" for drawing in batch.column(1).to_pylist())
        return
    limit = TERMINAL_ROWS if stream.isatty() else sys.maxsize
    cells: list[list[str]] = [[] for _ in texts.names]
    count = 0
    for batch in texts.batches:
        shown = batch.slice(0, max(limit - count, 0))
        for kept, values in zip(cells, shown.columns, strict=True):
            kept.extend(map(_printable, values.to_pylist()))
        count += batch.num_rows
    columns = list(map(Column, map(_printable, texts.names), cells, texts.are_numbers))
    if stream.isatty():
        draw(columns, count, Console(file=stream, highlight=False))
    else:
        rule = "─" * (sum(c.width + len(_GAP) for c in columns) - len(_GAP))
        stream.write(f"{_line(columns, [c.name for c in columns])}\n{rule}\n")
        rows = zip(*(column.cells for column in columns), strict=True)
        stream.writelines(f"{_line(columns, row)}\n" for row in rows)


def _line(columns: Sequence[Column], row: Sequence[str]) -> str:
    return _GAP.join(map(Column.padded, columns, row)).rstrip()


def draw(columns: Sequence[Column], count: int, console: Console) -> None:
    """Print the columns that have room, and how many of so many rows and columns there are."""
    ends = list(accumulate(column.least for column in columns))
    shown = columns[: max(1, bisect_right(ends, console.width + len(_GAP)))]
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style=""
    )
    cell = partial(Text, no_wrap=True, overflow="ellipsis")
    for column in shown:
        justify: JustifyMethod = "right" if column.is_number else "left"
        table.add_column(cell(column.name), justify=justify, no_wrap=column.is_number)
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*map(cell, row))
    console.print(table)
    console.print()
    console.print(Text(_summary(columns, shown, count, console.width)))


def _summary(columns: Sequence[Column], shown: Sequence[Column], count: int, available: int) -> str:
    """The count of all rows, and the rows and columns that the table does not show."""
    parts = ["1 row" if count == 1 else f"{count:,} rows"]
    if count > TERMINAL_ROWS:
        parts.append(f"the first {TERMINAL_ROWS:,} shown")
    if hidden := columns[len(shown) :]:
        noun = "column" if len(hidden) == 1 else "columns"
        parts.append(f"{len(hidden)} {noun} hidden ({', '.join(c.name for c in hidden)})")
    is_cut = sum(c.width + len(_GAP) for c in shown) > available + len(_GAP)
    if is_cut or len(parts) > 1 or any(text.endswith(_CUT) for c in shown for text in c.cells):
        return f"{', '.join(parts)}; --format csv has all of it"
    return parts[0]


def _printable(text: str) -> str:
    """A text on one line, cut where it is too long."""
    shown = _BREAKS.sub(" ", text[:LONGEST_TEXT])
    shown = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", shown)
    if len(text) <= LONGEST_TEXT and cell_len(shown) <= LONGEST_TEXT:
        return shown
    return set_cell_size(shown, LONGEST_TEXT - 1) + _CUT
