"""Query results are written as a table, CSV, JSON, newline-delimited JSON or Parquet.

All but the table are written while the rows arrive, however many there are.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from joblake.cli.table import write_table
from joblake.errors import UsageError
from joblake.user_files import replaced
from joblake.warehouse.spelling import Texts, cells, csv_header, csv_lines, json_lines
from joblake.warehouse.warehouse import Warehouse

_SPELLINGS = {"table": cells, "csv": csv_lines, "json": json_lines, "ndjson": json_lines}


def write_result(
    warehouse: Warehouse,
    statement: str,
    parameters: Mapping[str, str] | None = None,
    *,
    output_format: str = "table",
    output: Path | None = None,
) -> None:
    """Write the result of a statement to a file, or to stdout where `output` is None.

    An older file is replaced when the result is whole. UsageError when the file cannot be
    written, the format cannot hold the columns, or Parquet would go to a terminal.
    """
    if output_format == "parquet":
        if output is None and sys.stdout.isatty():
            raise UsageError("Parquet is binary; give --output FILE or redirect stdout")
        reader = warehouse.stream(statement, parameters)
        _require_distinct(reader.schema.names)
        with _opened(output) as stream:
            _write_parquet(reader, stream)
        return
    texts = warehouse.texts(statement, _SPELLINGS[output_format], parameters)
    if output_format in {"json", "ndjson"}:
        _require_distinct(texts.names)
    with _opened(output) as stream:
        match output_format:
            case "table":
                write_table(texts, stream)
            case "json":
                _write_array(texts, stream)
            case _:
                if output_format == "csv":
                    stream.write(f"{csv_header(texts.names)}\n")
                stream.writelines(f"{line}\n" for line in _lines(texts))


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with replaced(output) as path, path.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def _require_distinct(names: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UsageError(f"two columns are called {repeated[0]}; give one another name with `as`")


def _write_parquet(reader: pa.RecordBatchReader, stream: IO[str]) -> None:
    import pyarrow.parquet as pq

    for field in reader.schema:
        if pa.types.is_interval(field.type) or pa.types.is_union(field.type):
            raise UsageError(
                f"Parquet has no type for {field.name}, which is {field.type}; cast it, as in "
                f"{field.name}::varchar"
            )
    # The text layer of the stream is left empty; pyarrow does not close what it did not open.
    with pq.ParquetWriter(stream.buffer, reader.schema, compression="zstd") as writer:  # type: ignore[attr-defined]  # both files and stdout have one
        for batch in reader:
            writer.write_batch(batch)


def _write_array(texts: Texts, stream: IO[str]) -> None:
    """Write one JSON array, a row on each line."""
    before = "[\n"
    for line in _lines(texts):
        stream.write(f"{before}  {line}")
        before = ",\n"
    stream.write("[]\n" if before == "[\n" else "\n]\n")


def _lines(texts: Texts) -> Iterator[str]:
    for batch in texts.batches:
        yield from batch.column(0).to_pylist()
