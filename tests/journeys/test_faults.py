"""Nothing lost, nothing invented: every fault of the wire, over real HTTP, night after night."""

import json
import shutil
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from command_line import run_joblake
from declared import CATALOGUE
from exporting import (
    INFERENCES,
    JOBS,
    MEMBERSHIP,
    MEMBERSHIPS,
    MODELS,
    REGION,
    custom_model,
    customization_job,
    export_scope_alone,
    listing_rows,
    membership_of,
    observations,
    run_export,
    serving,
)
from faults import (
    DAMAGES,
    HTML,
    REFUSALS,
    RESULT_KEY,
    TOKEN,
    OnPage,
    Switch,
    body,
    error,
    first_tokens,
    scripted,
)
from joblake.aws import connections
from joblake.endpoint import FixedResources, error_answer, json_answer
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.lake.local import Lake
from joblake.listing.listing import MAX_RESTARTS
from joblake.settings.settings import load_settings
from joblake.warehouse.warehouse import open_warehouse

DAY = timedelta(days=1)
FIRST_NIGHT = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
PLACES = {1: "us-east-1", 2: "us-west-2", 3: "eu-west-1"}
"""The regions whose first, second (middle) and third (last) page is at fault."""
QUICK = {"max_attempts": 2, "page_size": 2}


@pytest.fixture
def service(serve):
    """An endpoint whose jobs and faults a test sets from night to night."""

    class Service:
        resources = FixedResources()
        switch = Switch()

        def __init__(self):
            self.server = serve(self.resources, intercept=self.switch)
            self.seen = 0

        def set_jobs(self, *jobs, faults=()):
            self.resources.lists[JOBS] = list(jobs)
            self.switch.faults = faults

        def new_calls(self, operation=JOBS):
            """The calls of an operation since this was last asked."""
            calls, self.seen = self.server.calls[self.seen :], len(self.server.calls)
            return [call for call in calls if call.operation == operation]

    return Service()


def jobs(*numbers, **of_number_one):
    return [
        customization_job(number, **(of_number_one if number == 1 else {})) for number in numbers
    ]


def changes(lake, region=REGION, since=None):
    """(job, change, status) of the observations of a region, in order."""
    return [
        (int(row["job_name"][-6:]), row["change"], row["status"])
        for row in observations(lake)
        if row["region_name"] == region and (since is None or row["observed_at"] >= since)
    ]


def by_region(result):
    return {scope.region_name: scope for scope in result.scopes}


def state(lake, region=REGION):
    """The jobs that the history says exist, with their statuses."""
    latest = {number: (change, status) for number, change, status in changes(lake, region)}
    return {n: status for n, (change, status) in latest.items() if change != "vanished"}


# --- 1: damaged answers ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    """A lake in which jobs 1 to 5 were listed, running, in each of the three regions."""
    lake = tmp_path_factory.mktemp("first") / "lake"
    with serving(FixedResources({JOBS: jobs(1, 2, 3, 4, 5)})):
        assert run_export(lake, at=FIRST_NIGHT, region=tuple(PLACES.values())).is_good
    return lake


@pytest.mark.parametrize("fault", {**DAMAGES, **REFUSALS}.values(), ids={**DAMAGES, **REFUSALS})
def test_a_damaged_answer_is_asked_for_again_and_never_a_page(
    service, lake, first_night, monkeypatch, fault
):
    """On the first, a middle and the last page: damaged once is repeated and costs nothing.

    Damaged for good is `failed` before any page and `partial` after some: what was seen is kept,
    nothing vanishes, and the next night sets everything right.
    """
    shutil.copytree(first_night, lake)
    if fault is REFUSALS["no answer in time"]:
        monkeypatch.setattr(connections, "READ_TIMEOUT_SECONDS", 0.5)
    options = {**QUICK, "region": tuple(PLACES.values())}
    forever = [OnPage(fault, page, regions=[region]) for page, region in PLACES.items()]
    service.set_jobs(*jobs(1, 3, 4, 5, 6, status="Completed"), faults=forever)
    result = by_region(run_export(lake, at=FIRST_NIGHT + DAY, **options))
    first, middle, last = (result[region] for region in PLACES.values())
    assert (first.outcome, middle.outcome, last.outcome) == ("failed", "partial", "partial")
    assert [(s.pages, s.requests) for s in (first, middle, last)] == [(0, 2), (1, 3), (2, 4)]
    assert all(scope.error and scope.vanished == 0 for scope in result.values())
    assert [changes(lake, region, FIRST_NIGHT + DAY) for region in PLACES.values()] == [
        [],
        [(1, "changed", "Completed")],
        [(1, "changed", "Completed")],
    ]

    once = [OnPage(fault, page, 1, [region]) for page, region in PLACES.items()]
    service.set_jobs(*jobs(1, 3, 4, 5, 6, status="Completed"), faults=once)
    result = run_export(lake, at=FIRST_NIGHT + 2 * DAY, **options)
    assert [scope.outcome for scope in result.scopes] == ["complete"] * 3
    assert [(scope.pages, scope.requests) for scope in result.scopes] == [(3, 4)] * 3
    expected = {1: "Completed", **dict.fromkeys((3, 4, 5, 6), "InProgress")}
    for region in PLACES.values():
        assert state(lake, region) == expected
        vanished = [change for change in changes(lake, region) if change[1] == "vanished"]
        assert vanished == [(2, "vanished", "InProgress")]


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_botocore_counts_the_attempts_at_a_damaged_page(service, lake, attempts):
    """A damaged page is a failed request: it is asked for as often as the setting says."""
    service.set_jobs(*jobs(1), faults=[OnPage(body(HTML))])
    result = export_scope_alone(lake, max_attempts=attempts)
    assert (result.outcome, result.requests) == ("failed", attempts)
    assert len(service.new_calls()) == attempts


# --- 2: tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "pages"),
    [
        ({None: ([], "A"), "A": ([], "A")}, 2),
        ({None: ([], "A"), "A": ([], "B"), "B": ([], "A")}, 3),
        ({None: ([], "A"), "A": ([], "B"), "B": ([], "C"), "C": ([], "B")}, 4),
    ],
    ids=["A A", "A B A B", "A B C B C"],
)
def test_a_loop_of_tokens_fails_the_listing(service, lake, night, script, pages):
    """A token that comes twice ends the listing as partial: not for ever, and not as complete."""
    service.set_jobs(*jobs(7, 8))
    export_scope_alone(lake, at=night)
    filled = {token: (jobs(n), after) for n, (token, (_, after)) in enumerate(script.items(), 1)}
    service.set_jobs(faults=[scripted(filled)])
    service.new_calls()
    result = export_scope_alone(lake, at=night + DAY)
    assert (result.outcome, result.pages, result.requests) == ("partial", pages, pages)
    assert "token" in result.error
    assert len(service.new_calls()) == pages
    assert set(state(lake)) == {7, 8, *range(1, pages + 1)}


STALE = {
    "expired": lambda _: error_answer("ValidationException", "The provided token has expired."),
    "unknown": lambda _: error_answer("InvalidNextTokenException", "Invalid token"),
    "internal": lambda _: error_answer("InternalServerException", "Internal error", 500),
}


@pytest.mark.parametrize("fault", STALE.values(), ids=STALE)
@pytest.mark.parametrize("page", [2, 3])
def test_a_token_gone_stale_restarts_the_listing(service, lake, night, page, fault):
    """A token that the service gave and refuses once: the listing begins anew and is complete."""
    service.set_jobs(*jobs(1, 2, 3, 4, 5))
    export_scope_alone(lake, at=night, **QUICK)
    attempts = 2 if fault is STALE["internal"] else 1
    service.set_jobs(*jobs(1, 2, 3, 4, 6), faults=[OnPage(fault, page, times=attempts)])
    service.new_calls()
    result = export_scope_alone(lake, at=night + DAY, **QUICK)
    assert (result.outcome, result.pages) == ("complete", 3)
    assert (result.listed, result.added, result.changed, result.vanished) == (5, 1, 0, 1)
    assert first_tokens(service.new_calls()).count(None) == 2
    assert set(state(lake)) == {1, 2, 3, 4, 6}


@pytest.mark.parametrize("fault", STALE.values(), ids=STALE)
def test_a_token_always_stale_ends_as_partial(service, lake, night, fault):
    """Restarts are bounded: then the pages so far are kept, and nothing vanishes."""
    service.set_jobs(*jobs(1, 2, 3, 4, 5))
    export_scope_alone(lake, at=night, **QUICK)
    service.set_jobs(*jobs(1, 2, 3, 6), faults=[OnPage(fault, 2)])
    service.new_calls()
    result = export_scope_alone(lake, at=night + DAY, **QUICK)
    assert (result.outcome, result.pages, result.vanished) == ("partial", 1, 0)
    assert first_tokens(service.new_calls()).count(None) == MAX_RESTARTS + 1
    assert set(state(lake)) == {1, 2, 3, 4, 5}


def test_pages_before_a_restart_leave_nothing_behind(service, lake):
    """What the first attempt saw and the second does not is no part of the listing."""
    asked = []

    def moving(call, _answer):
        if call.operation != JOBS:
            return None
        asked.append(call.parameters.get(TOKEN))
        if asked == [None]:
            return json_answer({RESULT_KEY: wire(jobs(1)), TOKEN: "A"})
        if asked[-1] == "A":
            return error_answer("ValidationException", "expired")
        return json_answer({RESULT_KEY: wire(jobs(2))})

    service.set_jobs(faults=[moving])
    result = export_scope_alone(lake)
    assert (result.outcome, result.listed, asked) == ("complete", 1, [None, "A", None])
    assert set(state(lake)) == {2}


def wire(items):
    """Items as JSON has them."""
    return json.loads(json.dumps(list(items), default=lambda at: at.isoformat()))


def test_a_starting_token_of_the_users_is_refused_once(service, lake):
    """The user's own token is not ours to throw away: one request, a clear failure, no restart."""
    service.set_jobs(*jobs(1, 2, 3))
    result = export_scope_alone(lake, starting_token="foreign", **QUICK)
    assert (result.outcome, result.pages, result.requests) == ("failed", 0, 1)
    assert result.error.startswith("ValidationException")
    assert first_tokens(service.new_calls()) == ["foreign"]


def test_a_restart_begins_where_the_user_began(service, lake):
    """After a starting token, a stale token of the service leads back to it, not to page 1."""
    service.set_jobs(*jobs(1, 2, 3, 4, 5, 6))
    cut = export_scope_alone(lake, max_items=2, **QUICK)
    # Pages are counted by the tokens seen, and the fault sees none of the first listing.
    service.set_jobs(*jobs(1, 2, 3, 4, 5, 6), faults=[OnPage(STALE["expired"], 2, times=1)])
    service.new_calls()
    result = export_scope_alone(lake, starting_token=cut.next_token, **QUICK)
    tokens = first_tokens(service.new_calls())
    assert (result.outcome, result.listed) == ("filtered", 4)
    assert len(tokens) == 4
    assert None not in tokens
    assert tokens[0] == tokens[2]
    assert set(state(lake)) == {1, 2, 3, 4, 5, 6}


def test_empty_and_short_pages_are_legal(service, lake):
    """Empty pages with a token, at the beginning, in the middle and at the end, end nothing."""
    script = {
        None: ([], "A"),
        "A": (jobs(1), "B"),
        "B": ([], "C"),
        "C": ([], "D"),
        "D": (jobs(2, 3), "E"),
        "E": ([], ...),
    }
    service.set_jobs(faults=[scripted(script)])
    result = export_scope_alone(lake)
    assert (result.outcome, result.pages, result.listed) == ("complete", 6, 3)


@pytest.mark.parametrize("blank", ["", " ", "\t\r\n", None, ...], ids=repr)
@pytest.mark.parametrize("items", [jobs(2), []], ids=["with items", "empty"])
def test_a_blank_token_ends_the_listing(service, lake, items, blank):
    """An empty, white, null or absent token is the end: complete, and not asked for."""
    service.set_jobs(faults=[scripted({None: (jobs(1), "A"), "A": (items, blank)})])
    result = export_scope_alone(lake)
    assert (result.outcome, result.pages, result.requests) == ("complete", 2, 2)
    assert result.listed == 1 + len(items)


@pytest.mark.parametrize(
    "token", ["x" * 10_000, "+/=?&#%20", "ünï", '"}', "'; drop", "null", "../.."]
)
def test_a_token_of_any_form_goes_back_as_it_came(service, lake, token):
    """Whatever stands in a token reaches the service unchanged."""
    service.set_jobs(faults=[scripted({None: (jobs(1), token), token: (jobs(2), ...)})])
    result = export_scope_alone(lake)
    assert (result.outcome, result.listed) == ("complete", 2)


# --- 3: moving listings ----------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [True, False])
def test_an_item_seen_on_two_pages_is_one_in_its_newest_state(service, lake, night, newest_first):
    """A job that moves to another page while it is listed is seen twice and stored once."""
    old = customization_job(1, lastModifiedTime=night)
    new = customization_job(1, status="Completed", lastModifiedTime=night + timedelta(seconds=1))
    first, second = (new, old) if newest_first else (old, new)
    script = {None: ([first, *jobs(2)], "A"), "A": ([second, *jobs(3)], ...)}
    service.set_jobs(faults=[scripted(script)])
    result = export_scope_alone(lake, at=night)
    assert (result.outcome, result.listed, result.added) == ("complete", 3, 3)
    assert state(lake)[1] == "Completed"


@pytest.mark.parametrize(
    ("before", "after", "share", "held"),
    [
        (20, 0, None, 0),  # not large
        (21, 14, None, 0),  # exactly a third
        (21, 13, None, 8),
        (40, 0, None, 40),
        (40, 35, 0.1, 5),
        (40, 0, 1.0, 0),
    ],
)
def test_a_mass_vanish_is_held_for_confirmation(  # noqa: PLR0913, PLR0917 - each figure decides
    service, lake, night, before, after, share, held
):
    """More than a share of a scope of more than 20 vanishes only when seen a second time."""
    options = {} if share is None else {"mass_vanish_share": share}
    service.set_jobs(*jobs(*range(before)))
    export_scope_alone(lake, at=night, **options)
    service.set_jobs(*jobs(*range(after)))
    result = export_scope_alone(lake, at=night + DAY, **options)
    assert result.outcome == "complete"
    assert result.vanished == (0 if held else before - after)
    assert bool(held) == bool(result.error and str(held) in result.error)
    assert len(state(lake)) == (before if held else after)
    result = export_scope_alone(lake, at=night + 2 * DAY, **options)
    assert (result.vanished, result.error) == (held, None)
    assert len(state(lake)) == after


def test_only_a_complete_listing_confirms_a_mass_vanish(service, lake, night):
    """Neither a partial nor a filtered nor a damaged listing confirms what was held."""
    service.set_jobs(*jobs(*range(40)))
    export_scope_alone(lake, at=night)
    service.set_jobs(*jobs(1, 2, 3))
    assert export_scope_alone(lake, at=night + DAY).error
    service.set_jobs(*jobs(1, 2, 3), faults=[OnPage(body(b"{}"), 2)])
    assert export_scope_alone(lake, at=night + 2 * DAY, **QUICK).outcome == "partial"
    service.set_jobs(*jobs(1, 2, 3), faults=[OnPage(body(b"{}"))])
    assert export_scope_alone(lake, at=night + 3 * DAY, **QUICK).outcome == "failed"
    service.set_jobs(*jobs(1, 2, 3))
    filters = ("statusEquals=InProgress",)
    assert export_scope_alone(lake, at=night + 4 * DAY, filter=filters).outcome == "filtered"
    assert len(state(lake)) == 40
    result = export_scope_alone(lake, at=night + 5 * DAY)
    assert (result.vanished, set(state(lake))) == (37, {1, 2, 3})


# --- 4: one scope's failure ------------------------------------------------------------------

ODD_ERRORS = {
    "a list": b"[1, 2]",
    "a text": b'"denied"',
    "null": b"null",
    "numbers": b'{"__type": 5, "message": 7, "code": []}',
    "nulls": b'{"__type": null, "message": null}',
    "lone surrogates": b'{"message": "\\ud800 \\udfff"}',
    "escape codes": b'{"message": "\\u001b[2J\\u0007 red"}',
    "cut": b'{"message": "cu',
    "HTML": HTML,
    "no UTF-8": b"\xff\xfe\x00",
    "nothing": b"",
    "much": b'{"message": "' + b"x" * 1_000_000 + b'"}',
}
FAILURES = {
    "us-east-2": ("denied", error(403, "AccessDeniedException")),
    "us-west-1": ("failed", error(400, "ThrottlingException")),
    "us-west-2": ("unsupported", error(404, "UnknownOperationException")),
    "ca-central-1": (
        "unsupported",
        lambda _: error_answer("ValidationException", "Unknown operation ListFoo"),
    ),
    "sa-east-1": ("unsupported", error(403, "UnrecognizedClientException")),
    "eu-west-1": ("unsupported", error(403, "OptInRequired")),
    "eu-west-2": ("failed", REFUSALS["connection reset"]),
    "eu-west-3": ("denied", error(403, "ExpiredTokenException")),
    "eu-central-1": ("failed", error(400, "ValidationException")),
    "eu-central-2": ("failed", error(302, "Moved", HTML)),
    "eu-north-1": ("failed", DAMAGES["HTML"]),
    "eu-south-1": ("failed", error(413, "x" * 5000)),
}


def test_a_scopes_failure_is_its_own(service, lake, night):
    """Twelve regions fail in twelve ways: their rows stay, each is on record, one is complete."""
    regions = (REGION, *FAILURES)
    service.set_jobs(*jobs(1, 2, 3, 4))
    assert run_export(lake, at=night, region=regions, **QUICK).is_good
    faults = [OnPage(fault, regions=[region]) for region, (_, fault) in FAILURES.items()]
    service.set_jobs(*jobs(1, 2, 5, status="Completed"), faults=faults)
    result = run_export(lake, at=night + DAY, region=regions, **QUICK)
    expected = {REGION: "complete"} | {name: outcome for name, (outcome, _) in FAILURES.items()}
    assert {name: scope.outcome for name, scope in by_region(result).items()} == expected
    assert not result.is_good
    for region in FAILURES:
        assert set(state(lake, region)) == {1, 2, 3, 4}
        assert changes(lake, region, since=night + DAY) == []
    assert set(state(lake)) == {1, 2, 5}
    with open_warehouse(Lake(lake), CATALOGUE) as warehouse:
        rows = warehouse.query("from reports.listing_coverage").to_pylist()
    assert {row["region_name"]: row["last_outcome"] for row in rows} == expected
    assert all(
        row["last_complete_listed"] == (3 if row["region_name"] == REGION else 4) for row in rows
    )
    assert all(row["last_error"] for row in rows if row["region_name"] != REGION)


def test_a_failure_after_the_first_page_is_partial(service, lake, night):
    """Whatever ends a listing between two pages: what was seen is kept, nothing vanishes."""
    regions = tuple(FAILURES)
    service.set_jobs(*jobs(1, 2, 3, 4))
    run_export(lake, at=night, region=regions, **QUICK)
    faults = [OnPage(fault, 2, regions=[region]) for region, (_, fault) in FAILURES.items()]
    service.set_jobs(*jobs(1, 5, 2, status="Completed"), faults=faults)
    result = run_export(lake, at=night + DAY, region=regions, **QUICK)
    assert {(s.outcome, s.pages, s.listed, s.vanished) for s in result.scopes} == {
        ("partial", 1, 2, 0)
    }
    for region in regions:
        known = {n: status for n, status in state(lake, region).items() if n != 5}
        assert known == {1: "Completed", 2: "InProgress", 3: "InProgress", 4: "InProgress"}
    assert {row["outcome"] for row in listing_rows(lake)[-len(regions) :]} == {"partial"}


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize("has_header", [True, False], ids=["with a code", "without"])
def test_an_odd_error_stops_nobody(service, lake, status, has_header):
    """An error whose body is none of AWS's fails its scope in one printable line, and no other."""
    regions = dict(zip(FAILURES, ODD_ERRORS.values(), strict=True))

    def odd(content):
        fault = error(status, "SomethingException", content)
        return lambda answer: fault(answer) if has_header else replace(fault(answer), headers={})

    faults = [OnPage(odd(content), regions=[region]) for region, content in regions.items()]
    service.set_jobs(*jobs(1), faults=faults)
    result = by_region(run_export(lake, region=(REGION, *regions), max_attempts=1))
    expected = dict.fromkeys(regions, "failed") | {REGION: "complete"}
    assert {name: scope.outcome for name, scope in result.items()} == expected
    rows = listing_rows(lake)
    assert len(rows) == len(expected)
    for row in rows:
        assert row["error"] is None or (row["error"].isprintable() and len(row["error"]) <= 300)


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_an_unreachable_endpoint_is_a_failure_where_the_service_exists(
    service, lake, monkeypatch, night
):
    """Nobody answers: `unsupported` only in a region that botocore does not list, else `failed`."""
    service.set_jobs(*jobs(1))
    regions = (REGION, "ap-east-1")
    assert run_export(lake, at=night, region=regions, **QUICK).is_good
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", f"http://127.0.0.1:{closed_port()}")
    result = by_region(run_export(lake, at=night + DAY, region=regions, **QUICK))
    assert result[REGION].outcome == "failed"
    assert result["ap-east-1"].outcome == "unsupported"
    assert state(lake) == state(lake, "ap-east-1") == {1: "InProgress"}


def test_an_endpoint_that_dies_in_mid_run_fails_what_is_left(service, lake, night):
    """The scopes before it are complete, those after it failed, and the history is whole."""
    service.set_jobs(*jobs(1, 2))
    options = {"region": (REGION, "us-west-2"), "max_workers": 1, **QUICK}
    assert run_export(lake, at=night, **options).is_good
    service.set_jobs(*jobs(1))
    settings = load_settings(lake=str(lake), table=("model_customization_jobs",), **options)
    run = plan(settings, clock=lambda: night + DAY)
    stop = service.server.__exit__
    result = export(run, clock=lambda: night + DAY, on_results=lambda _: stop(None, None, None))
    assert [scope.outcome for scope in result.scopes] == ["complete", "failed"]
    assert (set(state(lake)), set(state(lake, "us-west-2"))) == ({1}, {1, 2})


def test_credentials_that_expire_in_mid_run_are_no_missing_region(service, lake):
    """The words for a region that is not opted in, after STS refuses too, are `denied`."""
    is_planned = False

    def refuse(call, _answer):
        if not is_planned:
            return None
        if call.client == "sts":
            return replace(STS_REFUSAL)
        return error_answer("UnrecognizedClientException", "The security token is invalid.", 403)

    service.set_jobs(*jobs(1), faults=[refuse])
    settings = load_settings(lake=str(lake), table=("model_customization_jobs",), max_attempts=1)
    run = plan(settings)
    is_planned = True
    (scope,) = export(run).scopes
    assert scope.outcome == "denied"
    assert not scope.is_good


STS_REFUSAL = error(403, "InvalidClientTokenId")(json_answer({}))


def test_a_region_that_is_not_opted_in_does_not_end_the_run(service, lake):
    """STS is asked in the default region: a listed one may refuse the best of credentials."""

    def refuse(call, _answer):
        if call.region_name == "af-south-1":
            return replace(STS_REFUSAL)
        return None

    service.set_jobs(*jobs(1), faults=[refuse])
    result = by_region(run_export(lake, region=("af-south-1", REGION), max_attempts=1))
    assert result[REGION].outcome == "complete"
    assert result["af-south-1"].outcome == "unsupported"


def test_the_exit_code_says_that_a_scope_failed(service, lake):
    """`joblake export` ends 0 when all is well and 1 when a scope failed, with the others done."""
    arguments = ("export", "--lake", str(lake), "--table", "model_customization_jobs")
    arguments += ("--region", REGION, "--region", "us-west-2", "--max-attempts", "1", "--json")
    service.set_jobs(*jobs(1))
    for fault, code in ((None, 0), (OnPage(body(b"{}"), regions=["us-west-2"]), 1)):
        service.switch.faults = [fault] if fault else []
        finished = run_joblake(*arguments)
        assert finished.returncode == code
        outcomes = [scope["outcome"] for scope in json.loads(finished.stdout)["scopes"]]
        assert outcomes == ["complete", "complete" if code == 0 else "failed"]
        assert ("without a list" in finished.stderr) == (code == 1)


def test_memberships_found_before_a_failure_are_exported(service, lake):
    """A listing that breaks off is on record as partial; what its pages showed is listed in."""
    found = [MEMBERSHIP.replace("1111", f"{number:04}", 1) for number in range(3)]

    def broken(call, _answer):
        if call.operation != MEMBERSHIPS:
            return None
        if TOKEN in call.parameters:
            return json_answer({"message": "no"})
        return json_answer({"membershipSummaries": wire(map(membership_of, found)), TOKEN: "A"})

    service.resources.lists[INFERENCES] = []
    service.switch.faults = [broken]
    result = run_export(lake, table=("trained_model_inference_jobs",), max_attempts=1)
    outcomes = {scope.parent: scope.outcome for scope in result.scopes}
    assert outcomes == {None: "partial"} | dict.fromkeys(found, "complete")
    assert {row["parent"] for row in listing_rows(lake)} == {None, *found}


def test_what_comes_back_is_added_again_and_its_history_is_continuous(service, lake, night):
    """Vanished on one night and back on another: added, vanished, added, one key throughout."""
    for number, present in enumerate([(1, 2), (2,), (2,), (1, 2), (1, 2)]):
        service.set_jobs(*jobs(*present))
        assert export_scope_alone(lake, at=night + number * DAY).outcome == "complete"
    assert [change for number, change, _ in changes(lake) if number == 1] == [
        "added",
        "vanished",
        "added",
    ]
    with open_warehouse(Lake(lake), CATALOGUE) as warehouse:
        (row,) = warehouse.query(
            "from current.model_customization_jobs where job_name = 'job-000001'"
        ).to_pylist()
        nights = [
            warehouse.query(
                "select count(*) from jobs_as_of(?) where not is_vanished",
                [night + number * DAY + timedelta(hours=1)],
            ).to_pylist()[0]
            for number in range(5)
        ]
    assert (row["is_vanished"], row["first_seen_at"]) == (False, night)
    assert [count for night_row in nights for count in night_row.values()] == [2, 1, 1, 2, 2]


def test_a_failed_table_leaves_the_other_tables_alone(service, lake):
    """Jobs denied, models complete: scopes of one account and region do not share their fate."""
    service.resources.lists[MODELS] = [custom_model(1)]
    service.set_jobs(*jobs(1), faults=[OnPage(error(403, "AccessDeniedException"))])
    result = run_export(lake, table=("model_customization_jobs", "custom_models"), max_attempts=1)
    assert [scope.outcome for scope in result.scopes] == ["denied", "complete"]
    assert len(observations(lake, "custom_models")) == 1
