"""From the body of one answer to a flat Arrow table.

Rows come in through two doors, `fast` and `tolerant`, which give the same table for a page that
both accept. Whether a body is a page at all, and which page follows, is known long before its rows
are, so that the next request need not wait for them. Pure functions: bytes in, `Page` out.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
    """One page of a listing.

    `rows` has the columns of `schema.listed_schema`; `next_token` is None on the last page;
    `odd_values` counts the values that fit no column and stand in `extra` instead.
    """

    rows: pa.Table
    next_token: str | None
    odd_values: int = 0


@dataclass(frozen=True)
class UnreadPage:
    """What is a page for certain, its rows unread.

    `read` reads them on any thread; `next_token` is None on the last page.
    """

    next_token: str | None
    read: Callable[[], Page]


def receive_page(body: bytes, operation: Operation, *, store_sensitive: bool = True) -> UnreadPage:
    """Take the body of a successful answer for what it is, and leave its rows for later.

    Sensitive members become null unless `store_sensitive`. DamagedPageError when the body is not
    a JSON object with the operation's list of items: such a body must never pass for an empty page.
    """

    def stored(page: Page) -> Page:
        return page if store_sensitive else _without_sensitive(page, operation)

    envelope = _read_envelope(body, operation)
    if envelope is None:
        try:
            page = stored(_parse_tolerant(body, operation))
        except RecursionError as error:
            raise DamagedPageError(
                f"{operation.name} answered with JSON that is nested too deeply"
            ) from error
        return UnreadPage(page.next_token, lambda: page)
    token = _token(envelope.token)
    return UnreadPage(
        token,
        lambda: stored(_parse_fast(body, operation, token) or _parse_tolerant(body, operation)),
    )


def parse_page(body: bytes, operation: Operation, *, store_sensitive: bool = True) -> Page:
    """The page of a successful answer's body; of bad ones see `receive_page`."""
    return receive_page(body, operation, store_sensitive=store_sensitive).read()


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


def _parse_fast(body: bytes, operation: Operation, token: str | None) -> Page | None:
    """The page, or None where the tolerant door must decide."""
    rows = fast.parse_rows(body, operation)
    return None if rows is None else Page(rows, token)


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
    return Page(rows, page.next_token, page.odd_values)


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
