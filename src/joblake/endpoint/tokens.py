"""Page tokens: opaque to callers, bound to their query, and good for half a day.

A token holds the offset of the next page, the instant that its listing shows, and a digest of
the query without its page size. The signature only tells the endpoint's own tokens from foreign
ones; its key is no secret, so that a token outlives a restart.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from joblake.endpoint.resources import Place
from joblake.endpoint.wire import ServiceError
from joblake.sources.service_model import Operation, ParameterValue

LIFETIME = timedelta(hours=12)
_KEY = b"joblake endpoint"
_SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class Position:
    """The beginning of a page: an offset in items, and the instant that the listing shows."""

    offset: int
    shown_at: datetime


def query_digest(operation: Operation, place: Place, values: Mapping[str, ParameterValue]) -> str:
    """A digest of operation, place and parameters but token and page size: it binds a token."""
    bound = {
        name: str(value)
        for name, value in values.items()
        if name not in (operation.input_token, operation.limit_key)
    }
    identity = [operation.client, operation.name, place.account_id, place.region_name]
    text = json.dumps([*identity, place.parent, bound], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_token(position: Position, digest: str) -> str:
    """The token of the page that begins at `position`: URL-safe, under 200 characters."""
    payload = json.dumps([position.offset, position.shown_at.isoformat(), digest]).encode()
    return base64.urlsafe_b64encode(_signature(payload) + payload).decode()


def read_token(token: str, digest: str, now: datetime) -> Position:
    """The position that a token holds.

    A foreign, damaged or expired token, or one of another query, is a ValidationException.
    """
    try:
        signed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        raise _refusal() from None
    signature, payload = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(payload)):
        raise _refusal()
    offset, shown_at, bound_to = json.loads(payload)
    position = Position(offset, datetime.fromisoformat(shown_at).astimezone(UTC))
    if bound_to != digest:
        raise _refusal()
    if abs(now - position.shown_at) >= LIFETIME:
        raise ServiceError("ValidationException", "The provided nextToken has expired.")
    return position


def _signature(payload: bytes) -> bytes:
    return hmac.digest(_KEY, payload, "sha256")[:_SIGNATURE_BYTES]


def _refusal() -> ServiceError:
    return ServiceError("ValidationException", "The provided nextToken is not valid.")
