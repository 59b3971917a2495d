"""The benchmarks run and say what they claim to: shapes and sums, never seconds."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from history import TABLE, Year, build
from measuring import environment
from serving import render, serving

from exporting import listing_rows, observations, run_export
from joblake.lake.local import Lake

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
ROWS = 250


def run_benchmark(script: str, *arguments: str) -> str:
    """Run a benchmark as a user does and give what it printed."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def measured(table: str, folder: Path, *lanes: str) -> tuple[str, list[dict[str, Any]]]:
    """The report of the export benchmark on a small listing, and its figures."""
    results = folder / "results.jsonl"
    only = [word for lane in lanes for word in ("--only", lane)]
    report = run_benchmark(
        "export.py",
        *("--source", table, "--rows", str(ROWS), "--rounds", "1", "--results", str(results)),
        *only,
    )
    return report, [json.loads(line) for line in results.read_text().splitlines()]


def listed_by_lane(figures: list[dict[str, Any]]) -> dict[str, int]:
    """The rows that each way came to, but for the empty account."""
    return {figure["lane"]: figure["listed"] for figure in figures if figure["row_count"]}


@pytest.mark.bench
def test_joblake_and_boto3_list_every_row(tmp_path: Path) -> None:
    """One way of each lists all rows of the endpoint, and the report names them."""
    report, figures = measured("custom_models", tmp_path, "listing alone", "boto3 + pyarrow")

    assert listed_by_lane(figures) == {
        "joblake, listing alone": ROWS,
        "boto3 + pyarrow": ROWS,
    }
    assert f"### custom_models, {ROWS} rows" in report
    assert "| boto3 + pyarrow |" in report


@pytest.mark.bench
def test_every_way_lists_every_row(tmp_path: Path) -> None:
    """Each contender that needs no library beyond the tests' lists all rows of the endpoint."""
    lanes = ("joblake", "boto3", "AWS CLI", "pyarrow.json", "limit: DuckDB", "bytes alone")
    table = "trained_model_inference_jobs"

    report, figures = measured(table, tmp_path, *lanes)

    assert listed_by_lane(figures) == {
        "joblake, first night": ROWS,
        "joblake, nothing changed": ROWS,
        "joblake, 1% changed": ROWS,
        "joblake, two regions": 2 * ROWS,
        "joblake, 50 ms a page": ROWS,
        "joblake, two regions, 50 ms a page": 2 * ROWS,
        "joblake, listing alone": ROWS,
        "boto3 + pandas": ROWS,
        "boto3 + pyarrow": ROWS,
        "AWS CLI + DuckDB": ROWS,
        "limit: pyarrow.json": ROWS,
        "limit: DuckDB": ROWS,
        "endpoint: bytes alone": ROWS,
    }
    assert all(figure["cpu_seconds"] > 0 and figure["peak_bytes"] > 2**20 for figure in figures)
    (empty,) = [figure for figure in figures if not figure["row_count"]]
    assert empty["lane"] == "joblake export, empty account"
    assert f"### {table}, {ROWS} rows" in report
    assert "| boto3 + pandas |" in report


@pytest.mark.bench
def test_dlt_and_arro3_list_every_row(tmp_path: Path) -> None:
    """So do the contenders of the bench group, where it is installed."""
    pytest.importorskip("dlt")
    pytest.importorskip("arro3.io")

    _, figures = measured("custom_models", tmp_path, "dlt", "arro3")

    assert listed_by_lane(figures) == {"dlt": ROWS, "limit: arro3": ROWS}


@pytest.mark.bench
def test_the_benchmark_of_years_tells_nights_and_questions() -> None:
    """It builds a small year, exports some of its nights and asks every question."""
    report = run_benchmark("history.py", "--jobs", "30", "--nights", "5", "--rounds", "1")

    cells = [line.split("|")[1].strip() for line in report.splitlines() if line.startswith("|")]
    nights = ["night", "--:", "1", "2", "5", "listing alone"]
    questions = ["current", "as of a night", "status changes", "duration percentiles"]
    assert cells == [*nights, "question", "---", *questions]
    assert report.startswith("30 jobs, 5 nights; ")


def test_a_built_year_is_what_real_exports_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake that the benchmark of years builds has the rows of nightly exports over HTTP."""
    year, last = Year(job_count=40, night_count=6), datetime(2026, 11, 3, 2, tzinfo=UTC)
    build(Lake.at(tmp_path / "built"), year, 6, last)
    for night in range(1, 7):
        as_of = partial(year.job, night=night)
        render(tmp_path / "pages" / str(night) / TABLE, TABLE, 40, as_of)
    with serving(tmp_path / "pages") as url:
        for night in range(1, 7):
            for name, value in environment(f"{url}/{night}", tmp_path).items():
                monkeypatch.setenv(name, value)
            run_export(tmp_path / "exported", at=last - timedelta(days=6 - night))

    def rows(lake: str) -> list[dict[str, Any]]:
        found = observations(tmp_path / lake)
        return [{**row, "run_id": None} for row in found]

    def counts(lake: str) -> list[tuple[int, int]]:
        return [(row["added"], row["changed"]) for row in listing_rows(tmp_path / lake)]

    assert rows("built") == rows("exported")
    assert counts("built") == counts("exported")
    assert len(rows("built")) > 60


@pytest.mark.bench
def test_many_scopes_are_counted() -> None:
    """The benchmark of many scopes plans accounts by regions by tables, and lists each of them."""
    report = run_benchmark("scopes.py", "--accounts", "2", "--regions", "2", "--workers", "2")
    nights = [line.split("|")[2].strip() for line in report.splitlines()[2:]]
    assert nights == ["first night", "nothing changed"]


@pytest.mark.bench
def test_many_scopes_are_profiled() -> None:
    """The same benchmark tells which functions take the time."""
    profile = run_benchmark("scopes.py", "--accounts", "1", "--regions", "1", "--profile")
    assert "merge.py" in profile
