"""What is read of botocore's service models, and how the text of an option becomes a parameter."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from declared import LIST_MEMBERSHIPS, SOURCES, operation_of
from joblake.errors import UsageError
from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.check import check_members
from joblake.sources.service_model import Member, Operation, convert_parameter

CUSTOMIZATION = SOURCES["model_customization_jobs"].operation
MODELS = SOURCES["custom_models"].operation
INVOCATION = SOURCES["model_invocation_jobs"].operation
INFERENCE = SOURCES["trained_model_inference_jobs"].operation
MEMBERSHIPS = LIST_MEMBERSHIPS

# As the reference pages of the operations list them.
TIMESTAMPS = [
    (CUSTOMIZATION, "creationTimeAfter"),
    (CUSTOMIZATION, "creationTimeBefore"),
    (MODELS, "creationTimeBefore"),
    (MODELS, "creationTimeAfter"),
    (INVOCATION, "submitTimeAfter"),
    (INVOCATION, "submitTimeBefore"),
]
TEXTS = [
    (CUSTOMIZATION, "nameContains"),
    (CUSTOMIZATION, "nextToken"),
    (MODELS, "nameContains"),
    (MODELS, "baseModelArnEquals"),
    (MODELS, "foundationModelArnEquals"),
    (MODELS, "nextToken"),
    (INVOCATION, "nameContains"),
    (INVOCATION, "nextToken"),
    (INFERENCE, "nextToken"),
    (INFERENCE, "membershipIdentifier"),
    (INFERENCE, "trainedModelArn"),
    (INFERENCE, "trainedModelVersionIdentifier"),
]
ORDERS = ["Ascending", "Descending"]
ENUMS = [
    (CUSTOMIZATION, "statusEquals", ["InProgress", "Completed", "Failed", "Stopping", "Stopped"]),
    (CUSTOMIZATION, "sortBy", ["CreationTime"]),
    (CUSTOMIZATION, "sortOrder", ORDERS),
    (MODELS, "sortBy", ["CreationTime"]),
    (MODELS, "sortOrder", ORDERS),
    (MODELS, "modelStatus", ["Active", "Creating", "Failed"]),
    (
        INVOCATION,
        "statusEquals",
        [
            "Submitted",
            "InProgress",
            "Completed",
            "Failed",
            "Stopping",
            "Stopped",
            "PartiallyCompleted",
            "Expired",
            "Validating",
            "Scheduled",
        ],
    ),
    (INVOCATION, "sortBy", ["CreationTime"]),
    (INVOCATION, "sortOrder", ORDERS),
    (MEMBERSHIPS, "status", ["ACTIVE"]),
]
LIMITS = [
    (CUSTOMIZATION, 1000),
    (MODELS, 1000),
    (INVOCATION, 1000),
    (INFERENCE, 100),
    (MEMBERSHIPS, 100),
]


def refusal(operation: Operation, name: str, text: str) -> str:
    """The one line that a wrong value is refused with."""
    with pytest.raises(UsageError) as caught:
        convert_parameter(operation, name, text)
    message = str(caught.value)
    assert "\n" not in message
    assert name in message
    return message


@pytest.mark.parametrize(
    ("source", "result_key"),
    [
        ("model_customization_jobs", "modelCustomizationJobSummaries"),
        ("custom_models", "modelSummaries"),
        ("model_invocation_jobs", "invocationJobSummaries"),
        ("trained_model_inference_jobs", "trainedModelInferenceJobs"),
    ],
)
def test_every_operation_has_a_paginator_with_its_result_key(source, result_key):
    """Tokens, page size and result key come from botocore's own paginators."""
    operation = SOURCES[source].operation
    assert operation.result_key == result_key
    assert (operation.input_token, operation.output_token) == ("nextToken", "nextToken")
    assert operation.limit_key == "maxResults"


@pytest.mark.parametrize(("operation", "name"), TIMESTAMPS)
@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T08:00:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31 08:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        (
            "2026-01-31T08:00:00+05:30",
            datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        ),
        ("1769846400", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("1769846400.5", datetime(2026, 1, 31, 8, 0, 0, 500_000, tzinfo=UTC)),
        (" 2026-01-31 ", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_timestamps_are_iso_8601_or_epoch_seconds_and_utc_without_a_zone(
    operation, name, text, instant
):
    """A timestamp filter takes each usual spelling, always as an instant with a zone."""
    value = convert_parameter(operation, name, text)
    assert value == instant
    assert value.tzinfo is not None


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9000, 1, 1)))  # noqa: DTZ001 - a zone-less text is the point
def test_an_instant_means_the_same_however_it_is_spelled(instant):
    """Zone-less, with Z and with an offset are the same instant."""
    values = {
        convert_parameter(CUSTOMIZATION, "creationTimeAfter", instant.isoformat() + zone)
        for zone in ("", "Z", "+00:00")
    }
    assert values == {instant.replace(tzinfo=UTC)}


def test_the_zone_of_the_machine_does_not_matter(monkeypatch):
    """A filter means the same instant on every machine."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        value = convert_parameter(CUSTOMIZATION, "creationTimeAfter", "2026-01-31")
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert value == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(("operation", "name"), TIMESTAMPS)
@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30", "08:00", "17698464000000000", "nan", "9" * 400],
)
def test_what_is_no_timestamp_is_refused_with_an_example(operation, name, text):
    """A wrong timestamp never reaches the service."""
    assert "2026-01-31T08:00:00Z" in refusal(operation, name, text)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("false", False), ("True", True), ("FALSE", False)]
)
def test_booleans_are_true_or_false_in_any_case(text, value):
    """`isOwned`, the one boolean of the operations, becomes a bool."""
    assert convert_parameter(MODELS, "isOwned", text) is value


@pytest.mark.parametrize("text", ["", "yes", "1", "truefalse", "truth"])
def test_what_is_no_boolean_is_refused_with_both_values(text):
    """Nothing but `true` and `false` is guessed at."""
    assert "true or false" in refusal(MODELS, "isOwned", text)


@pytest.mark.parametrize(("operation", "maximum"), LIMITS)
def test_integers_keep_the_bounds_of_the_model(operation, maximum):
    """`maxResults` goes from 1 to the model's maximum, which is also the page size."""
    assert operation.page_maximum == maximum
    assert convert_parameter(operation, "maxResults", "1") == 1
    assert convert_parameter(operation, "maxResults", str(maximum)) == maximum
    for text in ("0", "-1", str(maximum + 1)):
        assert f"1 to {maximum}" in refusal(operation, "maxResults", text)
    for text in ("", "ten", "1.5", "1e2"):
        assert "whole number" in refusal(operation, "maxResults", text)


@pytest.mark.parametrize(("operation", "name", "values"), ENUMS)
def test_enums_take_their_values_and_name_them_otherwise(operation, name, values):
    """Every documented value passes; a wrong one is answered with the whole list."""
    for value in values:
        assert convert_parameter(operation, name, value) == value
    for text in ("", "completed!", values[0].swapcase(), f" {values[0]}"):
        message = refusal(operation, name, text)
        assert all(value in message for value in values)


@pytest.mark.parametrize(("operation", "name"), TEXTS)
def test_texts_stay_as_they_are_within_the_bounds_of_the_model(operation, name):
    """A text filter is neither trimmed nor changed, and too short or long a one is refused."""
    parameter = operation.parameter(name)
    low, high = parameter.minimum or 0, parameter.maximum
    fitting = " a;'{}" + "x" * max(low - 6, 0)
    assert convert_parameter(operation, name, fitting) == fitting
    if low:
        refusal(operation, name, "x" * (low - 1))
    if high is not None:
        longest = "x" * high
        assert convert_parameter(operation, name, longest) == longest
        assert f"{low} to {high} characters" in refusal(operation, name, "x" * (high + 1))


@pytest.mark.parametrize("operation", [CUSTOMIZATION, MODELS, INVOCATION, INFERENCE])
def test_an_unknown_parameter_is_answered_with_the_known_ones(operation):
    """A misspelled filter names every parameter that the operation has."""
    message = refusal(operation, "statusIs", "x")
    assert all(parameter.name in message for parameter in operation.parameters)


def test_every_parameter_of_these_operations_has_an_expectation_here():
    """A parameter that a newer model brings must be added to these tables."""
    tested = {(operation.name, name) for operation, name in TIMESTAMPS + TEXTS}
    tested |= {(operation.name, name) for operation, name, _ in ENUMS}
    tested |= {(operation.name, "maxResults") for operation, _ in LIMITS}
    tested |= {(MODELS.name, "isOwned")}
    known = {
        (operation.name, parameter.name)
        for operation in (CUSTOMIZATION, MODELS, INVOCATION, INFERENCE)
        for parameter in operation.parameters
    }
    assert known <= tested


def test_a_parameter_that_no_text_can_give_is_refused():
    """A structure or list has no spelling as an option, and the message says so."""
    operation = operation_of(parameters=(Member("criteria", "structure"),))
    assert "cannot be given as text" in refusal(operation, "criteria", "{}")


def test_only_the_membership_is_required():
    """No source but Clean Rooms ML needs a parameter, and that one stands in the path."""
    required = [
        (source.table, parameter.name, parameter.location)
        for source in SOURCES.values()
        for parameter in source.operation.parameters
        if parameter.is_required
    ]
    assert required == [("trained_model_inference_jobs", "membershipIdentifier", "uri")]


def test_every_source_names_members_of_its_model():
    """Whatever a shipped declaration names stands in botocore's service models."""
    check_members(shipped_catalogue())


@pytest.mark.parametrize("source", shipped_catalogue().default.values(), ids=lambda s: s.table)
def test_every_status_of_the_model_is_declared(source):
    """Each status that the service model allows is running or has an outcome."""
    (status,) = (m for m in source.operation.item.members if m.name == source.status)
    assert {*source.running, *source.outcomes} == set(status.allowed_values)


@pytest.mark.parametrize("source", shipped_catalogue().values(), ids=lambda s: s.table)
def test_every_request_value_is_one_that_the_model_allows(source):
    """What is sent with every listing passes the same checks as a filter of a user's."""
    for name, value in source.request.items():
        assert convert_parameter(source.operation, name, value) == value


def test_an_unknown_table_is_answered_with_the_known_ones():
    """A misspelled table names every table."""
    with pytest.raises(UsageError, match="custom_models"):
        shipped_catalogue().named("custom_model")
