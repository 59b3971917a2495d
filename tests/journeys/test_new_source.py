"""Adding a source is one declaration: its jobs reach every view, the marts and the report.

The source is invented by its declaration alone; its operation is one that botocore knows and
joblake ships no source for. Nothing of joblake knows it.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from exporting import ACCOUNT, REGION
from joblake.endpoint import EndpointServer, FixedResources
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.lake.local import Lake
from joblake.report import write_report
from joblake.settings.settings import lake_of, load_settings
from joblake.warehouse.publish import publish
from joblake.warehouse.views import read_views
from joblake.warehouse.warehouse import open_warehouse
from lake_rows import write_rows

TABLE, KIND = "model_import_jobs", "model_import"
DECLARATION = """
[source.model_import_jobs]
operation = "bedrock.ListModelImportJobs"
key = "jobArn"
name = "jobName"
created = "creationTime"
modified = "lastModifiedTime"
ended = "endTime"
status = "status"
model = "importedModelArn"
job = "model_import"
running = ["InProgress"]
outcomes = { Completed = "succeeded", Failed = "failed" }
"""
NOW = datetime.now(UTC).replace(microsecond=0)
NIGHTS = (NOW - timedelta(days=1), NOW)
OF_OTHER_KINDS = {
    "history.job_phases": "phases stand in members of customization jobs, or in a queue's statuses",
    "history.model_lineage": "models",
    "history.models": "models",
    "reports.batch_throughput": "record counts of batch jobs",
    "reports.queue_times": "the queue of batch jobs",
}
"""The views that speak of no job of another kind, by what they speak of."""


def job(number, hours, status, ended=None):
    """A job created so many hours ago, which ended so many hours ago."""
    prefix = f"arn:aws:bedrock:{REGION}:{ACCOUNT}"
    created_at = NOW - timedelta(hours=hours)
    ended_at = None if ended is None else NOW - timedelta(hours=ended)
    return {
        "jobArn": f"{prefix}:model-import-job/{number:012}",
        "jobName": f"import-{number}",
        "importedModelArn": f"{prefix}:imported-model/{number:012}",
        "status": status,
        "creationTime": created_at,
        "lastModifiedTime": ended_at or created_at,
        "endTime": ended_at,
    }


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """The settings of a folder whose joblake.toml declares the source, after two nights."""
    folder = tmp_path_factory.mktemp("new-source")
    (folder / "joblake.toml").write_text(DECLARATION)
    settings = load_settings(folder / "joblake.toml", lake=str(folder / "lake"), region=(REGION,))
    running = [job(number, 30, "InProgress") for number in (1, 2, 3)]
    ended = [job(1, 30, "Completed", 3), job(2, 30, "Failed", 2)]
    resources = FixedResources()
    with (
        pytest.MonkeyPatch.context() as patch,
        EndpointServer(resources, catalogue=settings.catalogue) as server,
    ):
        for name, value in server.environment().items():
            patch.setenv(name, value)
        for night, jobs in zip(NIGHTS, (running, [*ended, running[2]]), strict=True):
            resources.lists["ListModelImportJobs"] = jobs
            result = export(plan(settings, clock=lambda at=night: at), clock=lambda at=night: at)
            assert result.is_good
            assert {s.table_name: s.listed for s in result.scopes}[TABLE] == len(jobs)
    return settings


def rows_about(warehouse, view):
    """The rows of a view that speak of the invented source."""
    rows = warehouse.query(f"from {view}").arrow().to_pylist()
    return [row for row in rows if {TABLE, KIND} & {row.get("table_name"), row.get("job_kind")}]


def test_its_history_is_in_every_view_of_history_and_reports(settings):
    """Whatever view speaks of jobs or tables speaks of these, too."""
    with open_warehouse(lake_of(settings), settings.catalogue) as warehouse:
        views = [
            f"{view.schema}.{view.name}"
            for view in read_views(settings.catalogue)
            if view.schema in {"history", "reports"}
        ]
        silent = {view for view in views if not rows_about(warehouse, view)}
        jobs = {row["job_name"]: row for row in rows_about(warehouse, "history.jobs")}
        changes = rows_about(warehouse, "history.job_status_changes")
        current = warehouse.query(f"from current.{TABLE}").arrow().to_pylist()
    assert silent == set(OF_OTHER_KINDS)
    outcomes = {name: row["outcome"] for name, row in jobs.items()}
    assert outcomes == {"import-1": "succeeded", "import-2": "failed", "import-3": "running"}
    assert jobs["import-1"]["duration_seconds"] == timedelta(hours=27).total_seconds()
    assert len(changes) == 5
    assert len(current) == 3


def test_each_check_finds_it(settings):
    """In a lake where the jobs break every rule, no check passes them over."""
    lake = Lake.at("broken")
    arn = "arn:aws:bedrock:us-east-1:111122223333:model-import-job/{}".format
    first, second, third = (f"2026-01-0{day}T02:00:00" for day in (1, 2, 3))
    created = {"creation_time": "2026-01-01", "status": "InProgress"}
    seen = [
        {"observed_at": first, "change": "added", "job_arn": arn("twice"), **created},
        {"observed_at": first, "change": "added", "job_arn": arn("twice"), **created},
        {"observed_at": second, "change": "added", "job_arn": arn("twice"), **created},
        {"observed_at": second, "change": "changed", "job_arn": arn("never-added"), **created},
        {"observed_at": third, "change": "vanished", "job_arn": arn("twice"), **created},
        {"observed_at": first, "change": "added", "job_arn": arn("odd"), "status": "Odd"},
        {"observed_at": first, "change": "added", "job_arn": arn("endless"), "status": "Failed"},
        {
            "observed_at": first,
            "change": "added",
            "job_arn": arn("backwards"),
            "creation_time": "2026-01-02",
            "end_time": "2026-01-01",
            "status": "Completed",
        },
    ]
    listings = [
        {"table_name": TABLE, "started_at": first, "outcome": "complete", "added": 99},
        {"table_name": TABLE, "started_at": third, "outcome": "partial", "vanished": 1},
    ]
    write_rows(lake, {TABLE: seen, "listings": listings}, settings.catalogue)
    with open_warehouse(lake, settings.catalogue) as warehouse:
        checks = [v for v in read_views(settings.catalogue) if v.schema == "checks"]
        found = {check.name: len(rows_about(warehouse, f"checks.{check.name}")) for check in checks}
    assert found.keys()
    assert all(found.values()), found


def test_it_is_published_and_on_the_page(settings):
    """The marts hold its jobs, and the page's data their kind, outcomes and names."""
    lake = lake_of(settings)
    publish(lake, settings.catalogue)
    names = pq.read_table(lake.root / "marts" / "jobs.parquet", columns=["job_name"])
    assert set(names.to_pydict()["job_name"]) == {"import-1", "import-2", "import-3"}
    page = Path(write_report(lake, settings.catalogue)).read_text(encoding="utf-8")
    assert all(json.dumps(word) in page for word in (KIND, "import-2", "import-3", TABLE))
