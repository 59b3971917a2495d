"""The embedded endpoint, as boto3 and the aws CLI see it over HTTP."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from http.client import IncompleteRead
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st

from declared import LIST_MEMBERSHIPS, SOURCES
from examples import examples
from joblake.endpoint import (
    Answer,
    EndpointServer,
    FixedResources,
    Place,
    World,
    error_answer,
    json_answer,
)
from joblake.endpoint.tokens import LIFETIME
from joblake.errors import UsageError
from joblake.sources.service_model import load_operation
from processes import program, run_program

FIRST_DAY = date(2026, 1, 1)
EVENING = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)
WORLD = World(first_day=FIRST_DAY)
ACCOUNT, REGION = WORLD.accounts[0], WORLD.regions[0]

OPERATIONS = (
    *(source.operation for source in SOURCES.values()),
    LIST_MEMBERSHIPS,
)
BY_NAME = {operation.name: operation for operation in OPERATIONS}
JOBS = BY_NAME["ListModelCustomizationJobs"]
MODELS = BY_NAME["ListCustomModels"]
BATCHES = BY_NAME["ListModelInvocationJobs"]
INFERENCES = BY_NAME["ListTrainedModelInferenceJobs"]
MEMBERSHIPS = BY_NAME["ListMemberships"]
SORTED = (JOBS, MODELS, BATCHES)
CREATED = {
    "ListModelCustomizationJobs": "creationTime",
    "ListCustomModels": "creationTime",
    "ListModelInvocationJobs": "submitTime",
    "ListTrainedModelInferenceJobs": "createTime",
    "ListMemberships": "createTime",
}
KEYS = {
    "ListModelCustomizationJobs": "jobArn",
    "ListCustomModels": "modelArn",
    "ListModelInvocationJobs": "jobArn",
    "ListTrainedModelInferenceJobs": "trainedModelInferenceJobArn",
    "ListMemberships": "arn",
}
PYTHON_TYPES = {
    "timestamp": datetime,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
}
PATIENT = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=20)


@pytest.fixture(scope="module")
def server():
    with EndpointServer(WORLD, clock=lambda: EVENING) as running:
        yield running


@cache
def client_of(url, name, account=ACCOUNT, region=REGION, config=PATIENT):
    return boto3.session.Session().client(
        name,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=f"AKIA{account}",
        aws_secret_access_key="any",
        config=config,
    )


def listed(server, operation, page_size=None, account=ACCOUNT, region=REGION, **parameters):
    client = client_of(server.url, operation.client, account, region)
    if operation is INFERENCES:
        parameters.setdefault("membershipIdentifier", membership(server, account, region))
    paging = {"PageSize": page_size or operation.page_maximum}
    pages = client.get_paginator(operation.method_name).paginate(
        **parameters, PaginationConfig=paging
    )
    return [item for page in pages for item in page[operation.result_key]]


@cache
def membership(server, account=ACCOUNT, region=REGION):
    active = listed(server, MEMBERSHIPS, account=account, region=region, status="ACTIVE")
    return min(item["id"] for item in active)


@cache
def everything(server, operation):
    return listed(server, operation)


def raw(server, path, authorization=None, body=None):
    """The status, headers and text of a request that no SDK has checked."""
    signed = f"AWS4-HMAC-SHA256 Credential=AKIA{ACCOUNT}/20260214/{REGION}/bedrock/aws4_request, x"
    headers = {"Authorization": signed if authorization is None else authorization}
    try:
        with urlopen(Request(server.url + path, data=body, headers=headers)) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def refusal(server, operation, **parameters):
    """The error message of a call that must be refused with a ValidationException."""
    client = client_of(server.url, operation.client)
    with pytest.raises(ClientError) as refused:
        getattr(client, operation.method_name)(**parameters)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return refused.value.response["Error"]["Message"]


# Paging and order


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_pages_of_any_size_hold_the_same_items(server, operation):
    """Whatever the page size, all pages together hold every item once, in the same order."""
    expected = everything(server, operation)
    keys = [item[KEYS[operation.name]] for item in expected]
    assert keys
    assert len(set(keys)) == len(keys)
    for page_size in (1, 7, len(keys) - 1, len(keys), len(keys) + 1):
        if page_size <= operation.page_maximum:
            assert listed(server, operation, page_size) == expected


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_newest_come_first_by_default(server, operation):
    """Without an order asked for, creation times only fall."""
    times = [item[CREATED[operation.name]] for item in everything(server, operation)]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("operation", SORTED, ids=lambda operation: operation.name)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_sort_order_is_honoured(server, operation, order):
    """The parameters sortBy and sortOrder order by creation time without losing an item."""
    items = listed(server, operation, 13, sortBy="CreationTime", sortOrder=order)
    created = CREATED[operation.name]
    expected = sorted(
        everything(server, operation),
        key=lambda item: item[created],
        reverse=order == "Descending",
    )
    assert items == expected


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_default_page_is_modest(server, operation):
    """Without maxResults a page holds at most 100 items, and a token if there are more."""
    client = client_of(server.url, operation.client)
    required = {"membershipIdentifier": membership(server)} if operation is INFERENCES else {}
    page = getattr(client, operation.method_name)(**required)
    total = len(everything(server, operation))
    assert len(page[operation.result_key]) == min(100, total)
    assert ("nextToken" in page) == (total > 100)


# Filters


def foundation_model(item):
    identifier = item["baseModelArn"].split("model/")[1].split("/")[0]
    return f"arn:aws:bedrock:{REGION}::foundation-model/{identifier}"


# What the API reference says of each filter, in Python; the others compare the member they name.
KEEPS = {
    "creationTimeAfter": lambda item, value: item["creationTime"] > value,
    "creationTimeBefore": lambda item, value: item["creationTime"] < value,
    "submitTimeAfter": lambda item, value: item["submitTime"] > value,
    "submitTimeBefore": lambda item, value: item["submitTime"] < value,
    "statusEquals": lambda item, value: item["status"] == value,
    "nameContains": lambda item, value: value in item.get("jobName", item.get("modelName")),
    "baseModelArnEquals": lambda item, value: item["baseModelArn"] == value,
    "foundationModelArnEquals": lambda item, value: foundation_model(item) == value,
    "isOwned": lambda item, value: (item["ownerAccountId"] == ACCOUNT) == value,
}


def kept(item, name, value):
    return KEEPS[name](item, value) if name in KEEPS else item.get(name) == value


def values_of(server, operation, name):
    """Values worth filtering by: those that occur, those between, those that never occur."""
    parameter = operation.parameter(name)
    items = everything(server, operation)
    if parameter.kind == "timestamp":
        times = [item[CREATED[operation.name]] for item in items]
        between = [at + timedelta(microseconds=500) for at in times[::40]]
        return [*times[::25], times[-1], *between, EVENING]
    match name:
        case "isOwned":
            return [True, False]
        case "nameContains":
            return ["support", "nova", "ft", "1", "zzz"]
        case "baseModelArnEquals" | "foundationModelArnEquals":
            arns = sorted({item["baseModelArn"] for item in items})
            is_any = name == "baseModelArnEquals"
            return [arn for arn in arns if is_any or ":foundation-model/" in arn]
        case "trainedModelArn" | "trainedModelVersionIdentifier":
            return sorted({item[name] for item in items if name in item})
    assert parameter.allowed_values, f"no values for {operation.name} {name}"
    return list(parameter.allowed_values)


def filters_of(operation):
    others = {"nextToken", "maxResults", "sortBy", "sortOrder", "membershipIdentifier"}
    return [parameter.name for parameter in operation.parameters if parameter.name not in others]


@pytest.mark.parametrize(
    ("operation", "name"),
    [(operation, name) for operation in OPERATIONS for name in filters_of(operation)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_each_filter_keeps_what_the_reference_says(server, operation, name):
    """A filtered listing equals the unfiltered one filtered in Python."""
    items = everything(server, operation)
    sizes = set()
    for value in values_of(server, operation, name):
        expected = [item for item in items if kept(item, name, value)]
        assert listed(server, operation, 50, **{name: value}) == expected
        sizes.add(len(expected))
    assert max(sizes) > 0, "some value keeps something"
    assert len(sizes) > 1 or max(sizes) < len(items), "some value leaves something out"


@examples(0.4)
@given(data=st.data())
def test_filters_combine(server, data):
    """Any combination of filters, order and page size lists what passes all of them."""
    operation = data.draw(st.sampled_from(OPERATIONS), label="operation")
    filters = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.sampled_from(values_of(server, operation, name))
                for name in filters_of(operation)
            },
        ),
        label="filters",
    )
    order = data.draw(st.sampled_from(["Ascending", "Descending"]), label="order")
    page_size = data.draw(st.integers(20, 100), label="page size")
    expected = [
        item
        for item in everything(server, operation)
        if all(kept(item, name, value) for name, value in filters.items())
    ]
    if operation in SORTED:
        created = CREATED[operation.name]
        expected.sort(key=lambda item: item[created], reverse=order == "Descending")
        filters = {**filters, "sortBy": "CreationTime", "sortOrder": order}
    assert listed(server, operation, page_size, **filters) == expected


# Refusals


def test_a_page_size_over_the_maximum_is_refused_in_aws_words(server):
    """A page has the model's maximum, and the message says so as AWS does."""
    assert refusal(server, JOBS, maxResults=1001) == (
        "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: "
        "Member must have value less than or equal to 1000"
    )
    assert "equal to 100" in refusal(server, MEMBERSHIPS, maxResults=101)


@pytest.mark.parametrize(
    ("operation", "parameters", "reason"),
    [
        (JOBS, {"statusEquals": "Done"}, "enum value set: [InProgress, Completed, Failed"),
        (BATCHES, {"sortBy": "Name"}, "enum value set: [CreationTime]"),
        (MODELS, {"sortOrder": "Up"}, "enum value set: [Ascending, Descending]"),
        (MODELS, {"nameContains": "a.b"}, "regular expression pattern"),
        (JOBS, {"nameContains": "a" * 64}, "length less than or equal to 63"),
        (JOBS, {"nextToken": "a b"}, r"regular expression pattern: \S*"),
        (MODELS, {"baseModelArnEquals": "arn:aws:s3:::a-bucket-name"}, "regular expression"),
        (INFERENCES, {"membershipIdentifier": "M" * 36}, "regular expression pattern"),
        (JOBS, {"statusEquals": "x", "maxResults": 5000}, "2 validation errors detected"),
    ],
)
def test_parameters_that_the_model_forbids_are_refused(server, operation, parameters, reason):
    """Values outside enum, pattern or length are a ValidationException that names the rule."""
    assert reason in refusal(server, operation, **parameters)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("maxResults=0", "value greater than or equal to 1"),
        ("maxResults=ten", "a whole number"),
        ("creationTimeAfter=yesterday", "a timestamp in ISO 8601 format"),
        ("creationTimeAfter=", "a timestamp in ISO 8601 format"),
        ("nameContains=", "length greater than or equal to 1"),
        ("nextToken=", "length greater than or equal to 1"),
    ],
)
def test_texts_that_no_sdk_would_send_are_refused(server, query, reason):
    """Malformed numbers, times and empty texts are a ValidationException too."""
    status, headers, body = raw(server, f"/model-customization-jobs?{query}")
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert reason in json.loads(body)["message"]
    assert raw(server, "/custom-models?isOwned=maybe")[0] == 400


def test_a_hostile_name_is_refused_at_once(server):
    """The models' nested patterns do not make a refusal take exponential time."""
    begun = time.monotonic()
    for operation in (JOBS, BATCHES):
        assert "pattern" in refusal(server, operation, nameContains="a" + "-" * 60 + "!")
    assert time.monotonic() - begun < 2


def test_a_membership_that_is_not_active_is_denied(server):
    """Inference jobs of an unknown or removed membership are refused with 403."""
    client = client_of(server.url, "cleanroomsml")
    removed = listed(server, MEMBERSHIPS, status="REMOVED")[0]["id"]
    for identifier in (removed, "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(client.exceptions.AccessDeniedException):
            client.list_trained_model_inference_jobs(membershipIdentifier=identifier)


def test_an_operation_nobody_serves_is_unknown(server):
    """Another operation of a served client is 404 UnknownOperationException."""
    with pytest.raises(ClientError, match="UnknownOperationException") as refused:
        client_of(server.url, "bedrock").list_guardrails()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize("path", ["/custom-models", "/nowhere", "/"])
def test_unsigned_requests_are_refused(server, path):
    """Without credentials every path is 403."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15" if path == "/" else None
    status, _, text = raw(server, path, authorization="", body=body)
    assert (status, "Missing Authentication Token" in text) == (403, True)


# Tokens


def first_token(server, operation, **parameters):
    client = client_of(server.url, operation.client)
    return getattr(client, operation.method_name)(maxResults=5, **parameters)["nextToken"]


def test_a_token_is_bound_to_its_query(server):
    """A token given with other filters, another order, operation, account or region is refused."""
    token = first_token(server, JOBS, statusEquals="Completed")
    good = {"statusEquals": "Completed", "nextToken": token}
    client = client_of(server.url, "bedrock")
    assert client.list_model_customization_jobs(**good)["modelCustomizationJobSummaries"]
    for wrong in (
        {"statusEquals": "Failed"},
        {"nameContains": "a"},
        {"sortOrder": "Ascending"},
        {"creationTimeAfter": EVENING - timedelta(days=90)},
    ):
        assert "nextToken is not valid" in refusal(server, JOBS, **{**good, **wrong})
    assert "not valid" in refusal(server, JOBS, nextToken=token)
    assert "not valid" in refusal(server, MODELS, nextToken=token)
    for account, region in ((WORLD.accounts[1], REGION), (ACCOUNT, WORLD.regions[1])):
        with pytest.raises(ClientError, match="not valid"):
            client_of(server.url, "bedrock", account, region).list_model_customization_jobs(**good)


def test_the_page_size_may_change_between_pages(server):
    """The page size is not part of the query: a listing may go on with another page size."""
    client = client_of(server.url, "bedrock")
    first = client.list_model_customization_jobs(maxResults=5)
    token = first["nextToken"]
    rest = client.list_model_customization_jobs(maxResults=1000, nextToken=token)
    items = [page["modelCustomizationJobSummaries"] for page in (first, rest)]
    assert items[0] + items[1] == everything(server, JOBS)


@pytest.mark.parametrize(
    "token", ["nonsense", "0", "a-_b", "%00", "\N{SNOWMAN}", "x" * 2048, "x" * 2049]
)
def test_foreign_tokens_are_refused(server, token):
    """A text that the endpoint did not make is no token, nor is a token changed in one letter."""
    assert refusal(server, JOBS, nextToken=token)
    own = first_token(server, JOBS)
    assert len(own) <= 2048
    assert re.fullmatch(r"\S+", own)
    changed = own[:-6] + ("A" if own[-6] != "A" else "B") + own[-5:]
    assert "not valid" in refusal(server, JOBS, nextToken=changed)


def test_tokens_expire():
    """A token older than its life is a ValidationException; the pages before show one instant."""
    now = [EVENING]
    with EndpointServer(WORLD, clock=lambda: now[0]) as running:
        client = client_of(running.url, "bedrock")
        first = client.list_model_invocation_jobs(maxResults=100)
        now[0] += LIFETIME - timedelta(seconds=1)
        second = client.list_model_invocation_jobs(maxResults=1000, nextToken=first["nextToken"])
        newest = first["invocationJobSummaries"] + second["invocationJobSummaries"]
        assert max(item["submitTime"] for item in newest) <= EVENING
        now[0] += timedelta(seconds=1)
        assert "expired" in refusal(running, BATCHES, nextToken=first["nextToken"])


# Who is calling


def test_the_access_key_says_which_account(server):
    """GetCallerIdentity answers with the account in the key, or with the world's default."""
    for key, account in (("AKIA444455556666", "444455556666"), ("testing-testing-x", ACCOUNT)):
        sts = boto3.client(
            "sts",
            endpoint_url=server.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key="any",
        )
        identity = sts.get_caller_identity()
        assert identity["Account"] == account
        assert identity["Arn"].startswith(f"arn:aws:iam::{account}:")


def test_an_assumed_role_acts_in_its_account(server):
    """AssumeRole gives credentials of the role's account, good for the time asked for."""
    sts = client_of(server.url, "sts")
    answer = sts.assume_role(
        RoleArn="arn:aws:iam::444455556666:role/audit/reader",
        RoleSessionName="night",
        DurationSeconds=900,
    )
    credentials = answer["Credentials"]
    assert answer["AssumedRoleUser"]["Arn"].endswith("444455556666:assumed-role/reader/night")
    assert timedelta(0) < credentials["Expiration"] - datetime.now(UTC) <= timedelta(minutes=15)
    assumed = boto3.session.Session(
        credentials["AccessKeyId"],
        credentials["SecretAccessKey"],
        credentials["SessionToken"],
        REGION,
    )
    identity = assumed.client("sts", endpoint_url=server.url).get_caller_identity()
    assert identity["Account"] == "444455556666"
    models = assumed.client("bedrock", endpoint_url=server.url).list_custom_models(isOwned=True)
    assert {model["ownerAccountId"] for model in models["modelSummaries"]} == {"444455556666"}


def test_a_malformed_role_is_refused(server):
    """AssumeRole refuses what is no role ARN, and STS knows no other operation."""
    sts = client_of(server.url, "sts")
    with pytest.raises(ClientError, match="ValidationError"):
        sts.assume_role(RoleArn="arn:aws:iam::12:role/nobody", RoleSessionName="night")
    with pytest.raises(ClientError, match="InvalidAction"):
        sts.get_session_token()


def test_accounts_and_regions_are_separate(server):
    """Each account and region of the world lists its own resources; other places are empty."""
    seen = Counter()
    for account in WORLD.accounts:
        for region in WORLD.regions:
            for operation in OPERATIONS:
                items = listed(server, operation, account=account, region=region)
                assert items
                seen.update(item[KEYS[operation.name]] for item in items)
    assert set(seen.values()) == {1}
    assert listed(server, JOBS, account="999999999999") == []
    assert listed(server, JOBS, region="ap-south-1") == []


def test_the_environment_is_all_that_boto3_needs(server, monkeypatch, tmp_path):
    """With the endpoint's environment a bare boto3.client finds endpoint, account and region."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", "http://127.0.0.1:9")
    for name, value in server.environment("444455556666", "eu-west-1").items():
        monkeypatch.setenv(name, value)
    session = boto3.session.Session()
    assert session.client("sts").get_caller_identity()["Account"] == "444455556666"
    models = session.client("bedrock").list_custom_models(isOwned=True)["modelSummaries"]
    assert models[0]["modelArn"].startswith("arn:aws:bedrock:eu-west-1:444455556666:")


# The wire


def test_timestamps_follow_the_model_on_the_wire(server):
    """Bedrock's timestamps are ISO 8601 with Z, those of memberships are epoch numbers."""
    jobs = json.loads(raw(server, "/model-customization-jobs")[2])
    job = jobs["modelCustomizationJobSummaries"][0]
    assert re.fullmatch(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["creationTime"])
    memberships = json.loads(raw(server, "/memberships")[2])["membershipSummaries"]
    assert isinstance(memberships[0]["createTime"], float)
    assert "null" not in json.dumps([jobs, memberships])


@cache
def all_wire_items(operation):
    """Every state of every resource of one place through the world's days, as Python values."""
    nights = [EVENING - timedelta(hours=5 * step) for step in range(220)]
    places = [Place(ACCOUNT, REGION)]
    if operation is INFERENCES:
        joined = WORLD.items(MEMBERSHIPS, places[0], EVENING)
        places = [
            replace(places[0], parent=item["id"]) for item in joined if item["status"] == "ACTIVE"
        ]
    return [item for place in places for at in nights for item in WORLD.items(operation, place, at)]


def violations(member, value, path):
    """Where a value breaks the service model: type, enum, pattern, bounds, required members."""
    if member.kind == "structure":
        known = {child.name: child for child in member.members}
        required = {child.name for child in member.members if child.is_required}
        yield from (f"{path}.{name} unknown" for name in set(value) - set(known))
        yield from (f"{path}.{name} missing" for name in required - set(value))
        for name in set(value) & set(known):
            yield from violations(known[name], value[name], f"{path}.{name}")
    elif member.kind == "list":
        for element in value:
            yield from violations(member.element, element, f"{path}[]")
    elif not isinstance(value, PYTHON_TYPES[member.kind]):
        yield f"{path} {value!r} is no {member.kind}"
    elif not is_within(member, value):
        yield f"{path} {value!r} is out of bounds or enum"
    elif member.pattern and not re.fullmatch(member.pattern, value):
        yield f"{path} {value!r} breaks {member.pattern}"


def is_within(member, value):
    size = len(value) if isinstance(value, str) else value
    return (
        (member.minimum is None or size >= member.minimum)
        and (member.maximum is None or size <= member.maximum)
        and (not member.allowed_values or value in member.allowed_values)
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_world_keeps_to_the_service_model(operation):
    """Every value that the world invents has the model's type, enum, pattern and bounds."""
    found = set()
    for item in all_wire_items(operation):
        found.update(violations(operation.item, item, operation.name))
    assert not found


def leaves(member, path=()):
    """The paths of all scalar members, with their kinds."""
    if member.element is not None:
        yield from leaves(member.element, (*path, "[]"))
    elif member.kind == "structure":
        for child in member.members:
            yield from leaves(child, (*path, child.name))
    else:
        yield path, member.kind


def values_at(items, path):
    for item in items:
        if not path:
            yield item
        elif path[0] == "[]":
            yield from values_at(item, path[1:])
        elif path[0] in item:
            yield from values_at([item[path[0]]], path[1:])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_documented_member_occurs(server, operation):
    """Through boto3, each member of the output shape occurs with its Python type."""
    items = everything(server, operation)
    for path, kind in leaves(operation.item):
        values = list(values_at(items, path))
        assert values, f"{'.'.join(path)} never occurs"
        assert {type(value) for value in values} == {PYTHON_TYPES[kind]}, path


# The world


def test_the_world_is_its_seed():
    """Equal seeds give equal worlds, other seeds and first days give others."""
    place = Place(ACCOUNT, REGION)
    world = WORLD.items(JOBS, place, EVENING)
    assert World(first_day=FIRST_DAY).items(JOBS, place, EVENING) == world
    assert World(first_day=FIRST_DAY, seed=8).items(JOBS, place, EVENING) != world
    assert WORLD.items(JOBS, place, datetime(2025, 12, 31, tzinfo=UTC)) == []


STAGES = {
    "ListModelCustomizationJobs": "InProgress Stopping Completed|Failed|Stopped",
    "ListCustomModels": "Creating Active|Failed",
    "ListModelInvocationJobs": (
        "Submitted Validating Scheduled InProgress Stopping "
        "Completed|PartiallyCompleted|Failed|Stopped|Expired"
    ),
    "ListTrainedModelInferenceJobs": (
        "CREATE_PENDING CREATE_IN_PROGRESS CANCEL_PENDING CANCEL_IN_PROGRESS "
        "ACTIVE|CREATE_FAILED|INACTIVE"
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS[:4], ids=lambda operation: operation.name)
def test_statuses_only_move_forward(operation):
    """From instant to instant no resource goes back, every status occurs, counts only grow."""
    stages = STAGES[operation.name].split()
    ranks = {status: rank for rank, group in enumerate(stages) for status in group.split("|")}
    place = Place(ACCOUNT, REGION)
    if operation is INFERENCES:
        joined = WORLD.items(MEMBERSHIPS, place, EVENING)
        active = next(item["id"] for item in joined if item["status"] == "ACTIVE")
        place = replace(place, parent=active)
    latest, seen, counts = {}, Counter(), {}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    while at < EVENING:
        for item in WORLD.items(operation, place, at):
            key = item[KEYS[operation.name]]
            status = item.get("status", item.get("modelStatus"))
            assert ranks[status] >= latest.get(key, 0)
            assert item.get("processedRecordCount", 0) >= counts.get(key, 0)
            latest[key] = ranks[status]
            counts[key] = item.get("processedRecordCount", 0)
            seen[status] += 1
        at += timedelta(minutes=20)
    assert set(seen) >= set(ranks) - {"CANCEL_PENDING", "CANCEL_IN_PROGRESS", "Stopping"}


def test_record_counts_move_while_nothing_else_does():
    """A running batch job counts on between two instants of the same lastModifiedTime."""
    place, moved = Place(ACCOUNT, REGION), 0
    before = {}
    for hour in range(24 * 20):
        at = datetime(2026, 1, 10, tzinfo=UTC) + timedelta(hours=hour)
        now = {item["jobArn"]: item for item in WORLD.items(BATCHES, place, at)}
        for arn, item in now.items():
            old = before.get(arn, item)
            if item != old and item["lastModifiedTime"] == old["lastModifiedTime"]:
                assert item["status"] == "InProgress"
                assert item["processedRecordCount"] == (
                    item["successRecordCount"] + item["errorRecordCount"]
                )
                moved += 1
        before = now
    assert moved > 10


def test_some_models_are_deleted():
    """About one custom model in eight disappears; jobs never do."""
    place = Place(ACCOUNT, REGION)
    seen = {item["modelArn"] for item in all_wire_items(MODELS)}
    left = {item["modelArn"] for item in WORLD.items(MODELS, place, EVENING)}
    assert 0.04 < len(seen - left) / len(seen) < 0.25
    jobs = {item["jobArn"] for item in all_wire_items(JOBS)}
    assert jobs == {item["jobArn"] for item in WORLD.items(JOBS, place, EVENING)}


def test_the_world_is_as_busy_as_it_says(server):
    """About 3 customization, 6 batch and 4 inference jobs a day, at all hours."""
    days = (EVENING.date() - FIRST_DAY).days
    assert 2 < len(everything(server, JOBS)) / days < 4
    assert 4.5 < len(everything(server, BATCHES)) / days < 7.5
    assert 1.3 < len(everything(server, INFERENCES)) / days < 2.7, "in one of two memberships"
    hours = {item["submitTime"].astimezone(UTC).hour for item in everything(server, BATCHES)}
    assert len(hours) == 24


def test_models_tell_where_they_come_from(server):
    """Some jobs build on custom models, and a completed job's model is listed under its name."""
    jobs = everything(server, JOBS)
    assert any(":custom-model/" in job["baseModelArn"] for job in jobs)
    made = {job["customModelArn"]: job for job in jobs if job["status"] == "Completed"}
    owned = [item for item in everything(server, MODELS) if item["modelArn"] in made]
    assert len(owned) > 50
    for model in owned:
        job = made[model["modelArn"]]
        assert (model["modelName"], model["creationTime"]) == (
            job["customModelName"],
            job["endTime"],
        )


# The aws command line


def test_the_aws_command_line_lists_completely(server, tmp_path):
    """`aws bedrock list-model-invocation-jobs` with filters and small pages lists every job."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **server.environment()}
    since = EVENING - timedelta(days=30)
    finished = run_program(
        program("aws"),
        "bedrock",
        "list-model-invocation-jobs",
        *("--status-equals", "Completed"),
        *("--submit-time-after", since.isoformat()),
        *("--sort-by", "CreationTime", "--sort-order", "Ascending"),
        *("--page-size", "17", "--output", "json"),
        environment=environment,
    )
    listed_arns = [job["jobArn"] for job in json.loads(finished.stdout)["invocationJobSummaries"]]
    expected = [
        job["jobArn"]
        for job in reversed(everything(server, BATCHES))
        if job["status"] == "Completed" and job["submitTime"] > since
    ]
    assert len(expected) > 17
    assert listed_arns == expected


# Fixed resources and faults


def job(number, **members):
    created_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    return {
        "jobArn": f"arn:aws:bedrock:us-east-1:111122223333:job/{number}",
        "jobName": f"job-{number}",
        "status": "Completed",
        "creationTime": created_at,
        **members,
    }


def test_fixed_resources_change_between_listings():
    """A listing shows the list as it is; one that has begun goes on with what it began with."""
    resources = FixedResources({JOBS.name: [job(number) for number in range(10)]})
    with EndpointServer(resources, clock=lambda: EVENING) as running:
        assert len(listed(running, JOBS, 3)) == 10
        token = first_token(running, JOBS)
        resources.lists[JOBS.name] = [job(11)]
        resources.lists[JOBS.name, Place("444455556666", REGION)] = []
        client = client_of(running.url, "bedrock")
        rest = client.list_model_customization_jobs(nextToken=token)
        assert len(rest["modelCustomizationJobSummaries"]) == 5
        assert [item["jobName"] for item in listed(running, JOBS)] == ["job-11"]
        assert listed(running, JOBS, account="444455556666") == []
        assert listed(running, MODELS) == []


def test_odd_items_are_sent_as_they_are():
    """Numbers and texts for timestamps, unknown members and deep nulls reach the wire."""
    odd = [
        job(1, creationTime=1767225600.5, novelty={"deep": [None]}),
        job(2, creationTime="2026-01-01T02:00:00+02:00", status="Dreaming", endTime=None),
        job(3, creationTime="soon", statusDetails="none", jobName="\ud800;\0'../"),
        job(4, creationTime=datetime(2026, 1, 1, microsecond=1), statusDetails=None),  # noqa: DTZ001
    ]
    with EndpointServer(FixedResources({JOBS.name: odd})) as running:
        body = raw(running, "/model-customization-jobs?maxResults=9")[2]
        items = {item["jobArn"][-1]: item for item in json.loads(body)[JOBS.result_key]}
    assert items["1"]["creationTime"] == 1767225600.5
    assert items["1"]["novelty"] == {"deep": [None]}
    assert {**items["2"], "endTime": None} == odd[1]
    assert "endTime" not in items["2"]
    assert items["3"] == odd[2]
    assert items["4"]["creationTime"] == "2026-01-01T00:00:00.000001Z"
    assert "statusDetails" not in items["4"]


def test_large_listings_stay_fast():
    """Ten thousand items in pages of seven are selected once, not once a page."""
    resources = FixedResources({JOBS.name: [job(number) for number in range(10_000)]})
    with EndpointServer(resources) as running:
        begun = time.monotonic()
        assert len({item["jobArn"] for item in listed(running, JOBS, 7)}) == 10_000
        assert time.monotonic() - begun < 20


def test_an_interceptor_may_replace_any_answer():
    """Interceptors see the call and its answer, and may give another; the log tells both."""

    def throttle_first(call, answer):
        assert answer.status == 200
        if call.number == 1:
            return error_answer("ThrottlingException", "Rate exceeded", 429)
        if call.operation == MODELS.name:
            return json_answer({"message": "no page"})
        return None

    with EndpointServer(WORLD, clock=lambda: EVENING, intercept=throttle_first) as running:
        client = client_of(running.url, "bedrock")
        with pytest.raises(client.exceptions.ThrottlingException):
            client.list_model_customization_jobs()
        assert client.list_model_customization_jobs(maxResults=3)["nextToken"]
        with pytest.raises(client.exceptions.ThrottlingException):
            client.list_custom_models()
        assert "modelSummaries" not in client.list_custom_models()
        calls = running.calls
    assert [(call.operation, call.number, call.status) for call in calls] == [
        (JOBS.name, 1, 429),
        (JOBS.name, 2, 200),
        (MODELS.name, 1, 429),
        (MODELS.name, 2, 200),
    ]
    assert (calls[1].client, calls[1].account_id, calls[1].region_name) == (
        "bedrock",
        ACCOUNT,
        REGION,
    )
    assert (calls[1].path, calls[1].parameters) == (
        "/model-customization-jobs",
        {"maxResults": "3"},
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"is_dropped": True}, ConnectionClosedError),
        ({"delay_seconds": 30}, ReadTimeoutError),
    ],
    ids=str,
)
def test_answers_can_be_dropped_and_late(fault, error, capfd):
    """Faults reach boto3 as broken connections, and the server ends at once and quietly."""
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=0.4)
    begun = time.monotonic()
    with EndpointServer(
        WORLD, clock=lambda: EVENING, intercept=lambda _, answer: replace(answer, **fault)
    ) as running:
        with pytest.raises(error):
            client_of(running.url, "bedrock", config=config).list_custom_models()
        assert [call.status for call in running.calls] == [200]
    assert time.monotonic() - begun < 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cut_after", [0, 20])
def test_answers_can_be_cut(cut_after, capfd):
    """A cut answer ends before its Content-Length, which botocore takes for an empty page."""
    with EndpointServer(
        WORLD, intercept=lambda _, answer: replace(answer, cut_after=cut_after)
    ) as running:
        with pytest.raises(IncompleteRead) as cut:
            raw(running, "/custom-models")
        assert len(cut.value.partial) == cut_after
        assert cut.value.expected > 0
        assert "modelSummaries" not in client_of(running.url, "bedrock").list_custom_models()
    assert capfd.readouterr() == ("", "")


def test_a_body_is_sent_byte_for_byte():
    """An interceptor's answer reaches the client as given: status, headers, raw bytes."""
    page = Answer(502, {"content-type": "text/html", "x-odd": "1"}, b"<html>\xff")
    with (
        EndpointServer(WORLD, intercept=lambda *_: page) as running,
        pytest.raises(HTTPError) as refused,
    ):
        urlopen(f"{running.url}/custom-models")
    with refused.value as error:
        assert (error.code, error.headers["x-odd"], error.read()) == (502, "1", b"<html>\xff")


# The server


def test_a_server_leaves_nothing_behind():
    """After its context a server's thread is gone and its port is free again."""
    before = threading.active_count()
    with EndpointServer(WORLD, clock=lambda: EVENING) as running:
        assert listed(running, MEMBERSHIPS)
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(UsageError, match="cannot listen"), EndpointServer(WORLD, port=port):
            pass
    assert threading.active_count() == before
    with EndpointServer(WORLD, port=port):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::", ""])
def test_only_the_loopback_interface_is_served(host):
    """A host that others could reach is a UsageError."""
    with pytest.raises(UsageError, match="loopback"):
        EndpointServer(WORLD, host=host)


def test_operations_come_from_the_models():
    """What is served is what the catalogue declares, under the routes of the service models."""
    assert {operation.request_uri for operation in OPERATIONS} == {
        "/model-customization-jobs",
        "/custom-models",
        "/model-invocation-jobs",
        "/memberships/{membershipIdentifier}/trained-model-inference-jobs",
        "/memberships",
    }
    assert load_operation("bedrock", "ListCustomModels") is MODELS


def test_serving_in_the_foreground_ends_with_an_interrupt():
    """`serve_forever` announces its address, answers, and ends on Ctrl-C without a trace."""
    program = (
        "from datetime import date\n"
        "from joblake.endpoint import World, serve_forever\n"
        "serve_forever(World(first_day=date(2026, 1, 1)),"
        " announce=lambda server: print(server.url, flush=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        assert client_of(url, "sts").get_caller_identity()["Account"] == ACCOUNT
        process.send_signal(2)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
