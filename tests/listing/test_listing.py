"""Listing one scope: what is asked of the service, where a listing is cut and goes on, filters."""

import base64
import itertools
import json
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from declared import SOURCES
from examples import examples
from exporting import (
    BATCHES,
    FIRST_INSTANT,
    INFERENCES,
    JOBS,
    MEMBERSHIP,
    MODELS,
    batch_job,
    boto3_pages,
    custom_model,
    customization_job,
    export_scope_alone,
    inference_job,
    listing_rows,
    names,
    observations,
)
from joblake.aws.allowance import Politeness
from joblake.aws.connections import Connections
from joblake.endpoint import FixedResources, json_answer
from joblake.errors import LakeError, UsageError
from joblake.listing import reader
from joblake.listing.listing import run_listing
from joblake.listing.pager import Pager, Query
from joblake.listing.rows import ParsedRows
from joblake.listing.spool import Spool, SpoolIdentity
from joblake.listing.start import BEGINNING, decode_start
from joblake.sources.schema import listed_schema

SOURCE = SOURCES["model_customization_jobs"]
OPERATION = SOURCE.operation
PAGING = ("maxResults", "nextToken", "sortBy", "sortOrder")


def calls_of(server, operation):
    return [call for call in server.calls if call.operation == operation]


# --- what is asked of the service ------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "maximum"),
    list(zip(SOURCES.values(), (1000, 1000, 1000, 100), strict=True)),
    ids=SOURCES,
)
def test_asks_for_the_largest_pages_oldest_first(serve, tmp_path, source, maximum):
    """Pages are as large as the model allows, oldest first where the operation can sort."""
    server = serve()
    export_scope_alone(tmp_path / "lake", table=(source.table,), parent=(MEMBERSHIP,))
    (call,) = calls_of(server, source.operation.name)
    assert call.parameters["maxResults"] == str(maximum)
    order = (call.parameters.get("sortBy"), call.parameters.get("sortOrder"))
    can_sort = any(parameter.name == "sortOrder" for parameter in source.operation.parameters)
    assert order == (("CreationTime", "Ascending") if can_sort else (None, None))


@pytest.mark.parametrize("options", [{"page_size": 4}, {"filter": ("maxResults=4",)}])
def test_page_size_is_what_is_asked_for(serve, tmp_path, options):
    """--page-size, or the parameter itself, is sent with every request; the listing stays whole."""
    server = serve(FixedResources({JOBS: [customization_job(n) for n in range(10)]}))
    result = export_scope_alone(tmp_path / "lake", **options)
    assert (result.outcome, result.listed, result.pages, result.requests) == ("complete", 10, 3, 3)
    assert [call.parameters["maxResults"] for call in calls_of(server, JOBS)] == ["4", "4", "4"]


@pytest.mark.parametrize("page_size", [0, -1, 1001])
def test_page_size_beyond_the_model_is_refused(serve, tmp_path, page_size):
    """A page size that the service model forbids is refused before anything is listed."""
    server = serve()
    with pytest.raises(UsageError, match=r"page-size|maxResults"):
        export_scope_alone(tmp_path / "lake", page_size=page_size)
    assert not calls_of(server, JOBS)


def test_order_given_by_the_user_is_kept_and_narrows_nothing(serve, tmp_path):
    """sortOrder=Descending is sent instead of our own order, and the listing counts as complete."""
    server = serve(FixedResources({JOBS: [customization_job(n) for n in range(3)]}))
    result = export_scope_alone(tmp_path / "lake", filter=("sortOrder=Descending",))
    assert (result.outcome, result.listed) == ("complete", 3)
    assert calls_of(server, JOBS)[0].parameters["sortOrder"] == "Descending"


# --- where a listing is cut, and goes on -----------------------------------------------------


@pytest.fixture
def resources():
    return FixedResources()


@pytest.fixture
def list_part(serve, resources, tmp_path):
    """List a part through boto3 and the spool: job names and the token to go on with.

    The clock stands still, so that the service's tokens depend on the start alone.
    """
    serve(resources, clock=lambda: FIRST_INSTANT)
    connections = Connections(Politeness(max_attempts=1))

    def part(page_size, max_items=None, token=None):
        start = BEGINNING if token is None else decode_start(token, OPERATION)
        query = Query(SOURCE.request, page_size, max_items, start)
        pager = Pager(connections.client("bedrock", "us-east-1"), OPERATION, query)
        spool = Spool(tmp_path, listed_schema(OPERATION), 0o600)
        listing = run_listing(
            pager,
            spool,
            SpoolIdentity(pager.digest, FIRST_INSTANT),
            resume_within=timedelta(0),
            on_page=lambda _rows: None,
        )
        listed = names(spool.reader().read_all().to_pylist())
        spool.discard()
        return listed, listing.resume_token

    return part


@pytest.fixture
def paging(serve, tmp_path):
    """List seven jobs in pages of two, so slow that each is read alone; a hook hears each page."""

    class HeardSpool(Spool):
        hook = staticmethod(lambda: None)

        def append(self, page):
            super().append(page)
            self.hook()

    server = serve(
        FixedResources({JOBS: [customization_job(n) for n in range(7)]}),
        intercept=lambda _call, answer: replace(answer, delay_seconds=0.1),
    )
    connections = Connections(Politeness(max_attempts=1))
    spool = HeardSpool(tmp_path, listed_schema(OPERATION), 0o600)

    def list_all(hook):
        spool.hook = hook
        client = connections.client("bedrock", "us-east-1")
        pager = Pager(client, OPERATION, Query(SOURCE.request, 2))
        run_listing(
            pager,
            spool,
            SpoolIdentity(pager.digest, FIRST_INSTANT),
            resume_within=timedelta(hours=1),
            on_page=lambda _rows: None,
        )

    return list_all, spool, server


def test_the_next_page_is_asked_for_while_one_is_read(paging):
    """A page that is long in reading keeps no request waiting."""
    list_all, spool, server = paging
    asked = []

    def read_slowly():
        for _ in range(1000):
            if len(calls_of(server, JOBS)) >= min(4, spool.pages + 1):
                break
            time.sleep(0.01)
        asked.append(len(calls_of(server, JOBS)))

    list_all(read_slowly)
    assert asked == [2, 3, 4, 4]
    assert names(spool.reader().read_all().to_pylist()) == job_names(range(7))


@pytest.mark.parametrize("page", [1, 2, 4])
def test_what_fails_in_reading_a_page_ends_the_listing_there(paging, page):
    """The error comes out, no later page is spooled, and the next listing goes on from there."""
    list_all, spool, server = paging
    error = LakeError("as arranged")

    def fail():
        if spool.pages == page:
            raise error

    with pytest.raises(LakeError) as raised:
        list_all(fail)
    assert raised.value is error
    assert spool.pages == page
    spool.close()
    before = len(calls_of(server, JOBS))
    list_all(lambda: None)
    assert len(calls_of(server, JOBS)) - before == 4 - page
    assert names(spool.reader().read_all().to_pylist()) == job_names(range(7))


def test_two_threads_that_parse_a_listing_spool_the_same(serve, tmp_path, monkeypatch):
    """Pages of which every other takes longer to parse stay in their order."""
    monkeypatch.setattr(reader, "BATCH_PAGES", 1)
    serve(FixedResources({JOBS: [customization_job(n) for n in range(20)]}))

    class UnevenPager(Pager):
        threads: ClassVar = set()

        def parse(self, pages):
            self.threads.add(threading.current_thread())
            time.sleep(0.03 if len(self.threads) == 1 else 0)
            return super().parse(pages)

    client = Connections(Politeness(max_attempts=1)).client("bedrock", "us-east-1")
    pager = UnevenPager(client, OPERATION, Query(SOURCE.request, 2))
    spool = Spool(tmp_path, listed_schema(OPERATION), 0o600)
    run_listing(
        pager,
        spool,
        SpoolIdentity(pager.digest, FIRST_INSTANT),
        resume_within=timedelta(0),
        on_page=lambda _rows: None,
    )
    assert len(pager.threads) == 2
    assert names(spool.reader().read_all().to_pylist()) == job_names(range(20))
    assert spool.pages == 10


def test_of_a_limited_listing_on_page_hears_the_rows_that_are_kept(serve, tmp_path):
    """Not those that lie beyond the limit, on a page that was asked for whole."""
    serve(FixedResources({JOBS: [customization_job(n) for n in range(7)]}))
    client = Connections(Politeness(max_attempts=1)).client("bedrock", "us-east-1")
    heard = []
    pager = Pager(client, OPERATION, Query(SOURCE.request, 3, 5))
    run_listing(
        pager,
        Spool(tmp_path, listed_schema(OPERATION), 0o600),
        SpoolIdentity(pager.digest, FIRST_INSTANT),
        resume_within=timedelta(0),
        on_page=heard.append,
    )
    assert heard == [3, 2]


def boto3_part(page_size, max_items=None, token=None):
    pages = boto3_pages(
        dict(SOURCE.request), PageSize=page_size, MaxItems=max_items, StartingToken=token
    )
    result = pages.build_full_result()
    jobs = result.get("modelCustomizationJobSummaries", [])
    return [job["jobName"] for job in jobs], result.get("NextToken")


def job_names(numbers):
    return [f"job-{number:06}" for number in numbers]


ITEMS = st.integers(0, 25)
SIZES = st.integers(1, 12)


@given(items=ITEMS, page_sizes=st.lists(SIZES, min_size=1, max_size=4), max_items=SIZES)
@example(items=12, page_sizes=[4], max_items=4)
@example(items=12, page_sizes=[5, 2], max_items=3)
@example(items=0, page_sizes=[1], max_items=1)
@examples(0.2)
def test_a_chain_of_cut_listings_shows_every_item_once(
    list_part, resources, items, page_sizes, max_items
):
    """Parts that go on at each other's tokens list every item once, whatever their pages."""
    resources.lists[JOBS] = [customization_job(number) for number in range(items)]
    sizes = itertools.cycle(page_sizes)
    listed, token = list_part(next(sizes), max_items)
    parts = [listed]
    while token is not None:
        listed, token = list_part(next(sizes), max_items, token)
        parts.append(listed)
    assert list(itertools.chain(*parts)) == job_names(range(items))
    assert all(len(part) == max_items for part in parts[:-1])
    assert len(parts) == max(1, -(-items // max_items))


@given(items=ITEMS, page_size=SIZES, max_items=SIZES)
@example(items=12, page_size=4, max_items=8)
@examples(0.15)
def test_cuts_where_boto3_cuts_and_with_its_token(
    list_part, resources, items, page_size, max_items
):
    """MaxItems and PageSize give the same items and the very same NextToken as in boto3."""
    resources.lists[JOBS] = [customization_job(number) for number in range(items)]
    assert list_part(page_size, max_items) == boto3_part(page_size, max_items)


@given(items=ITEMS, page_sizes=st.tuples(SIZES, SIZES), max_items=SIZES)
@example(items=20, page_sizes=(10, 2), max_items=9)
@examples(0.15)
def test_goes_on_where_boto3_stopped(list_part, resources, items, page_sizes, max_items):
    """boto3's NextToken is a starting token; another page size neither repeats nor skips."""
    resources.lists[JOBS] = [customization_job(number) for number in range(items)]
    _, token = boto3_part(page_sizes[0], max_items)
    if token is None:
        assert items <= max_items
        return
    assert list_part(page_sizes[1], token=token) == (job_names(range(max_items, items)), None)


@given(items=ITEMS, page_size=SIZES, max_items=SIZES)
@examples(0.15)
def test_boto3_goes_on_where_joblake_stopped(list_part, resources, items, page_size, max_items):
    """The next token is a StartingToken of boto3's paginators."""
    resources.lists[JOBS] = [customization_job(number) for number in range(items)]
    _, token = list_part(page_size, max_items)
    if token is None:
        assert items <= max_items
        return
    assert boto3_part(page_size, token=token) == (job_names(range(max_items, items)), None)


def test_the_services_own_token_is_a_starting_token(serve, tmp_path):
    """A nextToken taken from a plain call of boto3 lists what follows it."""
    serve(FixedResources({JOBS: [customization_job(n) for n in range(9)]}))
    client = boto3.Session().client("bedrock")
    token = client.list_model_customization_jobs(maxResults=4, **SOURCE.request)["nextToken"]
    result = export_scope_alone(tmp_path / "lake", starting_token=token)
    assert (result.outcome, result.listed, result.next_token) == ("filtered", 5, None)
    assert names(observations(tmp_path / "lake")) == job_names(range(4, 9))


ODD_TOKENS = {
    "no base64": "page 2?&=%/ü",
    "JSON number": "MTIz",
    "JSON text": base64.b64encode(b'"abc"').decode(),
    "JSON list": base64.b64encode(b'["2026-01-01", "job-7"]').decode(),
    "empty JSON object": base64.b64encode(b"{}").decode(),
    "object of the service": base64.b64encode(json.dumps({"after": "job-7"}).encode()).decode(),
    "token beside more": base64.b64encode(b'{"nextToken": "a", "v": 2}').decode(),
    "token that is no text": base64.b64encode(b'{"nextToken": 7}').decode(),
    "old form of botocore": "None___3",
}


@pytest.mark.parametrize("token", ODD_TOKENS.values(), ids=ODD_TOKENS)
def test_a_token_of_any_form_goes_to_the_service_as_it_is(serve, tmp_path, token):
    """What is no token of boto3's paginators is taken for the service's own, whatever it holds."""

    def intercept(call, _answer):
        if call.operation != JOBS:
            return None
        number = 7 if call.parameters.get("nextToken") == token else 1
        item = customization_job(number)
        item["creationTime"] = item["lastModifiedTime"] = "2026-01-01T00:00:00Z"
        return json_answer({OPERATION.result_key: [item]})

    serve(intercept=intercept)
    export_scope_alone(tmp_path / "lake", starting_token=token)
    assert names(observations(tmp_path / "lake")) == ["job-000007"]


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_starting_token_is_refused(serve, tmp_path, token):
    """An empty token (of a script's empty variable) does not list everything from the start."""
    serve()
    with pytest.raises(UsageError, match="starting token is empty"):
        export_scope_alone(tmp_path / "lake", starting_token=token)


def test_a_cut_export_goes_on_in_the_next_one(serve, tmp_path):
    """Exports chained by next_token fill the lake without a gap; their rows tell of the cut."""
    lake = tmp_path / "lake"
    serve(FixedResources({JOBS: [customization_job(n) for n in range(10)]}))
    first = export_scope_alone(lake, max_items=4, page_size=3)
    second = export_scope_alone(lake, max_items=4, page_size=5, starting_token=first.next_token)
    third = export_scope_alone(lake, max_items=4, starting_token=second.next_token)
    assert [(r.outcome, r.added) for r in (first, second, third)] == [
        ("filtered", 4),
        ("filtered", 4),
        ("filtered", 2),
    ]
    assert third.next_token is None
    assert names(observations(lake)) == job_names(range(10))
    assert [json.loads(row["filters"]) for row in listing_rows(lake)] == [
        {"max_items": 4},
        {"max_items": 4, "starting_token": True},
        {"max_items": 4, "starting_token": True},
    ]


def test_max_items_beyond_the_end_is_still_no_complete_listing(serve, tmp_path):
    """A limit that was not reached gives everything and no token, but declares nothing vanished."""
    lake = tmp_path / "lake"
    resources = FixedResources({JOBS: [customization_job(n) for n in range(3)]})
    serve(resources)
    export_scope_alone(lake)
    resources.lists[JOBS] = [customization_job(0)]
    result = export_scope_alone(lake, max_items=100)
    assert (result.outcome, result.listed, result.vanished) == ("filtered", 1, 0)
    assert result.next_token is None


@pytest.mark.parametrize("max_items", [0, -3])
def test_max_items_below_one_is_refused(serve, tmp_path, max_items):
    """Nothing can be listed with no items allowed: a mistake, said so."""
    serve()
    with pytest.raises(UsageError, match="--max-items"):
        export_scope_alone(tmp_path / "lake", max_items=max_items)


# --- filters ---------------------------------------------------------------------------------

OTHER_BASE = "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-1-8b-instruct-v1:0"
CUSTOM_BASE = (
    "arn:aws:bedrock:us-east-1:111122223333:custom-model/meta.llama3-1-8b-instruct-v1:0/x1"
)
TRAINED = inference_job(0)["trainedModelArn"].replace("trained-model/1", "trained-model/2")
VERSION = "22222222-3333-4444-8555-666666666666"

FILTERED = {
    "model_customization_jobs": (
        JOBS,
        [
            customization_job(1, status="Completed"),
            customization_job(2),
            customization_job(3, jobName="other"),
        ],
        {
            "creationTimeAfter=2026-01-01T00:02:00Z": {"other"},
            "creationTimeBefore=2026-01-01T00:02:00Z": {"job-000001"},
            "statusEquals=Completed": {"job-000001"},
            "nameContains=000": {"job-000001", "job-000002"},
        },
    ),
    "custom_models": (
        MODELS,
        [
            custom_model(1, baseModelArn=OTHER_BASE, modelStatus="Failed"),
            custom_model(2, baseModelArn=CUSTOM_BASE, ownerAccountId="999988887777"),
            custom_model(3),
        ],
        {
            "creationTimeAfter=2026-01-01T00:02:00Z": {"model-000003"},
            "creationTimeBefore=2026-01-01T00:02:00Z": {"model-000001"},
            "nameContains=003": {"model-000003"},
            f"baseModelArnEquals={OTHER_BASE}": {"model-000001"},
            f"foundationModelArnEquals={OTHER_BASE}": {"model-000001", "model-000002"},
            "isOwned=true": {"model-000001", "model-000003"},
            "isOwned=false": {"model-000002"},
            "modelStatus=Failed": {"model-000001"},
        },
    ),
    "model_invocation_jobs": (
        BATCHES,
        [batch_job(1, status="Expired"), batch_job(2), batch_job(3, jobName="other")],
        {
            "submitTimeAfter=2026-01-01T00:02:00Z": {"other"},
            "submitTimeBefore=2026-01-01T00:02:00Z": {"batch-000001"},
            "statusEquals=Expired": {"batch-000001"},
            "nameContains=batch": {"batch-000001", "batch-000002"},
        },
    ),
    "trained_model_inference_jobs": (
        INFERENCES,
        [
            inference_job(1, trainedModelArn=TRAINED),
            inference_job(2, trainedModelArn=TRAINED, trainedModelVersionIdentifier=VERSION),
            inference_job(3),
        ],
        {
            f"trainedModelArn={TRAINED}": {"inference-000001", "inference-000002"},
            f"trainedModelVersionIdentifier={VERSION}": {"inference-000002"},
        },
    ),
}


@pytest.mark.parametrize(
    ("table", "text"),
    [(table, text) for table, (_, _, filters) in FILTERED.items() for text in filters],
)
def test_only_what_passes_the_filter_is_listed(serve, tmp_path, table, text):
    """Every filter reaches the service; matching rows alone are observed, and the row says so."""
    lake = tmp_path / "lake"
    operation, items, filters = FILTERED[table]
    server = serve(FixedResources({operation: items}))
    result = export_scope_alone(lake, table=(table,), parent=(MEMBERSHIP,), filter=(text,))
    assert (result.outcome, result.listed) == ("filtered", len(filters[text]))
    assert set(names(observations(lake, table))) == filters[text]
    name, value = text.split("=", 1)
    assert calls_of(server, operation)[0].parameters[name] in {value, value.replace("Z", "+00:00")}
    (row,) = listing_rows(lake)
    recorded = json.loads(row["filters"])
    assert list(recorded) == [name]
    assert str(recorded[name]).replace("+00:00", "Z").lower() == value.lower()


@pytest.mark.parametrize("table", FILTERED)
def test_no_filter_of_an_operation_is_left_untried(table):
    """The cases above are all the filters that the service model of each operation has."""
    operation = SOURCES[table].operation
    tried = {text.split("=", 1)[0] for text in FILTERED[table][2]}
    known = {parameter.name for parameter in operation.parameters}
    assert known - set(PAGING) - {"membershipIdentifier"} == tried


def test_filters_are_combined(serve, tmp_path):
    """Several filters narrow together, beside a limit, and all stand in the listing's row."""
    lake = tmp_path / "lake"
    operation, items, _ = FILTERED["custom_models"]
    serve(FixedResources({operation: items}))
    filters = ("isOwned=true", "creationTimeAfter=2026-01-01T00:01:30Z")
    result = export_scope_alone(lake, table=("custom_models",), filter=filters, max_items=5)
    assert (result.outcome, result.listed) == ("filtered", 1)
    assert names(observations(lake, "custom_models")) == ["model-000003"]
    assert json.loads(listing_rows(lake)[0]["filters"]) == {
        "isOwned": True,
        "creationTimeAfter": "2026-01-01T00:01:30+00:00",
        "max_items": 5,
    }


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:02:00Z",
        "2026-01-01 00:02",
        "2026-01-01T02:02:00+02:00",
        "20260101T000200Z",
        "1767225720",
    ],
)
def test_an_instant_may_be_spelled_in_many_ways(serve, tmp_path, text):
    """ISO 8601 with or without a zone (then UTC) and epoch seconds mean the same instant."""
    lake = tmp_path / "lake"
    operation, items, _ = FILTERED["model_customization_jobs"]
    serve(FixedResources({operation: items}))
    export_scope_alone(lake, filter=(f"creationTimeAfter={text}",))
    assert names(observations(lake)) == ["other"]
    recorded = json.loads(listing_rows(lake)[0]["filters"])
    assert recorded == {"creationTimeAfter": recorded["creationTimeAfter"]}


def test_membership_may_be_given_as_the_operations_parameter(serve, tmp_path):
    """The filter membershipIdentifier names the scope: listed whole, and nothing discovered."""
    lake = tmp_path / "lake"
    server = serve(FixedResources({INFERENCES: [inference_job(1)]}))
    result = export_scope_alone(
        lake,
        table=("trained_model_inference_jobs",),
        filter=(f"membershipIdentifier={MEMBERSHIP}",),
    )
    assert (result.outcome, result.parent) == ("complete", MEMBERSHIP)
    assert [call.operation for call in server.calls] == ["GetCallerIdentity", INFERENCES]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("statusEquals=Done", "allowed values are InProgress, Completed"),
        ("statusequals=Completed", "has no parameter 'statusequals'; it has: creationTimeAfter"),
        ("creationTimeAfter=yesterday", "expected a timestamp such as"),
        ("creationTimeAfter=", "expected a timestamp such as"),
        ("maxResults=many", "expected a whole number"),
        ("maxResults=1001", "allowed are 1 to 1000"),
        ("nameContains=", "allowed are 1 to 63 characters"),
        ("nameContains", "expected name=value"),
        ("=value", "expected name=value"),
    ],
)
def test_a_wrong_filter_is_refused_with_what_is_allowed(serve, tmp_path, text, message):
    """A filter is checked against the service model before anything is asked of AWS."""
    server = serve()
    with pytest.raises(UsageError, match=message):
        export_scope_alone(tmp_path / "lake", filter=(text,))
    assert server.calls == ()


def test_a_page_of_a_listing_without_its_spool_open_is_refused(tmp_path):
    """A spool takes pages only between begin and close: nothing is written to a forgotten file."""
    spool = Spool(tmp_path, listed_schema(OPERATION), 0o600)
    with pytest.raises(ValueError, match="not open"):
        spool.append(ParsedRows(listed_schema(OPERATION).empty_table(), None))
