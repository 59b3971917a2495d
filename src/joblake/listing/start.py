"""Where a listing starts, as boto3 and the AWS CLI write and read it in a StartingToken."""

from dataclasses import dataclass
from typing import Any

from botocore.paginate import TokenDecoder, TokenEncoder

from joblake.errors import UsageError
from joblake.sources.service_model import Operation

_TRUNCATED = "boto_truncate_amount"


@dataclass(frozen=True)
class Start:
    """The first item of a listing: the token of its page (None: page 1), and the items to skip."""

    token: str | None = None
    skipped_items: int = 0


BEGINNING = Start()
"""Page 1, from its first item on."""


def encode_start(start: Start, operation: Operation) -> str:
    """Write a start as the StartingToken that boto3's paginators would write."""
    words: dict[str, Any] = {operation.input_token: start.token}
    if start.skipped_items:
        words[_TRUNCATED] = start.skipped_items
    return str(TokenEncoder().encode(words))


def decode_start(token: str, operation: Operation) -> Start:
    """Read a StartingToken of boto3, the AWS CLI or joblake; any other token is the service's own.

    UsageError for an empty one.
    """
    if not token.strip():
        raise UsageError("the starting token is empty; leave --starting-token out to begin anew")
    try:
        words = TokenDecoder().decode(token)
    except (ValueError, TypeError, AttributeError, LookupError):  # no base64 of such JSON
        return Start(token)
    page_token, skipped_items = words.get(operation.input_token), words.get(_TRUNCATED, 0)
    is_ours = set(words) - {_TRUNCATED} == {operation.input_token}
    is_sound = isinstance(page_token, str | None) and isinstance(skipped_items, int)
    if not is_ours or not is_sound or skipped_items < 0:
        return Start(token)
    return Start(page_token, skipped_items)
