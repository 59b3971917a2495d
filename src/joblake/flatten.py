"""From the body of one answer to a flat Arrow table.

Rows come in through two doors, `fast` and `tolerant`, which give the same table for a page that
both accept. Whether a body is a page at all, and which page follows, is known long before its rows
are, so that the next request need not wait for them. Pure functions: bytes in, `Page` out.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from joblake import fast, tolerant
from joblake.errors import DamagedPageError
from joblake.schema import EXTRA, is_sensitive, item_columns
from joblake.service_model import Member, Operation

_MAX_DEPTH = 64  # pages of the known shapes nest five deep
_QUOTE = ord('"')
_NOT_MARKS = bytes(set(range(256)) - set(b'{}[]"'))
_DEPTH_STEPS = np.array([(byte in b"{[") - (byte in b"}]") for byte in range(256)], np.int8)


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

    `next_token` is None on the last page; `item_count` is at least the number of rows.
    """

    next_token: str | None
    item_count: int
    content: bytes | Page


def receive_page(body: bytes, operation: Operation) -> UnreadPage:
    """Take the body of a successful answer for what it is, and leave its rows for later.

    DamagedPageError when the body is not a JSON object with the operation's list of items: such a
    body must never pass for an empty page.
    """
    envelope = _read_envelope(body, operation)
    if envelope is not None:
        return UnreadPage(_token(envelope.token), len(envelope.items), body)
    try:
        page = _parse_tolerant(body, operation)
    except RecursionError as error:
        raise DamagedPageError(
            f"{operation.name} answered with JSON that is nested too deeply"
        ) from error
    return UnreadPage(page.next_token, page.rows.num_rows, page)


def read_pages(
    pages: Sequence[UnreadPage], operation: Operation, *, store_sensitive: bool = True
) -> Iterator[Page]:
    """The rows of pages that follow on each other: all at once, or of one after the other.

    Sensitive members become null unless `store_sensitive`.
    """
    for page in _read_pages(pages, operation):
        yield page if store_sensitive else _without_sensitive(page, operation)


def parse_page(body: bytes, operation: Operation, *, store_sensitive: bool = True) -> Page:
    """The page of a successful answer's body; of bad ones see `receive_page`."""
    received = receive_page(body, operation)
    (page,) = read_pages([received], operation, store_sensitive=store_sensitive)
    return page


# --- the envelope ----------------------------------------------------------------------------


def _read_envelope(body: bytes, operation: Operation) -> Any:
    """What stands around the items: a `token`. None where the tolerant door must decide."""
    try:
        envelope = _envelope_decoder(operation).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return envelope if _is_shallow(body) else None


@cache
def _envelope_decoder(operation: Operation) -> "msgspec.json.Decoder[Any]":
    # Raw values are read for their syntax alone.
    kind = msgspec.defstruct(
        "Envelope",
        [("items", list[msgspec.Raw]), ("token", str | None, None)],
        rename={"items": operation.result_key, "token": operation.output_token},
    )
    return msgspec.json.Decoder(kind)


def _is_shallow(body: bytes) -> bool:
    """Whether no value of a JSON text is nested so deeply that pyarrow's parser would crash.

    It recurses without a limit, and takes the whole process with it.
    """
    if b"\\" in body:  # what an escape stands for is no bracket, and ends no text
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(body.translate(None, _NOT_MARKS), np.uint8)
    is_in_text = np.cumsum(marks == _QUOTE, dtype=np.int32) & 1
    steps = np.where(is_in_text, 0, _DEPTH_STEPS[marks])
    return bool(np.cumsum(steps, dtype=np.int32).max() <= _MAX_DEPTH)


# --- the doors -------------------------------------------------------------------------------


def _read_pages(pages: Sequence[UnreadPage], operation: Operation) -> Iterator[Page]:
    bodies = [page.content for page in pages if isinstance(page.content, bytes)]
    rows = fast.parse_rows(bodies, operation) if len(bodies) == len(pages) else None
    if rows is not None:
        yield Page(rows, pages[-1].next_token, page_count=len(pages))
        return
    if len(pages) > 1:
        for page in pages:
            yield from _read_pages([page], operation)
        return
    (content,) = (page.content for page in pages)
    yield content if isinstance(content, Page) else _parse_tolerant(content, operation)


def _parse_tolerant(body: bytes, operation: Operation) -> Page:
    try:
        answer = tolerant.load_json(body)
    except ValueError as error:
        raise DamagedPageError(
            f"{operation.name} answered with something that is no JSON"
        ) from error
    items = answer.get(operation.result_key) if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise DamagedPageError(f"{operation.name} answered without a list {operation.result_key!r}")
    token = answer.get(operation.output_token)
    if token is not None and not isinstance(token, str):
        raise DamagedPageError(f"{operation.name} answered with a token that is no text")
    rows, odd_values = tolerant.flatten_items(
        (item for item in items if item is not None), operation
    )
    return Page(rows, _token(token), odd_values)


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
