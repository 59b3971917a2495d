"""Texts, names and paths as DuckDB's SQL has them."""

import re
from collections.abc import Iterable
from pathlib import Path


def literal(text: str) -> str:
    """A text."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """The name of a column, a view or a schema."""
    return '"' + name.replace('"', '""') + '"'


def pattern(file: Path) -> str:
    """A path as the pattern that matches it alone: DuckDB takes every path for a glob.

    DuckDB's globs take a backslash for a separator, so that no pattern matches a name that has one.
    Where none matches, DuckDB reads the file that is called like the pattern itself.
    """
    if "\\" in str(file):
        return str(file)
    return re.sub(r"[*?\[]", lambda special: f"[{special[0]}]", str(file))


def patterns(files: Iterable[Path]) -> str:
    """A list of files, for DuckDB's functions that read them."""
    return f"[{', '.join(literal(pattern(file)) for file in files)}]"
