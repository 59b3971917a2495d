"""The tables `observations.*` over the files of a lake."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Annotations quote its classes; export/merge.py has the reason.
import duckdb
import pyarrow as pa

from joblake.quoting import patterns
from joblake.warehouse.generated.columns import empty_select
from joblake.warehouse.prepared import OBSERVATIONS


def show_files(
    connection: "duckdb.DuckDBPyConnection",
    table: str,
    schema: pa.Schema,
    files: Mapping[Path, Sequence[str]],
) -> None:
    """Show files as `observations.<table>`; `files` has the names of each file's columns.

    Listings are read whole, because they are few rows in many small files and almost every view
    asks for them more than once.
    """
    if not files:
        return
    rows = _rows_of(schema, files)
    if table == "listings":
        connection.execute(f"drop view {OBSERVATIONS}.{table}")
        connection.execute(f"create table {OBSERVATIONS}.{table} as {rows}")
    else:
        connection.execute(f"create or replace view {OBSERVATIONS}.{table} as {rows}")


def _rows_of(schema: pa.Schema, files: Mapping[Path, Sequence[str]]) -> str:
    """A table's rows under our names and types, then the columns that only newer files have.

    Files of other columns are read apart, because for `union_by_name` DuckDB opens every file to
    bind a query.
    """
    alike: dict[frozenset[str], list[Path]] = defaultdict(list)
    for file, columns in files.items():
        alike[frozenset(columns)].append(file)
    parts = [empty_select(schema), *map(_read_parquet, alike.values())]
    return " union all by name ".join(parts)


def _read_parquet(files: Iterable[Path]) -> str:
    """The rows of files; their paths tell no columns."""
    return f"from read_parquet({patterns(files)}, hive_partitioning = false)"
