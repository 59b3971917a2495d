"""Files in the lake that are none of ours: named, with the way out, and never overwritten."""

import shutil
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from command_line import run_joblake
from exporting import (
    ACCOUNT,
    JOBS,
    REGION,
    customization_job,
    export_scope_alone,
    listing_rows,
    observations,
    run_export,
    serving,
)
from joblake.endpoint import FixedResources
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from lake_rows import paths_of

DAY = timedelta(days=1)
OTHER = "us-west-2"
SCOPE = Scope("model_customization_jobs", ACCOUNT, REGION)
OBSERVATION = "observations.parquet"
LISTING = "listings.parquet"


def half(content):
    return content[: len(content) // 2]


def without_end(content):
    return content[:-4] + b"XXXX"


def cut_in_pages(content):
    """A sound footer over data that is gone: Parquet's data begins at byte 4."""
    return content[:4] + b"\x00" * 200 + content[204:]


BROKEN = {
    "no byte": lambda _: b"",
    "one byte": lambda _: b"P",
    "half of it": half,
    "a text": lambda _: b"job,status\n1,done\n",
    "the magic words alone": lambda _: b"PAR1PAR1",
    "no end": without_end,
    "zeros": lambda content: b"\x00" * len(content),
}

FOREIGN = {
    "other columns": pa.table({"a": [1, 2], "b": ["x", "y"]}),
    "no columns": pa.table({}),
    "times as texts": pa.table(
        {name: ["x"] for name in ("run_id", "observed_at", "started_at", "change", "outcome")}
        | {"account_id": [ACCOUNT], "region_name": [REGION]}
    ),
    "numbers as texts": pa.table(
        {name: [5] for name in ("run_id", "account_id", "region_name", "change", "outcome")}
    ),
}


@pytest.fixture
def jobs(serve):
    resources = FixedResources()
    serve(resources)

    def put(*numbers):
        resources.lists[JOBS] = [customization_job(number) for number in numbers]

    return put


@pytest.fixture(scope="module")
def first_night(tmp_path_factory, night):
    """A lake in which jobs 1 and 2 were listed in both regions."""
    lake = tmp_path_factory.mktemp("first") / "lake"
    resources = FixedResources({JOBS: [customization_job(1), customization_job(2)]})
    with serving(resources):
        assert run_export(lake, at=night, region=(REGION, OTHER)).is_good
    return lake


def file_of(lake, name):
    found = Lake(lake)
    files = paths_of([*found.scope_files(SCOPE), *found.scope_listing_files(SCOPE)])
    (file,) = [file for file in files if file.name == name]
    return file


def spoil(file, fault):
    if isinstance(fault, pa.Table):
        pq.write_table(fault, file)
    else:
        file.write_bytes(fault(file.read_bytes()))
    return file.read_bytes()


MATRIX = [
    *((fault, name, 1) for fault in {**BROKEN, **FOREIGN} for name in (OBSERVATION, LISTING)),
    # In the month after, the file is read and not rewritten.
    *(
        (fault, name, 25)
        for fault in ("half of it", "times as texts")
        for name in (OBSERVATION, LISTING)
    ),
]


@pytest.mark.parametrize(("fault", "name", "days"), MATRIX)
def test_a_file_that_is_none_of_ours_fails_its_scope_and_stays(  # noqa: PLR0913, PLR0917 - a matrix
    jobs, lake, first_night, night, fault, name, days
):
    """The scope fails with the file's name and the way out; other scopes go on; the file stays.

    Put back, the next run goes on as if nothing had been.
    """
    shutil.copytree(first_night, lake)
    file = file_of(lake, name)
    sound = file.read_bytes()
    spoiled = spoil(file, {**BROKEN, **FOREIGN}[fault])
    jobs(2, 3)
    at = night + days * DAY
    bad, good = run_export(lake, at=at, region=(REGION, OTHER)).scopes
    assert (bad.outcome, bad.listed, bad.added, bad.vanished) == ("failed", 0, 0, 0)
    assert str(file) in bad.error
    assert "backup or move it out of the lake" in bad.error
    assert (good.outcome, good.added, good.vanished) == ("complete", 1, 1)
    assert file.read_bytes() == spoiled
    assert not list(lake.rglob("*.tmp"))
    file.write_bytes(sound)
    again, _ = run_export(lake, at=at + timedelta(minutes=5), region=(REGION, OTHER)).scopes
    assert (again.outcome, again.added, again.vanished) == ("complete", 1, 1)
    ours = [row for row in observations(lake) if row["region_name"] == REGION]
    assert [(row["job_name"][-1], row["change"]) for row in ours] == [
        ("1", "added"),
        ("2", "added"),
        ("1", "vanished"),
        ("3", "added"),
    ]


@pytest.mark.parametrize("name", [OBSERVATION, LISTING])
def test_damaged_data_under_a_sound_footer_fails_its_scope(jobs, lake, night, name):
    """A file whose footer is fine and whose data is not is named, and stays."""
    jobs(*range(50))
    export_scope_alone(lake, at=night)
    file = file_of(lake, name)
    spoiled = spoil(file, cut_in_pages)
    jobs(*range(51))
    result = export_scope_alone(lake, at=night + DAY)
    assert result.outcome == "failed"
    assert str(file) in result.error
    assert file.read_bytes() == spoiled


def test_a_file_moved_out_of_the_lake_is_the_way_out(jobs, lake, night):
    """After the damaged file is moved away the scope exports again, beginning anew."""
    jobs(1, 2)
    export_scope_alone(lake, at=night)
    file = file_of(lake, OBSERVATION)
    spoil(file, half)
    assert export_scope_alone(lake, at=night + DAY).outcome == "failed"
    file.rename(lake.parent / "moved.parquet")
    result = export_scope_alone(lake, at=night + 2 * DAY)
    assert (result.outcome, result.added) == ("complete", 2)


def run_query(lake, *options):
    sql = "select count(*) as n from observations.model_customization_jobs"
    return run_joblake("query", sql, "--lake", str(lake), "--format", "csv", *options)


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_a_query_names_the_file_and_skips_it_only_when_told(jobs, lake, night, fault):
    """A query fails and names the file; with --skip-corrupt, stderr says what is left out."""
    jobs(1, 2)
    run_export(lake, at=night, region=(REGION, OTHER))
    file = file_of(lake, OBSERVATION)
    spoil(file, fault)
    refused = run_query(lake)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert str(file) in refused.stderr
    told = run_query(lake, "--skip-corrupt")
    assert (told.returncode, told.stdout.split()) == (0, ["n", "2"])
    assert f"skipped {file}" in told.stderr


def test_files_beside_the_partitions_are_nobodys_business(jobs, lake, night):
    """Other files in the lake's folders are neither read nor touched."""
    jobs(1)
    export_scope_alone(lake, at=night)
    month = file_of(lake, OBSERVATION).parent
    strangers = [
        month / "notes.txt",
        month / "copy.parquet",
        month / ".observations.parquet.swp",
        lake / "README.md",
        lake / "model_customization_jobs" / OBSERVATION,
        lake / "listings" / LISTING,
    ]
    for stranger in strangers:
        stranger.write_bytes(b"mine")
    jobs(1, 2)
    result = export_scope_alone(lake, at=night + DAY)
    assert (result.outcome, result.added) == ("complete", 1)
    assert {stranger.read_bytes() for stranger in strangers} == {b"mine"}
    assert len(observations(lake)) == 2
    assert len(listing_rows(lake)) == 2


@pytest.mark.parametrize("name", ["a[1-2]b it's", "a*b? a=b", "sp ace %41", "ünï🦆 {x}"])
def test_a_lake_may_have_any_name(jobs, tmp_path, night, name):
    """No character of the lake's path is a pattern or a quotation mark to DuckDB."""
    lake, beside = tmp_path / name / "lake", tmp_path / "a1b" / "lake"
    # As a pattern, some of the names would match this lake too, or instead.
    jobs(77)
    export_scope_alone(beside, at=night)
    for number in range(3):
        jobs(*range(number, number + 2))
        result = export_scope_alone(lake, at=night + number * DAY)
        assert (result.outcome, result.listed) == ("complete", 2)
    assert len(observations(lake)) == 2 + 2 + 2
    assert "job-000077" not in {row["job_name"] for row in observations(lake)}
    answered = run_query(lake)
    assert (answered.returncode, answered.stdout.split()) == (0, ["n", "6"])
