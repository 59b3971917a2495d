"""JSON as services send it, and as the lake keeps it."""

import json
import math
from typing import Any


def load_json(body: bytes) -> Any:
    """Load JSON that need not be strict; bytes that are no UTF-8 become lone surrogates.

    Numbers beyond what Python holds, NaN and Infinity become the text that they are.
    """
    text = body.decode("utf-8-sig", errors="surrogateescape")
    return json.loads(text, strict=False, parse_float=_float, parse_int=_int, parse_constant=str)


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _int(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts
        return text


def canonical_json(value: object) -> str:
    """Write equal values as equal JSON text: keys sorted, null members left out.

    Text that UTF-8 cannot carry (lone surrogates) is written as escapes.
    """
    pruned = _without_null_members(value)
    text = json.dumps(pruned, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if is_utf8(text):
        return text
    return json.dumps(pruned, sort_keys=True, separators=(",", ":"))


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can carry the text, which holds no lone surrogate then."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_null_members(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_null_members(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_null_members(element) for element in value]
    return value
