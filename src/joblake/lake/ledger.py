"""The ledger: the listings on record, one row for each scope that a run listed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from joblake import arrow
from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.lake.layout import month_of
from joblake.lake.local import Lake
from joblake.lake.races import first_known, until_won
from joblake.lake.scope import Scope
from joblake.outcome import ListingOutcome
from joblake.sources.schema import TIMESTAMP

_SUMMED = ("added", "changed", "vanished", "requests")
_TYPES: Mapping[type, pa.DataType] = {
    str: pa.string(),
    ListingOutcome: pa.string(),
    int: pa.int64(),
    datetime: TIMESTAMP,
}


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """One listing on record: whose it was, how it ended, and what it changed.

    `filters` is the JSON text of what narrowed the listing. `listed` to `vanished` count resources.
    `held` counts those that were missing all at once and are not believed to have vanished until
    the next complete listing confirms it.
    """

    run_id: str
    table_name: str
    account_id: str
    region_name: str
    parent: str | None
    started_at: datetime
    ended_at: datetime
    outcome: ListingOutcome
    filters: str | None = None
    listed: int = 0
    added: int = 0
    changed: int = 0
    vanished: int = 0
    held: int = 0
    pages: int = 0
    requests: int = 0
    error: str | None = None

    @property
    def scope(self) -> Scope:
        """The scope that was listed."""
        return Scope(self.table_name, self.account_id, self.region_name, self.parent)


def _arrow_type(annotation: Any) -> pa.DataType:
    """The type of a column; KeyError for a field that no column can hold."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return _TYPES[kinds[0] if kinds else annotation]


LEDGER_SCHEMA = pa.schema([(field.name, _arrow_type(field.type)) for field in fields(LedgerRow)])


@dataclass(frozen=True)
class LedgerFile:
    """The listings of a scope that began in one month, as their file has them."""

    file: LakeFile
    table: pa.Table

    def rows(self) -> list[LedgerRow]:
        """The listings that the file has on record."""
        return _as_rows(self.table)

    def is_of_run(self, run_id: str) -> pa.ChunkedArray:
        """Whether each of the listings is one of the run."""
        return pc.equal(self.table.column("run_id"), arrow.text(run_id))


def read_ledger(lake: Lake, scope: Scope) -> tuple[LedgerFile, ...]:
    """A scope's ledger, oldest month first; UnreadableFileError where a file of it is damaged."""
    files = lake.scope_listing_files(scope)
    parquet.require_readable(files, LEDGER_SCHEMA)
    ledger = []
    for file in files:
        with parquet.reading(file) as opened:
            ledger.append(LedgerFile(file, opened.read()))
    return tuple(ledger)


def commit_listing(lake: Lake, row: LedgerRow, ledger: Sequence[LedgerFile] | None = None) -> None:
    """Put a listing on record. Call with its scope locked.

    `ledger` is the scope's ledger where the caller has read it. A run that tries a scope again has
    one row all the same: that of the last try, from the start of the first one, with the changes
    and requests of all.
    """
    known = read_ledger(lake, row.scope) if ledger is None else ledger
    ledgers = first_known(known, lambda: read_ledger(lake, row.scope))
    until_won(lambda: _commit_listing(lake, row, next(ledgers)))


def _commit_listing(lake: Lake, row: LedgerRow, ledger: Sequence[LedgerFile]) -> None:
    path = lake.listing_partition(row.scope, month_of(row.started_at))
    known: LakeFile | None = None
    others = arrow.no_rows(LEDGER_SCHEMA)
    # An earlier try of the run may have begun in the month before.
    tried = [month for month in ledger if pc.any(month.is_of_run(row.run_id)).as_py()]
    begun = [month for month in ledger if month.file.path == path]
    if months := tried or begun:
        month = months[0]
        is_earlier_try = month.is_of_run(row.run_id)
        path, known = month.file.path, month.file
        others = month.table.filter(pc.invert(is_earlier_try))
        for earlier in _as_rows(month.table.filter(is_earlier_try)):
            if earlier.ended_at == row.ended_at:
                return  # this very try, whose answer was lost
            sums = {name: getattr(earlier, name) + getattr(row, name) for name in _SUMMED}
            row = replace(row, started_at=earlier.started_at, **sums)
    with lake.replacing(path, known) as temporary:
        rows = pa.concat_tables([others, _as_table(row)], promote_options="default")
        pq.write_table(rows, temporary)


def _as_rows(table: pa.Table) -> list[LedgerRow]:
    """The rows of a ledger file, which may lack columns or have more."""
    tables = [arrow.no_rows(LEDGER_SCHEMA), table]
    known = pa.concat_tables(tables, promote_options="default").select(LEDGER_SCHEMA.names)
    return [
        LedgerRow(**values | {"outcome": ListingOutcome(values["outcome"])})
        for values in known.to_pylist()
    ]


def _as_table(row: LedgerRow) -> pa.Table:
    """The row as Arrow; by way of JSON, because any other way imports pandas."""
    values = {name: getattr(row, name) for name in LEDGER_SCHEMA.names}
    body = json.dumps(values, default=datetime.isoformat).encode()
    options = pyarrow.json.ParseOptions(
        explicit_schema=LEDGER_SCHEMA, unexpected_field_behavior="error"
    )
    return pyarrow.json.read_json(pa.BufferReader(body), parse_options=options)
