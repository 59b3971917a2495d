"""From the body of an answer to a raw page.

Whether a body is a page at all, and which page follows, is known long before its rows are parsed,
so the next request need not wait for them. Pure functions: bytes in, `RawPage` out.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from joblake.errors import DamagedPageError
from joblake.listing.json_text import load_json
from joblake.sources.service_model import Operation


@dataclass(frozen=True)
class RawPage:
    """One page as it was received: its items are JSON values that nobody has parsed yet.

    `next_token` is None on the last page.
    """

    next_token: str | None
    items: Sequence[msgspec.Raw]


def receive_page(body: bytes, operation: Operation) -> RawPage:
    """Split the body of a successful answer into items and token.

    DamagedPageError when the body is not a JSON object with the operation's list of items: such a
    body must never pass for an empty page.
    """
    items: Sequence[msgspec.Raw]
    try:
        envelope = _envelope_decoder(operation).decode(body)
        items, token = envelope.items, envelope.token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        items, token = _receive_tolerant(body, operation)
    is_last = token is None or not token.strip()
    return RawPage(None if is_last else token, items)


@cache
def _envelope_decoder(operation: Operation) -> "msgspec.json.Decoder[Any]":
    # A raw item is checked for JSON's syntax, and kept as it is spelled.
    kind = msgspec.defstruct(
        "Envelope",
        [("items", list[msgspec.Raw]), ("token", str | None, None)],
        rename={"items": operation.result_key, "token": operation.output_token},
    )
    return msgspec.json.Decoder(kind)


def _receive_tolerant(body: bytes, operation: Operation) -> tuple[list[msgspec.Raw], str | None]:
    """Items and token of a body that is no strict JSON; its items become strict JSON here."""
    with raising_damage(operation):
        answer = load_json(body)
        items = answer.get(operation.result_key) if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise DamagedPageError(
                f"{operation.name} answered without a list {operation.result_key!r}"
            )
        token = answer.get(operation.output_token)
        if token is not None and not isinstance(token, str):
            raise DamagedPageError(f"{operation.name} answered with a token that is no text")
        return [msgspec.Raw(json.dumps(item).encode()) for item in items], token


@contextmanager
def raising_damage(operation: Operation) -> Iterator[None]:
    """Raise DamagedPageError for what is no JSON, or nested more deeply than Python's stack."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise DamagedPageError(
            f"{operation.name} answered with something that is no JSON"
        ) from error
    except RecursionError as error:
        raise DamagedPageError(
            f"{operation.name} answered with JSON that is nested too deeply"
        ) from error
