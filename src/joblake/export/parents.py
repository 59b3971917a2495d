"""The parents of a planned scope: the resources that its source lists in, listed first.

The export lists them, not the plan: whoever tries a scope again looks for its parents again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from joblake.aws.connections import Connections
from joblake.aws.refusals import describe
from joblake.errors import UsageError
from joblake.export.planning import require_parent
from joblake.export.run import PlannedScope
from joblake.listing.pager import Query, open_pager
from joblake.outcome import ListingOutcome
from joblake.sources.catalogue import Source
from joblake.sources.schema import column_of


@dataclass(frozen=True)
class Discovery:
    """The scopes of the parents that were found, and how the looking for them ended."""

    members: tuple[PlannedScope, ...]
    outcome: ListingOutcome = ListingOutcome.complete
    error: str | None = None


def discover(
    connections: Connections, planned: PlannedScope, source: Source, parent: Source, member: str
) -> Discovery:
    """The parents in a planned scope's account and region; those before an error count too.

    `member` of a parent's resources is what identifies it in the requests of `source`.
    """
    members: list[PlannedScope] = []
    refusals: list[str] = []
    try:
        for name in _listed(connections, planned, parent, member):
            try:
                require_parent(source, name)
                members.append(planned.of_parent(name))
            except UsageError as error:
                refusals.append(str(error))
    except Exception as error:  # noqa: BLE001 - the edge: an error becomes the scope's outcome
        region_name = planned.scope.region_name
        outcome = connections.outcome_of(error, parent.client, region_name, planned.credentials)
        return Discovery(tuple(members), outcome, describe(error))
    if refusals:
        more = f" (and {len(refusals) - 1} more)" if refusals[1:] else ""
        return Discovery(
            tuple(members), ListingOutcome.failed, f"{parent.table}: {refusals[0]}{more}"
        )
    return Discovery(tuple(members))


def _listed(
    connections: Connections, planned: PlannedScope, parent: Source, member: str
) -> Iterator[str]:
    query = Query(parent.request, parent.operation.page_maximum)
    pager = open_pager(
        connections, planned.scope.region_name, planned.credentials, parent.operation, query
    )
    for page in pager.pages(None):
        for parsed in pager.parse([page]):
            yield from map(str, parsed.rows.column(column_of(parent, member)).to_pylist())
