"""The SQL files that travel with joblake: one view or macro each, described by its header.

-- description: what its rows are, over as many indented lines as it needs
-- grain: one row per …
-- key: the columns that identify a row
-- columns:
--   name: what it holds
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from joblake.bundled import bundled_folder

VIEW_SCHEMAS = ("current", "history", "reports", "checks")
"""The folders of `sql/` that hold views, each of which reads only itself and those before it."""


@dataclass(frozen=True)
class View:
    """A view and what its header says of it. `columns` maps each column to its description."""

    schema: str
    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    sql: str


def read_views() -> list[View]:
    """Every view of `sql/`, in order of schema and name. ValueError for a header out of form."""
    folder = bundled_folder("sql")
    return [
        _parse_view(path)
        for schema in VIEW_SCHEMAS
        for path in sorted(folder.glob(f"{schema}/*.sql"))
    ]


def _parse_view(path: Path) -> View:
    sql = path.read_text(encoding="utf-8")
    fields: dict[str, str] = {}
    columns: dict[str, str] = {}
    field = ""
    for line in sql.splitlines():
        if not line.startswith("-- "):
            break
        text = line.removeprefix("-- ")
        name, colon, rest = text.strip().partition(":")
        if not text.startswith(" ") and colon:
            field, fields[name] = name, rest.strip()
        elif field == "columns" and colon:
            columns[name] = rest.strip()
        elif field:
            fields[field] += " " + text.strip()
    try:
        return View(
            schema=path.parent.name,
            name=path.stem,
            description=fields["description"],
            grain=fields["grain"],
            key=tuple(column.strip() for column in fields["key"].split(",")),
            columns=columns,
            sql=sql,
        )
    except KeyError as missing:
        raise ValueError(f"{path}: the header lacks {missing}") from None


def read_macros() -> list[str]:
    """The `create macro` statements of `sql/macros`, in order of name."""
    paths = sorted(bundled_folder("sql").glob("macros/*.sql"))
    return [path.read_text(encoding="utf-8") for path in paths]
