"""The values of a result, row by row, as Python, as text and as JSON."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

import pyarrow as pa

from joblake.errors import UsageError

_ROWS_AT_ONCE = 10_000  # as many become Python objects at a time


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """The rows in order, however many there are."""
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
            columns = batch.slice(start, _ROWS_AT_ONCE).columns
            try:
                cells = list(map(_cells, columns))
            except (OverflowError, ValueError) as error:
                raise UsageError(
                    f"the result has a value that Python cannot hold ({error}); dates and instants "
                    "must be of the years 1 to 9999: cast others to varchar"
                ) from error
            yield from zip(*cells, strict=True)


def _cells(column: pa.Array) -> list[Any]:
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


def json_of(cell: Any) -> Any:
    """A value in JSON's types; what JSON has none for is text, and NaN and infinity are null."""
    match cell:
        case None | bool() | int() | str():
            return cell
        case float():
            return cell if isfinite(cell) else None
        case pa.MonthDayNano():
            return text_of(cell)
        case list() | tuple():
            return [json_of(element) for element in cell]
        case dict():
            return {str(name): json_of(value) for name, value in cell.items()}
        case Decimal():
            return int(cell) if cell == cell.to_integral_value() else float(cell)
        case _:
            return text_of(cell)


def text_of(cell: Any) -> str:
    """A value in full as one text: ISO 8601 instants, JSON for what is nested."""
    match cell:
        case bool():
            return "true" if cell else "false"
        case datetime() | date() | time():
            return cell.isoformat()
        case pa.MonthDayNano():
            return _interval(cell)
        case list() | dict() | tuple():
            return json.dumps(json_of(cell), ensure_ascii=False)
        case bytes():
            return cell.hex()
        case _:
            return str(cell)


def _interval(interval: pa.MonthDayNano) -> str:
    """An interval as DuckDB writes it: `2 years 1 month 3 days 04:05:06`."""
    years, months = divmod(abs(interval.months), 12)
    sign = -1 if interval.months < 0 else 1
    counts = (("year", sign * years), ("month", sign * months), ("day", interval.days))
    parts = [f"{n} {unit}" if abs(n) == 1 else f"{n} {unit}s" for unit, n in counts if n]
    if interval.nanoseconds or not parts:
        seconds, fraction = divmod(abs(interval.nanoseconds) // 1000, 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        parts.append(
            ("-" if interval.nanoseconds < 0 else "")
            + clock
            + (f".{fraction:06}".rstrip("0") if fraction else "")
        )
    return " ".join(parts)
