"""The kinds of value that a setting can have, and how options and variables write them as text.

TOML has lists and tables; a text has commas or is JSON. A function returns a value that it does not
know unchanged, and pydantic refuses it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import from_json

from joblake.errors import UsageError
from joblake.sources.catalogue import Catalogue, shipped_catalogue

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/\S+")


def account_of_role(role_arn: str) -> str:
    """The account that a role belongs to; ValueError for a text that is no role ARN."""
    match = _ROLE_ARN.fullmatch(role_arn)
    if match is None:
        raise ValueError(
            f"{role_arn!r} is no role ARN; expected arn:aws:iam::123456789012:role/NAME"
        )
    return match.group(1)


def _role(value: str) -> str:
    account_of_role(value)
    return value


def _table(value: str, info: ValidationInfo) -> str:
    """Check that the catalogue has the table; the context of the validation is the catalogue."""
    catalogue: Catalogue = info.context or shipped_catalogue()
    try:
        return catalogue.named(value).table
    except UsageError as error:
        raise ValueError(str(error)) from None


def _folder(value: str) -> str:
    if not value.strip() or "://" in value or "\0" in value:
        raise ValueError("expected a local folder")
    return value


def from_text(value: Any) -> Any:
    """Parse a text as JSON; other values are returned as they are."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value)
    except ValueError as error:
        raise ValueError(f"expected JSON: {error}") from None


def _items(value: Any) -> Any:
    """The items of a text: a JSON array, a JSON object alone, or words separated by commas."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return from_text(text)
    if text.startswith("{"):
        return (text,)
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _filters(value: Any) -> Any:
    """The `name=value` texts of a list, of a TOML table or of a JSON object."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = from_text(value)
    if isinstance(value, Mapping):
        return tuple(f"{name}={_text(item)}" for name, item in value.items())
    return _items(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic catches no TypeError
    return value


def _mode(value: Any) -> Any:
    """Permissions as the shell writes them, in octal digits; the owner reads and writes."""
    try:
        mode = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("expected octal digits such as 640") from None
    if isinstance(mode, int) and not 0o600 <= mode <= 0o777:  # noqa: PLR2004 - as in `chmod`
        raise ValueError("expected octal digits from 600 to 777")
    return mode


Folder = Annotated[str, AfterValidator(_folder)]
Table = Annotated[str, AfterValidator(_table)]
Role = Annotated[str, AfterValidator(_role)]
Words = Annotated[tuple[str, ...], BeforeValidator(_items)]
Tables = Annotated[tuple[Table, ...], BeforeValidator(_items)]
Roles = Annotated[tuple[Role, ...], BeforeValidator(_items)]
Filters = Annotated[tuple[str, ...], BeforeValidator(_filters)]
Count = Annotated[int, BeforeValidator(_number)]
Positive = Annotated[Count, Field(ge=1)]
Days = Annotated[Count, Field(ge=1, le=3650)]
Workers = Annotated[Count, Field(ge=1, le=64)]
Amount = Annotated[float, BeforeValidator(_number)]
Minutes = Annotated[Amount, Field(ge=0, le=525_600)]
Mode = Annotated[int, BeforeValidator(_mode), BeforeValidator(_number)]
Json = BeforeValidator(from_text)
"""Options and variables write such a value as JSON."""
Items = BeforeValidator(_items)
