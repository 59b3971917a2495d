"""Parents of parents: a source below a source below a source, by declarations alone."""

import pytest

from exporting import (
    ACCOUNT,
    INFERENCES,
    MEMBERSHIP,
    MEMBERSHIPS,
    REGION,
    inference_job,
    listing_rows,
    membership_of,
)
from joblake.endpoint import EndpointServer, FixedResources, Place
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.settings.settings import load_settings

ROOTS = [MEMBERSHIP.replace("1111", f"000{number}", 1) for number in range(2)]
BUDGETS = [MEMBERSHIP.replace("1111", f"1{number:03}", 1) for number in range(3)]
SOURCES = {
    "budgets": {
        "operation": "cleanrooms.ListPrivacyBudgetTemplates",
        "parent": {"source": "memberships", "request": {"membershipIdentifier": "id"}},
        "key": "id",
    },
    "budgeted_jobs": {
        "operation": "cleanroomsml.ListTrainedModelInferenceJobs",
        "parent": {"source": "budgets", "request": {"membershipIdentifier": "id"}},
        "key": "trainedModelInferenceJobArn",
    },
}


@pytest.fixture
def resources():
    place = Place(ACCOUNT, REGION, ROOTS[0])
    return FixedResources(
        {
            MEMBERSHIPS: [membership_of(name) for name in ROOTS],
            ("ListPrivacyBudgetTemplates", place): [{"id": name} for name in BUDGETS],
            INFERENCES: [inference_job(1)],
        }
    )


def run(resources, monkeypatch, *tables, **options):
    """The results of an export, and the operations that it called."""
    settings = load_settings(lake="lake", source=SOURCES, table=tables, **options)
    with EndpointServer(resources, catalogue=settings.catalogue) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        result = export(plan(settings))
        calls = [call.operation for call in server.calls if call.client != "sts"]
    assert result.is_good, [(scope.outcome, scope.error) for scope in result.scopes]
    return [(scope.table_name, scope.parent, scope.listed) for scope in result.scopes], calls


def test_a_parent_may_have_a_parent(resources, monkeypatch, tmp_path):
    """Each source is listed in what the one above it showed, and each listing is on record."""
    scopes, calls = run(resources, monkeypatch, "budgeted_jobs", page_size=1)
    assert scopes == [
        ("memberships", None, 2),
        ("budgets", ROOTS[0], 3),
        *[("budgeted_jobs", budget, 1) for budget in BUDGETS],
        ("budgets", ROOTS[1], 0),
    ]
    assert len(calls) == len(scopes)  # what cuts the pages of the run cuts no parent's
    recorded = [(row["table_name"], row["parent"]) for row in listing_rows(tmp_path / "lake")]
    assert set(recorded) == {(table, parent) for table, parent, _ in scopes}


def test_a_table_on_the_way_that_is_asked_for_too_is_listed_once(resources, monkeypatch):
    """One listing serves the table itself, and those below it."""
    every = run(resources, monkeypatch, "budgeted_jobs", "budgets", "memberships")
    assert every == run(resources, monkeypatch, "budgeted_jobs")


def test_a_given_parent_is_asked_for_no_more(resources, monkeypatch):
    """What lies above a parent that the settings name is not listed."""
    scopes, calls = run(resources, monkeypatch, "budgeted_jobs", parent=[BUDGETS[0]])
    assert scopes == [("budgeted_jobs", BUDGETS[0], 1)]
    assert calls == [INFERENCES]


def test_a_resource_without_the_member_is_no_parent(resources, monkeypatch):
    """The listing of its source says so, and what is below the others is listed."""
    (key, budgets) = next((key, items) for key, items in resources.lists.items() if len(key) == 2)
    resources.lists[key] = [budgets[0], {"name": "nameless"}]
    settings = load_settings(lake="lake", source=SOURCES, table=["budgeted_jobs"])
    with EndpointServer(resources, catalogue=settings.catalogue) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        scopes = export(plan(settings)).scopes
    (partial,) = (scope for scope in scopes if not scope.is_good)
    assert (partial.table_name, partial.outcome) == ("budgets", "partial")
    assert partial.error == "one of the budgets has no id"
    assert [scope.parent for scope in scopes if scope.table_name == "budgeted_jobs"] == BUDGETS[:1]
