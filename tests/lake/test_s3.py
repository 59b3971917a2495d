"""A lake on a real S3 server: the same answers, no lost rows, and errors that name the object."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ReadTimeoutError

import joblake
from command_line import run_joblake
from declared import CATALOGUE, SOURCES
from exporting import (
    ACCOUNT,
    JOBS,
    MEMBERSHIP,
    REGION,
    customization_job,
    export_scope_alone,
    resources_of,
    run_export,
)
from faults import OnPage, Switch, error
from joblake.errors import LakeError, RaceLostError, UnreadableFileError, UsageError
from joblake.export.export import export, export_scope
from joblake.export.planning import plan
from joblake.export.run import open_run
from joblake.lake.ledger import LedgerRow, commit_listing
from joblake.lake.s3 import KEEP_COPIES_SECONDS
from joblake.lake.scope import Scope
from joblake.outcome import ListingOutcome
from joblake.settings.settings import lake_at, load_settings
from joblake.warehouse.publish import marts, publish
from joblake.warehouse.views import read_views
from lake_rows import paths_of
from s3_server import READ_ONLY

SCOPE = Scope("model_customization_jobs", ACCOUNT, REGION)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MONTH = "2026-11"


class Aws:
    """An endpoint of a few resources of every source; `lists` and `faults` may be changed."""

    def __init__(self, serve):
        resources = resources_of(jobs=30, models=5, batches=5, inferences=5)
        self.switch, self.lists = Switch(), resources.lists
        self.calls = serve(resources, intercept=self.switch).calls


@pytest.fixture
def aws(serve):
    return Aws(serve)


def rows(location, sql="from model_customization_jobs order by all"):
    with joblake.open(location) as lake:
        return lake.query(sql).arrow().to_pylist()


def listing_row(number, at, table="model_customization_jobs"):
    return LedgerRow(
        run_id=f"run-{number}",
        table_name=table,
        account_id=ACCOUNT,
        region_name=REGION,
        parent=None,
        started_at=at + number * MINUTE,
        ended_at=at + number * MINUTE,
        outcome=ListingOutcome.complete,
    )


def test_every_view_answers_alike(aws, s3, tmp_path, night):
    """The same nights exported to a folder and to S3 give the same rows in every view."""
    tables = tuple(SOURCES)
    for number in range(3):
        aws.lists[JOBS] = [
            customization_job(job, status="Completed" if job < 10 * number else "InProgress")
            for job in range(number, 30)
        ]
        for lake in (tmp_path / "lake", s3):
            at = night + number * timedelta(days=12)
            assert run_export(lake, at=at, table=tables).is_good
    # Each run has an id of its own, and ages are those of the question.
    own = "run_id|age_seconds|hours_since_complete"
    shown = f"columns(lambda c: not regexp_full_match(c, '{own}'))"
    filled = set()
    with joblake.open(tmp_path / "lake") as local, joblake.open(s3) as remote:
        for view in (f"{view.schema}.{view.name}" for view in read_views(CATALOGUE)):
            sql = f"select {shown} from {view} order by all"
            there = local.query(sql).arrow().to_pylist()
            assert remote.query(sql).arrow().to_pylist() == there, view
            filled |= {view} if there else set()
    assert {"current.trained_model_inference_jobs", "history.jobs", "history.models"} <= filled


@pytest.mark.usefixtures("aws")
def test_the_layout_is_that_of_a_folder(s3, s3_server, night):
    """Objects have the documented names below the prefix, so that any engine finds them."""
    run_export(s3, at=night, table=("model_customization_jobs", "trained_model_inference_jobs"))
    prefix = s3.removeprefix(f"s3://{s3_server.bucket}/")
    listed = s3_server.client().list_objects_v2(Bucket=s3_server.bucket, Prefix=prefix)
    place = f"account={ACCOUNT}/region={REGION}"
    inference = f"trained_model_inference_jobs/{place}/parent={MEMBERSHIP}/month={MONTH}"
    memberships = f"memberships/{place}/month={MONTH}"
    jobs = f"model_customization_jobs/{place}/month={MONTH}"
    assert {entry["Key"].removeprefix(f"{prefix}/") for entry in listed["Contents"]} == {
        ".joblake",
        f"{jobs}/observations.parquet",
        f"{memberships}/observations.parquet",
        f"{inference}/observations.parquet",
        f"listings/{jobs}/listings.parquet",
        f"listings/{memberships}/listings.parquet",
        f"listings/{inference}/listings.parquet",
    }


def test_writers_on_several_machines_lose_no_row(s3, tmp_path, night):
    """Many writers commit to one object at once, each from a work folder of its own."""

    def write(number):
        lake = lake_at(s3, work_folder=str(tmp_path / f"machine-{number % 4}"))
        with lake.locked(SCOPE):
            commit_listing(lake, listing_row(number, night))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(24)))
    found = rows(s3, "select run_id from observations.listings")
    assert {row["run_id"] for row in found} == {f"run-{number}" for number in range(24)}
    assert len(found) == 24


def test_exports_on_several_machines_lose_no_row(aws, s3, night):
    """Exports of the same scope that run at once, on machines of their own, agree in the end."""
    aws.lists[JOBS] = [customization_job(number) for number in range(200)]

    def run(number):
        folder = f"machine-{number}"
        return export_scope_alone(s3, at=night + number * MINUTE, work_folder=folder, page_size=20)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(run, range(4)))
    assert [result.outcome for result in results] == ["complete"] * 4
    assert sum(result.added for result in results) == 200
    assert sum(result.changed + result.vanished for result in results) == 0
    (count,) = rows(s3, "select count(*) as jobs, count(distinct job_arn) as arns from jobs")
    assert count == {"jobs": 200, "arns": 200}
    assert len(rows(s3, "from observations.listings")) == 4
    for view in read_views(CATALOGUE):
        if view.schema == "checks":
            assert rows(s3, f"from checks.{view.name}") == [], view.name


def test_what_another_machine_saw_meanwhile_stands(aws, s3, night):
    """A listing that was overtaken neither reverts nor buries what the faster one observed."""
    old = [customization_job(number) for number in range(40)]
    aws.lists[JOBS] = old
    export_scope_alone(s3, at=night)
    new = [customization_job(number, status="Completed") for number in range(10, 41)]
    fast = []

    def overtake(_scope, _rows):
        aws.lists[JOBS] = new
        fast.append(export_scope_alone(s3, at=night + MINUTE, work_folder="another machine"))

    run = plan(load_settings(lake=s3, table=(SCOPE.table,)), clock=lambda: night + 2 * MINUTE)
    (slow,) = export(run, clock=lambda: night + 2 * MINUTE, on_page=overtake).scopes
    assert [(one.added, one.changed, one.vanished) for one in fast] == [(1, 30, 10)]
    assert (slow.outcome, slow.added, slow.changed, slow.vanished) == ("complete", 0, 0, 0)
    jobs = rows(s3, "select job_name, status, is_vanished from jobs order by job_name")
    assert [job["is_vanished"] for job in jobs] == [True] * 10 + [False] * 31
    assert [job["status"] for job in jobs[10:]] == ["Completed"] * 30 + ["Completed"]
    # The next night it may speak again.
    aws.lists[JOBS] = new[1:]
    assert export_scope_alone(s3, at=night + 3 * MINUTE).vanished == 1


def test_a_held_vanish_is_confirmed_on_another_machine(aws, s3, night):
    """What a listing missed and did not believe is kept in the lake, not on the machine."""
    export_scope_alone(s3, at=night)
    aws.lists[JOBS] = []
    held = export_scope_alone(s3, at=night + MINUTE)
    assert (held.vanished, "held" in (held.error or "")) == (0, True)
    confirmed = export_scope_alone(s3, at=night + 2 * MINUTE, work_folder="another machine")
    assert (confirmed.vanished, confirmed.error) == (30, None)
    aws.lists[JOBS] = [customization_job(1)]
    assert export_scope_alone(s3, at=night + 3 * MINUTE).added == 1


def test_an_answer_that_was_lost_is_no_lost_race(s3, night):
    """Botocore repeats a PUT whose answer was lost; the writer then knows its own object."""
    lake = lake_at(s3)
    repeated = []

    def repeat_once(**_):
        repeated.append(True)
        return 0 if len(repeated) == 1 else None

    lake.client.meta.events.register("needs-retry.s3.PutObject", repeat_once)
    commit_listing(lake, listing_row(1, night))
    assert len(repeated) == 2
    (row,) = rows(s3, "from observations.listings")
    assert row["run_id"] == "run-1"


def test_a_race_is_lost_by_whoever_read_first(s3):
    """An object that moved on since it was shown is not replaced, and nor is one that came."""
    one, other = lake_at(s3), lake_at(s3, work_folder="another machine")
    place = one.partition(SCOPE, MONTH)
    early = one.replacing(place, None)
    early.__enter__().write_bytes(b"early")
    with other.replacing(place, None) as late:
        late.write_bytes(b"late")
    with pytest.raises(RaceLostError, match=f"{s3}/.*observations.parquet"):
        early.__exit__(None, None, None)
    (file,) = paths_of(other.scope_files(SCOPE))
    assert file.read_bytes() == b"late"
    (file,) = one.scope_files(SCOPE)
    with one.replacing(place, file) as again:
        again.write_bytes(file.local.read_bytes() + b" and early")
    (file,) = paths_of(other.scope_files(SCOPE))
    assert file.read_bytes() == b"late and early"


def test_a_scope_has_equal_files_until_another_machine_writes(s3):
    """A replaced, a new and a removed object are each noticed."""
    one, other = lake_at(s3), lake_at(s3, work_folder="another machine")
    known = one.scope_files(SCOPE)
    assert known == []
    for month in (MONTH, "2020-01"):
        with other.overwriting(other.partition(SCOPE, month)) as written:
            written.write_bytes(month.encode())
        assert one.scope_files(SCOPE) != known
        known = one.scope_files(SCOPE)
        assert one.scope_files(SCOPE) == known
    with other.overwriting(known[0].path) as written:
        written.write_bytes(b"replaced")
    assert one.scope_files(SCOPE) != known
    known = one.scope_files(SCOPE)
    other.remove(known[0].path)
    assert one.scope_files(SCOPE) != known


def test_the_past_of_a_scope_is_read_once_a_night(aws, s3, night):
    """Each folder is looked at before the listing; the merge asks what came since and was held."""
    export_scope_alone(s3, at=night, incremental=True)
    aws.lists[JOBS] = [customization_job(number) for number in range(31)]
    settings = load_settings(lake=s3, table=(SCOPE.table,), incremental=True)
    opened = open_run(plan(settings, clock=lambda: night + DAY), clock=lambda: night + DAY)
    listed = []
    opened.lake.client.meta.events.register(
        "before-parameter-build.s3.ListObjectsV2", lambda params, **_: listed.append(params)
    )
    (planned,) = opened.run.scopes
    (result,) = export_scope(opened, planned)
    assert (result.outcome, result.added) == ("filtered", 1)
    places = [params["Prefix"].partition("account=")[0].split("/")[-3:-1] for params in listed]
    assert [place[0] == "listings" for place in places] == [False, True, False, True]


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_a_storage_without_conditions_is_refused(s3, header):
    """A server that overwrites despite a condition would lose rows, so no run begins."""
    lake = lake_at(s3)

    def strip(request, **_):
        del request.headers[header]

    lake.prepare()
    lake.client.meta.events.register("before-sign.s3.PutObject", strip)
    with pytest.raises(LakeError, match=f"overwrites objects despite {header.replace('-', '')}"):
        lake.prepare()


def test_an_interrupted_listing_goes_on(aws, s3, night):
    """Pages wait in the work folder, as they do in a local lake's own."""
    aws.switch.faults = [OnPage(error(403, "AccessDeniedException"), 3)]
    first = export_scope_alone(s3, at=night, page_size=10)
    aws.switch.faults = []
    assert (first.outcome, first.listed) == ("partial", 20)
    second = export_scope_alone(s3, at=night + MINUTE, page_size=10)
    assert (second.outcome, second.listed, second.requests) == ("complete", 30, 1)


def test_marts_are_published_beside_the_data(aws, s3, s3_server, night, tmp_path):
    """Any reader of S3 finds flat Parquet; publishing again replaces it."""
    for number in range(2):
        run_export(s3, at=night + number * MINUTE, table=tuple(SOURCES))
        aws.lists[JOBS] = [customization_job(job) for job in range(35)]
        published = publish(lake_at(s3), CATALOGUE)
    names = {file.name: file for file in published}
    assert names["jobs"].path == f"{s3}/marts/jobs.parquet"
    files = pyarrow.fs.S3FileSystem(
        endpoint_override=s3_server.url.removeprefix("http://"), scheme="http", region=REGION
    )
    for view in marts(CATALOGUE):
        name = view.partition(".")[2]
        mart = pq.read_table(f"{s3.removeprefix('s3://')}/marts/{name}.parquet", filesystem=files)
        assert mart.num_rows == names[name].rows
    assert names["jobs"].rows == 45
    database = tmp_path / "joblake.duckdb"
    key = s3.removeprefix(f"s3://{s3_server.bucket}/")
    s3_server.client().download_file(s3_server.bucket, f"{key}/marts/joblake.duckdb", str(database))
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute("select count(*) from jobs").fetchall() == [(45,)]


@pytest.mark.usefixtures("aws")
def test_the_command_line_takes_s3_everywhere(s3):
    """export, query and publish, by option, by environment and by file."""
    exported = run_joblake("export", "--lake", s3, "--table", SCOPE.table, "--json")
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["scopes"][0]["added"] == 30
    asked = run_joblake(
        "query", "select count(*) as jobs from jobs", "--format", "csv", JOBLAKE_LAKE=s3
    )
    assert (asked.returncode, asked.stdout.split()) == (0, ["jobs", "30"])
    Path("joblake.toml").write_text(f"lake = '{s3}'\nwork_folder = 'elsewhere'\n")
    published = run_joblake("publish")
    assert published.returncode == 0, published.stderr
    assert f"{s3}/marts/jobs.parquet" in published.stdout.split()
    reported = run_joblake("report")
    assert (reported.returncode, reported.stdout) == (0, f"{s3}/marts/report.html\n")
    checked = run_joblake("doctor")
    assert f"lake {s3}" in checked.stdout, checked.stdout + checked.stderr
    assert list(Path("elsewhere").rglob("*.lock"))
    empty = run_joblake("query", "from jobs", "--lake", f"{s3}/nothing/here")
    assert empty.returncode == 0
    assert f"there is no lake at {s3}/nothing/here yet" in empty.stderr


@pytest.mark.usefixtures("aws")
def test_copies_are_private_and_do_not_pile_up(s3, night):
    """A copy is kept while it is asked for, and read again only when the object changed."""
    run_export(s3, at=night, table=(SCOPE.table,))
    lake = lake_at(s3)
    (file,) = paths_of(lake.scope_files(SCOPE))
    assert file.stat().st_mode & 0o777 == 0o600
    asked = []
    lake.client.meta.events.register("before-call.s3.GetObject", lambda **_: asked.append(1))
    lake.scope_files(SCOPE)
    assert asked == []
    old = time.time() - KEEP_COPIES_SECONDS - 60
    for copy in (lake.work / "copies").iterdir():
        os.utime(copy, (old, old))
    fresh = lake_at(s3)
    assert fresh.listing_files()
    assert [
        copy for copy in (fresh.work / "copies").iterdir() if copy.stat().st_mtime < old + 1
    ] == []


def test_a_copy_is_of_one_version(aws, s3, night):
    """A reader that has a file open keeps it while the object is replaced."""
    run_export(s3, at=night, table=(SCOPE.table,))
    with joblake.open(s3) as lake:
        before = lake.query("select count(*) as jobs from jobs").arrow().to_pylist()
        aws.lists[JOBS] = [customization_job(number) for number in range(90)]
        run_export(s3, at=night + MINUTE, table=(SCOPE.table,))
        assert lake.query("select count(*) as jobs from jobs").arrow().to_pylist() == before
    assert rows(s3, "select count(*) as jobs from jobs") == [{"jobs": 90}]


@pytest.mark.usefixtures("aws")
def test_a_damaged_object_is_named(s3, s3_server, night):
    """It is the object that has to be restored, not the copy of it."""
    run_export(s3, at=night, table=(SCOPE.table,))
    place = lake_at(s3).partition(SCOPE, MONTH)
    key = "/".join(place.parts[1:])
    s3_server.client().put_object(Bucket=s3_server.bucket, Key=key, Body=b"PAR1 no PAR1")
    with pytest.raises(UnreadableFileError, match=f"^s3://{place} is not a readable"):
        joblake.open(s3)
    with joblake.open(s3, skip_unreadable=True) as lake:
        assert [name for name, _ in lake.skipped] == [f"s3://{place}"]
    result = export_scope_alone(s3, at=night + MINUTE)
    assert (result.outcome, result.requests) == ("failed", 0)
    assert (result.error or "").startswith(f"s3://{place} is not a readable")


@pytest.mark.parametrize(
    "argument", ["s3://", "s3:///x", "s3://bucket//x", "s3://b/../x", "s3://b/\n"]
)
def test_what_names_no_bucket_is_no_lake(argument):
    with pytest.raises(UsageError, match=r"expected s3://bucket"):
        lake_at(argument)


def test_what_botocore_takes_for_a_bucket_is_one():
    with pytest.raises(UsageError, match="'b%20' is no name of a bucket"):
        lake_at("s3://b%20/x")
    access_point = "arn:aws:s3:us-east-1:111122223333:accesspoint:lake"
    assert lake_at(f"s3://{access_point}/x").name_of(Path(access_point, "x")).endswith("lake/x")


@pytest.mark.parametrize(
    ("name", "environment", "words"),
    [
        ("no bucket", {}, "NoSuchBucket"),
        ("a wrong secret", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ("no server", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "Could not connect"),
    ],
)
def test_an_unusable_bucket_is_one_line(aws, s3, name, environment, words):
    """Exit code 3 before any listing, for export and for query alike."""
    location = "s3://no-such-bucket/x" if name == "no bucket" else s3
    for arguments in (("export", "--table", SCOPE.table), ("query", "from jobs")):
        if name == "no bucket" and arguments[0] == "export":
            continue  # this server makes the bucket then
        finished = run_joblake(*arguments, "--lake", location, **environment)
        assert finished.returncode == 3, finished.stderr
        (line,) = finished.stderr.splitlines()
        assert line.startswith("error: cannot")
        assert location in line
        assert words in line
    listings = [call for call in aws.calls if call.operation == JOBS]
    assert listings == []


@pytest.mark.usefixtures("aws")
def test_a_reader_may_query_but_not_export(s3, night):
    """Rights that only read suffice for queries; an export says what it may not do."""
    run_export(s3, at=night, table=(SCOPE.table,))
    key_id, secret = READ_ONLY
    reader = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    asked = run_joblake(
        "query", "select count(*) from jobs", "--lake", s3, "--format", "csv", **reader
    )
    assert (asked.returncode, asked.stdout.split()[-1]) == (0, "30")
    published = run_joblake("publish", "--lake", s3, **reader)
    assert published.returncode == 3
    assert f"cannot write {s3}/marts/" in published.stderr
    assert "AccessDenied" in published.stderr


def test_threads_share_one_lake(s3, night):
    """Scopes of one run are exported by several threads through one lake object."""
    lake = lake_at(s3)
    scopes = [Scope("custom_models", f"{number:012}", REGION) for number in range(8)]
    barrier = threading.Barrier(8)

    def write(scope):
        barrier.wait()
        for number in range(3):
            with lake.locked(scope):
                row = listing_row(number, night, scope.table)
                commit_listing(lake, replace(row, account_id=scope.account_id))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, scopes))
    assert len(rows(s3, "from observations.listings")) == 24


def test_pages_of_before_do_not_undo_what_came_after(aws, s3, night):
    """A resumed listing knows no more than when it began, whatever the clocks say."""
    export_scope_alone(s3, at=night)
    aws.switch.faults = [OnPage(error(403, "AccessDeniedException"), 3)]
    broken = export_scope_alone(s3, at=night + MINUTE, page_size=10)
    assert broken.outcome == "partial"
    aws.switch.faults = []
    aws.lists[JOBS] = [customization_job(number, status="Completed") for number in range(31)]
    # Planned before, listed after: as a retry on another worker is.
    other = export_scope_alone(s3, at=night + MINUTE, work_folder="another machine")
    assert (other.added, other.changed) == (1, 30)
    resumed = export_scope_alone(s3, at=night + 2 * MINUTE, page_size=10)
    assert (resumed.outcome, resumed.changed, resumed.vanished) == ("complete", 0, 0)
    jobs = rows(s3, "select distinct status, is_vanished from jobs")
    assert jobs == [{"status": "Completed", "is_vanished": False}]


def test_listings_side_by_side_do_not_confirm_each_other(aws, s3, night):
    """What one held, only a listing that began after that may believe."""
    export_scope_alone(s3, at=night)
    aws.lists[JOBS] = []
    fast = []

    def hold(_scope, _rows):
        instant = iter([night + MINUTE, *[night + 5 * MINUTE] * 3])
        run = plan(load_settings(lake=s3, table=(SCOPE.table,), work_folder="another machine"))
        fast.extend(export(run, clock=lambda: next(instant)).scopes)

    run = plan(load_settings(lake=s3, table=(SCOPE.table,)), clock=lambda: night + 2 * MINUTE)
    (slow,) = export(run, clock=lambda: night + 2 * MINUTE, on_page=hold).scopes
    assert [one.vanished for one in (*fast, slow)] == [0, 0]


def test_an_upload_without_any_answer_is_no_failure(s3, night):
    """An object that is there with our mark was written, whatever the connection says."""
    lake = lake_at(s3)

    def lose(**_):
        raise ReadTimeoutError(endpoint_url="as arranged")

    lake.client.meta.events.register("after-call.s3.PutObject", lose)
    commit_listing(lake, listing_row(1, night))
    assert len(rows(s3, "from observations.listings")) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("JOBLAKE_WORK_FOLDER", "~nobody-here/x"), ("AWS_ENDPOINT_URL_S3", "foo")]
)
@pytest.mark.usefixtures("aws")
def test_a_broken_configuration_is_one_line(s3, name, value):
    finished = run_joblake("query", "from jobs", "--lake", s3, **{name: value})
    assert finished.returncode in {2, 3}
    assert len(finished.stderr.splitlines()) == 1, finished.stderr
