"""Under a server that limits requests: how much is refused, and what is asked at once."""

import threading
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from declared import SOURCES
from exporting import (
    ACCOUNT,
    JOBS,
    REGION,
    resources_of,
    run_export,
)
from faults import HTML, Limit
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.settings.settings import load_settings

EVERYTHING = {"table": tuple(SOURCES), "page_size": 1}
OTHER = "444455556666"


def resources(items):
    """So many items of each kind; a page holds one of them."""
    return resources_of(jobs=items, models=items, batches=items, inferences=items)


def test_a_limit_nobody_told_of_is_kept(serve, tmp_path):
    """Of a server that allows 5 requests a second, a run over all tables has few refused.

    Nothing is set: the scopes find the limit out together, by the first refusals of any of them.
    """
    limit = Limit(5)
    serve(resources(20), intercept=limit)
    result = run_export(tmp_path / "lake", **EVERYTHING)
    assert [(s.outcome, s.error) for s in result.scopes] == [("complete", None)] * 5
    assert sorted(scope.listed for scope in result.scopes) == [1, 20, 20, 20, 20]
    assert limit.answered.total() == 82  # pages, memberships and STS
    assert 0 < limit.refused_share <= 0.1, limit


def test_a_limit_that_is_told_is_not_exceeded(serve, tmp_path):
    """With --max-requests-per-second at the server's limit next to nothing is refused."""
    limit = Limit(5)
    serve(resources(12), intercept=limit)
    result = run_export(tmp_path / "lake", max_requests_per_second=5, **EVERYTHING)
    assert {scope.outcome for scope in result.scopes} == {"complete"}
    assert sorted(scope.listed for scope in result.scopes) == [1, 12, 12, 12, 12]
    assert limit.answered.total() == 50
    assert limit.refused_share <= 0.04, limit


def test_each_account_and_region_has_a_pace_of_its_own(serve, tmp_path):
    """A place that is throttled slows no other; the role's own requests are not its caller's."""
    limit = Limit(5)

    def only_one_place(call, answer):
        is_limited = (call.account_id, call.region_name) == (OTHER, REGION)
        return limit(call, answer) if is_limited else None

    server = serve(resources(20), intercept=only_one_place)
    result = run_export(
        tmp_path / "lake",
        account=({}, {"role_arn": f"arn:aws:iam::{OTHER}:role/reader"}),
        region=(REGION, "eu-west-1"),
        table=("model_customization_jobs", "custom_models"),
        page_size=1,
    )
    assert {scope.outcome for scope in result.scopes} == {"complete"}
    assert set(limit.answered) == {(OTHER, REGION)}
    assert 0 < limit.refused_share <= 0.15, limit
    others = Counter((call.account_id, call.region_name, call.status) for call in server.calls)
    assert others[ACCOUNT, "eu-west-1", 200] == 40
    assert {status for *_, status in others} == {200, 400}


def test_a_damaged_answer_is_no_sign_of_a_limit(serve, tmp_path):
    """Pages that come damaged are asked for again, and the pace of the rest stays what it was.

    botocore repeats them as lost answers, at once and without a word to the pace.
    """
    damaged = Counter()

    def every_page_once(call, answer):
        if call.operation != JOBS or damaged[token := call.parameters.get("nextToken")]:
            return None
        damaged[token] += 1
        return replace(answer, body=HTML)

    server = serve(resources(8), intercept=every_page_once)
    (result,) = run_export(tmp_path / "lake", page_size=1).scopes
    assert (result.outcome, result.listed, result.pages, result.requests) == ("complete", 8, 8, 16)
    assert damaged.total() == 8
    assert server.calls


@dataclass
class Watch:
    """Counts the scopes that list at once; each waits until as many as are wanted have come."""

    wanted: int
    most: int = 0
    most_of_one: int = 0
    _inside: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_reached: threading.Event = field(default_factory=threading.Event)

    def page(self, scope, _rows):
        """A page of a scope has arrived."""
        with self._lock:
            self._inside[scope.region_name] += 1
            self.most = max(self.most, self._inside.total())
            self.most_of_one = max(self.most_of_one, *self._inside.values())
            if self.most == self.wanted:
                self._is_reached.set()
        self._is_reached.wait(timeout=30)
        with self._lock:
            self._inside[scope.region_name] -= 1


@pytest.mark.parametrize(
    ("workers", "per_region", "at_once"), [(6, 2, 6), (9, 1, 3), (3, 8, 3), (1, 1, 1)]
)
def test_so_many_scopes_are_listed_at_once(serve, tmp_path, workers, per_region, at_once):
    """max_workers bounds the run, max_workers_per_region each account and region."""
    serve(resources(1))
    settings = load_settings(
        lake=str(tmp_path / "lake"),
        region=("us-east-1", "us-west-2", "eu-west-1"),
        table=("model_customization_jobs", "custom_models", "model_invocation_jobs"),
        max_workers=workers,
        max_workers_per_region=per_region,
    )
    watch = Watch(at_once)
    result = export(plan(settings), on_page=watch.page)
    assert {scope.outcome for scope in result.scopes} == {"complete"}
    assert watch.most == at_once
    assert watch.most_of_one <= per_region
