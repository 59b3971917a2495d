"""The scope: the unit of listing, of failure and of writing."""

import re
from dataclasses import dataclass

from joblake.errors import UsageError

TABLE = re.compile(r"[a-z][a-z0-9_]*")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+){1,3}-[0-9]{1,2}")
_PARENT = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,2048}")


@dataclass(frozen=True, order=True)
class Scope:
    """One source in one account and region and, where the source has one, one parent.

    Every value is checked before it can touch a path: 12 digits for the account, the form of AWS
    region names, printable text for the parent. UsageError otherwise.
    """

    table: str
    account_id: str
    region_name: str
    parent: str | None = None

    def __post_init__(self) -> None:
        for what, value, pattern in (
            ("table", self.table, TABLE),
            ("account", self.account_id, _ACCOUNT),
            ("region", self.region_name, _REGION),
            ("parent", self.parent, _PARENT),
        ):
            if value is not None and not pattern.fullmatch(value):
                raise UsageError(f"{value!r:.60} is not a valid {what}")

    def __str__(self) -> str:
        """The scope in one line: `custom_models 111122223333 us-east-1`."""
        parts = (self.table, self.account_id, self.region_name, self.parent)
        return " ".join(part for part in parts if part is not None)
