"""DuckDB's errors become joblake's: a damaged file of the lake, or a wrong statement."""

import itertools
import re
from collections.abc import Sequence
from typing import NoReturn

# Annotations quote its classes; export/merge.py has the reason.
import duckdb

from joblake.errors import UsageError
from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.quoting import pattern


def fail(files: Sequence[LakeFile], error: Exception) -> NoReturn:
    """Raise UnreadableFileError where an error comes from a damaged file, else UsageError."""
    text = str(error)
    named = (f for f in files if str(f.local) in text or pattern(f.local) in text)
    file = next(named, None)
    # DuckDB gives an error without a class, and without a file, for damaged Thrift structures.
    if file is None and (type(error) is duckdb.Error or not isinstance(error, duckdb.Error)):
        parquet.require_readable(files)
        file = parquet.first_damaged(files)
    if file is not None:
        parquet.require_readable([file])
    if file is None or isinstance(error, duckdb.PermissionException):
        raise UsageError(_one_line(error)) from None
    raise parquet.damaged(file, text) from None


def _one_line(error: Exception) -> str:
    """DuckDB's message condensed: its first line, the position, and short candidates."""
    first, *rest = str(error).strip().splitlines() or ["the query failed"]
    message = re.sub(r"^[A-Za-z ]*Error: ", "", first).rstrip("!.")
    if "count mismatch" in message:  # DuckDB's words name a prepared statement
        _, colon, names = message.partition("excess parameters: ")
        told = "a value was given for a parameter that the SQL does not have"
        return f"{told}: {names}" if colon else told
    if isinstance(error, duckdb.PermissionException):
        return f"{message}; a query can read the views of its lake only"
    for hint in rest:
        if hint.startswith(("Did you mean", "Candidate bindings")):
            message += f" ({hint.strip()})"
    for line, caret in itertools.pairwise(rest):
        if (place := re.match(r"LINE (\d+): (?!\.\.\.)", line)) and caret.strip(" ^") == "":
            column = caret.index("^") - place.end() + 1
            message += f" at line {place[1]}, column {column}"
    return message
