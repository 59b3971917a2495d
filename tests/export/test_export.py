"""From listings to a history: what is written, what is not, and what is never concluded."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from declared import CATALOGUE, SOURCES
from examples import examples
from exporting import (
    ACCOUNT,
    BATCHES,
    INFERENCES,
    JOBS,
    MEMBERSHIP,
    MEMBERSHIPS,
    MODELS,
    REGION,
    batch_job,
    custom_model,
    customization_job,
    export_scope_alone,
    inference_job,
    listing_rows,
    membership_of,
    names,
    observations,
    resources_of,
    run_export,
)
from joblake.endpoint import FixedResources, Place, error_answer
from joblake.errors import CredentialsError, UsageError
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.lake.ledger import LEDGER_SCHEMA
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.settings.settings import load_settings
from joblake.sources.schema import observation_schema
from joblake.warehouse.warehouse import open_warehouse
from lake_rows import paths_of

DAY = timedelta(days=1)
SCOPE = Scope("model_customization_jobs", ACCOUNT, REGION)
OTHER_MEMBERSHIP = MEMBERSHIP.replace("1111", "7777")
TRAINED = "trained_model_inference_jobs"


@pytest.fixture
def jobs(serve):
    """Set the customization jobs that the endpoint lists from now on."""
    resources = FixedResources()
    serve(resources)

    def put(items):
        resources.lists[JOBS] = list(items)

    return put


def figures(result):
    return result.outcome, result.listed, result.added, result.changed, result.vanished


def changes(lake):
    return [(row["change"], row["job_name"]) for row in observations(lake)]


def queried(lake, sql):
    with open_warehouse(Lake(lake), CATALOGUE) as warehouse:
        return warehouse.query(sql).arrow().to_pylist()


# --- the difference between nights -----------------------------------------------------------


def test_nothing_changed_adds_no_observation(jobs, lake, night):
    """Exporting twice adds a listing row and nothing else: the observation file is untouched."""
    jobs(customization_job(number) for number in range(5))
    first = export_scope_alone(lake, at=night)
    (file,) = paths_of(Lake(lake).scope_files(SCOPE))
    before = (file.read_bytes(), file.stat().st_ino)
    second = export_scope_alone(lake, at=night + DAY)
    assert figures(first) == ("complete", 5, 5, 0, 0)
    assert figures(second) == ("complete", 5, 0, 0, 0)
    assert (file.read_bytes(), file.stat().st_ino) == before
    assert [row["started_at"] for row in listing_rows(lake)] == [night, night + DAY]


def test_added_changed_vanished_and_back(jobs, lake, night):
    """A job's life becomes added, changed, vanished and, when it is back, added again."""
    one, other = customization_job(1), customization_job(2)
    nights = ([one], [one, other], [{**one, "status": "Failed"}, other], [other], [one, other])
    for number, items in enumerate(nights):
        jobs(items)
        export_scope_alone(lake, at=night + number * DAY)
    assert changes(lake) == [
        ("added", "job-000001"),
        ("added", "job-000002"),
        ("changed", "job-000001"),
        ("vanished", "job-000001"),
        ("added", "job-000001"),
    ]
    rows = observations(lake)
    assert [row["status"] for row in rows] == [
        "InProgress",
        "InProgress",
        "Failed",
        "Failed",  # a vanished row repeats what was known last
        "InProgress",
    ]
    assert [row["observed_at"] for row in rows] == [night + n * DAY for n in range(5)]


def test_a_change_without_a_new_modification_time_is_seen(serve, lake, night):
    """Record counts may move while lastModifiedTime stands still: the whole row is compared."""
    resources = FixedResources({BATCHES: [batch_job(1, processedRecordCount=10)]})
    serve(resources)
    export_scope_alone(lake, at=night, table=("model_invocation_jobs",))
    resources.lists[BATCHES] = [batch_job(1, processedRecordCount=20)]
    result = export_scope_alone(lake, at=night + DAY, table=("model_invocation_jobs",))
    assert figures(result) == ("complete", 1, 0, 1, 0)
    rows = observations(lake, "model_invocation_jobs")
    assert [row["processed_record_count"] for row in rows] == [10, 20]


def test_the_same_instant_spelled_otherwise_is_no_change(jobs, lake, night):
    """Another offset or more digits of the same instant is the same value."""
    spellings = ("2026-01-01T02:00:00Z", "2026-01-01T04:00:00.000000+02:00", 1767232800)
    for number, spelling in enumerate(spellings):
        jobs([customization_job(1, lastModifiedTime=spelling)])
        export_scope_alone(lake, at=night + number * DAY)
    assert changes(lake) == [("added", "job-000001")]
    (row,) = observations(lake)
    assert row["last_modified_time"] == datetime(2026, 1, 1, 2, tzinfo=UTC)
    assert row["extra"] is None


def test_no_resources_is_a_complete_listing_of_none(jobs, lake, night):
    """Zero resources is complete with nothing listed, and makes what was known vanish."""
    assert figures(export_scope_alone(lake, at=night)) == ("complete", 0, 0, 0, 0)
    assert Lake(lake).scope_files(SCOPE) == []
    jobs([customization_job(1)])
    export_scope_alone(lake, at=night + DAY)
    jobs([])
    assert figures(export_scope_alone(lake, at=night + 2 * DAY)) == ("complete", 0, 0, 0, 1)


def test_ten_thousand_jobs_in_large_and_small_pages(jobs, tmp_path, night):
    """10,000 jobs in pages of 1,000 and of 7 give the same table, value by value."""
    statuses = ("InProgress", "Completed", "Failed")
    jobs(
        customization_job(number, status=statuses[number % 3], customModelName=f"é{number}")
        for number in range(10_000)
    )
    tables = []
    for size, pages in ((1000, 10), (7, 1429)):
        lake = tmp_path / f"lake-{size}"
        result = export_scope_alone(lake, at=night, page_size=size)
        assert figures(result) == ("complete", 10_000, 10_000, 0, 0)
        assert (result.pages, result.requests) == (pages, pages)
        (file,) = paths_of(Lake(lake).scope_files(SCOPE))
        table = pq.ParquetFile(file).read().sort_by("job_arn")
        tables.append(table.drop_columns(["run_id", "observed_at"]))
    assert tables[0].num_rows == 10_000
    assert tables[0].equals(tables[1])


# --- properties ------------------------------------------------------------------------------

# Over HTTP a failing example is shown as it was found; making it smaller would take minutes.
QUICK = examples(0.1, phases=(Phase.explicit, Phase.reuse, Phase.generate))

INSTANTS = st.integers(1_750_000_000, 1_780_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
JOB_MEMBERS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["InProgress", "Completed", "NotInTheModel"]),
        "lastModifiedTime": INSTANTS,
    },
    optional={
        "endTime": INSTANTS,
        "customModelName": st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
        ),
        "statusDetails": st.fixed_dictionaries(
            {"trainingDetails": st.fixed_dictionaries({"status": st.sampled_from(["A", "B"])})}
        ),
        "memberOfTomorrow": st.sampled_from([1, "x", [1, {"a": True}], {"b": None}]),
    },
)
NIGHT_OF_JOBS = st.dictionaries(st.integers(0, 9), JOB_MEMBERS, max_size=8)


def items_of(night_of_jobs):
    return [customization_job(number, **members) for number, members in night_of_jobs.items()]


def expected_row(job):
    """What the lake should hold of a job, worked out by hand from what was served."""
    details = job.get("statusDetails", {}).get("trainingDetails", {})
    extra = {"memberOfTomorrow": job["memberOfTomorrow"]} if "memberOfTomorrow" in job else None
    if extra == {"memberOfTomorrow": {"b": None}}:
        extra = {"memberOfTomorrow": {}}
    return {
        "job_arn": job["jobArn"],
        "job_name": job["jobName"],
        "base_model_arn": job["baseModelArn"],
        "status": job["status"],
        "creation_time": job["creationTime"],
        "last_modified_time": job["lastModifiedTime"],
        "end_time": job.get("endTime"),
        "custom_model_arn": None,
        "custom_model_name": job.get("customModelName"),
        "status_details__training_details__status": details.get("status"),
        "extra": extra,
    }


def stored_row(row):
    extra = None if row["extra"] is None else json.loads(row["extra"])
    return {name: row[name] for name in expected_row(customization_job(0))} | {"extra": extra}


def by_arn(rows):
    return {row["job_arn"]: row for row in rows}


@given(nights=st.lists(NIGHT_OF_JOBS, min_size=2, max_size=2))
@QUICK
def test_observations_are_the_difference_between_two_nights(jobs, tmp_path_factory, nights):
    """For any two nights, what the second writes is their difference as plain Python sees it."""
    lake = tmp_path_factory.mktemp("lake")
    written = []
    for number, night_of_jobs in enumerate(nights):
        jobs(items_of(night_of_jobs))
        at = datetime(2026, 11, 10 + number, 2, tzinfo=UTC)
        result = export_scope_alone(lake, at=at)
        rows = [row for row in observations(lake) if row["observed_at"] == at]
        written.append((result, {(row["change"], row["job_arn"]): row for row in rows}))
        assert len(rows) == len(written[-1][1])
    before, after = (by_arn(map(expected_row, items_of(jobs_of))) for jobs_of in nights)
    difference = {("added", arn): after[arn] for arn in after.keys() - before.keys()}
    difference |= {("vanished", arn): before[arn] for arn in before.keys() - after.keys()}
    difference |= {
        ("changed", arn): after[arn]
        for arn in before.keys() & after.keys()
        if before[arn] != after[arn]
    }
    first, second = written
    assert {key: stored_row(row) for key, row in first[1].items()} == {
        ("added", arn): row for arn, row in before.items()
    }
    assert {key: stored_row(row) for key, row in second[1].items()} == difference
    counted = [sum(change == kind for change, _ in difference) for kind in ("added", "changed")]
    vanished = len(before.keys() - after.keys())
    assert figures(second[0]) == ("complete", len(after), *counted, vanished)


@given(nights=st.lists(NIGHT_OF_JOBS, min_size=2, max_size=5))
@QUICK
def test_any_night_asked_for_again_equals_what_was_listed_then(jobs, tmp_path_factory, nights):
    """For any sequence of nights, the past as of each night and the present are what was listed."""
    lake = tmp_path_factory.mktemp("lake")
    # Across a month's border, so that the state spans files.
    instants = [datetime(2026, 11, 29, 2, tzinfo=UTC) + n * DAY for n in range(len(nights))]
    for at, night_of_jobs in zip(instants, nights, strict=True):
        jobs(items_of(night_of_jobs))
        export_scope_alone(lake, at=at)
    with open_warehouse(Lake(lake), CATALOGUE) as warehouse:
        for at, night_of_jobs in zip(instants, nights, strict=True):
            sql = f"from jobs_as_of('{at.isoformat()}') where not is_vanished"
            rows = by_arn(warehouse.query(sql).arrow().to_pylist())
            listed = by_arn(map(expected_row, items_of(night_of_jobs)))
            assert rows.keys() == listed.keys()
            for arn, row in rows.items():
                job = listed[arn]
                assert row["status"] == job["status"]
                assert row["created_at"] == job["creation_time"]
                assert row["last_seen_at"] == at
        sql = "from current.model_customization_jobs where not is_vanished"
        present = warehouse.query(sql).arrow().to_pylist()
    assert by_arn(map(stored_row, present)) == by_arn(map(expected_row, items_of(nights[-1])))


@given(night_of_jobs=NIGHT_OF_JOBS, page_size=st.integers(1, 9))
@QUICK
def test_any_split_into_pages_gives_the_same_rows(jobs, tmp_path_factory, night_of_jobs, page_size):
    """Rows do not depend on the page they came in, nor on what else stood in it."""
    lake = tmp_path_factory.mktemp("lake")
    jobs(items_of(night_of_jobs))
    result = export_scope_alone(lake, page_size=page_size)
    assert result.pages == max(1, -(-len(night_of_jobs) // page_size))
    rows = observations(lake)
    assert len(rows) == len(night_of_jobs)
    assert by_arn(map(stored_row, rows)) == by_arn(map(expected_row, items_of(night_of_jobs)))


# --- odd pages -------------------------------------------------------------------------------


def test_members_unknown_to_the_model_are_kept(jobs, lake, night):
    """Members of a newer service stand in extra, wherever they were; their change is a change."""
    for number, value in enumerate((1, 2)):
        details = {"trainingDetails": {"status": "Completed", "epoch": value}}
        jobs([customization_job(1, priority="high", statusDetails=details)])
        export_scope_alone(lake, at=night + number * DAY)
    rows = observations(lake)
    assert [row["change"] for row in rows] == ["added", "changed"]
    assert [json.loads(row["extra"]) for row in rows] == [
        {"priority": "high", "statusDetails": {"trainingDetails": {"epoch": value}}}
        for value in (1, 2)
    ]
    assert {row["status_details__training_details__status"] for row in rows} == {"Completed"}


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_job_on_two_pages_is_one_and_the_newest_wins(jobs, lake, newest_first):
    """A job that moved between pages counts once, in the state modified last."""
    later = datetime(2026, 5, 1, tzinfo=UTC)
    states = [customization_job(1), customization_job(1, status="Failed", lastModifiedTime=later)]
    jobs([*(reversed(states) if newest_first else states), customization_job(2)])
    result = export_scope_alone(lake, page_size=1)
    assert (result.pages, result.listed, result.added) == (3, 2, 2)
    assert [row["status"] for row in observations(lake)] == ["Failed", "InProgress"]


def test_without_a_modification_time_the_later_page_wins(serve, lake):
    """Of two states that tell no time, the one listed later is kept."""
    states = [custom_model(1, modelStatus="Creating"), custom_model(1)]
    serve(FixedResources({MODELS: states}))
    export_scope_alone(lake, table=("custom_models",), page_size=1)
    assert [row["model_status"] for row in observations(lake, "custom_models")] == ["Active"]


def test_a_job_without_its_arn_is_kept_once(jobs, lake, night):
    """What comes without a key is no reason to fail: it is followed by its whole content."""
    nameless = {**customization_job(1), "jobArn": None}
    jobs([nameless, nameless, customization_job(2)])
    assert export_scope_alone(lake, at=night).listed == 2
    assert figures(export_scope_alone(lake, at=night + DAY)) == ("complete", 2, 0, 0, 0)
    jobs([customization_job(2)])
    assert figures(export_scope_alone(lake, at=night + 2 * DAY)) == ("complete", 1, 0, 0, 1)


def test_sensitive_members_can_be_left_out(serve, lake):
    """With store_sensitive off, what AWS marks as sensitive never reaches the lake."""
    secret = "record 17: alice@example.com"
    serve(FixedResources({BATCHES: [batch_job(1, message=secret), batch_job(2, message=[secret])]}))
    export_scope_alone(lake, table=("model_invocation_jobs",), store_sensitive=False)
    rows = observations(lake, "model_invocation_jobs")
    assert [(row["message"], row["extra"]) for row in rows] == [(None, None), (None, None)]
    export_scope_alone(lake, table=("model_invocation_jobs",))
    assert secret in [row["message"] for row in observations(lake, "model_invocation_jobs")]


def test_pages_of_an_interrupted_listing_keep_no_secret_of_another_run(serve, lake, night):
    """A listing that leaves sensitive members out does not go on with pages that hold them."""
    broken = {"now": True}

    def intercept(call, _answer):
        if broken["now"] and call.operation == BATCHES and call.number > 1:
            return error_answer("AccessDeniedException", "no more", 403)
        return None

    jobs_of_night = [batch_job(number, message=f"secret {number}") for number in range(4)]
    serve(FixedResources({BATCHES: jobs_of_night}), intercept=intercept)
    options = {"table": ("model_invocation_jobs",), "page_size": 2}
    interrupted = export_scope_alone(lake, at=night, **options)
    assert (interrupted.outcome, interrupted.listed) == ("partial", 2)
    broken["now"] = False
    second = export_scope_alone(
        lake, at=night + timedelta(minutes=1), store_sensitive=False, **options
    )
    assert (second.listed, second.pages, second.requests) == (4, 2, 2)
    rows = observations(lake, "model_invocation_jobs")
    assert [row["message"] for row in rows if row["run_id"] != rows[0]["run_id"]] == [None, None]


# --- vanishing -------------------------------------------------------------------------------


def test_a_filtered_listing_makes_nothing_vanish(jobs, lake, night):
    """What a filter hides still exists."""
    jobs([customization_job(1), customization_job(2, status="Failed")])
    export_scope_alone(lake, at=night)
    result = export_scope_alone(lake, at=night + DAY, filter=("statusEquals=Failed",))
    assert figures(result) == ("filtered", 1, 0, 0, 0)
    assert [change for change, _ in changes(lake)] == ["added", "added"]


def test_a_partial_listing_keeps_what_it_saw_and_makes_nothing_vanish(serve, lake, night):
    """Pages before a failure are merged; what the others held is not declared vanished."""
    is_broken = False

    def intercept(call, _answer):
        if is_broken and call.operation == JOBS and "nextToken" in call.parameters:
            return error_answer("AccessDeniedException", "no more", 403)
        return None

    resources = FixedResources({JOBS: [customization_job(number) for number in range(4)]})
    serve(resources, intercept=intercept)
    export_scope_alone(lake, at=night, page_size=2)
    is_broken = True
    resources.lists[JOBS] = [customization_job(0, status="Failed"), customization_job(1)] + [
        customization_job(number) for number in (3, 4)
    ]
    result = export_scope_alone(lake, at=night + DAY, page_size=2)
    assert figures(result) == ("partial", 2, 0, 1, 0)
    assert result.error == "AccessDeniedException: no more"
    assert changes(lake)[4:] == [("changed", "job-000000")]
    assert listing_rows(lake)[-1]["outcome"] == "partial"


def test_a_mass_vanish_is_held_until_the_next_complete_listing_confirms_it(serve, lake, night):
    """Half of a large scope missing at once is held; a partial listing confirms nothing."""
    is_broken = False

    def intercept(call, _answer):
        if is_broken and call.operation == JOBS and "nextToken" in call.parameters:
            return error_answer("AccessDeniedException", "no more", 403)
        return None

    resources = FixedResources({JOBS: [customization_job(number) for number in range(30)]})
    serve(resources, intercept=intercept)
    export_scope_alone(lake, at=night)
    resources.lists[JOBS] = [customization_job(number) for number in range(15)]
    resources.lists[JOBS][0] = customization_job(0, status="Failed")
    held = export_scope_alone(lake, at=night + DAY)
    assert figures(held) == ("complete", 15, 0, 1, 0)
    assert held.error is not None
    assert held.error.startswith("15 resources are missing at once")
    is_broken = True
    partial = export_scope_alone(lake, at=night + 2 * DAY, page_size=10)
    assert figures(partial) == ("partial", 10, 0, 0, 0)
    is_broken = False
    confirmed = export_scope_alone(lake, at=night + 3 * DAY)
    assert figures(confirmed) == ("complete", 15, 0, 0, 15)
    assert confirmed.error is None
    assert queried(lake, "from checks.vanished_without_complete_listing") == []
    assert {name for change, name in changes(lake) if change == "vanished"} == {
        f"job-{number:06}" for number in range(15, 30)
    }


def test_a_held_mass_vanish_is_forgotten_when_the_resources_are_back(jobs, lake, night):
    """A listing that shows everything again ends the hold; a later mass vanish is held anew."""
    everything = [customization_job(number) for number in range(30)]
    outcomes = []
    for number, items in enumerate((everything, [], everything, [], [])):
        jobs(items)
        result = export_scope_alone(lake, at=night + number * DAY)
        outcomes.append((result.vanished, result.error is not None))
    assert outcomes == [(0, False), (0, True), (0, False), (0, True), (30, False)]


@pytest.mark.parametrize(
    ("known", "left", "share", "is_held"),
    [
        (20, 0, 1 / 3, False),
        (21, 0, 1 / 3, True),
        (30, 20, 1 / 3, False),
        (30, 19, 1 / 3, True),
        (30, 19, 0.5, False),
        (30, 0, 1, False),
    ],
)
def test_only_a_large_share_of_a_large_scope_is_held(  # noqa: PLR0913 - each figure decides
    jobs, lake, *, known, left, share, is_held
):
    """Up to 20 resources, or up to the configured share, may vanish at once."""
    jobs(customization_job(number) for number in range(known))
    export_scope_alone(lake)
    jobs(customization_job(number) for number in range(left))
    result = export_scope_alone(lake, mass_vanish_share=share)
    assert (result.vanished, result.error is not None) == (0 if is_held else known - left, is_held)


# --- time ------------------------------------------------------------------------------------


def test_a_months_border_gives_two_files_and_one_state(jobs, lake):
    """Observations lie in the file of their month; the known state spans all of them."""
    november = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    december = datetime(2026, 12, 1, 0, 0, 0, tzinfo=UTC)
    jobs([customization_job(1), customization_job(2)])
    export_scope_alone(lake, at=november)
    jobs([customization_job(1), customization_job(2, status="Failed"), customization_job(3)])
    result = export_scope_alone(lake, at=december)
    assert figures(result) == ("complete", 3, 1, 1, 0)
    files = paths_of(Lake(lake).scope_files(SCOPE))
    assert [file.parent.name for file in files] == ["month=2026-11", "month=2026-12"]
    assert [pq.read_metadata(file).num_rows for file in files] == [2, 2]
    listings = paths_of(Lake(lake).scope_listing_files(SCOPE))
    assert [file.parent.name for file in listings] == ["month=2026-11", "month=2026-12"]
    rows = queried(lake, "select job_name, status from current.model_customization_jobs order by 1")
    assert [tuple(row.values()) for row in rows] == [
        ("job-000001", "InProgress"),
        ("job-000002", "Failed"),
        ("job-000003", "InProgress"),
    ]


def test_observed_at_never_runs_backwards(jobs, lake, night):
    """A run whose clock is behind observes just after the newest observation."""
    jobs([customization_job(1)])
    export_scope_alone(lake, at=night)
    jobs([customization_job(1, status="Failed")])
    result = export_scope_alone(lake, at=night - 40 * DAY)
    assert figures(result) == ("complete", 1, 0, 1, 0)
    rows = observations(lake)
    assert [row["status"] for row in rows] == ["InProgress", "Failed"]
    assert rows[1]["observed_at"] == rows[0]["observed_at"] + timedelta(microseconds=1)
    assert queried(lake, "select status from current.model_customization_jobs") == [
        {"status": "Failed"}
    ]


def test_files_of_other_sdk_versions_survive_a_rewrite(jobs, lake, night):
    """A month's file without some columns, and with some nobody knows, loses nothing."""
    jobs([customization_job(1), customization_job(2)])
    export_scope_alone(lake, at=night)
    (file,) = paths_of(Lake(lake).scope_files(SCOPE))
    older = pq.ParquetFile(file).read().drop_columns(["customization_type", "extra", "end_time"])
    pq.write_table(older.append_column("of_tomorrow", pa.array([7, 8])), file)
    jobs([customization_job(1), customization_job(2, endTime=night, status="Completed")])
    result = export_scope_alone(lake, at=night + DAY)
    assert figures(result) == ("complete", 2, 0, 1, 0)
    rows = observations(lake)
    assert [(row["job_name"], row["of_tomorrow"], row["end_time"]) for row in rows] == [
        ("job-000001", 7, None),
        ("job-000002", 8, None),
        ("job-000002", None, night),
    ]
    columns = pq.read_schema(file).names
    assert columns == [
        *observation_schema(SOURCES[SCOPE.table]).names,
        "of_tomorrow",
    ]
    assert export_scope_alone(lake, at=night + 2 * DAY).changed == 0


# --- memberships -----------------------------------------------------------------------------


def test_active_memberships_are_discovered(serve, lake):
    """Each active membership is a scope with a file of its own; others are left alone."""
    removed = MEMBERSHIP.replace("1111", "9999")
    server = serve(
        FixedResources(
            {
                MEMBERSHIPS: [
                    membership_of(MEMBERSHIP),
                    membership_of(removed, status="REMOVED"),
                    membership_of(OTHER_MEMBERSHIP),
                ],
                (INFERENCES, Place(ACCOUNT, REGION, MEMBERSHIP)): [inference_job(1)],
                (INFERENCES, Place(ACCOUNT, REGION, OTHER_MEMBERSHIP)): [
                    inference_job(2, OTHER_MEMBERSHIP),
                    inference_job(3, OTHER_MEMBERSHIP),
                ],
            }
        )
    )
    result = run_export(lake, table=(TRAINED,))
    assert [(scope.table_name, scope.parent, *figures(scope)) for scope in result.scopes] == [
        ("memberships", None, "complete", 2, 2, 0, 0),
        (TRAINED, MEMBERSHIP, "complete", 1, 1, 0, 0),
        (TRAINED, OTHER_MEMBERSHIP, "complete", 2, 2, 0, 0),
    ]
    assert {file.parts[-3] for file in paths_of(Lake(lake).table_files(TRAINED))} == {
        f"parent={MEMBERSHIP}",
        f"parent={OTHER_MEMBERSHIP}",
    }
    (call,) = [call for call in server.calls if call.operation == MEMBERSHIPS]
    assert call.parameters["status"] == "ACTIVE"


def test_no_membership_is_a_complete_listing_of_none(serve, lake):
    """Where there are no memberships there are no jobs: their listing stands on record."""
    serve()
    result = export_scope_alone(lake, table=(TRAINED,))
    assert figures(result) == ("complete", 0, 0, 0, 0)
    (row,) = listing_rows(lake)
    assert (row["table_name"], row["outcome"], row["listed"]) == ("memberships", "complete", 0)


def test_a_parent_is_listed_once_however_many_tables_need_it(serve, lake):
    """Named beside its children it is the same scope, and its history is one like any other."""
    lists = {MEMBERSHIPS: [membership_of(MEMBERSHIP)], INFERENCES: [inference_job(1)]}
    server = serve(FixedResources(lists))
    first = run_export(lake, table=(TRAINED, "memberships"))
    lists[MEMBERSHIPS] = [membership_of(OTHER_MEMBERSHIP)]
    second = run_export(lake, table=(TRAINED, "memberships"))
    assert [scope.table_name for scope in first.scopes] == ["memberships", TRAINED]
    assert [call.operation for call in server.calls].count(MEMBERSHIPS) == 2
    assert [figures(scope)[1:] for scope in second.scopes] == [(1, 1, 0, 1), (1, 1, 0, 0)]
    assert [scope.parent for scope in second.scopes] == [None, OTHER_MEMBERSHIP]


def test_an_incremental_run_lists_parents_whole(serve, lake, night):
    """Each membership's jobs are listed every night, however old the membership is."""
    lists = {MEMBERSHIPS: [membership_of(MEMBERSHIP)], INFERENCES: [inference_job(1)]}
    serve(FixedResources(lists))
    for number in range(2):
        result = run_export(lake, at=night + number * DAY, table=(TRAINED,), incremental=True)
        assert [scope.parent for scope in result.scopes] == [None, MEMBERSHIP]


def test_a_membership_that_no_job_can_be_listed_in_leaves_its_listing_partial(serve, lake):
    """Its row says why; the jobs of the others are listed, and nothing is declared vanished."""
    lists = {MEMBERSHIPS: [membership_of(MEMBERSHIP)], INFERENCES: [inference_job(1)]}
    server = serve(FixedResources(lists))
    run_export(lake, table=(TRAINED,))
    lists[MEMBERSHIPS] = [membership_of("../elsewhere"), membership_of(OTHER_MEMBERSHIP)]
    listed, jobs = run_export(lake, table=(TRAINED,)).scopes
    assert figures(listed) == ("partial", 2, 2, 0, 0)
    assert "membershipIdentifier=../elsewhere: " in listed.error
    assert (jobs.parent, jobs.outcome) == (OTHER_MEMBERSHIP, "complete")
    assert not [call for call in server.calls if "elsewhere" in call.path]
    lists[MEMBERSHIPS] = [membership_of(OTHER_MEMBERSHIP)]
    listed, _ = run_export(lake, table=(TRAINED,)).scopes
    assert figures(listed) == ("complete", 1, 0, 0, 2)


def test_memberships_that_may_not_be_listed_are_denied(serve, lake):
    """Without the permission to list memberships these are denied; the other tables are listed."""

    def intercept(call, _answer):
        if call.operation != MEMBERSHIPS:
            return None
        return error_answer("AccessDeniedException", "not authorized to ListMemberships", 403)

    serve(FixedResources({MODELS: [custom_model(1)]}), intercept=intercept)
    result = run_export(lake, table=("custom_models", TRAINED))
    assert [(scope.table_name, scope.outcome) for scope in result.scopes] == [
        ("custom_models", "complete"),
        ("memberships", "denied"),
    ]
    assert not result.is_good
    row = next(row for row in listing_rows(lake) if row["table_name"] == "memberships")
    assert (row["outcome"], row["listed"]) == ("denied", 0)
    assert row["error"] == "AccessDeniedException: not authorized to ListMemberships"


def test_a_given_membership_is_not_discovered(serve, lake):
    """With --parent nothing needs the permission to list memberships."""
    server = serve(FixedResources({INFERENCES: [inference_job(1)]}))
    options = {"table": (TRAINED,), "parent": (MEMBERSHIP, MEMBERSHIP)}
    result = export_scope_alone(lake, **options)
    assert figures(result) == ("complete", 1, 1, 0, 0)
    assert MEMBERSHIPS not in [call.operation for call in server.calls]


# --- places ----------------------------------------------------------------------------------


def test_several_regions_are_scopes_of_their_own(serve, lake):
    """Each region is listed by itself, under its own name; patterns name several."""
    lists = {
        (JOBS, Place(ACCOUNT, "us-east-1")): [customization_job(1)],
        (JOBS, Place(ACCOUNT, "eu-west-1")): [customization_job(2), customization_job(3)],
    }
    serve(FixedResources(lists))
    result = run_export(lake, region=("us-east-1", "eu-west-?", "us-east-1"))
    assert [(scope.region_name, scope.listed) for scope in result.scopes] == [
        ("us-east-1", 1),
        ("eu-west-1", 2),
        ("eu-west-2", 0),
        ("eu-west-3", 0),
    ]
    rows = observations(lake)
    assert {(row["region_name"], row["job_name"]) for row in rows} == {
        ("us-east-1", "job-000001"),
        ("eu-west-1", "job-000002"),
        ("eu-west-1", "job-000003"),
    }


def test_roles_lead_to_other_accounts(serve, lake):
    """Each role is assumed and its account listed, instead of the account of the credentials."""
    other, third = "444455556666", "777788889999"
    lists = {
        (JOBS, Place(other, REGION)): [customization_job(1)],
        (JOBS, Place(third, REGION)): [customization_job(2)],
        (JOBS, Place(ACCOUNT, REGION)): [customization_job(3)],
    }
    server = serve(FixedResources(lists))
    roles = tuple(f"arn:aws:iam::{account}:role/path/reader" for account in (other, third))
    result = run_export(lake, role_arn=roles)
    assert [(scope.account_id, figures(scope)) for scope in result.scopes] == [
        (other, ("complete", 1, 1, 0, 0)),
        (third, ("complete", 1, 1, 0, 0)),
    ]
    assert {(r["account_id"], r["job_name"]) for r in observations(lake)} == {
        (other, "job-000001"),
        (third, "job-000002"),
    }
    assert {call.account_id for call in server.calls if call.operation == JOBS} == {other, third}


def test_a_role_that_may_not_be_assumed_is_denied_and_stops_no_other(serve, lake):
    """One account without its role set up is a denied scope, not a failed run."""

    def intercept(call, _answer):
        if call.operation == "AssumeRole" and "444455556666" in call.parameters["RoleArn"]:
            return error_answer("AccessDenied", "not authorized to assume", 403)
        return None

    serve(FixedResources({JOBS: [customization_job(1)]}), intercept=intercept)
    roles = tuple(f"arn:aws:iam::{number}:role/reader" for number in ("4" * 12, "7" * 12))
    roles = ("arn:aws:iam::444455556666:role/reader", roles[1])
    result = run_export(lake, role_arn=roles)
    assert [scope.outcome for scope in result.scopes] == ["denied", "complete"]


def test_a_denied_scope_stops_no_other(serve, lake):
    """A denied scope is on record with its error; the others are complete."""

    def intercept(call, _answer):
        if call.operation == MODELS:
            return error_answer("AccessDeniedException", "not authorized", 403)
        return None

    server = serve(FixedResources({JOBS: [customization_job(1)]}), intercept=intercept)
    result = run_export(lake, table=("custom_models", "model_customization_jobs"))
    assert [scope.outcome for scope in result.scopes] == ["denied", "complete"]
    assert [call.operation for call in server.calls].count(MODELS) == 1
    row = next(row for row in listing_rows(lake) if row["table_name"] == "custom_models")
    assert (row["outcome"], row["error"]) == (
        "denied",
        "AccessDeniedException: not authorized",
    )
    assert (row["pages"], row["requests"], row["listed"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("code", "message", "outcome"),
    [
        ("UnknownOperationException", "", "unsupported"),
        ("ValidationException", "Unknown operation", "unsupported"),
        ("UnrecognizedClientException", "The security token is invalid.", "unsupported"),
        ("OptInRequired", "", "unsupported"),
        ("ExpiredTokenException", "", "denied"),
        ("ValidationException", "1 validation error", "failed"),
    ],
)
def test_the_kind_of_refusal_is_the_outcome(serve, lake, code, message, outcome):
    """Denied, unsupported in the region and failed are told apart by what AWS answers."""

    def intercept(call, _answer):
        return error_answer(code, message, 400) if call.operation == JOBS else None

    serve(intercept=intercept)
    result = export_scope_alone(lake)
    assert result.outcome == outcome
    assert result.is_good == (outcome == "unsupported")
    assert [row["outcome"] for row in listing_rows(lake)] == [outcome]


# --- refusals and records --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region": ("us-easy-1",)}, "unknown region 'us-easy-1'"),
        ({"region": ("zz-*",)}, "unknown region"),
        ({"table": ("jobs",)}, "unknown table 'jobs'; tables are: model_customization_jobs"),
        ({"role_arn": ("reader",)}, "'reader' is no role ARN"),
        ({"role_arn": (f"arn:aws:iam::{ACCOUNT}:user/u",)}, "is no role ARN"),
        ({"parent": ("../../etc",), "table": (TRAINED,)}, "allowed are 36 to 36 characters"),
        (
            {"filter": ("membershipIdentifier=x",), "table": (TRAINED,)},
            "allowed are 36 to 36 characters",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(serve, lake, options, message):
    """A wrong word is a usage error that names it, before anything is asked of AWS."""
    server = serve()
    with pytest.raises(UsageError, match=message):
        run_export(lake, **options)
    assert server.calls == ()
    assert not lake.exists()


def test_a_run_without_a_region_is_refused(serve, lake, monkeypatch):
    """Where neither options nor environment name a region, the error says how to."""
    serve()
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="no region: give --region or set AWS_REGION"):
        run_export(lake)


def test_the_region_may_stand_in_aws_region_alone(serve, lake, monkeypatch):
    """AWS_REGION is honoured as by the other AWS tools, where boto3 alone knows no region."""
    serve(FixedResources({(JOBS, Place(ACCOUNT, "eu-west-1")): [customization_job(1)]}))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    result = export_scope_alone(lake)
    assert (result.region_name, result.listed) == ("eu-west-1", 1)


def test_a_role_is_assumed_without_a_default_region(serve, lake, monkeypatch):
    """A region on the command line is enough for STS too."""
    serve(FixedResources({JOBS: [customization_job(1)]}))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    role = "arn:aws:iam::444455556666:role/reader"
    result = export_scope_alone(lake, region=("eu-west-1",), role_arn=(role,))
    assert (result.error, figures(result)) == (None, ("complete", 1, 1, 0, 0))


def test_missing_credentials_end_the_run_before_any_listing(serve, lake, monkeypatch):
    """Without credentials nothing is listed and nothing written."""
    server = serve()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="Unable to locate credentials"):
        run_export(lake)
    assert server.calls == ()
    assert not lake.exists()


def test_refused_credentials_end_the_run_before_any_listing(serve, lake):
    """Credentials that STS does not accept are no outcome of a scope but of the run."""

    def intercept(call, _answer):
        if call.operation == "GetCallerIdentity":
            return error_answer("InvalidClientTokenId", "The security token is invalid", 403)
        return None

    serve(intercept=intercept)
    with pytest.raises(CredentialsError, match="AWS STS does not say whose credentials these are"):
        run_export(lake)


def test_a_listing_row_says_all_of_the_listing(jobs, lake, night):
    """The row of a listing has the documented columns, with the figures of its result."""
    jobs(customization_job(number) for number in range(5))
    settings_of_run = load_settings(
        lake=str(lake), table=("model_customization_jobs",), page_size=2
    )
    seconds = (0, 1, 4, 4.5)  # planned, begun, listed, committed
    instants = iter([night + timedelta(seconds=number) for number in seconds])
    run = plan(settings_of_run, clock=lambda: next(instants))

    (result,) = export(run, clock=lambda: next(instants)).scopes
    (file,) = paths_of(Lake(lake).scope_listing_files(SCOPE))
    assert pq.read_schema(file).equals(LEDGER_SCHEMA)
    assert listing_rows(lake) == [
        {
            "run_id": run.run_id,
            "table_name": "model_customization_jobs",
            "account_id": ACCOUNT,
            "region_name": REGION,
            "parent": None,
            "started_at": night + timedelta(seconds=1),
            "ended_at": night + timedelta(seconds=4.5),
            "outcome": "complete",
            "filters": None,
            "listed": 5,
            "added": 5,
            "changed": 0,
            "vanished": 0,
            "held": 0,
            "pages": 3,
            "requests": 3,
            "error": None,
        }
    ]
    assert result.seconds == 3.5
    assert {row["run_id"] for row in observations(lake)} == {run.run_id}
    assert {row["observed_at"] for row in observations(lake)} == {night}


def test_a_scope_that_a_run_tries_again_has_one_listing_row(serve, lake, night):
    """A run's second try replaces the row of its first, and counts the changes of both."""
    items = [customization_job(number) for number in range(4)]
    is_down = True

    def second_page_fails(call, _answer):
        if is_down and "nextToken" in call.parameters:
            return error_answer("ServiceUnavailableException", "later", 503)
        return None

    serve(FixedResources({JOBS: items}), intercept=second_page_fails)
    given = {"table": ("model_customization_jobs",), "page_size": 2, "max_attempts": 1}
    run = plan(load_settings(lake=str(lake), resume_minutes=0, **given), clock=lambda: night)
    (first,) = export(run, clock=lambda: night).scopes
    is_down = False
    (second,) = export(run, clock=lambda: night + timedelta(minutes=1)).scopes
    assert (first.outcome, first.added) == ("partial", 2)
    assert (second.outcome, second.added) == ("complete", 2)
    (row,) = listing_rows(lake)
    assert (row["outcome"], row["listed"], row["added"], row["requests"]) == ("complete", 4, 4, 4)
    assert row["started_at"] == night
    assert len(observations(lake)) == 4


def test_a_restart_that_fails_keeps_the_pages_before_it(serve, lake, night):
    """A stale token restarts the listing; until a page of it has come, the old ones are kept."""
    items = [customization_job(number) for number in range(6)]

    def fails_from_the_third_call_on(call, _answer):
        if call.operation == JOBS and call.number > 2:
            code, status = ("ValidationException", 400) if call.number == 3 else ("Gone", 503)
            return error_answer(code, "no", status)
        return None

    serve(FixedResources({JOBS: items}), intercept=fails_from_the_third_call_on)
    result = export_scope_alone(lake, at=night, page_size=2, max_attempts=1)
    assert (result.outcome, result.pages, result.added) == ("partial", 2, 4)


def test_two_roles_of_one_account_are_refused(serve, lake):
    """Two writers for the same scopes in one run would only contradict each other."""
    serve(FixedResources({}))
    roles = tuple(f"arn:aws:iam::444455556666:role/{name}" for name in ("a", "b"))
    with pytest.raises(UsageError, match="of one account"):
        plan(load_settings(lake=str(lake), role_arn=roles))


def test_a_starting_token_belongs_to_one_listing(serve, lake):
    """A starting token for several scopes is refused before any listing begins."""
    serve(FixedResources({}))
    with pytest.raises(UsageError, match="belongs to one listing"):
        plan(load_settings(lake=str(lake), starting_token="x"))


def test_a_parameter_takes_one_value(serve, lake):
    """The same filter twice is refused rather than half of it forgotten."""
    serve(FixedResources({}))
    with pytest.raises(UsageError, match="given twice"):
        plan(load_settings(lake=str(lake), filter=("sortBy=CreationTime", "sortBy=CreationTime")))


def test_observations_have_the_schema_of_the_model(serve, lake):
    """The files of all four tables hold scalars under the names and types of the service model."""
    serve(resources_of(jobs=1, models=1, batches=1, inferences=1))
    run_export(lake, table=tuple(SOURCES), parent=(MEMBERSHIP,))
    for table, source in SOURCES.items():
        (file,) = paths_of(Lake(lake).table_files(table))
        assert pq.read_schema(file).equals(observation_schema(source))
        (row,) = observations(lake, table)
        assert (row["change"], row["account_id"], row["region_name"]) == ("added", ACCOUNT, REGION)


def test_listed_values_are_those_of_boto3(jobs, lake):
    """A row of the lake holds what boto3 itself returns for the job."""
    jobs([customization_job(number, endTime=datetime.now(UTC)) for number in range(3)])
    export_scope_alone(lake)
    client = boto3.Session().client("bedrock")
    listed = client.list_model_customization_jobs(sortBy="CreationTime", sortOrder="Ascending")
    for row, job in zip(observations(lake), listed["modelCustomizationJobSummaries"], strict=True):
        assert row["job_arn"] == job["jobArn"]
        assert row["creation_time"] == job["creationTime"]
        assert row["end_time"] == job["endTime"]


def test_instants_of_a_scope_are_strictly_ascending(jobs, lake, night):
    """Runs at one and the same instant are still told apart, in their order."""
    for status in ("InProgress", "Stopping", "Stopped"):
        jobs([customization_job(1, status=status)])
        export_scope_alone(lake, at=night)
    rows = observations(lake)
    assert [row["status"] for row in rows] == ["InProgress", "Stopping", "Stopped"]
    assert all(a["observed_at"] < b["observed_at"] for a, b in pairwise(rows))
    assert names(rows) == ["job-000001"] * 3
