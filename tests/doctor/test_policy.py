"""The policies of `joblake iam-policy` allow the calls of an export, and no others."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from botocore.client import BaseClient

from command_line import run_joblake
from declared import CATALOGUE, LIST_MEMBERSHIPS, SOURCES
from exporting import (
    ACCOUNT,
    BATCHES,
    JOBS,
    MEMBERSHIP,
    MEMBERSHIPS,
    MODELS,
    resources_of,
    run_export,
)
from joblake.doctor.doctor import diagnose
from joblake.doctor.policy import policies
from joblake.endpoint import EndpointServer, FixedResources, error_answer
from joblake.settings.settings import lake_of, load_settings
from joblake.warehouse.publish import publish
from joblake.warehouse.warehouse import open_warehouse

OTHER = "444455556666"
ROLE = f"arn:aws:iam::{OTHER}:role/reader"
ALWAYS_ALLOWED = "sts:GetCallerIdentity"  # STS needs no permission for it
TABLES = tuple(SOURCES)
ACTIONS = {
    operation.name: operation.action
    for operation in (
        *(s.operation for s in SOURCES.values()),
        LIST_MEMBERSHIPS,
    )
}


@pytest.fixture
def resources() -> FixedResources:
    return resources_of(jobs=3, models=1, batches=1, inferences=3)


def called(server: EndpointServer) -> Mapping[str, set[str]]:
    """The actions that each identity called, by its name in the policies."""
    found = defaultdict(set)
    for call in server.calls:
        identity = ROLE if call.access_key_id.startswith("ASIA") else "default"
        action = ACTIONS.get(call.operation) or f"{call.client}:{call.operation}"
        if action != ALWAYS_ALLOWED:
            found[identity].add(action)
    return found


def allowed(**options: object) -> Mapping[str, set[str]]:
    """The actions that the policies of a run allow each identity."""
    return {
        identity: {action for statement in policy["Statement"] for action in statement["Action"]}
        for identity, policy in policies(load_settings(**options)).items()
    }


ACCOUNTS = {
    "default": {},
    "a role": {"role_arn": (ROLE,)},
    "both": {"account": ({}, {"role_arn": ROLE, "external_id": "secret-word"})},
}
OPTIONS = {
    "everything": {},
    "one table": {"table": ("custom_models",)},
    "a membership": {"parent": (MEMBERSHIP,)},
    "a membership as filter": {
        "table": ("trained_model_inference_jobs",),
        "filter": (f"membershipIdentifier={MEMBERSHIP}",),
    },
    "filters": {
        "table": ("model_customization_jobs", "model_invocation_jobs"),
        "filter": ("nameContains=job", "statusEquals=Completed"),
    },
    "small pages of few items": {"page_size": 1, "max_items": 2},
    "two regions": {"region": ("us-east-1", "eu-west-1")},
}


@pytest.mark.parametrize("accounts", ACCOUNTS.values(), ids=ACCOUNTS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_policy_allows_what_an_export_calls_and_no_more(
    serve, resources, tmp_path, accounts, options
):
    """By the endpoint's log the calls of each identity are those that its policy allows."""
    server = serve(resources)
    chosen = {"table": TABLES, **accounts, **options}
    assert run_export(tmp_path / "lake", **chosen).is_good
    assert called(server) == allowed(**chosen)


def test_refusals_and_retries_call_nothing_else(serve, resources, tmp_path):
    """A refused, throttled or damaged answer leads to no other operation."""
    refusals = {
        JOBS: error_answer("AccessDeniedException", "no", 403),
        MODELS: error_answer("UnrecognizedClientException", "no", 403),
        BATCHES: error_answer("ThrottlingException", "slow down", 400),
        MEMBERSHIPS: error_answer("InternalServerException", "sorry", 500),
    }
    server = serve(resources, intercept=lambda call, _: refusals.get(call.operation))
    result = run_export(tmp_path / "lake", table=TABLES, max_attempts=2)
    assert not result.is_good
    assert called(server)["default"] <= allowed()["default"]


@pytest.mark.parametrize("accounts", ACCOUNTS.values(), ids=ACCOUNTS)
def test_the_doctor_needs_no_more_than_the_export(serve, resources, tmp_path, accounts):
    """The doctor needs no more than the policy that it checks."""
    server = serve(resources)
    findings = list(diagnose(load_settings(lake=str(tmp_path / "lake"), **accounts)))
    assert all(finding.is_ok for finding in findings)
    assert called(server) == allowed(**accounts)


def test_policy_of_the_caller_and_of_its_roles():
    """The caller may only assume the roles by name, and each role may only list."""
    other = "arn:aws:iam::777788889999:role/path/reader"
    found = policies(load_settings(role_arn=(ROLE, other), table=("custom_models",)))
    assert list(found) == ["default", ROLE, other]
    (assuming,) = found["default"]["Statement"]
    assert (assuming["Action"], assuming["Resource"]) == (["sts:AssumeRole"], [ROLE, other])
    (listing,) = found[ROLE]["Statement"]
    assert (listing["Action"], listing["Resource"]) == (["bedrock:ListCustomModels"], "*")


def test_accounts_with_profiles_and_tables_of_their_own():
    """Each identity may list its own account and assume its own roles."""
    found = policies(
        load_settings(
            account=(
                {"profile": "research", "table": "custom_models"},
                {"profile": "audit", "role_arn": ROLE, "table": "model_customization_jobs"},
            )
        )
    )
    assert list(found) == ["profile:research", ROLE, "profile:audit"]
    assert found["profile:research"]["Statement"][0]["Action"] == ["bedrock:ListCustomModels"]
    assert found["profile:audit"]["Statement"][0]["Resource"] == ROLE
    assert found[ROLE]["Statement"][0]["Action"] == ["bedrock:ListModelCustomizationJobs"]


def test_a_lake_on_s3_is_written_with_the_default_credentials():
    """Objects below the prefix and their listing, in the partition of the run; no other bucket."""
    found = policies(load_settings(lake="s3://bucket/a/lake/", account=({"profile": "research"},)))
    listing, objects = found["default"]["Statement"]
    assert listing["Resource"] == "arn:aws:s3:::bucket"
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "a/lake/*"}}
    assert objects["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert objects["Resource"] == "arn:aws:s3:::bucket/a/lake/*"
    whole = policies(load_settings(lake="s3://bucket", region=("cn-*",)))
    _, listing, objects = whole["default"]["Statement"]
    assert listing["Resource"] == "arn:aws-cn:s3:::bucket"
    assert "Condition" not in listing
    assert objects["Resource"] == "arn:aws-cn:s3:::bucket/*"


S3_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
}


def test_a_lake_on_s3_needs_what_its_policy_allows(serve, resources, s3, night, monkeypatch):
    """Exports, a query, marts and a doctor call all of it, on their own prefix alone."""
    calls = []
    call = BaseClient._make_api_call  # noqa: SLF001 - every call of boto3 goes through it

    def watched(client, operation, parameters):
        if client.meta.service_model.service_name == "s3":
            calls.append((operation, parameters))
        return call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", watched)
    serve(resources)
    settings = load_settings(lake=s3)
    for days in range(2):
        assert run_export(s3, at=night + timedelta(days=days), table=TABLES).is_good
    with open_warehouse(lake_of(settings), CATALOGUE) as warehouse:
        assert warehouse.query("from jobs").num_rows
    publish(lake_of(settings), CATALOGUE)
    assert all(finding.is_ok for finding in diagnose(settings))
    _, listing, objects = policies(settings)["default"]["Statement"]
    bucket, _, prefix = s3.removeprefix("s3://").partition("/")
    assert listing["Resource"] == f"arn:aws:s3:::{bucket}"
    assert {S3_ACTIONS[operation] for operation, _ in calls} == {
        *listing["Action"],
        *objects["Action"],
    }
    for operation, parameters in calls:
        name = parameters["Prefix" if operation == "ListObjectsV2" else "Key"]
        allowed_names = [listing["Condition"]["StringLike"]["s3:prefix"]]
        allowed_names.append(objects["Resource"].removeprefix(f"{listing['Resource']}/"))
        assert parameters["Bucket"] == bucket
        assert all(fnmatchcase(name, pattern) for pattern in allowed_names), (operation, name)
    assert prefix


def test_an_identity_that_is_none_is_named():
    """The identities that there are stand in the error."""
    finished = run_joblake("iam-policy", "--role-arn", ROLE, "--identity", "nobody")
    assert finished.returncode == 2
    assert (
        finished.stderr == f"error: no identity 'nobody' in this run; there are: default, {ROLE}\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--table", "jobs"), "--table: unknown table 'jobs'"),
        (("--region", "us-esat-1"), "unknown region 'us-esat-1'"),
        (("--parent", "m-1"), "membershipIdentifier=m-1: allowed are 36 to 36 characters"),
        (("--role-arn", "reader"), "is no role ARN"),
    ],
)
def test_the_command_refuses_what_an_export_would(options, message):
    """A policy is printed for settings that work, else one line and exit code 2."""
    finished = run_joblake("iam-policy", *options)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert re.fullmatch(f"error: .*{message}.*\n", finished.stderr)


def test_the_command_prints_a_policy_and_names_the_others():
    """Stdout has JSON alone, stderr names the other identities, and AWS is not asked."""
    options = ("iam-policy", "--account", "{}", "--role-arn", ROLE)
    finished = run_joblake(*options)
    assert finished.returncode == 0
    policy = json.loads(finished.stdout)
    assert policy == policies(load_settings(account=({},), role_arn=(ROLE,)))["default"]
    assert finished.stderr.splitlines() == [
        "this is the policy of default; others, with --identity, have:",
        f"  {ROLE}",
    ]
    other = run_joblake(*options, "--identity", ROLE)
    assert (other.returncode, other.stderr) == (0, "")
    assert "sts:AssumeRole" not in other.stdout
    assert ACCOUNT not in other.stdout
