"""The SQL that is generated from the catalogue.

golden/ holds the generated files of the shipped catalogue as they would lie in sql/. When a source
or an SDK changes them, git shows what is new once they are rewritten, with
`UPDATE_GOLDEN=1 uv run --group dev pytest tests/warehouse/test_generated.py`.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from declared import CATALOGUE
from joblake.lake.local import Lake
from joblake.sources.catalogue import read_catalogue
from joblake.warehouse.generated import generated_sql
from joblake.warehouse.warehouse import Warehouse, open_warehouse
from lake_rows import write_rows

GOLDEN = Path(__file__).parent / "golden"

# A list operation that AWS's model has and the shipped catalogue has not: jobs without a last
# modification and without an end, identified by two members, with lists.
EVALUATIONS = {
    "operation": "bedrock.ListEvaluationJobs",
    "key": ["jobName", "jobArn"],
    "name": "jobName",
    "created": "creationTime",
    "status": "status",
    "job": "evaluation",
    "running": ["InProgress", "Stopping", "Deleting"],
    # In the shipped tables Completed is a success: a status means what its own table says.
    "outcomes": {"Completed": "partially_succeeded", "Failed": "failed", "Stopped": "stopped"},
}
INVENTED = read_catalogue({"evaluations": EVALUATIONS}, shipped=CATALOGUE)
JOB = {"job_arn": "a", "job_name": "trial", "change": "added", "creation_time": "2026-01-01"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "evaluations": [
        {**JOB, "observed_at": "2026-01-02", "status": "InProgress"},
        {**JOB, "observed_at": "2026-01-03", "status": "Completed", "change": "changed"}
        | {"evaluation_task_types": '["QuestionAndAnswer", "Summarization"]'},
        {**JOB, "observed_at": "2026-01-04", "status": "Completed", "change": "vanished"}
        | {"evaluation_task_types": '["QuestionAndAnswer", "Summarization"]'},
        {**JOB, "observed_at": "2026-01-02", "status": "Odd", "job_arn": "b"},
        {**JOB, "observed_at": "2026-01-02", "status": "Failed", "job_name": None},
    ],
    "listings": [
        {"table_name": "evaluations", "started_at": f"2026-01-0{day}", "outcome": "complete"}
        | {"added": 9}
        for day in (2, 3, 4)
    ],
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A lake of a source that no file of SQL names."""
    lake = Lake.at(tmp_path_factory.mktemp("invented"))
    write_rows(lake, ROWS, INVENTED)
    with open_warehouse(lake, INVENTED) as warehouse:
        yield warehouse


def test_generated_sql_is_the_golden_one():
    """The generated files are those on record."""
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(GOLDEN, ignore_errors=True)
        for name, text in generated_sql(CATALOGUE).items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_text(text)
    recorded = {
        path.relative_to(GOLDEN).as_posix(): path.read_text() for path in GOLDEN.rglob("*.sql")
    }
    assert generated_sql(CATALOGUE) == recorded


def test_a_new_source_is_in_every_view_of_jobs(warehouse: Warehouse):
    """A source that was only declared has its rows wherever jobs are told of."""
    found = {
        f"{view.schema}.{view.name}"
        for view in warehouse.views()
        if view.schema != "observations"
        and warehouse.query(f"from {view.schema}.{view.name}").num_rows
    }
    assert found == {
        "current.evaluations",
        "current.evaluations_evaluation_task_types",
        "history.job_status_changes",
        "history.jobs",
        "history.observation_counts",
        "history.resources",
        "reports.daily_job_counts",
        "reports.job_durations",
        "reports.listing_coverage",
        "reports.nightly_job_changes",
        "checks.lost_observations",
        "checks.unknown_statuses",
    }


def test_a_key_of_several_members(warehouse: Warehouse):
    """The members of a key stand together; what lacks one cannot be followed."""
    rows = warehouse.query("select job_arn, job_kind, outcome from jobs order by all").to_pylist()
    assert rows == [
        {"job_arn": "trial a", "job_kind": "evaluation", "outcome": "partially_succeeded"},
        {"job_arn": "trial b", "job_kind": "evaluation", "outcome": "unknown"},
    ]


def test_an_end_that_aws_does_not_tell(warehouse: Warehouse):
    """Without an end and a last modification, the first sight of a terminal status bounds it."""
    sql = "select duration_seconds, is_end_estimated, is_vanished from jobs where is_terminal"
    (job,) = warehouse.query(sql).to_pylist()
    assert job == {"duration_seconds": 172_800.0, "is_end_estimated": True, "is_vanished": True}


def test_elements_of_a_list(warehouse: Warehouse):
    """Each list of a source has a view of its elements."""
    sql = "select job_name, position, value from evaluations_evaluation_task_types order by all"
    assert warehouse.query(sql).to_pylist() == [
        {"job_name": "trial", "position": 1, "value": "QuestionAndAnswer"},
        {"job_name": "trial", "position": 2, "value": "Summarization"},
    ]


def test_entries_of_a_map_and_members_of_elements(tmp_path: Path):
    """Maps have entries; the members of structures in lists become columns of their types."""
    declared = {
        # Any operation of boto3's will do, whether or not it lists jobs.
        "endpoints": {"operation": "glue.GetTriggers", "key": "Name"},
    }
    catalogue = read_catalogue(declared, shipped=CATALOGUE)
    rows = {
        "endpoints": [
            {
                "observed_at": "2026-01-01",
                "change": "added",
                "name": "n",
                "actions": '[{"JobName": "j", "Timeout": 7, "Arguments": {"a": "b"}}, {}, null]',
            }
        ]
    }
    write_rows(Lake.at(tmp_path), rows, catalogue)
    with open_warehouse(Lake.at(tmp_path), catalogue) as warehouse:
        (row,) = warehouse.query("from current.endpoints_actions").to_pylist()
        types = warehouse.query("from current.endpoints_actions").schema
    assert (row["name"], row["position"], row["value__job_name"]) == ("n", 1, "j")
    assert (row["value__timeout"], row["value__arguments"]) == (7, '{"a":"b"}')
    assert types.field("value__timeout").type == pa.int64()
