"""The origins of settings: options, variables and a TOML file, and which of them counts.

What stands in a nearer origin goes before all of its name in a farther one, also before what the
farther one says of an account or a table.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblake.errors import UsageError

PREFIX = "JOBLAKE_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
_ACCOUNTS = frozenset({"account", "role_arn"})
"""The settings that say which accounts are listed: each stands in place of both."""


@dataclass(frozen=True)
class Origin:
    """One place that tells settings: its kind of thing, and how such a thing is named there."""

    values: Mapping[str, Any]
    kind: str
    spelled: Callable[[str], str]
    prefix: str = ""

    def named(self, path: Sequence[str]) -> str:
        """A key, and which part of its value: `joblake.toml: account.2.role_arn`."""
        key, rest = self.prefix + self.spelled(path[0]), ".".join(path[1:])
        return key + ("." if self.kind == "key" else " ") + rest if rest else key

    def tells(self, path: Sequence[str]) -> bool:
        """Whether a key stands here."""
        values: Any = self.values
        for key in path:
            if not isinstance(values, Mapping) or key not in values:
                return False
            values = values[key]
        return True


def variables() -> dict[str, str]:
    """Settings by their names, from JOBLAKE_… variables."""
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE
    }


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says. UsageError where it is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}") from None


def merged(origins: Iterable[Origin]) -> dict[str, Any]:
    """What counts, of origins from the nearest to the farthest."""
    counting: dict[str, Any] = {}
    for origin in origins:
        nearer = frozenset(counting)
        for key, value in origin.values.items():
            if key in _ACCOUNTS:
                if not nearer & _ACCOUNTS:
                    counting[key] = _without(value, nearer)
            elif key == "override" and isinstance(value, Mapping):
                counting[key] = _overridden(counting.get(key, {}), value, nearer)
            else:
                counting.setdefault(key, value)
    return counting


def _without(accounts: Any, nearer: frozenset[str]) -> Any:
    """Accounts without the keys that a nearer place tells of the whole run."""
    if not isinstance(accounts, list | tuple):
        return accounts
    return [
        {key: value for key, value in account.items() if key not in nearer}
        if isinstance(account, Mapping)
        else account
        for account in accounts
    ]


def _overridden(near: Any, far: Mapping[str, Any], nearer: frozenset[str]) -> Any:
    """Overrides of two origins, table by table and key by key."""
    if not isinstance(near, Mapping):
        return near
    tables = {**far, **near}
    for table, keys in far.items():
        if isinstance(keys, Mapping) and isinstance(tables[table], Mapping):
            left = {key: value for key, value in keys.items() if key not in nearer}
            tables[table] = left | dict(near.get(table, {}))
    return tables
