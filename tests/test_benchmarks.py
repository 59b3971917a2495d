"""The benchmarks run and say what they claim to: shapes and sums, never seconds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).with_name("benchmarks")
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


def test_dlt_and_arro3_list_every_row(tmp_path: Path) -> None:
    """So do the contenders of the bench group, where it is installed."""
    pytest.importorskip("dlt")
    pytest.importorskip("arro3.io")

    _, figures = measured("custom_models", tmp_path, "dlt", "arro3")

    assert listed_by_lane(figures) == {"dlt": ROWS, "limit: arro3": ROWS}
