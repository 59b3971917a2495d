"""Where a listing begins and goes on: positions, as boto3 and the AWS CLI write and read them."""

from dataclasses import dataclass
from typing import Any

from botocore.paginate import TokenDecoder, TokenEncoder

from joblake.errors import UsageError
from joblake.sources.service_model import Operation

_TRUNCATED = "boto_truncate_amount"


@dataclass(frozen=True)
class Position:
    """Where a listing begins: the service's token (None: at page 1), then items to skip."""

    token: str | None = None
    skipped_items: int = 0


START = Position()
"""Page 1, from its first item on."""


def encode_position(position: Position, operation: Operation) -> str:
    """The position as boto3's paginators write it: a StartingToken."""
    words: dict[str, Any] = {operation.input_token: position.token}
    if position.skipped_items:
        words[_TRUNCATED] = position.skipped_items
    return str(TokenEncoder().encode(words))


def decode_position(token: str, operation: Operation) -> Position:
    """A StartingToken of boto3, of the AWS CLI or of joblake; or the service's own token.

    UsageError for an empty one.
    """
    if not token.strip():
        raise UsageError("the starting token is empty; leave --starting-token out to begin anew")
    try:
        words = TokenDecoder().decode(token)
    except (ValueError, TypeError, AttributeError, LookupError):  # no base64 of such JSON
        return Position(token)
    start, skipped_items = words.get(operation.input_token), words.get(_TRUNCATED, 0)
    is_ours = set(words) - {_TRUNCATED} == {operation.input_token}
    is_sound = isinstance(start, str | None) and isinstance(skipped_items, int)
    if not is_ours or not is_sound or skipped_items < 0:
        return Position(token)
    return Position(start, skipped_items)
