"""The fence around queries: they read the files of their lake and do nothing else.

DuckDB refuses every other file, and a statement that may do more than read never gets to it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Annotations quote its classes; export/merge.py has the reason.
import duckdb

from joblake.errors import UsageError
from joblake.quoting import literal, pattern

_EXPLAIN = re.compile(
    r"\s*explain\b(\s+analyze\b)?(\s*\(\s*(analyze|format)\b[^()]*\))?", re.IGNORECASE
)
_DYNAMIC = frozenset({"query", "json_execute_serialized_sql"})
_SUSPECT = re.compile(
    rf"\b(copy|insert|update|delete|merge|{'|'.join(sorted(_DYNAMIC))})\b", re.IGNORECASE
)
_REFUSED = "; queries are read only: one select, describe, summarize, pivot or explain statement"


def close_fence(connection: "duckdb.DuckDBPyConnection", files: Sequence[Path]) -> None:
    """Let queries read these files and nothing else, for good."""
    # DuckDB asks for the pattern as well as for the file that it stands for.
    paths = sorted({path for file in files for path in (str(file), pattern(file))})
    connection.execute(f"set allowed_paths = [{', '.join(map(literal, paths))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def read_only(connection: "duckdb.DuckDBPyConnection", sql: str) -> str:
    """The statement to run for `sql`; UsageError where it may do more than read."""
    try:
        sql.encode()
    except UnicodeEncodeError:  # the shell handed over bytes that are no text
        raise UsageError("the SQL is no UTF-8 text") from None
    statements = connection.extract_statements(sql)
    if not statements:
        raise UsageError(f"there is no statement in the SQL{_REFUSED}")
    if len(statements) != 1:
        raise UsageError(f"expected one statement, found {len(statements)}{_REFUSED}")
    statement = statements[0].query
    match statements[0].type:
        case duckdb.StatementType.SELECT if not _may_write(connection, statement):
            return statement
        case duckdb.StatementType.EXPLAIN if prefix := _EXPLAIN.match(statement):
            read_only(connection, statement[prefix.end() :])
            return statement
        case duckdb.StatementType.MULTI if not _SUSPECT.search(statement):
            # A pivot, which DuckDB expands and cannot show as a tree.
            return f"from (\n{statement.strip().rstrip(';')}\n)"
        case duckdb.StatementType.SELECT | duckdb.StatementType.MULTI:
            raise UsageError(f"a statement that may write is refused{_REFUSED}")
        case kind:
            raise UsageError(f"{kind.name} is refused{_REFUSED}")


def _may_write(connection: "duckdb.DuckDBPyConnection", sql: str) -> bool:
    """Whether a select has a part that copies, inserts, updates, deletes, or runs a text as SQL."""
    ((text,),) = connection.execute("select json_serialize_sql(?)", [sql]).fetchall()
    tree = json.loads(text)
    return bool(tree["error"]) or any(
        str(node.get("type")).endswith("_QUERY_NODE")
        or str(node.get("function_name")).lower() in _DYNAMIC
        for node in _nodes(tree["statements"])
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)
