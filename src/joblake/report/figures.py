"""What the views answer, cut to a page: a page stays small, however many jobs the lake holds.

Counts and times come aggregated by account, region and kind, so that the page's filters can add
them up; times as histograms, from which the page reads quantiles. Lists are cut to the first rows
of each account, region and kind, which is why the first rows of any choice of them are exact.
Names are cut to a length that people read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from joblake.errors import LakeError, UsageError
from joblake.warehouse.answer import Answer
from joblake.warehouse.warehouse import Warehouse

PLACES = 60
"""Accounts and regions, taken together, that the page tells apart."""
DAYS = 90
YOUNG = timedelta(weeks=16)
"""How long the jobs of a lake may reach back for times to be told by week, not by month."""
MODELS_OF_KIND = 5
TIMES = 40_000
"""Rows of the histograms."""
ROWS = 10
"""Jobs of each kind, account and region in a list; scopes of each table, account and region."""
REASONS = 40
MODELS_OF_PLACE, MODELS = 100, 400

Columns = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """What the page shows. `as_of` is the newest listing; None for a lake that holds nothing yet.

    Times are told by `period`, week or month. `folded_account_count` accounts stand together as
    one. `tables` maps each query to its columns, in JSON's types: see `columns_of`.
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
    accounts = _answer(warehouse, "accounts", {"places": PLACES}).to_pylist()
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
    kept = [row["account_id"] for row in accounts if row["is_kept"]]
    tables = {
        name: columns_of(_answer(warehouse, name, parameters).arrow())
        for name, parameters in _questions(kept, as_of, figures.period).items()
    }
    return replace(figures, tables=tables)


def _questions(kept: Sequence[str], as_of: datetime, period: str) -> dict[str, dict[str, Any]]:
    """The parameters of each query that becomes a table of the page."""
    place = {"accounts": kept}
    recent = {**place, "as_of": as_of}
    return {
        "coverage": {**recent, "rows": ROWS},
        "nights": place,
        "days": {**recent, "days": DAYS},
        "times": {**recent, "period": period, "models": MODELS_OF_KIND, "rows": TIMES},
        "slowest": {**recent, "rows": ROWS},
        "running": {**place, "rows": ROWS},
        "failures": {**recent, "rows": ROWS},
        "reasons": {**recent, "reasons": REASONS},
        "models": {**place, "rows": MODELS_OF_PLACE, "models": MODELS},
        "model_counts": recent,
    }


def _answer(warehouse: Warehouse, name: str, parameters: Mapping[str, Any]) -> Answer:
    try:
        return warehouse.query(query(name), parameters)
    except UsageError as error:  # no user wrote this query: memory or the spill's disk ran out
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


@cache
def query(name: str) -> str:
    """The SQL of a question of the page, with its parameters: `$accounts` are those kept apart."""
    return (Path(__file__).parent / "queries" / f"{name}.sql").read_text(encoding="utf-8")
