"""The figures of the page, read from the views and bounded in size however large the lake is.

Counts and times come aggregated by account, region and kind, so that the page's filters can add
them up; times as histograms, from which the page reads quantiles. Lists are cut to the first rows
of each account, region and kind, which is why the first rows of any choice of them are exact.
Names are cut to a length that people read.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from joblake.errors import LakeError, UsageError
from joblake.warehouse.result import QueryResult
from joblake.warehouse.warehouse import Warehouse

YOUNG = timedelta(weeks=16)
"""How long the jobs of a lake may reach back for times to be told by week, not by month."""
LIMITS: Mapping[str, int] = {
    "places": 60,  # accounts and regions, taken together, that the page tells apart
    "days": 90,
    "models_of_kind": 5,
    "times": 40_000,  # rows of the histograms
    "rows": 10,  # of each kind, account and region in a list
    "reasons": 40,
    "models_of_place": 100,
    "models": 400,
}
"""The bounds of the page, which are parameters of the queries."""

Columns = dict[str, Any]

_QUERIES = Path(__file__).parent / "queries"


@dataclass(frozen=True)
class Figures:
    """Everything that the page shows.

    `as_of` is the newest listing; None for a lake that holds nothing yet. Times are told by
    `period`, week or month. `folded_account_count` accounts stand together as one. `tables` maps
    each query to its columns, in JSON's types: see `columns_of`.
    """

    made_at: datetime
    as_of: datetime | None
    job_count: int
    first_created_at: datetime | None
    period: str
    folded_account_count: int
    tables: Mapping[str, Columns]


def read_figures(warehouse: Warehouse, made_at: datetime) -> Figures:
    """Ask every question of the page. UnreadableFileError when a file of the lake is damaged."""
    with _without_a_users_fault("jobs"):
        warehouse.remember("known_jobs", "select * exclude (message) from history.jobs")
        warehouse.remember("known_models", "from current.custom_models")
    accounts = ask(warehouse, "accounts", LIMITS).to_pylist()
    listed = [row["last_listing_at"] for row in accounts if row["last_listing_at"] is not None]
    created = [row["first_created_at"] for row in accounts if row["first_created_at"] is not None]
    as_of, first = max(listed, default=None), min(created, default=None)
    is_young = as_of is None or first is None or as_of - first < YOUNG
    figures = Figures(
        made_at=made_at,
        as_of=as_of,
        job_count=sum(row["job_count"] for row in accounts),
        first_created_at=first,
        period="week" if is_young else "month",
        folded_account_count=sum(not row["is_kept"] for row in accounts),
        tables={},
    )
    if as_of is None:
        return figures
    _create_macros(warehouse, [row["account_id"] for row in accounts if row["is_kept"]], as_of)
    parameters = {**LIMITS, "period": figures.period}
    names = sorted(file.stem for file in _QUERIES.glob("*.sql"))
    return replace(
        figures,
        tables={
            name: columns_of(ask(warehouse, name, parameters).arrow())
            for name in names
            if name != "accounts"
        },
    )


def _create_macros(warehouse: Warehouse, accounts: Sequence[str], as_of: datetime) -> None:
    """Create the macros and variables that the queries share."""
    connection = warehouse.connection
    connection.execute("set variable accounts = $accounts", {"accounts": accounts})
    connection.execute("set variable as_of = $as_of", {"as_of": as_of})
    connection.execute((_QUERIES.parent / "macros.sql").read_text(encoding="utf-8"))


def ask(warehouse: Warehouse, name: str, parameters: Mapping[str, Any]) -> QueryResult:
    """The rows of one query of the page, which gets the parameters that it names."""
    sql = (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")
    (statement,) = warehouse.connection.extract_statements(sql)
    named = {key: parameters[key] for key in statement.named_parameters}
    with _without_a_users_fault(name):
        return warehouse.query(sql, named)


@contextmanager
def _without_a_users_fault(name: str) -> Iterator[None]:
    """No user wrote these queries: one that fails has run out of memory or of the spill's disk."""
    try:
        yield
    except UsageError as error:
        raise LakeError(f"cannot report {name}: {error}") from error


def columns_of(rows: pa.Table) -> Columns:
    """Rows as JSON holds them in little space: a list for each column.

    Instants are milliseconds since 1970, dates ISO 8601. A column of texts is an object of
    `values` and `codes`, the position of each row's value there; -1 stands for null.
    """
    return {name: _column(rows[name].combine_chunks()) for name in rows.column_names}


def _column(values: pa.Array) -> Any:
    kind = values.type
    if pa.types.is_timestamp(kind):
        return pc.cast(pc.cast(values, pa.timestamp("ms"), safe=False), pa.int64()).to_pylist()
    if pa.types.is_date(kind):
        return _column(pc.cast(values, pa.string()))
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        coded = pc.cast(values, pa.string()).dictionary_encode()
        codes = pc.fill_null(coded.indices, -1)
        return {"values": coded.dictionary.to_pylist(), "codes": codes.to_pylist()}
    return values.to_pylist()
