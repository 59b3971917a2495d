"""Every view and macro, written by hand or generated from the catalogue, with its header.

A file holds one view or macro. Its header describes it:

-- description: what its rows are, over as many indented lines as it needs
-- grain: one row per …
-- key: the columns that identify a row
-- columns: the names of the columns, over as many indented lines as they need
--   name: the description of a column, unless columns.toml has the right one
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from joblake.bundled import bundled_folder
from joblake.sources.catalogue import Catalogue
from joblake.warehouse.generated import generated_sql

VIEW_SCHEMAS = ("current", "history", "reports", "checks")
"""The folders of `sql/` that hold views, each of which reads only itself and those before it."""

_HEADING = re.compile(r"-- (\w+): *(.*)")
_COLUMN = re.compile(r"--   (\w+): *(.*)")


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


def written_sql() -> dict[str, str]:
    """The SQL files that are written by hand, by their paths below `sql/`."""
    folder = bundled_folder("sql")
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*/*.sql"))
    }


def read_views(catalogue: Catalogue) -> list[View]:
    """Every view, in order of schema and name. ValueError for a header out of form."""
    folder = bundled_folder("sql")
    texts = tomllib.loads((folder / "columns.toml").read_text(encoding="utf-8"))
    files = _all_sql(catalogue)
    return [
        _parse_view(path, files[path], texts)
        for schema in VIEW_SCHEMAS
        for path in sorted(files)
        if path.startswith(f"{schema}/")
    ]


def read_macros(catalogue: Catalogue) -> list[str]:
    """The `create macro` statements, in order of name."""
    files = _all_sql(catalogue)
    return [files[path] for path in sorted(files) if path.startswith("macros/")]


def _all_sql(catalogue: Catalogue) -> dict[str, str]:
    return written_sql() | generated_sql(catalogue)


def _parse_view(path: str, sql: str, texts: Mapping[str, str]) -> View:
    fields: dict[str, str] = {}
    told: dict[str, str] = {}
    field = ""
    for line in sql.splitlines():
        if not line.startswith("-- "):
            break
        if heading := _HEADING.fullmatch(line):
            field, fields[heading[1]] = heading[1], heading[2]
        elif field == "columns" and (column := _COLUMN.fullmatch(line)):
            told[column[1]] = column[2]
        elif field:
            fields[field] += " " + line.removeprefix("-- ").strip()
    schema, _, name = path.removesuffix(".sql").partition("/")
    try:
        columns = _names(fields["columns"])
        return View(
            schema=schema,
            name=name,
            description=fields["description"],
            grain=fields["grain"],
            key=_names(fields["key"]),
            columns={column: told.get(column) or texts[column] for column in columns},
            sql=sql,
        )
    except KeyError as missing:
        raise ValueError(f"{path}: neither the header nor columns.toml has {missing}") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
