"""From the bodies of answers to flat Arrow tables.

Rows come in through two doors, `fast` and `tolerant`, which give the same table for a page that
both accept. Whether a body is a page at all, and which page follows, is known long before its rows
are, so that the next request need not wait for them. Pure functions: bytes in, `Page` out.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa

from joblake.errors import DamagedPageError
from joblake.listing import fast, tolerant
from joblake.sources.schema import EXTRA, is_sensitive, item_columns
from joblake.sources.service_model import Member, Operation


@dataclass(frozen=True)
class Page:
    """One page of a listing, or `page_count` that follow on each other.

    `rows` has the columns of `schema.listed_schema`; `next_token` is None on the last page;
    `odd_values` counts the values that fit no column and stand in `extra` instead.
    """

    rows: pa.Table
    next_token: str | None
    odd_values: int = 0
    page_count: int = 1


@dataclass(frozen=True)
class UnreadPage:
    """What is a page for certain, with its rows for `read_pages`.

    `next_token` is None on the last page; `item_count` is at least the number of rows, and
    `byte_count` the size of the whole body.
    """

    next_token: str | None
    item_count: int
    byte_count: int
    content: Sequence[msgspec.Raw] | Page


def receive_page(body: bytes, operation: Operation) -> UnreadPage:
    """Take the body of a successful answer for what it is, and leave its rows for later.

    DamagedPageError when the body is not a JSON object with the operation's list of items: such a
    body must never pass for an empty page.
    """
    try:
        envelope = _envelope_decoder(operation).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        page = _parse_tolerant(body, operation)
        return UnreadPage(page.next_token, page.rows.num_rows, len(body), page)
    return UnreadPage(_token(envelope.token), len(envelope.items), len(body), envelope.items)


@cache
def _envelope_decoder(operation: Operation) -> "msgspec.json.Decoder[Any]":
    # Raw items are read for their syntax alone.
    kind = msgspec.defstruct(
        "Envelope",
        [("items", list[msgspec.Raw]), ("token", str | None, None)],
        rename={"items": operation.result_key, "token": operation.output_token},
    )
    return msgspec.json.Decoder(kind)


def read_pages(
    pages: Sequence[UnreadPage], operation: Operation, *, store_sensitive: bool = True
) -> Iterator[Page]:
    """The rows of pages that follow on each other: all at once, or of one after the other.

    Sensitive members become null unless `store_sensitive`. DamagedPageError when an item is nested
    more deeply than Python's stack allows, which is some five hundred levels.
    """
    for page in _read_pages(pages, operation):
        yield page if store_sensitive else _without_sensitive(page, operation)


def parse_page(body: bytes, operation: Operation, *, store_sensitive: bool = True) -> Page:
    """The page of a successful answer's body; of bad ones see `receive_page`."""
    received = receive_page(body, operation)
    (page,) = read_pages([received], operation, store_sensitive=store_sensitive)
    return page


# --- the doors -------------------------------------------------------------------------------


def _read_pages(pages: Sequence[UnreadPage], operation: Operation) -> Iterator[Page]:
    rows = _parse_fast(pages, operation)
    if rows is not None:
        yield Page(rows, pages[-1].next_token, page_count=len(pages))
    elif len(pages) == 1:
        yield _read_tolerant(pages[0], operation)
    else:
        for page in pages:
            yield from _read_pages([page], operation)


def _parse_fast(pages: Sequence[UnreadPage], operation: Operation) -> pa.Table | None:
    """The rows of all pages; None where the fast door gives up on one of them."""
    unread = [page.content for page in pages if not isinstance(page.content, Page)]
    if len(unread) < len(pages):
        return None
    return fast.parse_rows(list(chain.from_iterable(unread)), operation)


def _read_tolerant(page: UnreadPage, operation: Operation) -> Page:
    if isinstance(page.content, Page):
        return page.content
    items = (_load_json(bytes(item), operation) for item in page.content)
    return _flatten_tolerant(items, page.next_token, operation)


def _parse_tolerant(body: bytes, operation: Operation) -> Page:
    answer = _load_json(body, operation)
    items = answer.get(operation.result_key) if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise DamagedPageError(f"{operation.name} answered without a list {operation.result_key!r}")
    token = answer.get(operation.output_token)
    if token is not None and not isinstance(token, str):
        raise DamagedPageError(f"{operation.name} answered with a token that is no text")
    return _flatten_tolerant(items, _token(token), operation)


def _flatten_tolerant(items: Iterable[object], token: str | None, operation: Operation) -> Page:
    with _shallow(operation):
        rows, odd_values = tolerant.flatten_items(
            (item for item in items if item is not None), operation
        )
    return Page(rows, token, odd_values)


def _load_json(text: bytes, operation: Operation) -> Any:
    try:
        with _shallow(operation):
            return tolerant.load_json(text)
    except ValueError as error:
        raise DamagedPageError(
            f"{operation.name} answered with something that is no JSON"
        ) from error


@contextmanager
def _shallow(operation: Operation) -> Iterator[None]:
    """DamagedPageError where JSON is nested more deeply than Python's stack allows."""
    try:
        yield
    except RecursionError as error:
        raise DamagedPageError(
            f"{operation.name} answered with JSON that is nested too deeply"
        ) from error


def flatten_extras(
    extras: Iterable[str], operation: Operation, *, store_sensitive: bool = True
) -> pa.Table:
    """Texts of `extra` as items of their own: members that the model has learnt become columns.

    What still fits no column is in the `extra` of the result, spelled as it was.
    """
    rows, _ = tolerant.flatten_items(map(json.loads, extras), operation)
    page = Page(rows, None)
    return (page if store_sensitive else _without_sensitive(page, operation)).rows


# --- what is not to be stored -----------------------------------------------------------------


def _without_sensitive(page: Page, operation: Operation) -> Page:
    rows = page.rows
    for index, column in enumerate(item_columns(operation)):
        if column.is_sensitive:
            empty = pa.nulls(rows.num_rows, column.type)
            rows = rows.set_column(index, rows.schema.field(index), empty)
    sensitive = list(_sensitive_paths(operation.item, ()))
    texts = [_drop_paths(text, sensitive) for text in rows.column(EXTRA).to_pylist()]
    rows = rows.set_column(rows.num_columns - 1, EXTRA, pa.array(texts, pa.string()))
    return replace(page, rows=rows)


def _sensitive_paths(shape: Member, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for child in shape.members:
        if is_sensitive(child):
            yield (*path, child.name)
        else:
            yield from _sensitive_paths(child, (*path, child.name))


def _drop_paths(text: str | None, paths: Iterable[tuple[str, ...]]) -> str | None:
    if text is None:
        return None
    rest = {"item": json.loads(text)}
    for path in paths:
        place = rest
        for name in ("item", *path[:-1]):
            # What stands in the place of a structure may hold what the structure would have.
            if not isinstance(place.get(name), dict):
                place.pop(name, None)
                break
            place = place[name]
        else:
            place.pop(path[-1], None)
    item = rest.get("item", {})
    return tolerant.canonical_json(item) if item != {} else None


def _token(token: str | None) -> str | None:
    return token if token is not None and token.strip() else None
