"""The ways to get a listing into Parquet that the benchmark compares, each run in a process alone.

`python contenders.py NAME TASK` imports what the way needs, runs it once and prints what it did as
JSON. Seconds are those of the work, from the first client to the last byte written: interpreter
and imports are left out, but for the AWS CLI, which is a process of its own. A task's environment
names the endpoint.
"""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlencode, urlsplit

from resources import MEMBERSHIP, REGION

from joblake.sources.catalogue import Source, shipped_catalogue
from joblake.sources.service_model import Member


@dataclass(frozen=True)
class Task:
    """What to list, from where, into which folder; `regions` are listed at once."""

    table: str
    url: str
    folder: str
    regions: tuple[str, ...] = (REGION,)

    @property
    def source(self) -> Source:
        """The source that fills the table."""
        return shipped_catalogue().default[self.table]

    @property
    def parameters(self) -> dict[str, str]:
        """What the operation requires."""
        return {"membershipIdentifier": MEMBERSHIP} if self.source.parent is not None else {}


Work = Callable[[Task], int]
"""Does the work and gives the number of rows listed."""
_PREPARED: dict[str, Callable[[], Work]] = {}


def _contender(prepare: Callable[[], Work]) -> Callable[[], Work]:
    """Register what imports a contender's libraries and gives its work."""
    _PREPARED[prepare.__name__.strip("_")] = prepare
    return prepare


# --- joblake ---------------------------------------------------------------------------------


@_contender
def _joblake() -> Work:
    from joblake.export.export import export
    from joblake.export.planning import plan
    from joblake.settings.settings import load_settings

    def work(task: Task) -> int:
        membership = (MEMBERSHIP,) if task.source.parent is not None else ()
        settings = load_settings(
            lake=task.folder, table=(task.table,), region=task.regions, parent=membership
        )
        result = export(plan(settings))
        outcomes = [(scope.outcome, scope.error) for scope in result.scopes]
        if any(outcome != ("complete", None) for outcome in outcomes):
            raise RuntimeError(f"the export came to {outcomes}")
        return sum(scope.listed for scope in result.scopes)

    return work


@_contender
def _joblake_listing() -> Work:
    """The listing alone: every page flattened and in the spool."""
    from datetime import UTC, datetime

    from joblake.aws.allowance import Politeness
    from joblake.aws.connections import Connections
    from joblake.listing.listing import run_listing
    from joblake.listing.pager import Pager, Query
    from joblake.listing.spool import Spool, SpoolIdentity
    from joblake.sources.schema import listed_schema

    def work(task: Task) -> int:
        operation = task.source.operation
        client = Connections(Politeness(max_attempts=3)).client(operation.client, REGION)
        query = Query({**task.source.request, **task.parameters}, operation.page_maximum)
        spool = Spool(Path(task.folder), listed_schema(operation), file_mode=0o600)
        pager = Pager(client, operation, query)
        run_listing(
            pager,
            spool,
            SpoolIdentity(pager.digest, datetime.now(UTC)),
            resume_within=None,
            on_page=lambda _: None,
        )
        spool.close()
        return spool.rows

    return work


# --- what a user would write -----------------------------------------------------------------


def _answers(task: Task) -> Iterator[list[dict[str, Any]]]:
    """The items of each page, as boto3's paginator gives them."""
    import boto3

    operation = task.source.operation
    paginator = boto3.client(operation.client).get_paginator(operation.method_name)
    paging = {"PageSize": operation.page_maximum}
    for answer in paginator.paginate(**task.parameters, PaginationConfig=paging):
        yield answer[operation.result_key]


@_contender
def _pandas() -> Work:
    """boto3's paginator, every item kept, pandas.json_normalize, to_parquet."""
    import boto3  # noqa: F401
    import pandas as pd

    def work(task: Task) -> int:
        items = [item for page in _answers(task) for item in page]
        frame = pd.json_normalize(items)
        frame.to_parquet(Path(task.folder, "rows.parquet"))
        return len(frame)

    return work


@_contender
def _pyarrow() -> Work:
    """boto3's paginator, pyarrow.Table.from_pylist and a Parquet row group for each page."""
    import boto3  # noqa: F401
    import pyarrow as pa
    import pyarrow.parquet as pq

    def work(task: Task) -> int:
        row_count, writer = 0, None
        for page in _answers(task):
            table = pa.Table.from_pylist(page, schema=None if writer is None else writer.schema)
            writer = writer or pq.ParquetWriter(Path(task.folder, "rows.parquet"), table.schema)
            writer.write_table(table)
            row_count += table.num_rows
        if writer is not None:
            writer.close()
        return row_count

    return work


@_contender
def _dlt() -> Work:
    """A resource that yields boto3's pages, into dlt's filesystem destination as Parquet."""
    import boto3  # noqa: F401
    import dlt
    import pyarrow.parquet as pq

    def work(task: Task) -> int:
        pipeline = dlt.pipeline(
            pipeline_name="benchmark",
            pipelines_dir=str(Path(task.folder, "pipelines")),
            destination=dlt.destinations.filesystem(bucket_url=Path(task.folder, "rows").as_uri()),
            dataset_name="jobs",
        )
        rows = dlt.resource(
            lambda: _answers(task), name=task.table, primary_key=list(map(_snake, task.source.key))
        )
        pipeline.run(rows(), loader_file_format="parquet").raise_on_failed_jobs()
        files = Path(task.folder, "rows", "jobs", task.table).glob("*.parquet")
        return sum(pq.read_metadata(file).num_rows for file in files)

    return work


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@_contender
def _cli_duckdb() -> Work:
    """`aws … --output json` into a file, and DuckDB from there to Parquet."""
    import duckdb

    def work(task: Task) -> int:
        operation = task.source.operation
        answer, rows = Path(task.folder, "answer.json"), Path(task.folder, "rows.parquet")
        command = [Path(sys.executable).with_name("aws"), operation.client]
        command += [operation.method_name.replace("_", "-"), "--output", "json"]
        command += ["--page-size", str(operation.page_maximum)]
        if task.parameters:
            command += ["--membership-identifier", MEMBERSHIP]
        with answer.open("wb") as output:
            subprocess.run(command, stdout=output, check=True)
        row = duckdb.execute(f"""
            copy (
                select unnest({operation.result_key}, recursive := true)
                from read_json('{answer}', maximum_object_size = {answer.stat().st_size + 1})
            ) to '{rows}' (format parquet)
        """).fetchone()
        return row[0] if row else 0

    return work


# --- the limit: no boto3, no history ---------------------------------------------------------


def _bodies(task: Task) -> Iterator[bytes]:
    """The body of each page, from a socket that is kept open."""
    operation = task.source.operation
    parts = urlsplit(task.url)
    connection = http.client.HTTPConnection(parts.netloc)
    path, token = task.table.replace("_", "-"), ""
    while True:
        query = {operation.limit_key: operation.page_maximum}
        if token:
            query[operation.input_token] = token
        connection.request("GET", f"{parts.path}/{path}?{urlencode(query)}")
        body = connection.getresponse().read()
        yield body
        # Of pages rendered here it is known where the token stands.
        _, found, tail = body[-200:].rpartition(f'"{operation.output_token}":"'.encode())
        if not found:
            return
        token = tail.split(b'"')[0].decode()


@_contender
def _raw() -> Work:
    """Only read the bytes: what the endpoint can deliver."""

    def work(task: Task) -> int:
        return sum(body.count(f'"{task.source.key[0]}"'.encode()) for body in _bodies(task))

    return work


@_contender
def _limit_pyarrow() -> Work:
    """pyarrow.json parses the pages on two threads; rows flattened as Arrow has them."""
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet as pq  # noqa: F401

    def work(task: Task) -> int:
        operation = task.source.operation
        schema = _nested_schema(task)

        def parsed(body: bytes) -> pa.Table:
            table = pyarrow.json.read_json(
                pa.BufferReader(body),
                parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(body) + 1),
            )
            items = table.column(operation.result_key).combine_chunks().flatten()
            return pa.Table.from_struct_array(items)

        return _written(task, _ahead(parsed, _bodies(task)))

    return work


@_contender
def _limit_arro3() -> Work:
    """arro3 (the arrow-rs reader) parses the pages."""
    import io

    import arro3.io
    import pyarrow as pa
    import pyarrow.parquet as pq  # noqa: F401

    def work(task: Task) -> int:
        operation = task.source.operation
        schema = _nested_schema(task)

        def parsed(body: bytes) -> pa.Table:
            table = pa.table(arro3.io.read_json(io.BytesIO(body), schema))
            items = table.column(operation.result_key).combine_chunks().flatten()
            return pa.Table.from_struct_array(items)

        return _written(task, _ahead(parsed, _bodies(task)))

    return work


@_contender
def _limit_duckdb() -> Work:
    """DuckDB's JSON reader on every core, over files that the pages were written to."""
    import duckdb

    kinds = {"integer": "bigint", "long": "bigint", "timestamp": "timestamptz"}

    def kind(member: Member) -> str:
        if member.kind == "structure":
            inner = ", ".join(f'"{child.name}" {kind(child)}' for child in member.members)
            return f"struct({inner})"
        if member.kind == "list":
            return f"{kind(member.element)}[]"
        return kinds.get(member.kind, "varchar")

    def work(task: Task) -> int:
        operation = task.source.operation
        for number, body in enumerate(_bodies(task)):
            Path(task.folder, f"{number:06}.json").write_bytes(body)
        row = duckdb.execute(f"""
            copy (
                select unnest(item, recursive := true)
                from (
                    select unnest({operation.result_key}) as item
                    from read_json(
                        '{task.folder}/*.json', format = 'unstructured',
                        columns = {{'{operation.result_key}': '{kind(operation.item)}[]'}}
                    )
                )
            ) to '{task.folder}/rows.parquet' (format parquet)
        """).fetchone()
        return row[0] if row else 0

    return work


def _nested_schema(task: Task) -> Any:
    """The columns of a page as the service model nests them."""
    import pyarrow as pa

    kinds = {"integer": pa.int64(), "long": pa.int64(), "timestamp": pa.timestamp("us", "UTC")}

    def kind(member: Member) -> pa.DataType:
        if member.kind == "structure":
            return pa.struct([pa.field(child.name, kind(child)) for child in member.members])
        if member.kind == "list":
            return pa.list_(kind(member.element))
        return kinds.get(member.kind, pa.string())

    operation = task.source.operation
    return pa.schema(
        [
            pa.field(operation.result_key, pa.list_(kind(operation.item))),
            pa.field(operation.output_token, pa.string()),
        ]
    )


def _ahead(parse: Callable[[bytes], Any], bodies: Iterator[bytes]) -> Iterator[Any]:
    """Parse on threads while the next pages arrive, a few pages ahead."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ahead = []
        for body in bodies:
            ahead.append(pool.submit(parse, body))
            if len(ahead) > 4:
                yield ahead.pop(0).result()
        yield from (future.result() for future in ahead)


def _written(task: Task, tables: Iterator[Any]) -> int:
    import pyarrow.parquet as pq

    row_count, writer = 0, None
    for table in tables:
        if writer is None:
            writer = pq.ParquetWriter(Path(task.folder, "rows.parquet"), table.schema)
        writer.write_table(table)
        row_count += table.num_rows
    if writer is not None:
        writer.close()
    return row_count


def main() -> None:
    """Run one contender on one task and print rows and seconds."""
    work = _PREPARED[sys.argv[1]]()
    task = Task(**json.loads(sys.argv[2]))
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    started = perf_counter()
    row_count = work(task)
    seconds = perf_counter() - started
    sys.stdout.write(json.dumps({"rows": row_count, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
