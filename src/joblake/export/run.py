"""A run: what is to be exported, and what its scopes share while they are.

`Run` is data, which any process may be given. `OpenRun` is what one process makes of it, once, and
hands down to every scope that it exports.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from joblake.aws.allowance import Politeness
from joblake.aws.connections import Connections
from joblake.aws.credentials import DEFAULT, Credentials
from joblake.aws.regions import HOME_REGION, known_regions
from joblake.lake.local import Lake
from joblake.lake.scope import Scope
from joblake.settings.settings import Settings, lake_of

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class PlannedScope:
    """A scope, the credentials that reach it, and the tables that are to be listed below it.

    A table below is listed in each of the scope's resources, or in those of another table below.
    """

    scope: Scope
    credentials: Credentials = DEFAULT
    tables_below: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """The scope's table and those below it."""
        return (self.scope.table, *self.tables_below)

    def child(self, table: str, parent: str | None) -> "PlannedScope":
        """The scope of a table below in one of the resources; UsageError if its name is none."""
        return replace(self, scope=replace(self.scope, table=table, parent=parent))


@dataclass(frozen=True)
class Run:
    """One run: its identity, its instant, its settings and its scopes."""

    run_id: str
    observed_at: datetime
    settings: Settings
    scopes: tuple[PlannedScope, ...]


@dataclass(frozen=True)
class OpenRun:
    """A run with what its scopes share in this process.

    The connections keep the pace of each account and region and its bound of scopes at once, so
    that a process has one of these for each of its runs.
    """

    run: Run
    connections: Connections
    lake: Lake
    clock: Clock


def open_run(run: Run, *, clock: Clock = utc_now) -> OpenRun:
    """Make the connections and the lake that the scopes of a run share.

    JoblakeError where this process lacks AWS configuration or a lake that the planning one had.
    """
    return OpenRun(run, connections_of(run.settings), lake_of(run.settings), clock)


def connections_of(settings: Settings) -> Connections:
    """Connections with the limits that the settings set."""
    patterns = [*settings.region, *(r for account in settings.account for r in account.region)]
    named = [region for region in patterns if region in known_regions()]
    politeness = Politeness(
        max_attempts=settings.max_attempts,
        max_workers=settings.max_workers_per_region,
        max_requests_per_second=settings.max_requests_per_second,
    )
    return Connections(politeness, fallback_region=named[0] if named else HOME_REGION)
