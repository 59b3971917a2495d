"""A scope's pages: one whole listing through boto3's own paginator.

boto3 keeps the client, signing, retries and paging. joblake takes the body of each answer before
botocore parses it (nine tenths of the usual cost is botocore's timestamp parsing), checks that it
is a page at all, and leaves botocore only the token. A damaged answer becomes an error that
botocore's own retry mode knows, so that it asks again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from joblake.errors import DamagedPageError, TokenLoopError
from joblake.listing.aside import Aside
from joblake.listing.pages import Page, UnreadPage, read_pages, receive_page
from joblake.listing.spool import Spool, SpoolIdentity
from joblake.listing.start import BEGINNING, Start, encode_start
from joblake.sources.service_model import Operation, ParameterValue

MAX_RESTARTS = 2
_PAGE = "JoblakePage"
# botocore's standard retry mode repeats a request that failed with this code.
_RETRIED_CODE = "RequestTimeout"
# What services answer to a token they no longer know (boto3#4389 for the second).
_STALE_TOKEN_CODES = frozenset(
    {"ValidationException", "InternalServerException", "InvalidNextTokenException"}
)


@dataclass(frozen=True)
class Query:
    """What one listing asks for: request parameters by their wire names, and how much of it."""

    parameters: Mapping[str, ParameterValue]
    page_size: int
    max_items: int | None = None
    start: Start = BEGINNING

    @property
    def is_whole(self) -> bool:
        """Whether it begins at page 1 and runs to the end."""
        return self.max_items is None and self.start == BEGINNING

    def digest(self, operation: Operation, *, store_sensitive: bool) -> str:
        """Equal for two listings that take the same from the same items in the same pages."""
        words = [operation.client, operation.name, self.page_size, self.max_items, store_sensitive]
        words += [self.start.token, self.start.skipped_items]
        words += [[name, str(value)] for name, value in sorted(self.parameters.items())]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()


@dataclass(frozen=True)
class Listing:
    """What a listing came to. `resume_token` is set when `max_items` cut it short."""

    pages: int
    requests: int
    odd_values: int
    resume_token: str | None = None


class Pager:
    """Pages of one query through one client, which it must have to itself.

    `requests` counts every request sent, repeated ones included; `token` is the page token of the
    last one.
    """

    def __init__(
        self, client: Any, operation: Operation, query: Query, *, store_sensitive: bool = True
    ) -> None:
        self.operation = operation
        self.query = query
        self.requests = 0
        self.token: str | None = None
        self.digest = query.digest(operation, store_sensitive=store_sensitive)
        self._client = client
        self._store_sensitive = store_sensitive
        suffix = f"{operation.service_id}.{operation.name}"
        client.meta.events.register(f"before-send.{suffix}", self._count_request)
        client.meta.events.register(f"before-parse.{suffix}", self._take_page)

    def pages(self, token: str | None) -> Iterator[UnreadPage]:
        """Every page from `token` on, page 1 where it is None.

        DamagedPageError when an answer stays damaged, TokenLoopError when a token comes twice;
        errors of botocore and of the service pass through.
        """
        parameters = dict(self.query.parameters)
        seen: set[bytes] = set()
        self.token = token
        if token is not None:
            parameters[self.operation.input_token] = token
            seen.add(_fingerprint(token))
        paginator = self._client.get_paginator(self.operation.method_name)
        # paginate() afresh each time: an iterator used again after a failure is silently partial.
        answers = paginator.paginate(
            **parameters, PaginationConfig={"PageSize": self.query.page_size}
        )
        for answer in answers:
            page: UnreadPage | None = answer.get(_PAGE)
            if page is None:
                raise DamagedPageError(answer.get("Error", {}).get("Message", "no page"))
            yield page
            if page.next_token is not None:
                fingerprint = _fingerprint(page.next_token)
                if fingerprint in seen:
                    raise TokenLoopError(
                        f"{self.operation.name} gave the same page token twice; the service is "
                        "going round in circles, so this listing cannot be finished"
                    )
                seen.add(fingerprint)
            self.token = page.next_token

    def read(self, pages: Sequence[UnreadPage]) -> Iterator[Page]:
        """The rows of pages that follow on each other; of bad ones see `read_pages`."""
        return read_pages(pages, self.operation, store_sensitive=self._store_sensitive)

    def _count_request(self, **_: Any) -> None:
        self.requests += 1

    def _take_page(
        self,
        response_dict: dict[str, Any],
        customized_response_dict: dict[str, Any],
        **_: Any,
    ) -> None:
        if response_dict["status_code"] >= 300:  # noqa: PLR2004 - botocore's own border of success
            return
        try:
            page = receive_page(response_dict["body"], self.operation)
        except DamagedPageError as error:
            response_dict["body"] = b"{}"
            customized_response_dict["Error"] = {"Code": _RETRIED_CODE, "Message": str(error)}
            return
        left = {} if page.next_token is None else {self.operation.output_token: page.next_token}
        response_dict["body"] = json.dumps(left).encode()
        customized_response_dict[_PAGE] = page


def run_listing(  # noqa: PLR0913 - when it began and what was known then belong to no other type
    pager: Pager,
    spool: Spool,
    *,
    started_at: datetime,
    known_until: datetime | None = None,
    resume_within: timedelta,
    on_page: Callable[[int], None],
) -> Listing:
    """List everything that the pager's query asks for into the spool.

    An interrupted listing of the same query goes on where it stopped. A token that the service
    itself gave and now refuses restarts the listing from page 1, at most MAX_RESTARTS times.
    `on_page` hears the number of rows of each page as it arrives. Errors leave the pages so far in
    the spool.
    """
    query = pager.query
    identity = SpoolIdentity(pager.digest, started_at, known_until)
    # Only a whole listing can go on from a page's token alone.
    is_resumed = spool.begin(identity, resume_within=resume_within if query.is_whole else None)
    if is_resumed and spool.next_token is None:
        return Listing(spool.pages, pager.requests, spool.odd_values)
    start = Start(spool.next_token) if is_resumed else query.start
    restarted: SpoolIdentity | None = None
    for attempt in range(MAX_RESTARTS + 1):
        try:
            resume_token = _list_from(start, pager, spool, on_page, restarted)
            break
        except ClientError as error:
            has_service_token = pager.token not in {None, query.start.token}
            if attempt == MAX_RESTARTS or not has_service_token or not _is_stale_token(error):
                raise
            start, restarted = query.start, identity
    return Listing(spool.pages, pager.requests, spool.odd_values, resume_token)


def _list_from(
    start: Start,
    pager: Pager,
    spool: Spool,
    on_page: Callable[[int], None],
    restarted: SpoolIdentity | None,
) -> str | None:
    """Spool the pages from `start` on; the token to go on with where max_items cut the listing.

    Of a `restarted` listing the first page takes the place of those before: until it has come,
    they are all that is known.
    """
    intake = _Intake(start, pager, spool, restarted)
    if pager.query.max_items is not None:
        # Whoever set a limit wants no request for what may lie beyond it.
        for page in pager.pages(start.token):
            rows_before = intake.rows
            (read,) = pager.read([page])
            resume_token = intake.keep(read)
            on_page(intake.rows - rows_before)
            if resume_token is not None:
                return resume_token
        return None
    with Aside(pager.read, intake.keep) as aside:
        for page in pager.pages(start.token):
            on_page(page.item_count)
            aside.add(page)
    return None


class _Intake:
    """Puts the rows of pages into the spool, in their order; `rows` counts them."""

    def __init__(
        self,
        start: Start,
        pager: Pager,
        spool: Spool,
        restarted: SpoolIdentity | None,
    ) -> None:
        self.rows = 0
        self._token, self._to_skip = start.token, start.skipped_items
        self._operation, self._max_items = pager.operation, pager.query.max_items
        self._spool = spool
        self._restarted = restarted

    def keep(self, page: Page) -> str | None:
        """Spool a page; the token to go on with where max_items cut the listing."""
        if self._restarted is not None:
            self._spool.restart(self._restarted)
            self._restarted = None
        skipped = min(self._to_skip, page.rows.num_rows)
        self._to_skip -= skipped
        rows = page.rows.slice(skipped)
        room = None if self._max_items is None else self._max_items - self._spool.rows
        is_cut = room is not None and rows.num_rows > room
        kept = rows.slice(0, room) if is_cut else rows
        self._spool.append(replace(page, rows=kept))
        self.rows += kept.num_rows
        if is_cut:
            return encode_start(Start(self._token, skipped + kept.num_rows), self._operation)
        self._token = page.next_token
        if kept.num_rows == room and self._token is not None:
            return encode_start(Start(self._token), self._operation)
        return None


def _is_stale_token(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") in _STALE_TOKEN_CODES


def _fingerprint(token: str) -> bytes:
    """A short stand-in for a token of up to 10 kB, so that long listings stay in memory."""
    return hashlib.blake2b(token.encode(errors="surrogatepass"), digest_size=16).digest()
