"""Where the files of a lake lie."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from joblake.lake.layout import month_of
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from lake_rows import paths_of

MEMBERSHIP = "7d3f1c52-9a41-4f0e-8f43-6f0f3f1d2a01"
SCOPE = Scope("custom_models", "012345678901", "us-east-1")
ROOMS = Scope("trained_model_inference_jobs", "012345678901", "eu-west-1", MEMBERSHIP)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(tmp_path / "lake")


def test_paths_are_as_documented(lake):
    """Hive folders with the zeros of accounts, a membership where there is one, a file a month."""
    place = lake.root / "custom_models" / "account=012345678901" / "region=us-east-1"
    assert lake.partition(SCOPE, "2026-11") == place / "month=2026-11" / "observations.parquet"
    rooms = Path(
        "trained_model_inference_jobs",
        "account=012345678901",
        "region=eu-west-1",
        f"parent={MEMBERSHIP}",
        "month=2026-11",
    )
    assert lake.partition(ROOMS, "2026-11") == lake.root / rooms / "observations.parquet"
    assert lake.listing_partition(ROOMS, "2026-11") == (
        lake.root / "listings" / rooms / "listings.parquet"
    )


def test_files_are_found_where_they_are_written(lake):
    """A table's files are those of all its scopes and months, and no other table's."""
    other = Scope("custom_models", "111122223333", "us-east-1")
    written = [(SCOPE, "2026-11"), (SCOPE, "2026-02"), (other, "2026-11"), (ROOMS, "2026-11")]
    for scope, month in written:
        for target in (lake.partition(scope, month), lake.listing_partition(scope, month)):
            with lake.overwriting(target):
                pass
    for path in (lake.root / "stray.parquet", lake.partition(SCOPE, "2026-11").with_name("x")):
        path.touch()
    months = [lake.partition(SCOPE, month) for month in ("2026-02", "2026-11")]
    assert paths_of(lake.scope_files(SCOPE)) == months
    assert paths_of(lake.table_files("custom_models")) == [
        *months,
        lake.partition(other, "2026-11"),
    ]
    assert paths_of(lake.table_files(ROOMS.table)) == [lake.partition(ROOMS, "2026-11")]
    assert paths_of(lake.table_files("unheard_of")) == []
    listings = sorted(lake.listing_partition(scope, month) for scope, month in written)
    assert paths_of(lake.listing_files()) == listings
    assert paths_of(lake.scope_listing_files(ROOMS)) == [lake.listing_partition(ROOMS, "2026-11")]


def test_locks_and_spools_lie_where_no_table_is(lake):
    """Nothing but partitions stands under a table's folder."""
    lake.spool(SCOPE).mkdir(parents=True)
    with lake.locked(SCOPE):
        assert {path.name for path in lake.root.iterdir()} == {".spool", ".locks"}


@pytest.mark.parametrize(
    ("instant", "month"),
    [
        (datetime(2026, 11, 10, tzinfo=UTC), "2026-11"),
        (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), "2026-01"),
    ],
)
def test_the_month_of_an_instant(instant, month):
    """Months sort as text."""
    assert month_of(instant) == month
