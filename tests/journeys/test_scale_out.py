"""The nightly flow on more than one process: on a Dask cluster, and under a real Prefect server."""

import json
import os
import re
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

import joblake
from exporting import (
    ACCOUNT,
    BATCHES,
    MODELS,
    resources_of,
)
from joblake.endpoint import EndpointServer, error_answer
from processes import free_port, program, run_program, running, wait_until

FLOWS = Path(__file__).parents[2] / "flows"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
BROKEN = "ap-southeast-2"
SECONDS = 240


def refuse(call, _answer):
    """In the broken region models are denied and batch jobs fail."""
    if call.region_name == BROKEN and call.operation == MODELS:
        return error_answer("AccessDeniedException", "not authorized", 403)
    if call.region_name == BROKEN and call.operation == BATCHES:
        return error_answer("OddException", "not today", 400)
    return None


@pytest.fixture
def aws():
    """An endpoint with resources of every source in every region."""
    resources = resources_of(jobs=20, models=5, batches=7, inferences=3)
    with EndpointServer(resources, intercept=refuse) as server:
        yield server


@pytest.fixture
def environment(aws, tmp_path):
    """The environment of every process of a test."""
    return (
        os.environ
        | aws.environment()
        | {
            "PREFECT_HOME": str(tmp_path / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
            "DO_NOT_TRACK": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "JOBLAKE_SCOPE_RETRY_SECONDS": "0",
            "JOBLAKE_MAX_ATTEMPTS": "1",
        }
    )


def counts(location):
    """How many jobs and models of each region a lake holds, and how its listings ended."""
    with joblake.open(location) as lake:
        sql = """
            select table_name, region_name, outcome, listed, added
            from observations.listings order by all
        """
        listings = lake.query(sql).arrow().to_pylist()
        jobs = lake.query("select count(*) as jobs from jobs").arrow().to_pylist()[0]["jobs"]
    return listings, jobs


def run_flow(environment, folder, *options):
    folder.mkdir(exist_ok=True)
    command = [program("python"), str(FLOWS / "nightly_export.py"), "--region", ",".join(REGIONS)]
    return run_program(*command, *options, folder=folder, environment=environment)


@pytest.mark.sweep
def test_a_dask_cluster_of_several_processes_writes_one_lake(
    aws, environment, s3, tmp_path, record_property
):
    """Two workers, each in a folder of its own, export what one process does.

    Each assumes the role once, for all the scopes that it exports, and so does the plan.
    """
    environment |= {"AWS_ENDPOINT_URL_S3": os.environ["AWS_ENDPOINT_URL_S3"]}
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = [program("dask"), "scheduler", "--host", "127.0.0.1", "--no-dashboard"]
    scheduler += ["--port", address.rpartition(":")[2]]
    worker = [program("dask"), "worker", address, "--nthreads", "1", "--no-dashboard"]
    worker += ["--host", "127.0.0.1", "--no-nanny"]
    folders = [tmp_path / f"worker-{number}" for number in range(2)]
    with ExitStack() as stack:
        output = stack.enter_context(
            running(scheduler, folder=tmp_path / "scheduler", environment=environment)
        )
        for folder in folders:
            stack.enter_context(running(worker, folder=folder, environment=environment))
        wait_until(lambda: output().count("Register worker") == 2, "two workers")
        finished = run_flow(
            environment,
            tmp_path / "flow",
            *("--task-runner", "dask", "--task-runner-address", address, "--lake", s3),
            *("--role-arn", f"arn:aws:iam::{ACCOUNT}:role/reader"),
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [call.operation for call in aws.calls].count("AssumeRole") == 3
    local = run_flow(environment, tmp_path / "local", "--lake", str(tmp_path / "lake"))
    assert local.returncode == 0, local.stdout + local.stderr
    assert counts(s3) == counts(tmp_path / "lake")
    listings, jobs = counts(s3)
    assert {row["outcome"] for row in listings} == {"complete"}
    assert (len(listings), jobs) == (15, 90)
    shares = [len(list(folder.rglob("*.lock"))) for folder in folders]
    assert sum(shares) == 15
    assert all(shares), shares
    record_property("figures", f"scopes exported by each worker: {shares}")


class Server:
    """A Prefect server, asked over its own HTTP API."""

    def __init__(self, url):
        self.url = url

    def post(self, path, **body):
        """The JSON that the API answers."""
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def is_up(self):
        """Whether it answers already."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ended(self, *, is_scheduled):
        """The runs of the flow that ended, by how they were begun."""
        runs = self.post("/flow_runs/filter", sort="EXPECTED_START_TIME_DESC")
        terminal = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        return [
            run
            for run in runs
            if run["state"]["type"] in terminal and run["auto_scheduled"] == is_scheduled
        ]


@pytest.mark.sweep
def test_a_real_server_deploys_schedules_and_runs_it(aws, environment, tmp_path, record_property):
    """README's commands: a triggered run fails with its summary, a scheduled one completes."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment |= {
        "PREFECT_API_URL": url,
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "PREFECT_API_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "JOBLAKE_LAKE": str(tmp_path / "lake"),
        "JOBLAKE_REGION": REGIONS[0],
        "PATH": f"{Path(program('prefect')).parent}{os.pathsep}{environment['PATH']}",
    }

    def prefect(*arguments):
        command = (program("prefect"), "--no-prompt", *arguments)
        finished = run_program(*command, folder=FLOWS, environment=environment)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    server = Server(url)
    serve = [program("prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    work = [program("prefect"), "worker", "start", "--pool", "joblake"]
    with running(serve, folder=tmp_path / "server", environment=environment) as served:
        wait_until(server.is_up, f"the server:\n{served()}")
        prefect("work-pool", "create", "joblake", "--type", "process")
        prefect("deploy", "--all")
        nightly = server.post("/flow_runs/filter", limit=1, sort="EXPECTED_START_TIME_ASC")
        with running(work, folder=tmp_path / "worker", environment=environment) as worked:
            wide = json.dumps({"region": [REGIONS[0], BROKEN], "scope_retries": 1})
            prefect("deployment", "run", "nightly-export/nightly", "--param", f"options={wide}")
            wait_until(
                lambda: server.ended(is_scheduled=False), f"a triggered run:\n{worked()}", SECONDS
            )
            (triggered,) = server.ended(is_scheduled=False)
            prefect(
                "deployment", "schedule", "create", "nightly-export/nightly", "--interval", "60"
            )
            wait_until(
                lambda: server.ended(is_scheduled=True), f"a scheduled run:\n{worked()}", SECONDS
            )
            scheduled = server.ended(is_scheduled=True)[0]
            mine = {"flow_run_id": {"any_": [triggered["id"]]}}
            (artifact,) = server.post("/artifacts/filter", artifacts=mine)
    assert triggered["state"]["type"] == "FAILED"
    assert triggered["state"]["message"] == "2 of 10 scopes: see the summary"
    assert scheduled["state"]["type"] == "COMPLETED"
    assert all(re.search("T02:15:00", run["expected_start_time"]) for run in nightly)
    assert artifact["key"] == "joblake-nightly-export"
    assert "| scope | outcome | listed | added | changed | vanished | seconds |" in artifact["data"]
    assert artifact["data"].count("| complete |") == 8
    outcomes = [row["outcome"] for row in counts(tmp_path / "lake")[0]]
    assert sorted(outcomes) == ["complete"] * (len(outcomes) - 2) + ["denied", "failed"]
    asked = [call.operation for call in aws.calls if call.region_name == BROKEN]
    # The failure was tried again, the denial not.
    assert (asked.count(BATCHES), asked.count(MODELS)) == (2, 1)
    record_property(
        "figures",
        f"triggered: {triggered['state']['name']}, {triggered['state']['message']}; "
        f"scheduled: {scheduled['state']['name']}, {scheduled['state']['message']}",
    )
