"""joblake's whole export beside what a user might pick instead, and beside the limit.

`uv run --group bench python tests/benchmarks/export.py` renders listings, serves them over HTTP
from a process of its own (`serving.py`), and runs every contender (`contenders.py`) in a process
alone, round after round in turn, so that whatever else the machine does hits all alike. Ratios are
medians of the rounds' own ratios. Everything takes hours, nearly all of them the slow ways;
`--source`, `--rows`, `--only` and `--rounds` run a part, and `--results` keeps what was measured to
go on with.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

from measuring import environment, run_contender, run_measured
from resources import ITEMS, REGION
from serving import render, render_empty, serving

PLAIN = "boto3 + pandas"
FIRST = "joblake, first night"
SLOW_ROWS = 1_000_000
"""From so many rows on the slow ways run in one round only."""


@dataclass(frozen=True)
class Lane:
    """A row of the table: which contender, on which listing, into what, and how it stands out.

    The endpoint takes `milliseconds` for each page, as a service far away does.
    """

    contender: str
    listing: str = ""
    is_on_known_lake: bool = False
    regions: tuple[str, ...] = (REGION,)
    milliseconds: int = 0
    is_slow: bool = False


LANES: Mapping[str, Lane] = {
    FIRST: Lane("joblake"),
    "joblake, nothing changed": Lane("joblake", is_on_known_lake=True),
    "joblake, 1% changed": Lane("joblake", "-changed", is_on_known_lake=True),
    "joblake, two regions": Lane("joblake", regions=(REGION, "eu-west-1")),
    "joblake, 50 ms a page": Lane("joblake", milliseconds=50),
    "joblake, two regions, 50 ms a page": Lane(
        "joblake", regions=(REGION, "eu-west-1"), milliseconds=50
    ),
    "joblake, listing alone": Lane("joblake_listing"),
    PLAIN: Lane("pandas", is_slow=True),
    "boto3 + pyarrow": Lane("pyarrow", is_slow=True),
    "dlt": Lane("dlt", is_slow=True),
    "AWS CLI + DuckDB": Lane("cli_duckdb", is_slow=True),
    "limit: pyarrow.json": Lane("limit_pyarrow"),
    "limit: arro3": Lane("limit_arro3"),
    "limit: DuckDB": Lane("limit_duckdb"),
    "endpoint: bytes alone": Lane("raw"),
}


@dataclass(frozen=True)
class Figure:
    """One contender in one round of one part; `seconds` are those of the work alone."""

    lane: str
    table: str
    row_count: int
    round: int
    seconds: float
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    listed: int

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.listed / self.seconds


def measure(
    lanes: Mapping[str, Lane], table: str, row_count: int, round_count: int, folder: Path
) -> Iterator[Figure]:
    """Run the lanes in turn, round after round, over listings rendered in `folder`."""
    pages = folder / "pages"
    item = ITEMS[table]
    for listing, item_of in (
        ("", item),
        ("-changed", lambda number: item(number, revision=int(number % 100 == 0))),
    ):
        if not (pages / f"{row_count}{listing}" / table).exists():
            render(pages / f"{row_count}{listing}" / table, table, row_count, item_of)
    known = folder / "known"
    shutil.rmtree(known, ignore_errors=True)
    with serving(pages) as url:
        run = partial(run_contender, home=folder, table=table)
        if any(lane.is_on_known_lake for lane in lanes.values()):
            run("joblake", f"{url}/{row_count}", folder=str(known))
        for number in range(round_count):
            for name, lane in lanes.items():
                if lane.is_slow and row_count >= SLOW_ROWS and number:
                    continue
                target = folder / "target"
                shutil.rmtree(target, ignore_errors=True)
                if lane.is_on_known_lake:
                    shutil.copytree(known, target)
                said, measured = run(
                    lane.contender,
                    f"{url}/{row_count}{lane.listing}@{lane.milliseconds}",
                    folder=str(target),
                    regions=lane.regions,
                )
                if said["rows"] != row_count * len(lane.regions):
                    raise RuntimeError(f"{name} came to {said['rows']} rows of {row_count}")
                yield Figure(
                    lane=name,
                    table=table,
                    row_count=row_count,
                    round=number,
                    seconds=said["seconds"],
                    wall_seconds=measured.wall_seconds,
                    cpu_seconds=measured.cpu_seconds,
                    peak_bytes=measured.peak_bytes,
                    listed=said["rows"],
                )


def measure_empty_account(folder: Path, round_count: int) -> Iterator[Figure]:
    """CPU seconds of `joblake export` where there is nothing to list: imports and start-up."""
    pages = folder / "pages"
    if not (pages / "empty").exists():
        render_empty(pages / "empty")
    with serving(pages) as url:
        for number in range(round_count):
            shutil.rmtree(folder / "target", ignore_errors=True)
            command = [Path(sys.executable).with_name("joblake"), "export"]
            command += ["--lake", folder / "target"]
            measured = run_measured(command, environment(f"{url}/empty", folder))
            yield Figure(
                lane="joblake export, empty account",
                table="all four",
                row_count=0,
                round=number,
                seconds=measured.wall_seconds,
                wall_seconds=measured.wall_seconds,
                cpu_seconds=measured.cpu_seconds,
                peak_bytes=measured.peak_bytes,
                listed=0,
            )


# --- what it came to ---------------------------------------------------------------------------

Part = dict[str, dict[int, Figure]]
"""The figures of one source at one size, by lane and round."""


def parts_of(figures: list[Figure]) -> dict[tuple[str, int], Part]:
    """The figures by source and size; of what was measured twice, the last."""
    parts: dict[tuple[str, int], Part] = defaultdict(lambda: defaultdict(dict))
    for figure in figures:
        parts[figure.table, figure.row_count][figure.lane][figure.round] = figure
    return parts


def limit_of(part: Part) -> str | None:
    """The fastest of the limits, by the median of its rounds."""
    limits = [lane for lane in part if lane.startswith("limit")]
    return max(limits, key=lambda lane: rate_of(part, lane), default=None)


def rate_of(part: Part, lane: str) -> float:
    """Rows a second, the median of the rounds."""
    return median(figure.rate for figure in part[lane].values())


def ratio(part: Part, lane: str, other: str | None) -> float | None:
    """How many times as many rows a second as another lane: the median of the rounds' ratios."""
    if other is None or lane not in part or other not in part:
        return None
    rounds = part[lane].keys() & part[other].keys()
    ratios = [part[lane][number].rate / part[other][number].rate for number in rounds]
    return median(ratios) if ratios else None


def table_of(part: Part) -> Iterator[str]:
    """One part as a Markdown table."""
    limit = limit_of(part)
    yield "| | rows/s | times boto3 + pandas | share of the limit | CPU s | peak MB | rounds |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for lane, rounds in part.items():
        figures = rounds.values()
        times, share = ratio(part, lane, PLAIN), ratio(part, lane, limit)
        cells = [
            lane,
            f"{rate_of(part, lane):,.0f}",
            "" if times is None else f"{times:,.1f}",
            "" if share is None else f"{share:.2f}",
            f"{median(figure.cpu_seconds for figure in figures):.1f}",
            f"{median(figure.peak_bytes for figure in figures) / 1e6:,.0f}",
            str(len(rounds)),
        ]
        yield f"| {' | '.join(cells)} |"


def summary(figures: list[Figure]) -> Iterator[str]:
    """A line for each part: the first night beside the other ways, and what a quiet night costs."""
    others = (PLAIN, "boto3 + pyarrow", "dlt", "AWS CLI + DuckDB")
    yield f"| rows of | rows/s | {' | '.join(f'times {lane}' for lane in others)} | of the limit |"
    yield f"|---|--:|{'--:|' * len(others)}--:|"
    for (table, row_count), part in parts_of(figures).items():
        if FIRST in part:
            times = [ratio(part, FIRST, lane) for lane in others]
            share = ratio(part, FIRST, limit_of(part))
            cells = [f"{table}, {row_count:,}", f"{rate_of(part, FIRST):,.0f}"]
            cells += ["" if value is None else f"{value:,.0f}" for value in times]
            cells.append("" if share is None else f"{share:.2f}")
            yield f"| {' | '.join(cells)} |"


def report(figures: list[Figure]) -> Iterator[str]:
    """Every part, and what the machine is."""
    yield machine()
    yield ""
    yield from summary(figures)
    for (table, row_count), part in parts_of(figures).items():
        yield ""
        if not row_count:
            for lane, rounds in part.items():
                cpu = median(figure.cpu_seconds for figure in rounds.values())
                yield f"{lane}: {cpu:.2f} CPU seconds, the median of {len(rounds)} rounds"
            continue
        yield f"### {table}, {row_count:,} rows"
        yield ""
        yield from table_of(part)


def machine() -> str:
    """The machine in the words of a README: cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory."


def draw(figures: list[Figure], file: Path, row_count: int) -> None:
    """A chart of rows a second, one panel for each source, as SVG or PNG."""
    from chart import draw_rates

    parts = parts_of(figures)
    rates: dict[str, dict[str, float]] = {}
    for table in ITEMS:
        part = parts.get((table, row_count))
        if not part:
            continue
        lanes = [FIRST, "joblake, nothing changed", "boto3 + pyarrow", PLAIN, "dlt"]
        lanes += ["AWS CLI + DuckDB"]
        rates[table] = {lane: rate_of(part, lane) for lane in lanes if lane in part}
        if (limit := limit_of(part)) is not None:
            rates[table][limit] = rate_of(part, limit)
    draw_rates(rates, file, title=f"Rows a second at {row_count:,} rows ({machine()[:-1]})")


def _earlier(file: Path | None) -> list[Figure]:
    """What was measured before into the same file."""
    if file is None or not file.exists():
        return []
    return [Figure(**json.loads(line)) for line in file.read_text().splitlines()]


def _measured(options: argparse.Namespace, home: Path) -> Iterator[Figure]:
    """Everything that the options ask for."""
    only = options.only or [""]
    lanes = {name: lane for name, lane in LANES.items() if any(text in name for text in only)}
    yield from measure_empty_account(home, options.rounds)
    for row_count in () if options.empty else options.rows or (10_000, 100_000, 1_000_000):
        for table in options.source or ITEMS:
            yield from measure(lanes, table, row_count, options.rounds, home)


def main() -> None:
    """Measure what was asked for and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", action="append", choices=ITEMS, help="default: all four")
    parser.add_argument("--rows", action="append", type=int, help="default: 10000 100000 1000000")
    parser.add_argument("--rounds", type=int, default=5, help="0 only reports --results")
    parser.add_argument("--only", action="append", help="contenders whose names hold this text")
    parser.add_argument("--folder", type=Path, help="keep the rendered pages here for another run")
    parser.add_argument("--results", type=Path, help="add to the figures of this file (JSON lines)")
    parser.add_argument("--chart", type=Path, help="draw rows a second at 100,000 rows")
    parser.add_argument("--empty", action="store_true", help="only an empty account's CPU seconds")
    options = parser.parse_args()
    figures = _earlier(options.results)
    scratch = nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory()
    with scratch as folder:
        for figure in _measured(options, Path(folder)) if options.rounds else ():
            figures.append(figure)
            if options.results:
                with options.results.open("a") as results:
                    results.write(json.dumps(asdict(figure)) + "\n")
            sys.stderr.write(
                f"{figure.table} {figure.row_count:,} round {figure.round + 1}: {figure.lane}: "
                f"{figure.rate:,.0f} rows/s, {figure.cpu_seconds:.1f} CPU s, "
                f"{figure.peak_bytes / 1e6:,.0f} MB\n"
            )
    sys.stdout.write("\n".join(report(figures)) + "\n")
    if options.chart:
        draw(figures, options.chart, 100_000)


if __name__ == "__main__":
    main()
