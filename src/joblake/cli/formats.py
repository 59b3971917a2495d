"""Query results as a table, CSV, JSON, newline-delimited JSON or Parquet.

All but the table are written while the rows arrive, however many there are.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from joblake.cli.table import write_table
from joblake.cli.values import json_of, rows_of, text_of
from joblake.errors import UsageError
from joblake.output import replaced

_CSV_SPECIAL = frozenset(',"\r\n')


def write_result(result: pa.RecordBatchReader, output_format: str, output: Path | None) -> None:
    """Write a result to a file, or to stdout where `output` is None.

    A file that was there is replaced when the result is whole. UsageError when the file cannot be
    written, the format cannot hold the columns, or Parquet would go to a terminal.
    """
    if output_format == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is binary; give --output FILE or redirect stdout")
    if output_format in {"json", "ndjson", "parquet"}:
        _require_distinct_names(result)
    if output is None:
        _write(result, output_format, sys.stdout)
        return
    with replaced(output) as path, path.open("w", encoding="utf-8", newline="") as stream:
        _write(result, output_format, stream)


def _require_distinct_names(result: pa.RecordBatchReader) -> None:
    repeated = [name for name, count in Counter(result.schema.names).items() if count > 1]
    if repeated:
        raise UsageError(f"two columns are called {repeated[0]}; give one another name with `as`")


def _write(result: pa.RecordBatchReader, output_format: str, stream: IO[str]) -> None:
    match output_format:
        case "table":
            write_table(result, stream)
        case "csv":
            _write_csv(result, stream)
        case "json":
            _write_json(result, stream)
        case "ndjson":
            stream.writelines(f"{_json(row)}\n" for row in _json_rows(result))
        case _:
            _write_parquet(result, stream)


def _write_parquet(result: pa.RecordBatchReader, stream: IO[str]) -> None:
    import pyarrow.parquet as pq

    for field in result.schema:
        if pa.types.is_interval(field.type) or pa.types.is_union(field.type):
            raise UsageError(
                f"Parquet has no type for {field.name}, which is {field.type}; cast it, as in "
                f"{field.name}::varchar"
            )
    # The text layer of the stream is left empty; pyarrow does not close what it did not open.
    with pq.ParquetWriter(stream.buffer, result.schema, compression="zstd") as writer:  # type: ignore[attr-defined]  # both files and stdout have one
        for batch in result:
            writer.write_batch(batch)


def _write_csv(result: pa.RecordBatchReader, stream: IO[str]) -> None:
    stream.write(_csv_line(result.schema.names))
    for row in rows_of(result):
        stream.write(_csv_line("" if cell is None else text_of(cell) for cell in row))


def _csv_line(cells: Iterable[str]) -> str:
    # Python's own writer leaves a lone carriage return unquoted, at which readers break the row.
    line = ",".join(_quoted(cell) if _CSV_SPECIAL & set(cell) else cell for cell in cells)
    return (line or _quoted(line)) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _write_json(result: pa.RecordBatchReader, stream: IO[str]) -> None:
    """One array, a row on each line."""
    before = "[\n  "
    for row in _json_rows(result):
        stream.write(before + _json(row))
        before = ",\n  "
    stream.write("[]\n" if before == "[\n  " else "\n]\n")


def _json_rows(result: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    names = result.schema.names
    for row in rows_of(result):
        yield dict(zip(names, map(json_of, row), strict=True))


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)
