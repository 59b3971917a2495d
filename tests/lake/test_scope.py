"""A scope: its values are checked before they can touch a path."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joblake.errors import UsageError
from joblake.lake.layout import scope_path
from joblake.lake.local import Lake
from joblake.lake.scope import Scope

MEMBERSHIP = "7d3f1c52-9a41-4f0e-8f43-6f0f3f1d2a01"
SCOPE = Scope("custom_models", "012345678901", "us-east-1")
ROOMS = Scope("trained_model_inference_jobs", "012345678901", "eu-west-1", MEMBERSHIP)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(tmp_path / "lake")


def test_a_scope_says_where_it_is():
    """Messages name a scope in one line."""
    assert str(SCOPE) == "custom_models 012345678901 us-east-1"
    assert str(ROOMS).endswith(MEMBERSHIP)


HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "../..",
    "/etc",
    "a/b",
    "us-east-1/..",
    "us-east-1\n",
    "us-east-1\0",
    "*",
    "[a]",
    "region=us-east-1",
    "%2e%2e",
    "١٢٣٤٥٦٧٨٩٠١٢",
    "\uff55\uff53-east-1",
]


@pytest.mark.parametrize("value", [*HOSTILE, "1" * 11, "1" * 13, "12345678901a", "012345678901\n"])
def test_hostile_accounts_are_refused(value):
    """An account is twelve digits."""
    with pytest.raises(UsageError, match="is not a valid account"):
        Scope("custom_models", value, "us-east-1")


@pytest.mark.parametrize("value", [*HOSTILE, "US-EAST-1", "us_east_1", "us-east", "us-east-100"])
def test_hostile_regions_are_refused(value):
    """A region has the form of AWS region names."""
    with pytest.raises(UsageError, match="is not a valid region"):
        Scope("custom_models", "012345678901", value)


@pytest.mark.parametrize("value", ["", "us-east-1\n", "us-east-1\0", "\ud800", "a" * 2049])
def test_parents_that_no_file_can_hold_are_refused(value):
    """A parent is printable text of some length."""
    with pytest.raises(UsageError, match="is not a valid parent"):
        Scope("custom_models", "012345678901", "us-east-1", value)


@pytest.mark.parametrize("value", [".", "..", "../..", "/etc", "a/b", "*", "[a]", "a=b", "arn:a:b"])
def test_a_parent_that_is_no_plain_word_is_named_by_its_hash(value):
    """Whatever a service calls a parent, its folder is one plain word, and of this parent alone."""
    folder = scope_path(Scope("custom_models", "012345678901", "us-east-1", value))
    assert re.fullmatch(r"parent=[0-9a-f]{32}", folder.name)
    assert folder != scope_path(Scope("custom_models", "012345678901", "us-east-1", f"{value}x"))


@pytest.mark.parametrize("value", [*HOSTILE, "Custom", "1_table", "_table", ".spool"])
def test_hostile_tables_are_refused(value):
    """A table is a lower-case name."""
    with pytest.raises(UsageError, match="is not a valid table"):
        Scope(value, "012345678901", "us-east-1")


VALID = ("custom_models", "012345678901", "us-east-1", MEMBERSHIP)


@given(st.data())
def test_no_value_leads_out_of_the_lake(data):
    """A valid value with anything put into it is refused, or is one plain folder of the lake."""
    values = list(VALID)
    which = data.draw(st.integers(0, 3))
    at = data.draw(st.integers(0, len(values[which])))
    noise = data.draw(st.text(st.characters(), min_size=1, max_size=5) | st.sampled_from("/.-_0a"))
    values[which] = values[which][:at] + noise + values[which][at:]
    try:
        scope = Scope(*values)
    except UsageError as error:
        assert "is not a valid" in str(error)  # noqa: PT017 - only some values are refused
        return
    parts = Lake(Path("/lake")).partition(scope, "2026-11").relative_to("/lake").parts
    assert len(parts) == 6
    assert all(re.fullmatch(r"[a-z0-9_=.-]+", part) for part in parts)
    assert not {".", ".."} & set(parts)


REGIONS = st.from_regex(r"[a-z]{2,5}(-[a-z]+){1,3}-[0-9]{1,2}", fullmatch=True)


@given(
    st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    REGIONS,
    st.uuids().map(str) | st.none(),
)
def test_what_aws_allows_makes_a_path_of_its_own(table, account, region, membership):
    """Valid values stand in the path as they are, one folder each."""
    lake = Lake(Path("/lake"))
    path = lake.partition(Scope(table, account, region, membership), "2026-11")
    folders = [table, f"account={account}", f"region={region}"]
    folders += [f"parent={membership}"] if membership else []
    assert path.relative_to("/lake").parts == (*folders, "month=2026-11", "observations.parquet")


def test_every_region_of_aws_is_valid():
    """The pattern of regions refuses none that botocore knows, secret partitions included."""
    from joblake.aws.regions import known_regions  # noqa: PLC0415 - boto3 is of no use to the other tests

    regions = known_regions()
    assert {"us-east-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1"} <= regions
    for region in regions:
        Scope("custom_models", "012345678901", region)
