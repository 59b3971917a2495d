"""The merge writes the observations that a listing gives rise to.

An observation is written only when a resource was added, changed or vanished; the SQL of
`difference` tells which. Rows stream from the spool and from the month's file into a new file,
which replaces the month's file in one step. Memory holds no rows.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

# Its classes stand quoted in the annotations below: Prefect keeps these functions beyond the end of
# the interpreter, and DuckDB's binding reports as leaked whatever evaluated annotations then hold.
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from joblake import arrow
from joblake.errors import LakeError, UnreadableFileError
from joblake.export import difference
from joblake.export.difference import Listed
from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.lake.layout import month_of
from joblake.lake.local import Lake
from joblake.lake.past import ScopePast, read_past
from joblake.lake.races import first_known, until_won
from joblake.lake.scope import Scope
from joblake.listing.rows import flatten_extras
from joblake.quoting import literal
from joblake.sources.schema import observation_schema

HOLD_ABOVE = 20
"""A scope of at most this many resources may vanish at once without being held."""
# Each thread holds one group in memory. Six times as many rows would take six times the memory, and
# the file would be larger.
_ROWS_IN_GROUP = 20_480
# Several merges run at once.
_THREADS = 2
_OPERATOR_MEMORY = "64MB"


@dataclass(frozen=True)
class Merged:
    """How many resources a listing showed and what it changed.

    `held` counts resources that are missing and not yet believed to have vanished.
    """

    listed: int = 0
    added: int = 0
    changed: int = 0
    vanished: int = 0
    held: int = 0


def merge(lake: Lake, past: ScopePast, listed: Listed) -> Merged:
    """Write the observations that a listing gives rise to. Call with the scope locked.

    `past` is what the lake held of the scope before the listing. What another machine observed
    since then stands, because it is as new. LakeError when the lake refuses, UnreadableFileError
    when one of the scope's files is damaged or foreign; either way the lake is as it was.
    """

    def read() -> ScopePast:
        return read_past(lake, listed.scope, listed.source)

    known = past if tuple(lake.scope_files(listed.scope)) == past.files else read()
    pasts = first_known(known, read)
    return until_won(lambda: _merge(lake, next(pasts), listed))


def _merge(lake: Lake, past: ScopePast, listed: Listed) -> Merged:
    listed = replace(listed, observed_at=past.next_instant(listed.observed_at))
    target = lake.partition(listed.scope, month_of(listed.observed_at))
    month = next((file for file in past.files if file.path == target), None)
    with _connection(lake, past.files, listed.scope) as connection:
        held = _read_held(lake, listed)
        connection.register("held", held)
        connection.register("typed", arrow.no_rows(observation_schema(listed.source)))
        row_count = _compare(connection, listed, past.files)
        merged = _verdict(connection, listed.mass_vanish_share)
        is_held = merged.held > 0
        if merged.added + merged.changed + merged.vanished:
            codes = _codes(connection, row_count)
            news = _with_column(listed.rows(), "code", lambda start, stop: codes[start:stop])
            connection.register("news", news)
            connection.execute("drop table listed")  # all is known now, and memory is short
            partition = difference.partition_sql(
                listed, month, has_vanished=merged.vanished > 0, is_held=is_held
            )
            with lake.replacing(target, month) as temporary:
                connection.execute(
                    f"copy ({partition}) to {literal(str(temporary))} (format parquet, "
                    f"compression zstd, row_group_size {_ROWS_IN_GROUP}, use_tmp_file false)"
                )
        if listed.is_whole and (is_held or held.num_rows):
            _write_held(lake, listed, connection, is_held=is_held)
    return merged


def _compare(
    connection: "duckdb.DuckDBPyConnection", listed: Listed, known_files: Sequence[LakeFile]
) -> int:
    """Create the tables of what the listing shows and misses; returns how many rows it has."""
    connection.register("spool", _with_column(listed.rows(), difference.ROW_NUMBER, np.arange))
    connection.execute(f"create temp table listed as {difference.listed_sql(listed)}")
    row_count = _count(connection, "listed")
    connection.execute(difference.FORGET_REPEATED_SQL)
    observed = difference.observed_sql(listed, known_files)
    connection.execute(f"create temp view observed as {observed}")
    connection.execute(f"create temp table stored as {difference.stored_sql(listed)}")
    has_learnt = _learn(connection, listed)
    remembered = difference.remembered_sql(listed, has_learnt=has_learnt)
    connection.execute(f"create temp view remembered as {remembered}")
    known = difference.known_sql(listed, has_learnt=has_learnt)
    connection.execute(f"create temp view known as {known}")
    connection.execute(f"create temp table shown as {difference.shown_sql(listed)}")
    connection.execute(f"create temp table missed as {difference.missed_sql(listed)}")
    return row_count


def _codes(connection: "duckdb.DuckDBPyConnection", row_count: int) -> np.ndarray:
    """The code of each listed row: ADDED, CHANGED, or 0 where nothing is new."""
    shown = connection.execute(f"select {difference.ROW_NUMBER}, is_new from shown").fetchnumpy()
    codes = np.zeros(row_count, np.int8)
    codes[shown[difference.ROW_NUMBER]] = np.where(
        shown["is_new"], difference.ADDED, difference.CHANGED
    )
    return codes


def _with_column(
    rows: pa.RecordBatchReader, name: str, values: Callable[[int, int], np.ndarray]
) -> pa.RecordBatchReader:
    """Add a column of numbers; `values` are those of the rows from one index to another."""
    kind = pa.from_numpy_dtype(values(0, 0).dtype)
    schema = rows.schema.append(pa.field(name, kind))

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in rows:
            column = arrow.numbers(values(start, start + batch.num_rows))
            yield pa.RecordBatch.from_arrays([*batch.columns, column], schema=schema)
            start += batch.num_rows

    return pa.RecordBatchReader.from_batches(schema, batches())


def _read_held(lake: Lake, listed: Listed) -> pa.Table:
    """Read which resources the last complete listing missed and held.

    This listing confirms only what was held before it began: neither its own verdict, when it was
    resumed, nor the verdict of a listing that ran beside it.
    """
    file = lake.file_at(lake.held(listed.scope))
    nothing = arrow.no_rows(pa.schema([pa.field("identity", pa.string())]))
    if file is None:
        return nothing
    try:
        with parquet.reading(file) as opened:
            held = opened.read()
        held_at = datetime.fromisoformat((held.schema.metadata or {})[b"held_at"].decode())
    except (UnreadableFileError, KeyError, ValueError):
        return nothing  # what is not confirmed is held again
    return held if held_at < listed.started_at else nothing


def _write_held(
    lake: Lake, listed: Listed, connection: "duckdb.DuckDBPyConnection", *, is_held: bool
) -> None:
    """Keep the missing resources for the next complete listing; none where nothing is held."""
    missing = connection.sql(
        f"select identity::varchar as identity from missed where not is_confirmed and {is_held}"
    ).to_arrow_table()
    marked = missing.replace_schema_metadata({"held_at": listed.ended_at.isoformat()})
    with lake.overwriting(lake.held(listed.scope)) as temporary:
        pq.write_table(marked, temporary)


def _learn(connection: "duckdb.DuckDBPyConnection", listed: Listed) -> bool:
    """Register known rows whose `extra` may have become columns, as today's model has them.

    A newer SDK knows members that an older one could only keep in `extra`. The resource has not
    changed by that, so its known row is compared as today's model would have stored it. False
    where there is no such row.
    """
    connection.execute(f"create temp table older as {difference.OLDER_SQL}")
    if not _count(connection, "older"):
        return False
    older = connection.sql(difference.OLDER_EXTRAS_SQL).to_arrow_table()
    rows = flatten_extras(
        older.column("extra").to_pylist(),
        listed.source.operation,
        store_sensitive=listed.store_sensitive,
    ).append_column("stored_identity", older.column("stored_identity"))
    connection.register("learnt_rows", rows)
    connection.execute(f"create temp view learnt as {difference.LEARNT_SQL}")
    return True


def _verdict(connection: "duckdb.DuckDBPyConnection", mass_vanish_share: float) -> Merged:
    shown, added, news, confirmed, gone = (
        _count(connection, rows)
        for rows in ("listed", "shown where is_new", "shown", "missed where is_confirmed", "missed")
    )
    missing, alive = gone - confirmed, shown - added + gone
    if alive > HOLD_ABOVE and missing > alive * mass_vanish_share:
        return Merged(shown, added, news - added, confirmed, held=missing)
    return Merged(shown, added, news - added, gone)


def _count(connection: "duckdb.DuckDBPyConnection", rows: str) -> int:
    ((count,),) = connection.execute(f"select count(*) from {rows}").fetchall()
    return int(count)


@contextmanager
def _connection(
    lake: Lake, files: Sequence[LakeFile], scope: Scope
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open a DuckDB in memory; its errors become ours and name the file at fault."""
    # DuckDB spills beside the spool, in a folder that nobody else may read.
    spill = lake.spool(scope) / "spill.tmp"
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(mode=0o700, parents=True)
    connection = duckdb.connect(
        config={
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
            "temp_directory": str(spill),
            "threads": _THREADS,
            # With it, a thread that is ahead keeps its rows in memory until the other has written.
            "preserve_insertion_order": False,
        }
    )
    # Sorts and joins spill what they would hold beyond this.
    connection.execute(f"set operator_memory_limit = '{_OPERATOR_MEMORY}'")
    try:
        yield connection
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if (file := parquet.first_damaged(files)) is not None:
            raise parquet.damaged(file, reason) from error
        raise LakeError(f"DuckDB could not merge: {reason}; check the lake's disk") from error
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)
