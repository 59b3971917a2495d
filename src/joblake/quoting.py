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
    """A path as the pattern that matches it alone: DuckDB takes every path for a glob."""
    return re.sub(r"[*?\[]", lambda special: f"[{special[0]}]", str(file))


def patterns(files: Iterable[Path]) -> str:
    """A list of files, for DuckDB's functions that read them."""
    return f"[{', '.join(literal(pattern(file)) for file in files)}]"
