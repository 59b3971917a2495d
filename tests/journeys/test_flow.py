"""The nightly flow on Prefect's embedded API: what runs, what is tried again, what is on record."""

import json
import os
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporting import (
    ACCOUNT,
    BATCHES,
    INFERENCES,
    JOBS,
    MEMBERSHIP,
    MODELS,
    listing_rows,
    observations,
    resources_of,
)
from joblake.endpoint import EndpointServer, error_answer
from joblake.settings.settings import Settings
from processes import run_program

FLOW = Path(__file__).parents[2] / "flows" / "nightly_export.py"
SOUND, BROKEN = "us-east-1", "eu-west-1"

# Both nights in one process, whose embedded API takes long to start: the first as a caller of the
# flow runs it, the second as `python nightly_export.py` does.
DRIVER = """
import json, os, runpy, sys
path, sound, broken = sys.argv[1:]
sys.path.insert(0, os.path.dirname(path))
from nightly_export import nightly_export
state = nightly_export(options={"region": [sound]}, return_state=True)
sys.argv = [path, "--region", broken, "--scope-retries", "1"]
try:
    runpy.run_path(path, run_name="__main__")
except SystemExit as ended:
    print(json.dumps([state.type.value, state.message, ended.code]))
"""


@dataclass(frozen=True)
class Nights:
    """What two runs of the flow left: in a sound region, and in one where scopes fail."""

    ends: list
    stderr: str
    calls: tuple
    lake: Path
    home: Path

    def records(self, sql):
        """Rows of Prefect's own database."""
        with closing(sqlite3.connect(self.home / "prefect.db")) as database:
            return database.execute(sql).fetchall()

    def summaries(self):
        """The Markdown of each artifact, oldest first."""
        rows = self.records("select data from artifact order by created")
        return [json.loads(data) for (data,) in rows]

    def requests(self, region, operation):
        """How many requests of an operation a region got."""
        return sum((c.region_name, c.operation) == (region, operation) for c in self.calls)


def refuse(call, _answer):
    """In the broken region models are denied and batch jobs fail."""
    if call.region_name != BROKEN:
        return None
    if call.operation == MODELS:
        return error_answer("AccessDeniedException", "not | authorized", 403)
    if call.operation == BATCHES:
        return error_answer("OddException", "not today", 400)
    return None


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """One process that runs the flow twice, with a home of Prefect's own."""
    folder = tmp_path_factory.mktemp("flow")
    resources = resources_of(jobs=2, models=1, batches=1, inferences=3)
    with EndpointServer(resources, intercept=refuse) as server:
        environment = (
            os.environ
            | server.environment()
            | {
                "JOBLAKE_LAKE": str(folder / "lake"),
                "JOBLAKE_SCOPE_RETRY_SECONDS": "0",
                "JOBLAKE_MAX_ATTEMPTS": "1",
                "PREFECT_HOME": str(folder / "prefect"),
            }
        )
        command = (sys.executable, "-c", DRIVER, str(FLOW), SOUND, BROKEN)
        finished = run_program(*command, folder=folder, environment=environment)
        last = finished.stdout.splitlines()[-1:]
        assert last, finished.stderr
        ends = json.loads(last[0])
        return Nights(ends, finished.stderr, server.calls, folder / "lake", folder / "prefect")


def test_the_end_tells_whether_every_scope_was_exported(nights):
    """Completed after a night in which all went well; exit code 1 where some scope failed."""
    assert nights.ends == ["COMPLETED", "5 scopes", 1]


def test_the_flow_ends_completed_or_failed(nights):
    """The state of each night stands on Prefect's record."""
    rows = nights.records("select state_type from flow_run order by start_time")
    assert rows == [("COMPLETED",), ("FAILED",)]


def test_every_scope_is_in_the_lake(nights):
    """A night of the flow writes what `joblake export` writes: all tables, all listings."""
    assert len(observations(nights.lake)) == 4
    assert len(observations(nights.lake, "custom_models")) == 1
    assert len(observations(nights.lake, "model_invocation_jobs")) == 1
    assert len(observations(nights.lake, "trained_model_inference_jobs")) == 6
    rows = [row for row in listing_rows(nights.lake) if row["region_name"] == SOUND]
    assert {row["table_name"]: row["outcome"] for row in rows} == {
        "model_customization_jobs": "complete",
        "custom_models": "complete",
        "model_invocation_jobs": "complete",
        "memberships": "complete",
        "trained_model_inference_jobs": "complete",
    }
    assert len({row["run_id"] for row in rows}) == 1


def test_a_scope_that_failed_stops_no_other(nights):
    """Beside a denied and a failed scope the others are complete; two tries are one row."""
    rows = [row for row in listing_rows(nights.lake) if row["region_name"] == BROKEN]
    outcomes = sorted((row["table_name"], row["outcome"]) for row in rows)
    assert outcomes == [
        ("custom_models", "denied"),
        ("memberships", "complete"),
        ("model_customization_jobs", "complete"),
        ("model_invocation_jobs", "failed"),
        ("trained_model_inference_jobs", "complete"),
    ]


def test_a_failed_scope_is_tried_again_and_a_denied_one_is_not(nights):
    """Waiting may help against failures, never against missing permissions."""
    assert nights.requests(BROKEN, BATCHES) == 2
    assert nights.requests(BROKEN, MODELS) == 1
    assert nights.requests(BROKEN, JOBS) == 1
    assert {nights.requests(SOUND, name) for name in (JOBS, MODELS, BATCHES, INFERENCES)} == {1}


def test_marts_and_report_follow(nights):
    """Also after a night in which scopes failed, and the report says which."""
    marts = {path.name for path in (nights.lake / "marts").iterdir()}
    assert {"jobs.parquet", "joblake.duckdb", "report.html"} <= marts
    report = (nights.lake / "marts" / "report.html").read_text(encoding="utf-8")
    assert BROKEN in report
    assert "OddException: not today" in report


def test_a_summary_is_put_on_record(nights):
    """The artifact is a Markdown table with a row for each scope, its figures and its error."""
    sound, broken = ([_cells(line) for line in text.splitlines()] for text in nights.summaries())
    header = ["scope", "outcome", "listed", "added", "changed", "vanished", "seconds", "error"]
    assert sound[0] == broken[0] == header
    without_seconds = [cells[:6] + cells[7:] for cells in sound[2:]]
    assert without_seconds == [
        [_scope("model_customization_jobs", SOUND), "complete", "2", "2", "0", "0", ""],
        [_scope("custom_models", SOUND), "complete", "1", "1", "0", "0", ""],
        [_scope("model_invocation_jobs", SOUND), "complete", "1", "1", "0", "0", ""],
        [_scope("memberships", SOUND), "complete", "1", "1", "0", "0", ""],
        [
            _scope("trained_model_inference_jobs", SOUND, MEMBERSHIP),
            *("complete", "3", "3", "0", "0", ""),
        ],
    ]
    outcomes = ["complete", "denied", "failed", "complete", "complete"]
    assert [cells[1] for cells in broken[2:]] == outcomes
    assert broken[3][-1] == "AccessDeniedException: not \\| authorized"
    assert broken[4][-1] == "OddException: not today"


def test_every_setting_is_an_option_of_the_flow():
    """Run by itself, the flow takes what the environment takes, the retries of scopes too."""
    shown = run_program(sys.executable, str(FLOW), "--help").stdout
    options = set(re.findall(r"(?m)^  (--[a-z-]+) (?:FILE|VALUE)", shown))
    assert options == {f"--{name.replace('_', '-')}" for name in ("config", *Settings.model_fields)}


def test_the_process_ends_quietly(nights):
    """Nothing is reported as leaked when the interpreter ends."""
    assert "leaked" not in nights.stderr
    assert "Traceback" not in nights.stderr.split("Stopping temporary server")[-1]


TALKING = """
import logging, sys
sys.path.insert(0, sys.argv[1])
import nightly_export
from prefect.logging.configuration import setup_logging
setup_logging()
import sqlalchemy
logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").error("a connection was cut")
logging.getLogger("prefect.server.services.task_run_recorder").error("a service was cut off")
logging.getLogger("sqlalchemy.engine").error("a statement failed")
logging.getLogger("prefect").info("all is well")
"""


def test_the_embedded_server_ends_without_tracebacks():
    """What its connections and services log when they are cut off is not shown; all else is."""
    finished = run_program(sys.executable, "-c", TALKING, str(FLOW.parent))
    assert "cut" not in finished.stderr
    assert "a statement failed" in finished.stderr
    assert "all is well" in finished.stderr


def _scope(*parts):
    table, region, *membership = parts
    return " ".join((table, ACCOUNT, region, *membership))


def _cells(line):
    return [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" | ")]
