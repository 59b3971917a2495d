"""Discover the Clean Rooms memberships of a place: what the scopes of Clean Rooms ML are made of.

The export does so, not the plan: whoever tries a scope again looks for its memberships again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from joblake.aws.connections import Connections
from joblake.aws.refusals import describe
from joblake.errors import UsageError
from joblake.export.planning import PlannedScope
from joblake.listing.pager import Pager, Query
from joblake.sources.catalogue import memberships_operation
from joblake.sources.service_model import ParameterValue

ACTIVE: Mapping[str, ParameterValue] = {"status": "ACTIVE"}
"""What is asked of ListMemberships: those that can be listed in."""


@dataclass(frozen=True)
class Discovery:
    """The scopes of the memberships that were found, and how the looking for them ended."""

    members: tuple[PlannedScope, ...]
    outcome: str = "complete"
    error: str | None = None


def discover(connections: Connections, planned: PlannedScope) -> Discovery:
    """The active memberships of a planned scope's place; those before an error count too."""
    members: list[PlannedScope] = []
    refusals: list[str] = []
    try:
        for membership in _active_memberships(connections, planned):
            try:
                members.append(planned.of_membership(membership))
            except UsageError as error:
                refusals.append(str(error))
    except Exception as error:  # noqa: BLE001 - the edge: an error becomes the scope's outcome
        service, region_name = memberships_operation().client, planned.scope.region_name
        outcome = connections.outcome_of(error, service, region_name, planned.credentials)
        return Discovery(tuple(members), outcome, describe(error))
    if refusals:
        more = f" (and {len(refusals) - 1} more)" if refusals[1:] else ""
        return Discovery(tuple(members), "failed", f"ListMemberships: {refusals[0]}{more}")
    return Discovery(tuple(members))


def _active_memberships(connections: Connections, planned: PlannedScope) -> Iterator[str]:
    operation = memberships_operation()
    client = connections.client(operation.client, planned.scope.region_name, planned.credentials)
    pager = Pager(client, operation, Query(ACTIVE, operation.page_maximum))
    for unread in pager.pages(None):
        for page in pager.read([unread]):
            yield from (str(member) for member in page.rows.column("id").to_pylist())
