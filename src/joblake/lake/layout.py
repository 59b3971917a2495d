"""The layout: where each file of a lake lies. It touches no disk.

A partition is one file of one scope and month. Its folders are Hive keys, which every query engine
reads in the same way.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from joblake.lake.scope import TABLE, Scope

OBSERVATIONS = "observations.parquet"
LISTINGS = "listings.parquet"
LEDGER = "listings"
S3_SCHEME = "s3://"

# Lower case alone, because some disks take two spellings of a name for one.
_PLAIN_WORD = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_KEYS = frozenset({("account", "region", "month"), ("account", "region", "parent", "month")})


@dataclass(frozen=True)
class Layout:
    """The paths below a lake's root."""

    root: Path

    def scope_folder(self, scope: Scope) -> Path:
        """The folder of a scope's observation files."""
        return self.root / scope.table / scope_path(scope)

    def ledger_folder(self, scope: Scope) -> Path:
        """The folder of a scope's listing files."""
        return self.root / LEDGER / scope.table / scope_path(scope)

    def partition(self, scope: Scope, month: str) -> Path:
        """The observation file of a scope and month (`2026-11`)."""
        return self.scope_folder(scope) / f"month={month}" / OBSERVATIONS

    def listing_partition(self, scope: Scope, month: str) -> Path:
        """The listing file of a scope and month."""
        return self.ledger_folder(scope) / f"month={month}" / LISTINGS

    def held(self, scope: Scope) -> Path:
        """The file of the resources that a scope's last complete listing missed and held."""
        return self.ledger_folder(scope) / "held.missing"

    def mart(self, file_name: str) -> Path:
        """A file that is published for BI tools."""
        return self.root / "marts" / file_name


def scope_path(scope: Scope) -> PurePosixPath:
    """The Hive folders of a scope below its table."""
    path = PurePosixPath(f"account={scope.account_id}", f"region={scope.region_name}")
    return path if scope.parent is None else path / f"parent={_path_word(scope.parent)}"


def _path_word(parent: str) -> str:
    """A parent's identifier as part of a path: itself where it is a plain word, else its hash."""
    if _PLAIN_WORD.fullmatch(parent):
        return parent
    return hashlib.sha256(parent.encode()).hexdigest()[:32]


def month_of(instant: datetime) -> str:
    """The partition month of an instant in UTC: `2026-11`."""
    return instant.strftime("%Y-%m")


def partitions_of_tables(root: Path, paths: Iterable[Path], name: str) -> list[Path]:
    """Those of `paths` that are called `name` in a month of a scope of any table, in order."""

    def is_partition(path: Path) -> bool:
        table, *folders = path.relative_to(root).parts[:-1] or ("",)
        keys = tuple(folder.split("=")[0] for folder in folders)
        return path.name == name and keys in _KEYS and TABLE.fullmatch(table) is not None

    return sorted(filter(is_partition, paths))


def partitions_of_scope(folder: Path, paths: Iterable[Path], name: str) -> list[Path]:
    """Those of `paths` that are called `name` in a month of one scope, oldest first."""
    return sorted(
        path
        for path in paths
        if path.name == name and path.parent.parent == folder and path.parent.name[:6] == "month="
    )
