"""The doctor's trials: each asks a scope for one item, in the way that an export would."""

from dataclasses import dataclass, replace

from joblake.aws.connections import Connections
from joblake.aws.refusals import describe
from joblake.export.children import children_of
from joblake.export.query import query_of
from joblake.export.run import PlannedScope
from joblake.listing.pager import Pager
from joblake.listing.start import BEGINNING
from joblake.outcome import ListingOutcome
from joblake.settings.settings import Settings


@dataclass(frozen=True)
class Trial:
    """The outcome of asking for one item; `action` is the permission that this needs."""

    planned: PlannedScope
    action: str
    outcome: ListingOutcome
    detail: str

    @property
    def group(self) -> tuple[str, str, str, str, str]:
        """The values that trials share when their regions are told in one finding."""
        scope = self.planned.scope
        return (scope.table, scope.account_id, self.outcome, self.detail, self.action)


def try_listing(settings: Settings, connections: Connections, planned: PlannedScope) -> list[Trial]:
    """List one item as the export would list all, and one of each table below in this item.

    An error becomes the outcome of the trial, and then the tables below are not tried.
    """
    scope, credentials = planned.scope, planned.credentials
    source = settings.catalogue[scope.table]
    action = source.operation.action
    query = query_of(source, settings, scope.parent)
    query = replace(query, page_size=1, max_items=None, start=BEGINNING)
    try:
        client = connections.client(source.client, scope.region_name, credentials)
        pager = Pager(client, source.operation, query)
        (parsed,) = pager.parse([next(pager.pages(None))])
        children = children_of(settings.catalogue, planned, parsed.rows.to_batches())
    except Exception as error:  # noqa: BLE001 - the edge: an error becomes the outcome
        outcome = connections.outcome_of(error, source.client, scope.region_name, credentials)
        return [Trial(planned, action, outcome, describe(error))]
    trials = [Trial(planned, action, ListingOutcome.complete, "one item asked for")]
    for child in {child.scope.table: child for child in children.scopes}.values():
        trials += try_listing(settings, connections, child)
    tried = {trial.planned.scope.table for trial in trials}
    for table in planned.tables_below:
        if table not in tried:
            untried = planned.child(table, None)
            detail = f"none of the {source.table}"
            trials.append(Trial(untried, action, ListingOutcome.complete, detail))
    return trials
