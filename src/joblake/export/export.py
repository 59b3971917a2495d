"""Export the scopes of a run: list, merge, commit.

What the command line and the flows call. Scopes are independent: whatever happens to one becomes
its outcome and never stops another.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import chain

from joblake.aws.refusals import describe
from joblake.errors import LakeError
from joblake.export.children import Children, children_of
from joblake.export.difference import Listed
from joblake.export.incremental import narrowing
from joblake.export.merge import Merged, merge
from joblake.export.outcomes import RunResult, ScopeResult, failed_result
from joblake.export.query import narrowing_of, query_of
from joblake.export.run import Clock, OpenRun, PlannedScope, Run, open_run, utc_now
from joblake.lake.ledger import commit_listing
from joblake.lake.past import ScopePast, read_past
from joblake.lake.scope import Scope
from joblake.listing.listing import Listing, run_listing
from joblake.listing.pager import Pager, Query
from joblake.listing.spool import Spool, SpoolIdentity
from joblake.outcome import ListingOutcome
from joblake.sources.schema import listed_schema

OnPage = Callable[[Scope, int], None]


def export(
    run: Run,
    *,
    clock: Clock = utc_now,
    on_page: OnPage = lambda _scope, _rows: None,
    on_results: Callable[[Sequence[ScopeResult]], None] = lambda _results: None,
) -> RunResult:
    """Export every scope of a run, `max_workers` at once.

    `on_page` is called with the number of rows of each page that arrives, `on_results` with the
    results of each planned scope that has ended; both from several threads. A KeyboardInterrupt
    does not wait for the scopes that are being exported.
    """
    opened = open_run(run, clock=clock)

    def one(planned: PlannedScope) -> tuple[ScopeResult, ...]:
        results = export_scope(opened, planned, on_page=on_page)
        on_results(results)
        return results

    workers = max(1, min(run.settings.max_workers, len(run.scopes)))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="joblake")
    try:
        results = tuple(chain.from_iterable(pool.map(one, run.scopes)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return RunResult(run.run_id, run.observed_at, results)


def export_scope(
    opened: OpenRun,
    planned: PlannedScope,
    *,
    on_page: OnPage = lambda _scope, _rows: None,
) -> tuple[ScopeResult, ...]:
    """List one planned scope, merge it into the lake and put the listing on record.

    Then do the same with the scopes below it, which its listing showed. The result of the scope
    comes first. Never raises for what can go wrong with a scope: the outcome and error of its
    result say it.
    """
    allowance = opened.connections.allowance(planned.scope.region_name, planned.credentials)
    children = Children()
    try:
        with opened.lake.locked(planned.scope), allowance.turns:
            work = _ScopeExport(opened, planned, on_page)
            result = work.result()
            children = work.children
    except Exception as error:  # noqa: BLE001 - the edge: an error becomes the scope's outcome
        result = failed_result(opened.run, planned.scope, describe(error))
    below = (export_scope(opened, child, on_page=on_page) for child in children.scopes)
    return (result, *chain.from_iterable(below))


class _ScopeExport:
    """Takes one scope from its listing to the commit. Its lock must be held.

    `children` are the scopes below it, which are known once it is listed.
    """

    def __init__(self, opened: OpenRun, planned: PlannedScope, on_page: OnPage) -> None:
        self._run, self._settings = opened.run, opened.run.settings
        self._connections, self._lake, self._clock = opened.connections, opened.lake, opened.clock
        self._planned, self._scope, self._on_page = planned, planned.scope, on_page
        self._source = self._settings.catalogue[planned.scope.table]
        self._query = query_of(self._source, self._settings, planned.scope.parent)
        self._past: ScopePast | None = None
        schema = listed_schema(self._source.operation)
        self._spool = Spool(opened.lake.spool(planned.scope), schema, opened.lake.file_mode)
        self.children = Children()

    def result(self) -> ScopeResult:
        """List and commit."""
        started_at = self._clock()
        try:
            # Before the first request: what cannot be merged need not be listed.
            self._past = past = read_past(self._lake, self._scope, self._source)
            self._query = self._narrowed(past)
        except LakeError as refusal:
            return self._committed(
                started_at, Listing(), Merged(), ListingOutcome.failed, describe(refusal)
            )
        listing, outcome, error = self._list(started_at, past)
        try:
            if self._planned.tables_below:
                # By the pages that came, also where a failure ended the listing.
                catalogue = self._settings.catalogue
                self.children = children_of(catalogue, self._planned, self._spool.reader())
            is_whole = outcome is ListingOutcome.complete and self.children.error is None
            merged = self._merge(past, is_whole=is_whole)
        except Exception as refusal:  # noqa: BLE001 - the edge, as above
            merged, outcome, error = Merged(), ListingOutcome.failed, describe(refusal)
        if merged.held:
            error = (
                f"{merged.held} resources are missing at once; they are held until the next "
                "complete listing confirms it"
            )
        if outcome.has_all_pages:
            # Before the listing is on record: a listing that stands there must not be taken up
            # again, least of all to confirm its own mass vanish.
            self._spool.discard()
            if self.children.error is not None:
                outcome, error = ListingOutcome.partial, self.children.error
        return self._committed(started_at, listing, merged, outcome, error)

    def _merge(self, past: ScopePast, *, is_whole: bool) -> Merged:
        if not self._spool.pages:
            self._spool.close()
            return Merged()
        listed = Listed(
            scope=self._scope,
            source=self._source,
            rows=self._spool.reader,
            run_id=self._run.run_id,
            started_at=self._spool.started_at or self._run.observed_at,
            ended_at=self._clock(),
            known_until=self._spool.known_until,
            observed_at=self._run.observed_at,
            is_whole=is_whole,
            mass_vanish_share=self._settings.mass_vanish_share,
            store_sensitive=self._settings.store_sensitive,
        )
        return merge(self._lake, past, listed)

    def _list(
        self, started_at: datetime, past: ScopePast
    ) -> tuple[Listing, ListingOutcome, str | None]:
        """List into the spool; the listing, its outcome and its error."""
        operation, settings = self._source.operation, self._settings
        pager: Pager | None = None
        region_name, credentials = self._scope.region_name, self._planned.credentials
        try:
            client = self._connections.client(operation.client, region_name, credentials)
            pager = Pager(client, operation, self._query, store_sensitive=settings.store_sensitive)
            listing = run_listing(
                pager,
                self._spool,
                SpoolIdentity(pager.digest, started_at, past.last_observed_at),
                resume_within=timedelta(minutes=settings.resume_minutes),
                on_page=lambda rows: self._on_page(self._scope, rows),
            )
        except Exception as error:  # noqa: BLE001 - the edge: an error becomes the scope's outcome
            requests, token = (0, None) if pager is None else (pager.requests, pager.token)
            listing = Listing(self._spool.pages, requests, self._spool.odd_values)
            outcome = self._connections.outcome_of(
                error, operation.client, region_name, credentials
            )
            text = describe(error, hidden=token)
            return listing, ListingOutcome.partial if listing.pages else outcome, text
        is_narrowed = bool(narrowing_of(self._source, self._query))
        return listing, ListingOutcome.filtered if is_narrowed else ListingOutcome.complete, None

    def _narrowed(self, past: ScopePast) -> Query:
        """The query; in an incremental run it asks only for what is new or may have changed.

        A query that has a filter or limit of its own is left as it is. So is the query of a parent,
        whose listing must show every resource that its children are in.
        """
        settings = self._settings.for_table(self._scope.table)
        has_children = bool(self._planned.tables_below)
        if not settings.incremental or has_children or narrowing_of(self._source, self._query):
            return self._query
        since = narrowing(past, self._source, settings, self._run.observed_at)
        return replace(self._query, parameters={**self._query.parameters, **since})

    def _committed(
        self,
        started_at: datetime,
        listing: Listing,
        merged: Merged,
        outcome: ListingOutcome,
        error: str | None,
    ) -> ScopeResult:
        ended_at = self._clock()
        filters = narrowing_of(self._source, self._query)
        result = ScopeResult(
            run_id=self._run.run_id,
            table_name=self._scope.table,
            account_id=self._scope.account_id,
            region_name=self._scope.region_name,
            parent=self._scope.parent,
            # Of a resumed listing, when its first page was asked for.
            started_at=min(started_at, self._spool.started_at or started_at),
            ended_at=ended_at,
            outcome=outcome,
            filters=json.dumps(filters, ensure_ascii=False) if filters else None,
            **asdict(merged),
            pages=listing.pages,
            requests=listing.requests,
            seconds=round((ended_at - started_at).total_seconds(), 3),
            error=error,
            next_token=listing.resume_token,
            odd_values=listing.odd_values,
        )
        try:
            ledger = None if self._past is None else self._past.ledger
            commit_listing(self._lake, result, ledger)
        except Exception as refusal:  # noqa: BLE001 - the edge: what is in the lake is told all the same
            return replace(result, outcome=ListingOutcome.failed, error=describe(refusal))
        return result
