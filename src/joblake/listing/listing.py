"""One listing: a scope's pages, from its pager into its spool."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from botocore.exceptions import ClientError

from joblake.listing.pager import Pager
from joblake.listing.reader import PageReader
from joblake.listing.rows import ParsedRows
from joblake.listing.spool import Spool, SpoolIdentity
from joblake.listing.start import Start, encode_start

MAX_RESTARTS = 2
# Services answer so to a token that they no longer know (boto3#4389 for the second).
_STALE_TOKEN_CODES = frozenset(
    {"ValidationException", "InternalServerException", "InvalidNextTokenException"}
)


@dataclass(frozen=True)
class Listing:
    """What a listing came to. `resume_token` is set when `max_items` cut it short."""

    pages: int = 0
    requests: int = 0
    odd_values: int = 0
    resume_token: str | None = None


def run_listing(
    pager: Pager,
    spool: Spool,
    identity: SpoolIdentity,
    *,
    resume_within: timedelta | None,
    on_page: Callable[[int], None],
) -> Listing:
    """List everything that the pager's query asks for into the spool.

    An interrupted listing of the same identity goes on where it stopped. A token that the service
    itself gave and now refuses restarts the listing from page 1, at most MAX_RESTARTS times.
    `on_page` hears the number of rows of each page as it arrives. Errors leave the pages so far in
    the spool.
    """
    query = pager.query
    # Only a whole listing can go on from a page's token alone.
    is_resumed = spool.begin(identity, resume_within=resume_within if query.is_whole else None)
    if is_resumed and spool.next_token is None:
        return Listing(spool.pages, pager.requests, spool.odd_values)
    intake = _Intake(pager, spool, Start(spool.next_token) if is_resumed else query.start)
    for attempt in range(MAX_RESTARTS + 1):
        try:
            resume_token = intake.run(on_page)
            break
        except ClientError as error:
            has_service_token = pager.token not in {None, query.start.token}
            if attempt == MAX_RESTARTS or not has_service_token or not _is_stale_token(error):
                raise
            intake = _Intake(pager, spool, query.start, restarted=identity)
    return Listing(spool.pages, pager.requests, spool.odd_values, resume_token)


class _Intake:
    """Lists from a start on, and puts the rows into the spool in their order.

    The first page of a `restarted` listing replaces the pages in the spool: until it has come,
    they are all that is known.
    """

    def __init__(
        self, pager: Pager, spool: Spool, start: Start, restarted: SpoolIdentity | None = None
    ) -> None:
        self._pager, self._spool = pager, spool
        self._start, self._to_skip = start, start.skipped_items
        self._token = start.token
        self._restarted = restarted

    def run(self, on_page: Callable[[int], None]) -> str | None:
        """Spool the pages; returns the token to go on with where max_items cut the listing."""
        if self._pager.query.max_items is not None:
            return self._run_limited(on_page)
        with PageReader(self._pager.parse, self._keep) as reader:
            for page in self._pager.pages(self._start.token):
                on_page(len(page.items))
                reader.add(page)
        return None

    def _run_limited(self, on_page: Callable[[int], None]) -> str | None:
        # Each page is kept before the next is asked for: it may be the last within the limit.
        for page in self._pager.pages(self._start.token):
            (parsed,) = self._pager.parse([page])
            kept_rows, resume_token = self._keep(parsed)
            on_page(kept_rows)
            if resume_token is not None:
                return resume_token
        return None

    def _keep(self, parsed: ParsedRows) -> tuple[int, str | None]:
        """Spool rows; returns how many, and the token to go on with at the limit."""
        if self._restarted is not None:
            self._spool.restart(self._restarted)
            self._restarted = None
        operation, max_items = self._pager.operation, self._pager.query.max_items
        skipped = min(self._to_skip, parsed.rows.num_rows)
        self._to_skip -= skipped
        room = None if max_items is None else max_items - self._spool.rows
        rows = parsed.rows.slice(skipped, room)
        self._spool.append(replace(parsed, rows=rows))
        if skipped + rows.num_rows < parsed.rows.num_rows:
            following = Start(self._token, skipped + rows.num_rows)
            return rows.num_rows, encode_start(following, operation)
        self._token = parsed.next_token
        if rows.num_rows == room and self._token is not None:
            return rows.num_rows, encode_start(Start(self._token), operation)
        return rows.num_rows, None


def _is_stale_token(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") in _STALE_TOKEN_CODES
