"""Query results as a table, CSV, JSON, newline-delimited JSON or Parquet."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from joblake.errors import UsageError

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_CSV_SPECIAL = frozenset(',"\r\n')


def write_result(result: pa.Table, output_format: str, output: Path | None) -> None:
    """Write a result to a file, or to stdout where `output` is None.

    UsageError when the file cannot be written, or Parquet would go to a terminal.
    """
    if output_format == "parquet":
        _write_parquet(result, output)
        return
    with _opened(output) as stream:
        match output_format:
            case "table":
                _write_table(result, stream, is_file=output is not None)
            case "csv":
                _write_csv(result, stream)
            case "json":
                json.dump(list(_json_rows(result)), stream, ensure_ascii=False, indent=2)
                stream.write("\n")
            case _:
                for row in _json_rows(result):
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(result: pa.Table, output: Path | None) -> None:
    import pyarrow.parquet as pq

    if output is not None:
        # Opened here, because pyarrow would remove a file that it cannot write.
        with _file_errors(output), output.open("wb") as stream:
            pq.write_table(result, stream, compression="zstd")
    elif sys.stdout.isatty():
        raise UsageError("Parquet is binary; give --output FILE or redirect stdout")
    else:
        pq.write_table(result, sys.stdout.buffer, compression="zstd")


def _write_table(result: pa.Table, stream: IO[str], *, is_file: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Away from a terminal nothing is folded, whatever the rows need.
    is_terminal = stream.isatty()
    console = Console(file=stream, width=None if is_terminal and not is_file else 2**31)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in result.schema:
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        table.add_column(Text(column.name), justify="right" if is_number else "left")
    for row in _rows(result):
        table.add_row(*(Text("" if cell is None else _shown(cell)) for cell in row))
    console.print(table)


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.2f}"
    # Names come from AWS as they are; none of them may steer the reader's terminal.
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _text(cell))


def _write_csv(result: pa.Table, stream: IO[str]) -> None:
    stream.write(_csv_line(result.column_names))
    for row in _rows(result):
        stream.write(_csv_line("" if cell is None else _text(cell) for cell in row))


def _csv_line(cells: Iterable[str]) -> str:
    # Python's own writer leaves a lone carriage return unquoted, at which readers break the row.
    line = ",".join(_quoted(cell) if _CSV_SPECIAL & set(cell) else cell for cell in cells)
    return (line or _quoted(line)) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _cells(column: pa.Array) -> list[Any]:
    """The values of a column as Python has them."""
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    # pyarrow would import pandas for each zoned instant, which costs more than most queries.
    zone = UTC if column.type.tz else None
    epoch = datetime(1970, 1, 1, tzinfo=zone)
    instants = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    return [
        None if instant is None else epoch + timedelta(microseconds=instant)
        for instant in instants.to_pylist()
    ]


def _rows(result: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in result.to_batches():
        yield from zip(*(_cells(column) for column in batch.columns), strict=True)


def _json_rows(result: pa.Table) -> Iterator[dict[str, Any]]:
    for row in _rows(result):
        yield dict(zip(result.column_names, map(_json_value, row), strict=True))


def _json_value(cell: Any) -> Any:
    match cell:
        case None | bool() | int() | str():
            return cell
        case float():
            return cell if isfinite(cell) else None
        case list() | tuple():
            return [_json_value(element) for element in cell]
        case dict():
            return {str(name): _json_value(value) for name, value in cell.items()}
        case Decimal():
            return int(cell) if cell == cell.to_integral_value() else float(cell)
        case _:
            return _text(cell)


def _text(cell: Any) -> str:
    match cell:
        case datetime() | date() | time():
            return cell.isoformat()
        case list() | dict() | tuple():
            return json.dumps(_json_value(cell), ensure_ascii=False)
        case bytes():
            return cell.hex()
        case _:
            return str(cell)


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with _file_errors(output), output.open("w", encoding="utf-8", newline="") as stream:
        yield stream


@contextmanager
def _file_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from error
