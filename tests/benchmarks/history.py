"""What a year of nights costs: bytes, the time of a night, and the time of a question.

`uv run python tests/benchmarks/history.py` writes the lake that nightly exports of the same jobs
leave (a test holds it against real ones), runs the real export of night N on it over HTTP, each in
a process alone, and asks the warehouse. About four things happen to each job in a year. `--jobs`
and `--nights` take ten times as many.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import duckdb
import numpy as np
import pyarrow as pa
from measuring import run_contender
from resources import ACCOUNT, REGION, Item, customization_job
from serving import render, serving

from export import machine
from joblake.lake.layout import month_of
from joblake.lake.ledger import LEDGER_SCHEMA
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.listing.pages import receive_page
from joblake.listing.rows import parse_pages
from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.schema import observation_schema
from joblake.sources.service_model import Operation
from joblake.warehouse.warehouse import Warehouse, open_warehouse

TABLE = "model_customization_jobs"
CHANGES_IN_A_YEAR = 4
PAGE = 1000
COPY = "(format parquet, compression zstd, row_group_size 20480)"
QUESTIONS = {
    "current": f"from current.{TABLE}",
    "as of a night": "from jobs_as_of(now() - interval 30 days)",
    "status changes": "from history.job_status_changes",
    "duration percentiles": "from reports.job_durations",
}


class Year:
    """The lives of some jobs: on which nights (from 1) something happened to which of them."""

    def __init__(self, job_count: int, night_count: int) -> None:
        changes = max(1, round(CHANGES_IN_A_YEAR * night_count / 365))
        chance = np.random.default_rng(seed=1)
        nights = chance.integers(2, max(night_count, 2) + 1, (job_count, changes))
        self._nights = np.sort(nights, axis=1)
        self.job_count = job_count

    def changed_on(self, night: int) -> Iterable[int]:
        """The jobs that are not what they were the night before; on the first night, all."""
        if night == 1:
            return range(self.job_count)
        return np.flatnonzero((self._nights == night).any(axis=1)).tolist()

    def job(self, number: int, night: int) -> Item:
        """A job as it is on a night: running until the last of its changes."""
        nights = self._nights[number]
        revision = int((nights <= night).sum())
        job = customization_job(number, revision)
        if revision < len(nights):
            job |= {"status": "InProgress"}
            del job["endTime"], job["customModelArn"]
        return job


def build(lake: Lake, year: Year, nights: int, last_night_at: datetime) -> None:
    """Write what exports of the first `nights` nights leave, the last at the instant given."""
    source = shipped_catalogue().default[TABLE]
    scope = Scope(TABLE, ACCOUNT, REGION)
    by_month: dict[str, list[pa.Table]] = {}
    listings: dict[str, list[dict[str, object]]] = {}
    for night in range(1, nights + 1):
        at = last_night_at - timedelta(days=nights - night)
        changed = list(year.changed_on(night))
        for start in range(0, len(changed), PAGE):
            items = [year.job(number, night) for number in changed[start : start + PAGE]]
            head = {
                "run_id": f"night-{night}",
                "observed_at": at,
                "change": "added" if night == 1 else "changed",
                "account_id": ACCOUNT,
                "region_name": REGION,
                "parent": None,
            }
            rows = rows_of(items, source.operation)
            arrays = [
                rows.column(field.name)
                if field.name in rows.column_names
                else pa.repeat(pa.scalar(head[field.name], field.type), rows.num_rows)
                for field in observation_schema(source)
            ]
            table = pa.Table.from_arrays(arrays, schema=observation_schema(source))
            by_month.setdefault(month_of(at), []).append(table)
        counts = {"added": len(changed), "changed": 0}
        if night > 1:
            counts = {"added": 0, "changed": len(changed)}
        listing = {
            "run_id": f"night-{night}",
            "table_name": TABLE,
            "account_id": ACCOUNT,
            "region_name": REGION,
            "started_at": at,
            "ended_at": at + timedelta(seconds=30),
            "outcome": "complete",
            "listed": year.job_count,
            "vanished": 0,
            "pages": -(-year.job_count // PAGE),
            "requests": -(-year.job_count // PAGE),
            **counts,
        }
        listings.setdefault(month_of(at), []).append(listing)
    for month, tables in by_month.items():
        _write(pa.concat_tables(tables), Path(lake.partition(scope, month)))
    for month, rows_of_month in listings.items():
        rows = pa.Table.from_pylist(rows_of_month, LEDGER_SCHEMA)
        _write(rows, Path(lake.listing_partition(scope, month)))


def _write(rows: pa.Table, file: Path) -> int:
    """Write rows as the export does; the bytes of the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("rows", rows)
        connection.execute(f"copy rows to '{file}' {COPY}")
    return file.stat().st_size


def rows_of(items: list[dict], operation: Operation) -> pa.Table:
    """The rows of a page of such items."""
    body = json.dumps({operation.result_key: items}).encode()
    (parsed,) = parse_pages([receive_page(body, operation)], operation)
    return parsed.rows


def snapshot_bytes(year: Year, night: int, folder: Path) -> int:
    """What the whole state of one night takes as Parquet."""
    operation = shipped_catalogue().default[TABLE].operation
    pages = []
    for start in range(0, year.job_count, PAGE):
        numbers = range(start, min(start + PAGE, year.job_count))
        items = [year.job(number, night) for number in numbers]
        pages.append(rows_of(items, operation))
    return _write(pa.concat_tables(pages), folder / f"snapshot-{night}.parquet")


def lake_bytes(lake: Lake) -> int:
    """The bytes of all Parquet files of a lake."""
    return sum(file.stat().st_size for file in Path(lake.root).rglob("*.parquet"))


LISTING = "listing alone"


def night_costs(
    year: Year, nights: Sequence[int], round_count: int, folder: Path
) -> dict[str, list[tuple[float, float]]]:
    """Seconds and CPU seconds of each night's export, and of the last one's listing alone."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    pages = folder / "pages"
    for night in nights:
        as_of = partial(year.job, night=night)
        render(pages / str(night) / TABLE, TABLE, year.job_count, as_of)
        build(Lake.at(folder / f"before-{night}"), year, night - 1, yesterday)
    lanes = [(str(night), "joblake", night) for night in nights]
    lanes.append((LISTING, "joblake_listing", nights[-1]))
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in lanes}
    target = folder / "target"
    with serving(pages) as url:
        for _ in range(round_count):
            for name, contender, night in lanes:
                shutil.rmtree(target, ignore_errors=True)
                if contender == "joblake" and night > 1:
                    shutil.copytree(folder / f"before-{night}", target)
                said, measured = run_contender(
                    contender, f"{url}/{night}", folder, table=TABLE, folder=str(target)
                )
                costs[name].append((said["seconds"], measured.cpu_seconds))
                sys.stderr.write(f"night {name}: {said['seconds']:.2f} s\n")
    return costs


def ask(warehouse: Warehouse, round_count: int) -> Iterator[tuple[str, float, int]]:
    """Each question, the median of its seconds, and how many rows answer it."""
    for name, sql in QUESTIONS.items():
        seconds = []
        for _ in range(round_count):
            started = perf_counter()
            row_count = warehouse.query(sql).num_rows
            seconds.append(perf_counter() - started)
        yield name, median(seconds), row_count


def report(year: Year, nights: int, round_count: int, folder: Path) -> Iterator[str]:
    """Everything that is measured, as Markdown."""
    yield f"{year.job_count:,} jobs, {nights:,} nights; {machine()}"
    lake = Lake.at(folder / "year")
    build(lake, year, nights, datetime.now(UTC) - timedelta(days=1))
    sampled = sorted({1 + round(step * (nights - 1) / 11) for step in range(12)})
    snapshots = [snapshot_bytes(year, night, folder) for night in sampled]
    all_snapshots = sum(snapshots) / len(snapshots) * nights
    of_lake = lake_bytes(lake)
    yield ""
    yield (
        f"Lake {of_lake / 1e6:,.1f} MB; nightly snapshots {all_snapshots / 1e6:,.0f} MB, by "
        f"{len(sampled)} of them: {all_snapshots / of_lake:,.0f} times as much."
    )
    yield ""
    yield "| night | seconds | times night 2 | CPU s |"
    yield "|--:|--:|--:|--:|"
    numbered = sorted({1, 2, min(100, nights), nights})
    costs = night_costs(year, numbered, round_count, folder)
    for name, rounds in costs.items():
        seconds = median(wall for wall, _ in rounds)
        times = median(
            wall / second for (wall, _), (second, _) in zip(rounds, costs["2"], strict=True)
        )
        yield f"| {name} | {seconds:.2f} | {times:.2f} | {median(cpu for _, cpu in rounds):.2f} |"
    yield ""
    yield "| question | seconds | rows |"
    yield "|---|--:|--:|"
    with open_warehouse(lake, shipped_catalogue()) as warehouse:
        for name, seconds, row_count in ask(warehouse, round_count):
            yield f"| {name} | {seconds:.2f} | {row_count:,} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    year = Year(options.jobs, options.nights)
    with tempfile.TemporaryDirectory() as scratch:
        for line in report(year, options.nights, options.rounds, Path(scratch)):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
