"""Marts: the answers that BI tools read, as flat Parquet and as one DuckDB file.

A tool that knows neither joblake nor DuckDB 2 reads the marts: scalar columns only, and a database
in the storage format of DuckDB 1.0. All of them are written aside before the first takes the place
of its predecessor; a reader that has an old file open keeps it.
"""

import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from pyarrow.dataset import dataset

from joblake.errors import LakeError, UsageError
from joblake.lake.local import Lake
from joblake.lake.races import until_won
from joblake.quoting import identifier
from joblake.sources.catalogue import Catalogue
from joblake.warehouse.generated import child_views
from joblake.warehouse.views import View, read_views
from joblake.warehouse.warehouse import Warehouse, open_warehouse

_MARTS = (
    "history.jobs",
    "history.job_status_changes",
    "history.job_phases",
    "history.models",
    "reports.daily_job_counts",
    "reports.job_durations",
    "reports.listing_coverage",
)

DATABASE = "joblake.duckdb"
_STORAGE_VERSION = "v1.0.0"

_TYPES = {
    **dict.fromkeys(("varchar", "enum", "json", "uuid"), "varchar"),
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint", "hugeint"), "bigint"),
    **dict.fromkeys(("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"), "bigint"),
    **dict.fromkeys(("float", "double", "decimal"), "double"),
    **dict.fromkeys(("timestamp", "timestamp with time zone"), "timestamptz"),
    "boolean": "boolean",
    "date": "date",
}
_NESTED = re.compile(r".*\]$|(STRUCT|MAP|UNION)\(", re.DOTALL)


@dataclass(frozen=True)
class Published:
    """A file that was published: a mart, or the database with the rows of all of them."""

    name: str
    path: str
    rows: int
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """The same in JSON's types."""
        return asdict(self)


def marts(catalogue: Catalogue) -> list[str]:
    """The views that are published, each under its name without the schema.

    The lists and maps of the sources that are listed by default are among them.
    """
    sources = catalogue.default.values()
    return [*_MARTS, *(f"current.{name}" for source in sources for name in child_views(source))]


def publish(lake: Lake, catalogue: Catalogue) -> tuple[Published, ...]:
    """Write every mart and the database, and put them in the place of the old ones.

    One publisher at a time, the others wait. UnreadableFileError when a file of the lake is
    damaged, LakeError when the lake cannot be written; a mart is then the old one or the new one.
    """
    with lake.locked_marts():
        return until_won(lambda: _publish(lake, catalogue))


def _publish(lake: Lake, catalogue: Catalogue) -> tuple[Published, ...]:
    views = {f"{view.schema}.{view.name}": view for view in read_views(catalogue)}
    published = []
    with open_warehouse(lake, catalogue) as warehouse, ExitStack() as replacing:
        written = {}
        for view in (views[name] for name in marts(catalogue)):
            target = lake.mart(f"{view.name}.parquet")
            written[view.name] = replacing.enter_context(lake.overwriting(target))
            rows = _write_mart(warehouse, view, written[view.name])
            size = written[view.name].stat().st_size
            published.append(Published(view.name, lake.name_of(target), rows, size))
        target = lake.mart(DATABASE)
        database = replacing.enter_context(lake.overwriting(target))
        _write_database(written, database)
        total = sum(mart.rows for mart in published)
        size = database.stat().st_size
        published.append(Published(DATABASE, lake.name_of(target), total, size))
        # What a tool that wrote to the old database left there does not belong to the new one.
        if lake.file_at(log := target.with_name(f"{DATABASE}.wal")) is not None:
            lake.remove(log)
    return tuple(published)


def _write_mart(warehouse: Warehouse, view: View, path: Path) -> int:
    """Write a view's rows in the order of its key; returns how many."""
    rows = 0
    try:
        reader = warehouse.stream(_mart_sql(warehouse, view))
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
    except UsageError as error:  # no user wrote this query: memory or the spill's disk ran out
        raise LakeError(f"cannot publish {view.name}: {error}") from error
    return rows


def _mart_sql(warehouse: Warehouse, view: View) -> str:
    described = warehouse.query(f"describe {view.schema}.{view.name}").to_pylist()
    columns = ", ".join(
        f"{scalar_sql(name, column['column_type'])} as {name}"
        for column in described
        for name in [identifier(column["column_name"])]
    )
    order = ", ".join(map(identifier, view.key))
    return f"select {columns} from {view.schema}.{view.name} order by {order}"


def scalar_sql(name: str, column_type: str) -> str:
    """A column as one of the types that every BI tool reads; lists and structs are JSON text."""
    if _NESTED.match(column_type):
        return f"to_json({name})::varchar"
    try:
        return f"{name}::{_TYPES[column_type.partition('(')[0].lower()]}"
    except KeyError:
        raise TypeError(f"no type of a mart for {name}, which is {column_type}") from None


def _write_database(marts: Mapping[str, Path], path: Path) -> None:
    """Write a database with a table for each mart.

    It is built in the temporary folder, because DuckDB makes files beside it that others may read.
    """
    with tempfile.TemporaryDirectory(prefix="joblake-") as folder:
        built = Path(folder) / DATABASE
        try:
            with duckdb.connect(
                built,
                config={
                    "storage_compatibility_version": _STORAGE_VERSION,
                    "temp_directory": folder,
                },
            ) as connection:
                for name, mart in marts.items():
                    connection.from_arrow(dataset(mart, format="parquet")).create(name)
                connection.execute("checkpoint")  # closing would do it too, and hide its errors
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise LakeError(f"cannot build {built}: {reason}; check the disk") from error
        shutil.copyfile(built, path)
