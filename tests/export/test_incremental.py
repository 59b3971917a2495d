"""Incremental listings: what is asked for, what is concluded, and that nothing else is lost."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import Phase, example, given
from hypothesis import strategies as st

from declared import CATALOGUE, SOURCES
from examples import examples
from exporting import (
    BATCHES,
    INFERENCES,
    JOBS,
    MEMBERSHIP,
    MODELS,
    batch_job,
    custom_model,
    customization_job,
    export_scope_alone,
    inference_job,
    listing_rows,
    run_export,
)
from joblake.endpoint import FixedResources, error_answer
from joblake.lake.local import Lake
from joblake.warehouse.warehouse import open_warehouse

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def resources():
    return FixedResources()


@pytest.fixture
def server(serve, resources):
    return serve(resources)


def job(number, created_at, status="InProgress", **members):
    """A customization job; what has ended is called Completed."""
    return customization_job(number, creationTime=created_at, status=status, **members)


def asked_after(server, operation=JOBS, parameter="creationTimeAfter"):
    """From which time of creation each listing asked; None for all of it."""
    texts = [
        call.parameters.get(parameter)
        for call in server.calls
        if call.operation == operation and "nextToken" not in call.parameters
    ]
    return [text and datetime.fromisoformat(text) for text in texts]


def queried(lake, sql):
    with open_warehouse(Lake(lake), CATALOGUE) as warehouse:
        return warehouse.query(sql).arrow().to_pylist()


# --- what is asked for -----------------------------------------------------------------------


def test_it_begins_before_the_oldest_job_that_has_not_ended(server, resources, lake, night):
    """Older ones have ended and can change no more; the overlap is taken off."""
    ages = {1: 90, 2: 40, 3: 30, 4: 1}
    statuses = {1: "Completed", 2: "Stopping", 3: "Failed", 4: "InProgress"}
    resources.lists[JOBS] = [
        job(number, night - days * DAY, statuses[number]) for number, days in ages.items()
    ]
    full = export_scope_alone(lake, at=night, incremental=True)
    resources.lists[JOBS].append(job(5, night + HOUR))
    short = export_scope_alone(lake, at=night + DAY, incremental=True, overlap_minutes=90)
    assert (full.outcome, full.listed) == ("complete", 4)
    assert (short.outcome, short.listed, short.added, short.vanished) == ("filtered", 4, 1, 0)
    since = night - 40 * DAY - timedelta(minutes=90)
    assert asked_after(server) == [None, since]
    assert [row["filters"] for row in listing_rows(lake)] == [
        None,
        json.dumps({"creationTimeAfter": since.isoformat()}),
    ]


def test_it_begins_at_the_last_listing_where_every_job_has_ended(server, resources, lake, night):
    """What was created before it has been seen; incremental listings count, if they left no gap."""
    resources.lists[JOBS] = [job(1, night - DAY, "Completed")]
    for nights in range(3):
        export_scope_alone(lake, at=night + nights * DAY, incremental=True)
    assert asked_after(server) == [None, night - HOUR, night + DAY - HOUR]


@pytest.mark.parametrize("between", ["statusEquals=Failed", "creationTimeAfter=2030-01-01"])
def test_a_listing_that_left_something_out_is_not_built_on(server, resources, lake, night, between):
    """After a listing with another filter, or from later on, it begins where all was seen."""
    resources.lists[JOBS] = [job(1, night - DAY, "Completed")]
    export_scope_alone(lake, at=night)
    export_scope_alone(lake, at=night + DAY, filter=(between,))
    export_scope_alone(lake, at=night + 2 * DAY, incremental=True)
    assert asked_after(server)[-1] == night - HOUR


@pytest.mark.parametrize(
    ("table", "operation", "parameter", "item"),
    [
        ("custom_models", MODELS, "creationTimeAfter", custom_model(1, modelStatus="Creating")),
        ("model_invocation_jobs", BATCHES, "submitTimeAfter", batch_job(1)),
    ],
)
def test_each_table_is_asked_by_its_own_parameter(  # noqa: PLR0913, PLR0917 - fixtures
    server, resources, lake, night, table, operation, parameter, item
):
    """Which parameter that is, the service model tells by the member that tells the creation."""
    resources.lists[operation] = [item]
    for nights in range(2):
        export_scope_alone(lake, at=night + nights * DAY, table=(table,), incremental=True)
    created_at = item[SOURCES[table].created]
    assert asked_after(server, operation, parameter) == [None, created_at - HOUR]


def test_without_a_filter_by_time_everything_is_listed(server, resources, lake, night):
    """Clean Rooms ML has none: its listings stay complete, and show what is gone."""
    resources.lists[INFERENCES] = [inference_job(1), inference_job(2)]
    options = {"table": ("trained_model_inference_jobs",), "parent": (MEMBERSHIP,)}
    export_scope_alone(lake, at=night, incremental=True, **options)
    resources.lists[INFERENCES] = [inference_job(1)]
    second = export_scope_alone(lake, at=night + DAY, incremental=True, **options)
    assert (second.outcome, second.vanished) == ("complete", 1)
    assert server.calls


def test_a_filter_of_the_users_own_is_asked_as_it_is(server, resources, lake, night):
    """Neither a filter nor a limit is combined with what --incremental would ask."""
    resources.lists[JOBS] = [job(1, night - DAY)]
    export_scope_alone(lake, at=night)
    export_scope_alone(lake, at=night + DAY, incremental=True, filter=("nameContains=job",))
    export_scope_alone(lake, at=night + DAY, incremental=True, max_items=1)
    assert asked_after(server) == [None, None, None]


def test_one_table_alone_may_be_incremental(server, resources, lake, night):
    """The overrides of a table may turn it on and off."""
    resources.lists[JOBS] = [job(1, night - DAY)]
    resources.lists[MODELS] = [custom_model(1, modelStatus="Creating")]
    for nights in range(2):
        run_export(
            lake,
            at=night + nights * DAY,
            table=("custom_models", "model_customization_jobs"),
            override={"model_customization_jobs": {"incremental": True}},
        )
    assert asked_after(server) == [None, night - DAY - HOUR]
    assert asked_after(server, MODELS) == [None, None]


# --- when everything is listed -----------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 3, 7])
def test_everything_is_listed_every_few_days(server, resources, lake, night, days):
    """Counted from the last complete listing, give or take the minutes that nights differ by."""
    resources.lists[JOBS] = [job(1, night - DAY)]
    for nights in range(2 * days + 1):
        at = night + nights * DAY - timedelta(minutes=nights % 2)
        export_scope_alone(lake, at=at, incremental=True, full_listing_days=days)
    full = [number for number, since in enumerate(asked_after(server)) if since is None]
    assert full == [0, days, 2 * days]


def test_after_a_partial_listing_everything_is_listed(serve, resources, lake, night):
    """Of a first listing that failed half way nothing can be concluded."""
    is_broken = True

    def second_page_fails(call, _answer):
        if is_broken and "nextToken" in call.parameters:
            return error_answer("AccessDeniedException", "no more", 403)
        return None

    server = serve(resources, intercept=second_page_fails)
    resources.lists[JOBS] = [job(number, night - DAY) for number in range(4)]
    options = {"incremental": True, "page_size": 2, "resume_minutes": 0}
    assert export_scope_alone(lake, at=night, **options).outcome == "partial"
    is_broken = False
    assert export_scope_alone(lake, at=night + DAY, **options).outcome == "complete"
    assert asked_after(server) == [None, None]


def test_a_mass_vanish_is_confirmed_the_next_night(server, resources, lake, night):
    """A listing that waits for confirmation is followed by a complete one, which confirms it."""
    resources.lists[JOBS] = [job(number, night - DAY) for number in range(30)]
    outcomes = []
    for nights in range(4):
        result = export_scope_alone(
            lake, at=night + nights * DAY, incremental=True, full_listing_days=2
        )
        outcomes.append((result.outcome, result.vanished, result.error is not None))
        resources.lists[JOBS] = resources.lists[JOBS][:10]
    assert outcomes == [
        ("complete", 0, False),
        ("filtered", 0, False),
        ("complete", 0, True),
        ("complete", 20, False),
    ]
    assert server.calls


# --- what is concluded -------------------------------------------------------------------------


def test_what_is_gone_and_what_was_not_asked_for_stay_as_last_seen(server, resources, lake, night):
    """A filtered listing vanishes nothing, and nothing in it counts as seen by a complete one."""
    resources.lists[JOBS] = [job(1, night - 9 * DAY, "Completed"), job(2, night - DAY)]
    export_scope_alone(lake, at=night, incremental=True)
    resources.lists[JOBS] = [job(2, night - DAY, "Completed")]
    export_scope_alone(lake, at=night + DAY, incremental=True)
    columns = "job_name, status, is_vanished, last_seen_at"
    rows = queried(lake, f"select {columns} from current.model_customization_jobs order by all")
    assert [tuple(row.values()) for row in rows] == [
        ("job-000001", "Completed", False, night),
        ("job-000002", "Completed", False, night + DAY),
    ]
    (coverage,) = queried(lake, "from listing_coverage")
    assert coverage["last_outcome"] == "filtered"
    assert coverage["last_listing_at"] == night + DAY
    assert coverage["last_complete_at"] == night
    assert coverage["last_complete_listed"] == 2
    assert server.calls


def test_a_change_after_the_end_shows_in_the_next_full_listing(server, resources, lake, night):
    """Nothing should change a job that has ended; what does is seen a few days later."""
    resources.lists[JOBS] = [job(1, night - DAY, "Completed")]
    export_scope_alone(lake, at=night, incremental=True)
    resources.lists[JOBS] = [job(1, night - DAY, "Completed", customModelName="late")]
    changed = [
        export_scope_alone(
            lake, at=night + nights * DAY, incremental=True, full_listing_days=3
        ).changed
        for nights in (1, 2, 3)
    ]
    assert changed == [0, 0, 1]
    assert server.calls


def test_an_interrupted_incremental_listing_goes_on(serve, resources, lake, night):
    """The pages that had come are kept, as of any other listing."""
    is_broken = False

    def second_page_fails(call, _answer):
        if is_broken and "nextToken" in call.parameters:
            return error_answer("ServiceUnavailableException", "later", 503)
        return None

    server = serve(resources, intercept=second_page_fails)
    resources.lists[JOBS] = [job(number, night - DAY) for number in range(4)]
    options = {"incremental": True, "page_size": 2, "max_attempts": 1}
    export_scope_alone(lake, at=night, **options)
    is_broken = True
    first = export_scope_alone(lake, at=night + DAY, **options)
    is_broken = False
    second = export_scope_alone(lake, at=night + DAY + timedelta(minutes=1), **options)
    assert (first.outcome, first.pages) == ("partial", 1)
    assert (second.outcome, second.listed, second.pages, second.requests) == ("filtered", 4, 2, 1)
    assert server.calls


# --- the property ------------------------------------------------------------------------------

FULL_EVERY = 3
FIRST = datetime(2026, 11, 10, 2, tzinfo=UTC)
ACTIONS = st.sampled_from(["finish", "change", "change", "delete", "rest", "rest"])
NIGHTS = st.lists(
    st.tuples(st.integers(0, 3), st.lists(ACTIONS, min_size=12, max_size=12)),
    min_size=2,
    max_size=7,
)


def lived(nights):
    """The jobs as each night lists them: every night brings new ones and moves the others on."""
    jobs = {}
    for number, (new, actions) in enumerate(nights):
        for index, (name, action) in enumerate(zip(list(jobs), actions, strict=False)):
            is_running = jobs[name]["status"] == "InProgress"
            if action == "delete":
                del jobs[name]
            elif is_running and action != "rest":
                status = "Completed" if action == "finish" else "InProgress"
                at = FIRST + number * DAY - timedelta(minutes=index)
                jobs[name] |= {"status": status, "lastModifiedTime": at}
        for index in range(new):
            created_at = FIRST + (number - 1) * DAY + HOUR * (index + 1)
            name = number * 10 + index
            jobs[name] = job(name, created_at, lastModifiedTime=created_at)
        yield [dict(job_now) for job_now in jobs.values()]


def states(lake):
    """Each job's newest members, and whether it is gone."""
    sql = "select job_arn, status, last_modified_time, is_vanished"
    rows = queried(lake, f"{sql} from current.model_customization_jobs")
    return {row["job_arn"]: tuple(row.values())[1:] for row in rows}


@given(nights=NIGHTS)
@example(nights=[(3, ["rest"] * 12), (1, ["finish", "delete", "rest"] * 4), (0, ["change"] * 12)])
@examples(0.08, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_incremental_nights_know_what_full_nights_know(serve, tmp_path_factory, nights):
    """Whatever jobs go through: all that differs is what vanished since the last full night."""
    resources = FixedResources()
    serve(resources)
    full, short = tmp_path_factory.mktemp("full"), tmp_path_factory.mktemp("short")
    options = {"incremental": True, "full_listing_days": FULL_EVERY, "mass_vanish_share": 1}
    for number, jobs in enumerate(lived(nights)):
        resources.lists[JOBS] = jobs
        at = FIRST + number * DAY
        export_scope_alone(full, at=at, mass_vanish_share=1)
        outcome = export_scope_alone(short, at=at, **options).outcome
        expected, known = states(full), states(short)
        if number % FULL_EVERY == 0:
            assert outcome == "complete"
            assert known == expected
            continue
        assert outcome == "filtered"
        assert known.keys() == expected.keys()
        for arn, state in expected.items():
            is_vanished = state[-1]
            assert is_vanished or known[arn] == state
