"""Rows as a test writes them down, put into a real lake: only what matters, the rest is null."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from declared import CATALOGUE
from joblake.lake.file import LakeFile
from joblake.lake.layout import month_of
from joblake.lake.ledger import LEDGER_SCHEMA
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.sources.catalogue import Catalogue
from joblake.sources.schema import TIMESTAMP, observation_schema

ACCOUNT = "111122223333"
REGION = "us-east-1"

Row = Mapping[str, Any]


def instant(text: str) -> datetime:
    """An ISO 8601 instant, in UTC where it names no zone."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def write_rows(
    lake: Lake, tables: Mapping[str, Sequence[Row]], catalogue: Catalogue = CATALOGUE
) -> list[Path]:
    """Write observations, and listings under `listings`, to their partitions.

    Account and region are the tests' own, and the run is that of the instant, where a row names
    no other. Returns the files written.
    """
    written = []
    for table, rows in tables.items():
        schema = LEDGER_SCHEMA if table == "listings" else observation_schema(catalogue[table])
        partitions: dict[Path, list[Row]] = defaultdict(list)
        for row in rows:
            full = _completed(row, schema)
            partitions[_partition(lake, table, full)].append(full)
        for path, members in partitions.items():
            write_file(path, pa.Table.from_pylist(members, schema=schema))
            written.append(path)
    return written


def paths_of(files: Iterable[LakeFile]) -> list[Path]:
    """Where to read files of a lake."""
    return [file.local for file in files]


def write_file(path: Path, rows: pa.Table) -> Path:
    """Write one Parquet file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)
    return path


def _completed(row: Row, schema: pa.Schema) -> Row:
    unknown = set(row) - set(schema.names)
    assert not unknown, f"no such columns: {unknown}"
    moments = {field.name for field in schema if field.type == TIMESTAMP}
    full = {"account_id": ACCOUNT, "region_name": REGION} | {
        name: instant(value) if name in moments and value is not None else value
        for name, value in row.items()
    }
    at = full["started_at"] if "started_at" in schema.names else full["observed_at"]
    return {"run_id": f"run-{at:%Y-%m-%d}"} | full


def _partition(lake: Lake, table: str, row: Row) -> Path:
    is_listing = table == "listings"
    scope = Scope(
        row["table_name"] if is_listing else table,
        row["account_id"],
        row["region_name"],
        row.get("parent"),
    )
    if is_listing:
        return lake.listing_partition(scope, month_of(row["started_at"]))
    return lake.partition(scope, month_of(row["observed_at"]))
