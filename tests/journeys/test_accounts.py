"""Many accounts and regions through the command line, some of them closed: what is told of each."""

import csv
import io
import json
import sys
from collections import Counter

import pytest

from command_line import run_joblake
from declared import SOURCES
from exporting import (
    ACCOUNT,
    MEMBERSHIPS,
    resources_of,
)
from joblake.endpoint import EndpointServer, Place, error_answer
from joblake.endpoint.identity import sts_error_answer

CLOSED, REFUSED = "444455556666", "777788889999"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-east-1")
WITHOUT_SERVICE = "ap-east-1"
CONFIGURATION = f"""
region = {list(REGIONS)}

[[account]]

[[account]]
role_arn = "arn:aws:iam::{CLOSED}:role/joblake"
external_id = "joblake-7f3a"

[[account]]
role_arn = "arn:aws:iam::{REFUSED}:role/joblake"
"""
TRAINED = "trained_model_inference_jobs"
COVERAGE = """
select account_id, region_name, table_name, last_outcome, last_error
from listing_coverage order by all
"""


def answer(call, _answer):
    """One role may not be assumed, one may list nothing, one region has no such service."""
    if call.operation == "AssumeRole" and CLOSED in call.parameters["RoleArn"]:
        return sts_error_answer("AccessDenied", "not authorized to assume the role", 403)
    if call.client == "sts":
        return None
    if call.region_name == WITHOUT_SERVICE:
        return error_answer("UnknownOperationException", "", 404)
    if call.account_id == REFUSED:
        return error_answer("AccessDeniedException", f"not authorized: {call.operation}", 403)
    return None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """`joblake export --json`, then the view of its coverage."""
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "joblake.toml").write_text(CONFIGURATION)
    resources = resources_of(jobs=3, models=1, batches=2, inferences=1)
    resources.lists[MEMBERSHIPS, Place(ACCOUNT, "us-east-1")] = resources.lists.pop(MEMBERSHIPS)
    with EndpointServer(resources, intercept=answer) as server:
        options = {"folder": folder, **server.environment()}
        exported = run_joblake("export", "--json", **options)
        coverage = run_joblake("query", COVERAGE, "--format", "csv", **options)
        for finished in (exported, coverage):
            sys.stdout.write(finished.stdout + finished.stderr)  # shown with pytest -s
        return exported, list(csv.DictReader(io.StringIO(coverage.stdout)))


def test_what_can_be_listed_is_complete_and_the_exit_code_tells_of_the_rest(run):
    """Of 49 scopes two accounts' are denied and one region's unsupported; the others complete."""
    exported, _ = run
    assert exported.returncode == 1, exported.stderr
    scopes = json.loads(exported.stdout)["scopes"]
    outcomes = Counter((scope["account_id"], scope["outcome"]) for scope in scopes)
    assert outcomes == {
        (ACCOUNT, "complete"): 13,
        (ACCOUNT, "unsupported"): 4,
        (CLOSED, "denied"): 16,
        (REFUSED, "denied"): 12,
        (REFUSED, "unsupported"): 4,
    }
    assert sum(scope["listed"] for scope in scopes) == 3 * (3 + 1 + 2) + 1 + 1
    assert "Traceback" not in exported.stderr
    assert exported.stderr.splitlines()[-1].startswith(
        "49 scopes: 13 complete, 28 denied, 8 unsupported; 20 listed, 20 added"
    )


def test_the_coverage_view_tells_each_outcome(run):
    """Every scope has its row, with the outcome, and the reason where it is not complete."""
    _, rows = run
    assert len(rows) == 49
    assert {(row["account_id"], row["region_name"], row["table_name"]) for row in rows} == {
        (account, region, table)
        for account in (ACCOUNT, CLOSED, REFUSED)
        for region in REGIONS
        # Of the jobs in memberships only those where there is one.
        for table in {*SOURCES, "memberships"} - {TRAINED}
    } | {(ACCOUNT, "us-east-1", TRAINED)}
    for row in rows:
        is_offered = row["region_name"] != WITHOUT_SERVICE
        expected = {
            ACCOUNT: ("complete", "") if is_offered else ("unsupported", "UnknownOperation"),
            CLOSED: ("denied", "AccessDenied: not authorized to assume the role"),
            REFUSED: ("denied", "AccessDeniedException: not authorized: List")
            if is_offered
            else ("unsupported", "UnknownOperation"),
        }[row["account_id"]]
        assert row["last_outcome"] == expected[0], row
        assert row["last_error"].startswith(expected[1]), row
