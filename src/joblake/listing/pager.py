"""A pager asks for a scope's pages through boto3's own paginator.

boto3 keeps the client, signing, retries and paging. joblake takes the body of each answer before
botocore parses it (nine tenths of the usual cost is botocore's timestamp parsing), checks that it
is a page at all, and leaves botocore only the token. A damaged answer becomes an error that
botocore's own retry mode knows, so that it asks again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joblake.errors import DamagedPageError, TokenLoopError
from joblake.listing.pages import RawPage, receive_page
from joblake.listing.rows import ParsedRows, parse_pages
from joblake.listing.start import BEGINNING, Start
from joblake.sources.service_model import Operation, ParameterValue

_PAGE = "JoblakePage"
# botocore's standard retry mode repeats a request that failed with this code.
_RETRIED_CODE = "RequestTimeout"


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

    def pages(self, token: str | None) -> Iterator[RawPage]:
        """Ask for every page from `token` on, from page 1 where it is None.

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
            page: RawPage | None = answer.get(_PAGE)
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

    def parse(self, pages: Sequence[RawPage]) -> Iterator[ParsedRows]:
        """Parse consecutive pages as `parse_pages` does."""
        return parse_pages(pages, self.operation, store_sensitive=self._store_sensitive)

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


def _fingerprint(token: str) -> bytes:
    """Stand in for a token of up to 10 kB with 16 bytes, so that long listings stay in memory."""
    return hashlib.blake2b(token.encode(errors="surrogatepass"), digest_size=16).digest()
