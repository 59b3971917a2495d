"""An interrupted listing goes on, or begins anew: never with a duplicate, never with a hole."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from textwrap import indent

import pyarrow as pa
import pytest

from declared import SOURCES
from exporting import (
    BATCHES,
    JOBS,
    batch_job,
    customization_job,
    export_scope_alone,
    listing_rows,
    observations,
)
from faults import OnPage, Switch, body, error, first_tokens
from joblake.endpoint import FixedResources, error_answer
from joblake.lake.local import Lake
from joblake.listing.rows import ParsedRows
from joblake.listing.spool import Spool, SpoolIdentity
from joblake.sources.schema import listed_schema
from lake_rows import paths_of

MINUTE = timedelta(minutes=1)
QUICK = {"max_attempts": 1, "page_size": 2}


@pytest.fixture
def endpoint(serve):
    """An endpoint of seven jobs, in four pages of two."""
    resources, switch = FixedResources(), Switch()
    resources.lists[JOBS] = [customization_job(number) for number in range(7)]
    resources.lists[BATCHES] = [batch_job(number, message="secret") for number in range(7)]
    server = serve(resources, intercept=switch)

    class Endpoint:
        lists = resources.lists
        seen = 0

        def break_page(self, page, operation=JOBS):
            switch.faults = [OnPage(body(b"{}"), page, operation=operation)]

        def use(self, *faults):
            switch.faults = faults

        def asked(self, operation=JOBS):
            """The page tokens asked for since this was last called; None is page 1."""
            calls, self.seen = server.calls[self.seen :], len(server.calls)
            return first_tokens(calls, operation)

    return Endpoint()


def whole(lake, table="model_customization_jobs"):
    """Whether the lake has each of the seven jobs once."""
    rows = observations(lake, table)
    return [row["job_arn"][-6:] for row in rows] == [f"{number:06}" for number in range(7)]


def test_a_partial_listing_goes_on_with_its_pages(endpoint, lake, night):
    """The run after asks for the page that failed and those behind it, and for nothing twice."""
    endpoint.break_page(3)
    first = export_scope_alone(lake, at=night, **QUICK)
    assert (first.outcome, first.pages, first.listed) == ("partial", 2, 4)
    *_, failed_token = endpoint.asked()
    endpoint.use()
    second = export_scope_alone(lake, at=night + MINUTE, **QUICK)
    asked = endpoint.asked()
    assert (second.outcome, second.pages, second.requests) == ("complete", 4, 2)
    assert (second.listed, second.added) == (7, 3)
    assert asked[0] == failed_token
    assert None not in asked
    assert sorted(row["job_arn"] for row in observations(lake)) == sorted(
        {row["job_arn"] for row in observations(lake)}
    )
    assert len(observations(lake)) == 7


def test_a_listing_may_be_interrupted_again_and_again(endpoint, lake, night):
    """Page by page over four runs: each goes on where the one before it stopped."""
    fault = OnPage(body(b"{}"))
    endpoint.use(fault)
    for page in (2, 3, 4):
        fault.page = page
        result = export_scope_alone(lake, at=night + page * MINUTE, **QUICK)
        assert (result.outcome, result.pages) == ("partial", page - 1)
    endpoint.use()
    result = export_scope_alone(lake, at=night + 5 * MINUTE, **QUICK)
    assert (result.outcome, result.pages, result.requests) == ("complete", 4, 1)
    assert len(observations(lake)) == 7


OTHERS = {
    "an hour later": ({}, 61),
    "older than the setting": ({"resume_minutes": 2}, 3),
    "never": ({"resume_minutes": 0}, 1),
    "another page size": ({"page_size": 3}, 1),
    "a filter": ({"filter": ("nameContains=job",)}, 1),
    "another order": ({"filter": ("sortOrder=Descending",)}, 1),
    "a limit": ({"max_items": 100}, 1),
    "an earlier clock": ({}, -1),
    "without sensitive members": ({"store_sensitive": False}, 1),
}


@pytest.mark.parametrize(("options", "minutes"), OTHERS.values(), ids=OTHERS)
def test_another_listing_begins_anew(endpoint, lake, night, options, minutes):
    """Too old, or asked otherwise: page 1 first, and nothing of the old pages remains."""
    endpoint.break_page(3)
    export_scope_alone(lake, at=night, **QUICK)
    endpoint.lists[JOBS] = [customization_job(number) for number in range(1, 7)]
    endpoint.use()
    endpoint.asked()
    result = export_scope_alone(lake, at=night + minutes * MINUTE, **QUICK | options)
    assert result.outcome in {"complete", "filtered"}
    assert endpoint.asked()[0] is None
    assert result.listed == 6
    arns = [row["job_arn"] for row in observations(lake) if row["change"] == "added"]
    assert len(arns) == len(set(arns)) == 7


def test_pages_of_another_schema_are_not_taken_up(endpoint, lake, night):
    """After an SDK upgrade between two runs the listing begins anew: the pages lack its columns."""
    endpoint.break_page(3)
    export_scope_alone(lake, at=night, **QUICK)
    (file,) = (lake / ".spool").rglob("pages.arrows")
    with pa.OSFile(str(file)) as source:
        pages = pa.ipc.open_stream(source)
        schema = pages.schema
        batches = list(pages)
    older = schema.remove(schema.get_field_index("customization_type"))
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, older) as stream:
        for batch in batches:
            stream.write_batch(batch.select(older.names))
    endpoint.use()
    endpoint.asked()
    assert export_scope_alone(lake, at=night + MINUTE, **QUICK).outcome == "complete"
    assert endpoint.asked()[0] is None
    assert len(observations(lake)) == 7


def test_secrets_of_an_interrupted_listing_do_not_reach_the_lake(endpoint, lake, night):
    """Pages that hold `message` are not taken up once it is no longer to be stored."""
    options = {"table": ("model_invocation_jobs",), **QUICK}

    def deny(call, _answer):
        is_second = call.operation == BATCHES and call.number == 2
        return error_answer("AccessDeniedException", "no", 403) if is_second else None

    endpoint.use(deny)
    first = export_scope_alone(lake, at=night, resume_minutes=60, **options)
    assert first.outcome == "partial"
    endpoint.use()
    at = night + MINUTE
    export_scope_alone(lake, at=at, store_sensitive=False, **options)
    rows = observations(lake, "model_invocation_jobs")
    assert {row["message"] for row in rows if row["observed_at"] == at} == {None}
    assert len({row["job_arn"] for row in rows}) == 7


@pytest.mark.parametrize("code", ["ValidationException", "InternalServerException"])
def test_a_token_gone_stale_while_interrupted_begins_anew(endpoint, lake, night, code):
    """The token of the spooled pages is refused: page 1, and each job once."""
    endpoint.break_page(3)
    export_scope_alone(lake, at=night, **QUICK)
    *_, stale = endpoint.asked()
    endpoint.lists[JOBS] = [customization_job(number) for number in range(1, 8)]
    endpoint.use(
        lambda call, _: error_answer(code, "expired") if stale in call.parameters.values() else None
    )
    result = export_scope_alone(lake, at=night + MINUTE, **QUICK)
    assert (result.outcome, result.listed, result.added) == ("complete", 7, 4)
    # Only job 0 is gone, and only a whole listing could say so.
    assert result.vanished == 1
    assert endpoint.asked()[:2] == [stale, None]


def test_a_listing_that_was_whole_is_not_asked_for_again(endpoint, lake, night):
    """All pages arrived but the lake refused: the next run merges them without a request."""
    export_scope_alone(lake, at=night, page_size=2)
    (file,) = paths_of(Lake(lake).table_files("model_customization_jobs"))
    sound = file.read_bytes()
    endpoint.lists[JOBS] = [customization_job(number) for number in range(1, 9)]
    endpoint.use(lambda call, _: (call.operation == JOBS and file.write_bytes(b"")) or None)
    refused = export_scope_alone(lake, at=night + MINUTE, page_size=2)
    assert (refused.outcome, refused.pages) == ("failed", 4)
    endpoint.use()
    again = export_scope_alone(lake, at=night + MINUTE, page_size=2)
    assert (again.outcome, again.requests) == ("failed", 0)
    file.write_bytes(sound)
    endpoint.asked()
    result = export_scope_alone(lake, at=night + 2 * MINUTE, page_size=2)
    assert (result.outcome, result.requests, endpoint.asked()) == ("complete", 0, [])
    assert (result.added, result.vanished) == (2, 1)


def test_a_mass_vanish_is_not_confirmed_by_its_own_pages(endpoint, lake, night):
    """A held listing is over: the run after it asks again, and only then believes it."""
    endpoint.lists[JOBS] = [customization_job(number) for number in range(40)]
    export_scope_alone(lake, at=night)
    endpoint.lists[JOBS] = []
    assert export_scope_alone(lake, at=night + MINUTE).error
    assert list((lake / ".spool").rglob("*.*")) == []
    assert [file.name for file in lake.rglob("held.*")] == ["held.missing"]
    endpoint.lists[JOBS] = [customization_job(number) for number in range(40)]
    result = export_scope_alone(lake, at=night + 2 * MINUTE)
    assert (result.outcome, result.requests, result.vanished) == ("complete", 1, 0)


def test_a_held_vanish_confirms_only_what_it_missed_itself(endpoint, lake, night):
    """A second listing that misses far more than the held one is held again for the rest."""
    jobs = [customization_job(number) for number in range(100)]
    endpoint.lists[JOBS] = jobs
    export_scope_alone(lake, at=night)
    endpoint.lists[JOBS] = jobs[:60]
    first = export_scope_alone(lake, at=night + MINUTE)
    endpoint.lists[JOBS] = []
    second = export_scope_alone(lake, at=night + 2 * MINUTE)
    third = export_scope_alone(lake, at=night + 3 * MINUTE)
    assert (first.vanished, second.vanished, third.vanished) == (0, 40, 60)
    assert first.error
    assert second.error
    assert third.error is None


RUN = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from exporting import export_scope_alone
export_scope_alone(Path(sys.argv[1]), page_size=2, max_attempts=1)
"""


@pytest.mark.parametrize("page", [1, 2, 4])
def test_a_killed_process_leaves_pages_to_go_on_with(endpoint, lake, page):
    """SIGKILL while a page is under way: the next run asks from that page on."""
    is_asked = threading.Event()

    def late(answer):
        is_asked.set()
        return replace(answer, delay_seconds=60)

    endpoint.use(OnPage(late, page))
    script = RUN.format(tests=str(Path(__file__).parents[1]))
    process = subprocess.Popen([sys.executable, "-c", script, str(lake)], env=os.environ)
    assert is_asked.wait(60)
    time.sleep(1)  # no other page is coming: what has come is taken
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert len(endpoint.asked()) == page
    assert observations(lake) == []
    endpoint.use()
    result = export_scope_alone(lake, page_size=2)
    asked = endpoint.asked()
    assert (result.outcome, result.pages, result.listed) == ("complete", 4, 7)
    assert result.requests == len(asked)
    assert len(asked) == 4 - page + 1
    assert (None in asked) == (len(asked) == 4)
    assert whole(lake)
    assert [row["outcome"] for row in listing_rows(lake)] == ["complete"]


def test_a_program_that_ends_finishes_its_listing(endpoint, lake):
    """Ctrl-C ends the program's own work; the listing under way is put on record whole."""
    is_asked = threading.Event()

    def late(answer):
        is_asked.set()
        return replace(answer, delay_seconds=0.5)

    endpoint.use(OnPage(late, 2))
    script = RUN.format(tests=str(Path(__file__).parents[1]))
    interrupted = f"try:\n{indent(script, ' ')}except KeyboardInterrupt:\n pass"
    process = subprocess.Popen([sys.executable, "-c", interrupted, str(lake)], env=os.environ)
    assert is_asked.wait(60)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert [row["outcome"] for row in listing_rows(lake)] == ["complete"]
    assert whole(lake)


def test_a_spool_cut_at_any_byte_holds_whole_pages_only(tmp_path):
    """Whatever a crash leaves of the file: the pages before the cut, with the right token."""
    operation = SOURCES["model_customization_jobs"].operation
    schema = listed_schema(operation)
    started_at = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
    identity = SpoolIdentity("query", started_at)
    spool = Spool(tmp_path, schema, file_mode=0o600)
    spool.begin(identity, resume_within=None)
    path = tmp_path / "pages.arrows"
    ends = [path.stat().st_size]
    for number in range(3):
        names = [f"{number}-{row}" for row in range(number)]
        rows = pa.Table.from_pylist([{"job_arn": name} for name in names], schema)
        spool.append(ParsedRows(rows, f"token-{number}", number))
        ends.append(path.stat().st_size)
    spool.close()
    content = path.read_bytes()
    near = {end + offset for end in ends for offset in range(-9, 10)}
    for size in sorted({*range(0, len(content), 13), *near} & set(range(len(content) + 1))):
        path.write_bytes(content[:size])
        again = Spool(tmp_path, schema, file_mode=0o600)
        is_resumed = again.begin(
            replace(identity, started_at=started_at + MINUTE), resume_within=MINUTE
        )
        pages = max(0, sum(end <= size for end in ends) - 1)
        assert again.pages == pages, size
        assert is_resumed == (pages > 0)
        assert again.next_token == (f"token-{pages - 1}" if pages else None)
        assert again.rows == [0, *accumulate(range(3))][pages]
        again.append(ParsedRows(schema.empty_table(), None))
        assert again.reader().read_all().num_rows == again.rows
        again.discard()


def test_a_page_that_could_not_be_spooled_ends_the_listing(endpoint, lake, night):
    """Denied in the middle: the outcome is partial, and its spool is closed, whole and kept."""
    endpoint.use(OnPage(error(403, "AccessDeniedException"), 3))
    assert export_scope_alone(lake, at=night, **QUICK).outcome == "partial"
    (file,) = (lake / ".spool").rglob("*.*")
    with pa.OSFile(str(file)) as source:
        assert pa.ipc.open_stream(source).read_all().num_rows == 4
