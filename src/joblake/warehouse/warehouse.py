"""The DuckDB catalogue over a lake: observations, the views of `sql/`, and a fence around queries.

The database is in memory and holds views: opening reads the footers of the observation files, a
query what it needs of them. Listings are read whole when the lake is opened, because they are few
rows in many small files and almost every view asks for them more than once. Queries come from users
and BI tools: they can read the files of the lake and nothing else, and write nothing.
"""

import itertools
import re
import shutil
import tempfile
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

# Its classes stand quoted in the annotations below, as in merge.py and for its reason.
import duckdb
import pyarrow as pa

from joblake.errors import RaceLostError, UsageError
from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.lake.ledger import LEDGER_SCHEMA
from joblake.lake.local import Lake
from joblake.lake.parquet import Refused
from joblake.lake.races import until_won
from joblake.quoting import identifier, pattern, patterns
from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.schema import TIMESTAMP, observation_schema
from joblake.warehouse.answer import Answer
from joblake.warehouse.fence import close_fence, read_only
from joblake.warehouse.spelling import Spelling, Texts, is_number
from joblake.warehouse.views import VIEW_SCHEMAS, View, read_macros, read_views

__all__ = ["VIEW_SCHEMAS", "View", "Warehouse", "open_warehouse", "read_views"]

Parameters = Sequence[Any] | Mapping[str, Any]

_OBSERVATIONS = "observations"
_SEARCH_PATH = ",".join((*VIEW_SCHEMAS, _OBSERVATIONS, "main"))
_TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "varchar",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    TIMESTAMP: "timestamptz",
}
_BATCH_ROWS = 122_880  # a row group of DuckDB's
_BATCH_TEXTS = 10_240  # as many become Python's at a time
_DISTORTED = frozenset({"BIGNUM", "BIT", "TIME WITH TIME ZONE", "UHUGEINT"})
_CHANGED = "an export wrote to the lake while it was read; ask again"


class Warehouse:
    """An open catalogue. Close it, or use it as a context manager.

    `skipped` names the files that were left out because they are not Parquet, with the reasons.
    """

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        files: Sequence[LakeFile],
        skipped: Sequence[Refused],
        spill_folder: Path,
    ) -> None:
        self.connection = connection
        self.skipped = tuple((refused.file.name, refused.reason) for refused in skipped)
        self._files = tuple(files)
        self._discard = weakref.finalize(self, shutil.rmtree, spill_folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back memory and spilled rows."""
        self.connection.close()
        self._discard()

    def query(self, sql: str, parameters: Parameters | None = None) -> Answer:
        """The answer to one read-only statement, in DuckDB's types.

        `parameters` are the values of `$1`, `$2`, or by name those of `$name`.
        UsageError in one line when the statement is refused or wrong, UnreadableFileError when it
        needs a damaged file.
        """
        return until_won(lambda: self._query(sql, parameters))

    def _query(self, sql: str, parameters: Parameters | None) -> Answer:
        with self.unchanged():
            relation = _for_arrow(self._relation(sql, parameters))
            return Answer(relation.to_arrow_table())

    def remember(self, name: str, sql: str) -> None:
        """Keep the answer to a select of ours as a temporary table, for those that ask it often."""
        until_won(lambda: self._remember(name, sql))

    def _remember(self, name: str, sql: str) -> None:
        with self.unchanged():
            self.connection.execute(f"create or replace temp table {name} as {sql}")

    def stream(self, sql: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """The same in batches, however many rows there are. Read it before the next query.

        RaceLostError at its end where an export wrote to the files meanwhile.
        """
        before = self._versions()
        with self.unchanged(before):
            relation = _for_arrow(self._relation(sql, parameters))
            return self._reader(relation, _BATCH_ROWS, before)

    def texts(self, sql: str, spelling: Spelling, parameters: Parameters | None = None) -> Texts:
        """The rows as texts, in batches like those of `stream`."""
        before = self._versions()
        with self.unchanged(before):
            relation = self._relation(sql, parameters)
            batches = self._reader(spelling(relation), _BATCH_TEXTS, before)
            are_numbers = tuple(map(is_number, relation.types))
            return Texts(tuple(relation.columns), are_numbers, batches)

    def _relation(self, sql: str, parameters: Parameters | None) -> "duckdb.DuckDBPyRelation":
        return self.connection.sql(read_only(self.connection, sql), params=parameters)

    def _reader(
        self, relation: "duckdb.DuckDBPyRelation", rows: int, before: Sequence[object]
    ) -> pa.RecordBatchReader:
        reader = relation.to_arrow_reader(rows)
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, before))

    def read_only(self, sql: str) -> str:
        """The statement to run for `sql`, in which nothing but reading can hide.

        For those who run it themselves; UsageError in one line when it is refused or wrong.
        """
        with self.connection.cursor() as cursor:  # another thread may be using the connection
            try:
                return read_only(cursor, sql)
            except duckdb.Error as error:
                _fail(self._files, error)

    def _batches(
        self, reader: pa.RecordBatchReader, before: Sequence[object]
    ) -> Iterator[pa.RecordBatch]:
        with self.unchanged(before):
            yield from reader

    @contextmanager
    def unchanged(self, before: Sequence[object] | None = None) -> Iterator[None]:
        """Raise what DuckDB's errors amount to; RaceLostError where the files were replaced.

        DuckDB opens a file more than once for a query, and would mix what it was with what it is.
        """
        before = self._versions() if before is None else before
        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException) as error:  # Arrow's are of a stream
            if self._versions() == before:
                _fail(self._files, error)
        if self._versions() != before:
            raise RaceLostError(_CHANGED)

    def _versions(self) -> list[tuple[int, int] | None]:
        versions: list[tuple[int, int] | None] = []
        for file in self._files:
            try:
                found = file.local.stat()
            except OSError:
                versions.append(None)
            else:
                versions.append((found.st_ino, found.st_mtime_ns))
        return versions

    def views(self) -> list[View]:
        """Every view with what its header says, in order of schema and name."""
        return read_views()


def _for_arrow(relation: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """The relation with texts, as DuckDB spells them, for what Arrow would make something else."""
    kinds = [str(kind) for kind in relation.types]
    if _DISTORTED.isdisjoint(kinds):
        return relation
    named = zip(range(1, len(kinds) + 1), kinds, relation.columns, strict=True)
    columns = (
        f"#{number}::varchar as {identifier(name)}" if kind in _DISTORTED else f"#{number}"
        for number, kind, name in named
    )
    return relation.project(", ".join(columns))


def open_warehouse(lake: Lake, *, skip_unreadable: bool = False) -> Warehouse:
    """The catalogue over the files that the lake has now; open again to see newer ones.

    `skip_unreadable` leaves out what is not Parquet.
    """
    return until_won(lambda: _open(lake, skip_unreadable=skip_unreadable))


def _open(lake: Lake, *, skip_unreadable: bool) -> Warehouse:
    # In the other order than an export writes: a listing is shown with all that it brought.
    listings = lake.listing_files()
    tables = {
        source.table: lake.table_files(source.table) for source in shipped_catalogue().values()
    }
    tables["listings"] = listings
    schemas = {source.table: observation_schema(source) for source in shipped_catalogue().values()}
    schemas["listings"] = LEDGER_SCHEMA
    readable: list[LakeFile] = []
    skipped: list[Refused] = []
    columns: dict[str, dict[Path, list[str]]] = {}
    for table, files in tables.items():
        columns[table] = {}
        for file in files:
            found = parquet.schema_of(file, schemas[table])
            if not isinstance(found, Refused):
                readable.append(file)
                columns[table][file.local] = found.names
            elif skip_unreadable:
                skipped.append(found)
            else:
                raise found.error
    spill_folder = Path(tempfile.mkdtemp(prefix="joblake-"))
    connection = duckdb.connect(
        ":memory:",
        config={
            "temp_directory": str(spill_folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    warehouse = Warehouse(connection, readable, skipped, spill_folder)
    connection.execute("set global timezone = 'UTC'")
    _create_observations(connection, {table: {} for table in tables})
    _create_views(connection)
    # Only now, because creating a view binds all that it reads: each footer is read once, not
    # once for every view.
    with warehouse.unchanged():
        _create_observations(connection, columns)
    connection.execute(f"set search_path = '{_SEARCH_PATH}'")
    close_fence(connection, [file.local for file in readable])
    return warehouse


def _create_observations(
    connection: "duckdb.DuckDBPyConnection", tables: Mapping[str, Mapping[Path, Sequence[str]]]
) -> None:
    """Create `observations.<table>` over files, of which the names of the columns are known."""
    connection.execute(f"create schema if not exists {_OBSERVATIONS}")
    for table, files in tables.items():
        schema = (
            LEDGER_SCHEMA if table == "listings" else observation_schema(shipped_catalogue()[table])
        )
        select = _observations_sql(schema, files)
        name = f"{_OBSERVATIONS}.{table}"
        if table == "listings":
            connection.execute(f"create or replace table {name} as {select}")
        else:
            connection.execute(f"create or replace view {name} as {select}")


def _observations_sql(schema: pa.Schema, files: Mapping[Path, Sequence[str]]) -> str:
    """A table's rows under our names and types, then the columns that only newer files have.

    Files of other columns are read apart, because for `union_by_name` DuckDB opens every file to
    bind a query.
    """
    names = [identifier(field.name) for field in schema]
    pairs = list(zip(names, (_TYPES[field.type] for field in schema), strict=True))
    ours = ", ".join(f"{name}::{kind} as {name}" for name, kind in pairs)
    alike: dict[frozenset[str], list[Path]] = defaultdict(list)
    for file, columns in files.items():
        alike[frozenset(columns)].append(file)
    empty = ", ".join(f"null::{kind} as {name}" for name, kind in pairs)
    parts = [
        f"select {empty} where false",
        *(f"from {_parquet(group)}" for group in alike.values()),
    ]
    return f"""
        select {ours}, * exclude ({", ".join(names)})
        from ({" union all by name ".join(parts)})
    """


def _create_views(connection: "duckdb.DuckDBPyConnection") -> None:
    """Create the macros, then the views of each schema, whatever reads whatever within one.

    What reads something that does not exist yet is tried again when the others are there.
    """
    views = read_views()
    _create_all(connection, read_macros())
    for schema in VIEW_SCHEMAS:
        connection.execute(f"create schema {schema}")
        statements = [
            f"create view {v.schema}.{v.name} as\n{v.sql}" for v in views if v.schema == schema
        ]
        _create_all(connection, statements)


def _create_all(connection: "duckdb.DuckDBPyConnection", statements: Sequence[str]) -> None:
    waiting = list(statements)
    while waiting:
        refused = []
        for statement in waiting:
            try:
                connection.execute(statement)
            except duckdb.CatalogException as error:
                refused.append((statement, error))
        if len(refused) == len(waiting):
            raise refused[0][1]
        waiting = [statement for statement, _ in refused]


def _fail(files: Sequence[LakeFile], error: Exception) -> NoReturn:
    """Raise what DuckDB's error amounts to: a damaged file, or a wrong statement."""
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


def _parquet(files: Iterable[Path]) -> str:
    return f"read_parquet({patterns(files)}, hive_partitioning = false)"
