"""A result as a table of text, fitted to the terminal where there is one.

On a terminal each row is one line: columns that are the same in every row give way first, then the
middle ones, and the last lines say so; rich shortens the texts of the others. A file or a pipe gets
every row and column whole.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO

import pyarrow as pa
from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from joblake.warehouse.spelling import Texts

TERMINAL_ROWS = 500
"""How many rows a terminal gets."""

_NARROW_TEXT = 20  # an instant, so that none is cut
_TOLD_TEXT = 40
_GAP = "  "
_CUT = "…"
_EXPLANATION = ("explain_key", "explain_value")
_BREAKS = re.compile(r"[\t\n\r]+")
# Names come from AWS as they are; none of them may steer the reader's terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, eq=False)
class Column:
    """A column as text: its name and cells, and whether they are numbers, which are never cut."""

    name: str
    cells: Sequence[str]
    is_number: bool

    @cached_property
    def width(self) -> int:
        """The cells of a terminal that the name and the longest value take."""
        return max(cell_len(text) for text in (self.name, *self.cells))

    @property
    def least(self) -> int:
        """The width that the column must have to be shown."""
        return self.width if self.is_number else min(self.width, _NARROW_TEXT)

    @cached_property
    def is_same(self) -> bool:
        """Whether more than one row says the same, and none says anything else."""
        return len(self.cells) > 1 and len(set(self.cells)) == 1


@dataclass(frozen=True)
class _Cell:
    """A text that rich may give less than its width: it is cut where it tells least."""

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, cell_len(self.text)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(clip(self.text, options.max_width))


def write_table(texts: Texts, stream: IO[str]) -> None:
    """Write the rows under their column names; on a terminal as many as it can show."""
    if texts.names == _EXPLANATION:
        for batch in texts.batches:
            stream.writelines(f"{drawing}\n" for drawing in batch.column(1).to_pylist())
    elif stream.isatty():
        _write_fitted(texts, stream)
    else:
        _write_whole(_columns(texts, list(_rows(texts.batches))), stream)


def _write_whole(columns: Sequence[Column], stream: IO[str]) -> None:
    def line(texts: Iterable[str]) -> str:
        return _GAP.join(map(_padded, texts, columns)).rstrip()

    stream.write(f"{line(column.name for column in columns)}\n")
    stream.write("─" * (sum(c.width for c in columns) + len(_GAP) * (len(columns) - 1)) + "\n")
    stream.writelines(f"{line(row)}\n" for row in zip(*(c.cells for c in columns), strict=True))


def _padded(text: str, column: Column) -> str:
    blank = " " * (column.width - cell_len(text))
    return blank + text if column.is_number else text + blank


def _write_fitted(texts: Texts, stream: IO[str]) -> None:
    rows: list[list[str]] = []
    count = 0
    batches = iter(texts.batches)
    for batch in batches:
        rows += islice(_rows([batch]), TERMINAL_ROWS - len(rows))
        count += batch.num_rows
        if len(rows) == TERMINAL_ROWS:
            break
    columns = _columns(texts, rows)
    console = Console(file=stream, highlight=False)
    kept = fitting(columns, console.width)
    console.print(drawn_table(columns, kept))
    count += sum(batch.num_rows for batch in batches)
    console.print()
    for line in _missing(columns, kept, console.width, len(rows), count):
        console.print(Text(line))


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[list[str]]:
    for batch in batches:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield [_printable(text) for text in row]


def _columns(texts: Texts, rows: Sequence[Sequence[str]]) -> list[Column]:
    cells = list(zip(*rows, strict=True)) or [()] * len(texts.names)
    return [
        Column(_printable(name), column, is_number=is_number)
        for name, is_number, column in zip(texts.names, texts.are_numbers, cells, strict=True)
    ]


def fitting(columns: Sequence[Column], available: int) -> list[Column]:
    """The columns that a terminal of so many cells has room for, one at least."""
    kept = list(columns)
    if _room(kept) > available:
        kept = [column for column in kept if not column.is_same] or kept[:1]
    wanted = len(kept)
    while len(kept) > 1 and _room(kept) + (len(kept) < wanted) * len(_GAP + _CUT) > available:
        del kept[len(kept) // 2]
    return kept


def _room(columns: Sequence[Column]) -> int:
    return sum(column.least for column in columns) + len(_GAP) * (len(columns) - 1)


def drawn_table(columns: Sequence[Column], kept: Sequence[Column]) -> Table:
    """The kept columns, and a sign where others gave way, but for those that are told below."""
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style=""
    )
    cells: list[Sequence[str]] = []
    is_cut = False
    for column in columns:
        if column in kept:
            table.add_column(
                _Cell(column.name),
                justify="right" if column.is_number else "left",
                no_wrap=column.is_number,
            )
            cells.append(column.cells)
        elif not (is_cut or column.is_same):
            is_cut = True
            table.add_column(_CUT, no_wrap=True)
            cells.append([_CUT] * len(column.cells))
    for row in zip(*cells, strict=True):
        table.add_row(*map(_Cell, row))
    return table


def clip(text: str, width: int) -> str:
    """A text in at most so many cells: a sentence loses its end, a name or ARN its middle."""
    if cell_len(text) <= width:
        return text
    tail = 0 if " " in text else (width - 1) // 2
    head = set_cell_size(text, width - 1 - tail)
    return head + _CUT + (set_cell_size(text[::-1], tail)[::-1] if tail else "")


def _missing(
    columns: Sequence[Column], kept: Sequence[Column], available: int, row_count: int, count: int
) -> Iterator[str]:
    """How many rows there are, and what the table does not show of them."""
    hidden = [column for column in columns if column not in kept]
    told = [column for column in hidden if column.is_same]
    gone = [column for column in hidden if not column.is_same]
    is_cut = sum(c.width for c in kept) + len(_GAP) * (len(kept) - 1) > available
    rows = "1 row" if count == 1 else f"{count:,} rows"
    if row_count < count:
        rows += f", the first {row_count:,} shown"
    is_whole = row_count == count and not (gone or is_cut)
    yield rows if is_whole else f"{rows}; --format csv has all of it"
    if told:
        values = (f"{c.name} {clip(c.cells[0], _TOLD_TEXT) or '(none)'}" for c in told)
        yield f"the same in every row: {', '.join(values)}"
    if gone:
        noun = "1 column" if len(gone) == 1 else f"{len(gone)} columns"
        yield f"{noun} hidden: {', '.join(column.name for column in gone)}"


def _printable(text: str) -> str:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", text))
