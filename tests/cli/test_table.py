"""Tables fit a terminal, and hold every row and column everywhere else."""

import io
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from joblake.cli.table import LONGEST_TEXT, TERMINAL_ROWS, Column, draw, write_table
from joblake.warehouse.spelling import Texts, cells, is_number

ARN = "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/amazon.nova/{:012}"


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch):
    """A function that gives the lines of a result on a terminal of so many columns."""

    def show(result: pa.Table, columns: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        ours, theirs = os.openpty()
        parts = []
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            # Read while it is written: a terminal holds a few thousand bytes only.
            class Terminal:
                def write(self, text: str) -> None:
                    for line in text.splitlines(keepends=True):
                        stream.write(line)
                        stream.flush()
                        parts.append(os.read(ours, 65_536))

                def writelines(self, lines: Iterable[str]) -> None:
                    self.write("".join(lines))

                def flush(self) -> None:
                    pass

                def isatty(self) -> bool:
                    return stream.isatty()

            write_table(texts_of(result), Terminal())
        with os.fdopen(ours, "rb", buffering=0) as rest, suppress(OSError):  # EIO: all was read
            while part := rest.read(65_536):
                parts.append(part)
        shown = b"".join(parts).decode().replace("\r\n", "\n")
        return [line.rstrip() for line in shown.splitlines()]

    return show


def texts_of(result: pa.Table) -> Texts:
    """A result as the warehouse gives it to a table."""
    relation = duckdb.connect().from_arrow(result)
    numbers = tuple(map(is_number, relation.types))
    return Texts(tuple(result.column_names), numbers, cells(relation).to_arrow_reader())


def rows_of(count: int, **columns: Any) -> pa.Table:
    """Rows whose values are made of their numbers, or are the same in all."""
    return pa.table(
        {
            name: [make(number) if callable(make) else make for number in range(count)]
            for name, make in columns.items()
        }
    )


def test_what_fits_is_shown_as_it_is(on_terminal):
    """Narrow results lose nothing, and the last line counts the rows."""
    lines = on_terminal(rows_of(2, name="job-{}".format, jobs=lambda n: n * 1000), 80)
    assert lines == ["name   jobs", "───────────", "job-0     0", "job-1  1000", "", "2 rows"]


def test_long_texts_are_shortened_before_a_column_is_hidden(on_terminal):
    """Names and ARNs lose their end, and numbers stay whole."""
    result = rows_of(2, arn=ARN.format, other=ARN.format, seconds=lambda n: n + 0.5)
    lines = on_terminal(result, 60)
    arn, other, seconds = lines[2].split()
    assert arn.startswith("arn:aws:")
    assert other.endswith("…")
    assert seconds == "0.50"
    assert max(map(cell_len, lines)) <= 60
    assert lines[-1] == "2 rows; --format csv has all of it"


def test_columns_without_room_are_named_below(on_terminal):
    """The first columns are shown, and the last lines name the others."""
    columns = {f"column_{number}": (lambda row, n=number: row * n + 0.5) for number in range(1, 8)}
    lines = on_terminal(rows_of(2, **columns), 40)
    assert lines[0].split() == ["column_1", "column_2", "column_3", "column_4"]
    assert lines[1] == "─" * len(lines[0])
    assert lines[3].split() == ["1.50", "2.50", "3.50", "4.50"]
    assert " ".join(lines[5:]) == (
        "2 rows, 3 columns hidden (column_5, column_6, column_7); --format csv has all of it"
    )


def test_a_terminal_gets_the_first_rows_and_the_count_of_all(on_terminal):
    """A long result does not flood the terminal."""
    lines = on_terminal(rows_of(TERMINAL_ROWS + 700, number=lambda n: n), 80)
    assert lines[2].strip() == "0"
    assert lines[TERMINAL_ROWS + 1].strip() == str(TERMINAL_ROWS - 1)
    assert lines[TERMINAL_ROWS + 2 :] == [
        "",
        "1,200 rows, the first 500 shown; --format csv has all of it",
    ]


@pytest.mark.parametrize("columns", [1, 7, 80, 300])
def test_no_rows_and_one_row(on_terminal, columns):
    """A result without rows has its header, and the count is told on the narrowest terminal."""
    one = rows_of(1, **{f"column_{number}": "text" for number in range(20)})
    none = on_terminal(one.slice(1), columns)
    assert none[0].startswith("c") or columns == 1
    assert "".join(none[none.index("", 1) :]).replace(" ", "").startswith("0rows")
    some = on_terminal(one, columns)
    assert "".join(some[some.index("", 1) :]).replace(" ", "").startswith("1row")


KINDS = st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=30)


@given(KINDS, st.integers(1, 200))
def test_no_line_is_wider_than_the_terminal(kinds, available):
    """Whatever the columns, a line fits; at least one is shown, and what fits is not cut."""
    columns = [Column("a", ("x" * width, "x"), is_number=is_number) for width, is_number in kinds]
    drawn = Console(width=available, file=io.StringIO())
    draw(columns, 2, drawn)
    header, rule, *lines = drawn.file.getvalue().splitlines()
    assert header.strip()
    assert max(map(cell_len, (header, rule, *lines))) <= available
    natural = sum(column.width for column in columns) + 2 * (len(columns) - 1)
    if natural <= available:
        assert header.split() == ["a"] * len(columns)
        assert len(rule) == natural
        assert "…" not in drawn.file.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("null", ""),
        ("true", "true"),
        ("0.0::double", "0.00"),
        ("1234.567::double", "1,234.57"),
        ("-0.00123::double", "-0.0012"),
        ("'nan'::double", "nan"),
        ("1234567", "1234567"),
        ("timestamptz '2026-11-10 02:00:00.123456Z'", "2026-11-10 02:00:00Z"),
        ("timestamp '2026-11-10 02:00'", "2026-11-10 02:00:00"),
        ("'a\r\nb\tc'", "a b c"),
        ("'\x1b[31mred\x07'", "�[31mred�"),
        ("'ab\u202edc'", "ab�dc"),
    ],
)
def test_values_as_people_read_them(on_terminal, value, text):
    """Rounded, dated in UTC, on one line, and harmless to the terminal."""
    lines = on_terminal(duckdb.sql(f"select {value} as x").to_arrow_table(), 80)
    assert lines[2].strip() == text


def test_an_explanation_is_drawn_as_it_is(on_terminal):
    """The lines of a query plan stay lines."""
    plan = pa.table({"explain_key": ["physical_plan"], "explain_value": ["╭──╮\n│ x │\n╰──╯"]})
    assert on_terminal(plan, 80) == ["╭──╮", "│ x │", "╰──╯"]


def test_away_from_a_terminal_every_row_and_column_is_there(tmp_path):
    """A file has all rows and columns, a value that a terminal would show whole, and no summary."""
    columns = {f"column_{number}": ARN.format for number in range(9)}
    with (tmp_path / "table").open("w+", encoding="utf-8") as stream:
        write_table(texts_of(rows_of(TERMINAL_ROWS + 1, **columns)), stream)
        stream.seek(0)
        lines = stream.read().splitlines()
    assert len(lines) == TERMINAL_ROWS + 3
    assert lines[-1].split() == [ARN.format(TERMINAL_ROWS)] * 9


@given(st.text(max_size=3 * LONGEST_TEXT))
def test_no_value_makes_a_table_wide(text):
    """However long or wide a text is, the other rows are not padded to it."""
    stream = io.StringIO()
    write_table(texts_of(pa.table({"a": [text.replace("\0", ""), "x"]})), stream)
    _, rule, *lines = stream.getvalue().split("\n")
    assert len(rule) <= LONGEST_TEXT
    assert len(lines) == 3
    assert max(map(cell_len, lines)) <= LONGEST_TEXT
