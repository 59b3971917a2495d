"""Whether a planned scope can be listed: one page of one item, asked for as an export would."""

from dataclasses import dataclass, replace
from typing import Any

from joblake.aws.connections import Connections
from joblake.aws.refusals import describe
from joblake.export.planning import query_of
from joblake.export.run import PlannedScope
from joblake.listing.pager import Query, open_pager
from joblake.listing.start import BEGINNING
from joblake.outcome import ListingOutcome
from joblake.settings.settings import Settings
from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.schema import column_of
from joblake.sources.service_model import Operation


@dataclass(frozen=True)
class Trial:
    """What asking for one item came to; `action` is the last permission that was needed."""

    planned: PlannedScope
    action: str
    outcome: ListingOutcome
    detail: str

    @property
    def group(self) -> tuple[str, str, str, str, str]:
        """What trials in several regions have in common when they are told together."""
        scope = self.planned.scope
        return (scope.table, scope.account_id, self.outcome, self.detail, self.action)


def try_listing(settings: Settings, connections: Connections, planned: PlannedScope) -> Trial:
    """List one item as the export would list all; any error becomes an outcome."""
    catalogue = shipped_catalogue()
    source = catalogue.named(planned.scope.table)
    operation = source.operation
    detail = "one item asked for"
    try:
        if source.parent is not None and planned.scope.parent is None:
            parent = catalogue[source.parent.source]
            operation = parent.operation
            found = _first_page(connections, planned, operation, Query(parent.request, 1))
            if not found:
                return Trial(
                    planned,
                    operation.action,
                    ListingOutcome.complete,
                    f"none of the {parent.table}",
                )
            member = column_of(parent, source.parent.member)
            planned = planned.of_parent(str(found[0][member]))
            operation = source.operation
        query = replace(query_of(source, settings), page_size=1, max_items=None, start=BEGINNING)
        if source.parent is not None and planned.scope.parent is not None:
            wanted = {**query.parameters, source.parent.parameter: planned.scope.parent}
            query = replace(query, parameters=wanted)
        _first_page(connections, planned, operation, query)
    except Exception as error:  # noqa: BLE001 - the edge: an error becomes the outcome
        outcome = connections.outcome_of(
            error, operation.client, planned.scope.region_name, planned.credentials
        )
        return Trial(planned, operation.action, outcome, describe(error))
    return Trial(planned, operation.action, ListingOutcome.complete, detail)


def _first_page(
    connections: Connections, planned: PlannedScope, operation: Operation, query: Query
) -> list[dict[str, Any]]:
    pager = open_pager(
        connections, planned.scope.region_name, planned.credentials, operation, query
    )
    first = next(pager.pages(None))
    return [row for parsed in pager.parse([first]) for row in parsed.rows.to_pylist()]
