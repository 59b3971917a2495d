"""A lake opened for queries: observations, the views over them, and a fence around queries.

    views.py         the views and macros, written by hand or generated, with their headers
    generated/       the SQL that is the same for every source
    prepared.py      the views bound once, for every opening
    observations.py  the files of the lake as tables
    fence.py         the limits of a query
    failures.py      DuckDB's errors as joblake's
    result.py        the rows of a query
    spelling.py      the rows of a query as texts

The database is in memory and holds views: opening reads the footers of the observation files, a
query what it needs of them. Queries come from users and BI tools: they can read the files of the
lake and nothing else, and write nothing.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# Annotations quote its classes; export/merge.py has the reason.
import duckdb
import pyarrow as pa

from joblake.errors import RaceLostError
from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.lake.local import Lake
from joblake.lake.parquet import Refused
from joblake.lake.races import until_won
from joblake.quoting import identifier
from joblake.sources.catalogue import Catalogue
from joblake.warehouse.failures import fail
from joblake.warehouse.fence import close_fence, read_only
from joblake.warehouse.observations import show_files
from joblake.warehouse.prepared import OBSERVATIONS, prepare
from joblake.warehouse.result import QueryResult
from joblake.warehouse.spelling import Spelling, Texts, is_number
from joblake.warehouse.views import VIEW_SCHEMAS, View, read_views

Parameters = Sequence[Any] | Mapping[str, Any]

_SEARCH_PATH = ",".join((*VIEW_SCHEMAS, OBSERVATIONS, "main"))
_BATCH_ROWS = 122_880  # a row group of DuckDB's
_BATCH_TEXTS = 10_240  # texts become objects of Python's, so fewer at a time
_DISTORTED = frozenset({"BIGNUM", "BIT", "TIME WITH TIME ZONE", "UHUGEINT"})
_CHANGED = "an export wrote to the lake while it was read; ask again"


@dataclass(eq=False, repr=False)
class Warehouse:
    """An open lake. Close it, or use it as a context manager.

    `skipped` names the files that were left out because they are not Parquet, with the reasons.
    """

    connection: "duckdb.DuckDBPyConnection"
    catalogue: Catalogue
    files: Sequence[LakeFile]
    skipped: Sequence[tuple[str, str]]
    spill_folder: InitVar[Path]

    def __post_init__(self, spill_folder: Path) -> None:
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

    def query(self, sql: str, parameters: Parameters | None = None) -> QueryResult:
        """The rows of one read-only statement, in DuckDB's types.

        `parameters` are the values of `$1`, `$2`, or by name those of `$name`.
        UsageError in one line when the statement is refused or wrong, UnreadableFileError when it
        needs a damaged file.
        """
        return until_won(lambda: self._query(sql, parameters))

    def _query(self, sql: str, parameters: Parameters | None) -> QueryResult:
        with self.unchanged():
            relation = _for_arrow(self._relation(sql, parameters))
            return QueryResult(relation.to_arrow_table())

    def remember(self, name: str, sql: str) -> None:
        """Keep the rows of a select of ours as a temporary table that many queries read."""
        until_won(lambda: self._remember(name, sql))

    def _remember(self, name: str, sql: str) -> None:
        with self.unchanged():
            self.connection.execute(f"create or replace temp table {name} as {sql}")

    def stream(self, sql: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """The rows of a statement in batches, however many there are.

        Read them before the next query. RaceLostError at their end where an export wrote to the
        files meanwhile.
        """
        before = self._versions()
        with self.unchanged(before):
            relation = _for_arrow(self._relation(sql, parameters))
            return self._reader(relation, _BATCH_ROWS, before)

    def texts(self, sql: str, spelling: Spelling, parameters: Parameters | None = None) -> Texts:
        """The rows of a statement as texts, in batches like those of `stream`."""
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
        """The statement to run for `sql`, for a shell that runs it itself.

        UsageError in one line when it is refused or wrong.
        """
        with self.connection.cursor() as cursor:  # another thread may be using the connection
            try:
                return read_only(cursor, sql)
            except duckdb.Error as error:
                fail(self.files, error)

    def _batches(
        self, reader: pa.RecordBatchReader, before: Sequence[object]
    ) -> Iterator[pa.RecordBatch]:
        with self.unchanged(before):
            yield from reader

    @contextmanager
    def unchanged(self, before: Sequence[object] | None = None) -> Iterator[None]:
        """Raise DuckDB's errors as joblake's; RaceLostError where files were replaced meanwhile.

        DuckDB opens a file more than once for a query, and would mix what it was with what it is.
        """
        before = self._versions() if before is None else before
        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException) as error:  # Arrow's are of a stream
            if self._versions() == before:
                fail(self.files, error)
        if self._versions() != before:
            raise RaceLostError(_CHANGED)

    def _versions(self) -> list[tuple[int, int] | None]:
        versions: list[tuple[int, int] | None] = []
        for file in self.files:
            try:
                found = file.local.stat()
            except OSError:
                versions.append(None)
            else:
                versions.append((found.st_ino, found.st_mtime_ns))
        return versions

    def views(self) -> list[View]:
        """Every view with what its header says, in order of schema and name."""
        return read_views(self.catalogue)


def _for_arrow(relation: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """The relation in which values that Arrow would distort are texts, as DuckDB spells them."""
    kinds = [str(kind) for kind in relation.types]
    if _DISTORTED.isdisjoint(kinds):
        return relation
    named = zip(range(1, len(kinds) + 1), kinds, relation.columns, strict=True)
    columns = (
        f"#{number}::varchar as {identifier(name)}" if kind in _DISTORTED else f"#{number}"
        for number, kind, name in named
    )
    return relation.project(", ".join(columns))


def open_warehouse(lake: Lake, catalogue: Catalogue, *, skip_unreadable: bool = False) -> Warehouse:
    """The views of a catalogue over the files that the lake has now; open again to see newer ones.

    `skip_unreadable` leaves out what is not Parquet.
    """
    return until_won(lambda: _open(lake, catalogue, skip_unreadable=skip_unreadable))


def _open(lake: Lake, catalogue: Catalogue, *, skip_unreadable: bool) -> Warehouse:
    # An export writes a listing after its observations: found first, it is shown with all of them.
    tables = {"listings": lake.listing_files()}
    tables |= {table: lake.table_files(table) for table in catalogue}
    spill_folder = Path(tempfile.mkdtemp(prefix="joblake-"))
    prepared = prepare(partial(_connect, spill_folder), catalogue)
    readable: list[LakeFile] = []
    skipped: list[tuple[str, str]] = []
    columns: dict[str, dict[Path, list[str]]] = {}
    for table, files in tables.items():
        columns[table] = {}
        for file in files:
            found = parquet.schema_of(file, prepared.schemas[table])
            if not isinstance(found, Refused):
                readable.append(file)
                columns[table][file.local] = found.names
            elif skip_unreadable:
                skipped.append((found.file.name, found.reason))
            else:
                raise found.error
    warehouse = Warehouse(prepared.connection, catalogue, readable, skipped, spill_folder)
    with warehouse.unchanged():
        for table, shown in columns.items():
            show_files(prepared.connection, table, prepared.schemas[table], shown)
    prepared.connection.execute(f"set search_path = '{_SEARCH_PATH}'")
    close_fence(prepared.connection, [file.local for file in readable])
    return warehouse


def _connect(spill_folder: Path) -> "duckdb.DuckDBPyConnection":
    connection = duckdb.connect(
        ":memory:",
        config={
            "temp_directory": str(spill_folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    connection.execute("set global timezone = 'UTC'")
    return connection
