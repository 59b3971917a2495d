"""The views of a catalogue, bound once and kept in the user's cache folder.

DuckDB binds a view when it is created, with everything that the view reads, which takes most of a
second for all of them. A DuckDB file holds them bound; opening a warehouse copies them from there
within milliseconds and loads no botocore. The file is a convenience: where it is absent, broken,
foreign or cannot be written, the views are created anew. Nobody writes to it once it has its name.
"""

import hashlib
import importlib.metadata
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Annotations quote its classes; export/merge.py has the reason.
import duckdb
import platformdirs
import pyarrow as pa

from joblake.quoting import literal
from joblake.sources.catalogue import Catalogue
from joblake.warehouse.generated.columns import ARROW_TYPES, empty_select, observation_schemas
from joblake.warehouse.views import VIEW_SCHEMAS, read_macros, read_views, written_sql

OBSERVATIONS = "observations"
_COLUMNS = (
    "select table_name, column_name, data_type from duckdb_columns() "
    f"where database_name = 'memory' and schema_name = '{OBSERVATIONS}' "
    "order by table_name, column_index"
)
_KEPT = 8
"""How many prepared files are kept: of other versions, or of other catalogues."""


@dataclass(frozen=True)
class Prepared:
    """An in-memory database with every view, and the columns of the observations they read.

    The observations have no rows yet.
    """

    connection: "duckdb.DuckDBPyConnection"
    schemas: Mapping[str, pa.Schema]


def prepare(connect: "Callable[[], duckdb.DuckDBPyConnection]", catalogue: Catalogue) -> Prepared:
    """Open a database with every view of a catalogue, from the prepared file where there is one."""
    key = _key(catalogue)
    file = platformdirs.user_cache_path("joblake") / "views" / f"{key}.duckdb"
    if file.is_file():
        connection = connect()
        try:
            return Prepared(connection, _load(connection, file, key))
        except (duckdb.Error, KeyError):  # whatever is wrong with the file: it is not needed
            connection.close()
    connection = connect()
    create_views(connection, catalogue)
    try:
        _save(connection, file, key)
    except OSError:  # the folder is not the user's, and nothing was begun
        pass
    except duckdb.Error:  # a full disk, after which DuckDB may refuse to go on
        connection.close()
        connection = connect()
        create_views(connection, catalogue)
    return Prepared(connection, _schemas(connection.execute(_COLUMNS).fetchall()))


def create_views(connection: "duckdb.DuckDBPyConnection", catalogue: Catalogue) -> None:
    """Create empty observations, the macros, then the views of each schema."""
    from joblake.lake.ledger import LEDGER_SCHEMA  # noqa: PLC0415 - brings Arrow's compute functions

    connection.execute(f"create schema {OBSERVATIONS}")
    for table, schema in {**observation_schemas(catalogue), "listings": LEDGER_SCHEMA}.items():
        connection.execute(f"create view {OBSERVATIONS}.{table} as {empty_select(schema)}")
    views = read_views(catalogue)
    for schema in VIEW_SCHEMAS:
        connection.execute(f"create schema {schema}")
    _create_all(
        connection,
        [
            *read_macros(catalogue),
            *(f"create view {view.schema}.{view.name} as\n{view.sql}" for view in views),
        ],
    )


def _create_all(connection: "duckdb.DuckDBPyConnection", statements: Sequence[str]) -> None:
    """Run the statements, those that read what another one creates after that one."""
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


def _schemas(columns: Iterable[tuple[str, str, str]]) -> dict[str, pa.Schema]:
    fields: dict[str, list[pa.Field]] = defaultdict(list)
    for table, column, kind in columns:
        fields[table].append(pa.field(column, ARROW_TYPES[kind]))
    return {table: pa.schema(columns) for table, columns in fields.items()}


def _load(connection: "duckdb.DuckDBPyConnection", file: Path, key: str) -> dict[str, pa.Schema]:
    """Copy the views of a prepared file; returns the schemas of the observations in it.

    duckdb.Error or KeyError where the file is not such a one.
    """
    connection.execute(f"attach {literal(str(file))} as prepared (read_only)")
    # DuckDB takes much longer to list the columns of all views.
    columns = connection.execute(f'from prepared."{key}"').fetchall()
    connection.execute("copy from database prepared to memory (schema)")
    connection.execute("detach prepared")
    connection.execute(f'drop table "{key}"')
    return _schemas(columns)


def _save(connection: "duckdb.DuckDBPyConnection", file: Path, key: str) -> None:
    """Write the views to a file that gets its name when it is whole."""
    if not file.is_absolute():  # the user has no home
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="new-", dir=file.parent) as folder:
        written = Path(folder) / file.name
        options = "block_size 16384, storage_version 'latest'"
        connection.execute(f"attach {literal(str(written))} as prepared ({options})")
        try:
            connection.execute("copy from database memory to prepared (schema)")
            connection.execute(f'create table prepared."{key}" as {_COLUMNS}')
        finally:
            connection.execute("detach prepared")
        written.replace(file)
    others = sorted(file.parent.glob("*.duckdb"), key=lambda path: path.stat().st_mtime)
    for old in others[:-_KEPT]:
        old.unlink(missing_ok=True)


def _key(catalogue: Catalogue) -> str:
    """The hash of everything that the views depend on: a file of another key is never read."""
    digest = hashlib.sha256()
    for part in _ingredients(catalogue):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()[:32]


def _ingredients(catalogue: Catalogue) -> Iterator[bytes]:
    yield duckdb.__version__.encode()
    yield importlib.metadata.version("botocore").encode()
    for source in catalogue.values():
        yield source.model_dump_json().encode()
    package = Path(__file__).parents[1]
    for folder in (package / "sources", package / "lake", package / "warehouse"):
        for path in sorted(folder.rglob("*.py")):
            yield path.read_bytes()
    for text in written_sql().values():
        yield text.encode()
    # The user's own service models, from which botocore takes operations before its own.
    for path in sorted(Path(os.path.expanduser("~/.aws/models")).rglob("*.json*")):  # noqa: PTH111 - fails nowhere, unlike Path.expanduser
        if path.is_file():
            found = path.stat()
            yield f"{path} {found.st_size} {found.st_mtime_ns}".encode()
