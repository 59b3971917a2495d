"""How the value of a setting is written as text, for options and variables.

TOML has lists and tables; a text has words, lines and JSON. Functions take what they do not know
unchanged, for pydantic to refuse, and raise ValueError for text that is no such value.
"""

import json
import shlex
from collections.abc import Mapping
from typing import Any

_SEQUENCES = frozenset({"region", "filter"})


def as_words(value: Any) -> Any:
    """The words of a text: a JSON array, one a line, or separated by commas."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return _as_json(text)
    words = text.splitlines() if "\n" in value else text.split(",")
    return tuple(word.strip() for word in words if word.strip())


def as_filters(value: Any) -> Any:
    """`name=value` texts, also of a table of TOML or a JSON object."""
    if isinstance(value, str) and value.strip().startswith("{"):
        value = _as_json(value)
    if isinstance(value, Mapping):
        return tuple(f"{name}={_as_text(item)}" for name, item in value.items())
    return as_words(value)


def as_accounts(value: Any) -> Any:
    """Accounts, one a line or a JSON array: `profile=audit role_arn=arn:… region=us-*,eu-west-1`.

    A value with blanks stands in quotes; `default` alone means the default credentials.
    """
    items = _as_lines(value)
    if not isinstance(items, list | tuple):
        return items
    return tuple(_as_account(item) if isinstance(item, str) else item for item in items)


def _as_account(text: str) -> dict[str, str]:
    if text.strip() == "default":
        return {}
    pairs = [word.partition("=") for word in shlex.split(text)]
    if not pairs or not all(name and equals for name, equals, _ in pairs):
        raise ValueError(f"{text!r} is no account; expected name=value words, role_arn=… for one")
    return {name: value for name, _, value in pairs}


def as_overrides(value: Any) -> Any:
    """What differs for single tables, as `table.key=value` lines or a JSON object.

    A region or filter that comes again is one more.
    """
    if isinstance(value, str) and value.strip().startswith("{"):
        return _as_json(value)
    lines = _as_lines(value)
    if not isinstance(lines, list | tuple):
        return lines
    overrides: dict[str, dict[str, Any]] = {}
    for line in lines:
        path, equals, text = str(line).strip().partition("=")
        table, dot, key = path.partition(".")
        if not (equals and dot and table and key):
            raise ValueError(f"{line!r}: expected table.key=value, custom_models.page_size=9 say")
        keys = overrides.setdefault(table, {})
        if key in _SEQUENCES:
            keys.setdefault(key, []).append(text)
        else:
            keys[key] = text
    return overrides


def as_mode(value: Any) -> Any:
    """Permissions as the shell writes them, in octal digits; the owner reads and writes."""
    try:
        mode = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("expected octal digits such as 640") from None
    if isinstance(mode, int) and not 0o600 <= mode <= 0o777:  # noqa: PLR2004 - as in `chmod`
        raise ValueError("expected octal digits from 600 to 777")
    return mode


def as_number(value: Any) -> Any:
    """A number; true and false are none, though Python counts with them."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic catches no TypeError
    return value


def _as_lines(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    return _as_json(text) if text.startswith("[") else tuple(filter(None, text.splitlines()))


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
