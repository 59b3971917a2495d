"""Seconds that each view takes on a lake of a million jobs, seen four times each.

`uv run python tests/benchmarks/views.py` builds the lake in a temporary folder, asks every view for
all its rows through the warehouse and prints the best of several times. Its jobs are spread over
three accounts, two regions and a year of nights; most end well, some fail, run on or vanish. CPU
seconds tell what a busy machine hides: two idle cores need half as many.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from time import perf_counter, process_time

import duckdb
import pyarrow as pa

from joblake.lake.layout import LISTINGS, OBSERVATIONS
from joblake.lake.ledger import LEDGER_SCHEMA
from joblake.lake.local import Lake
from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.schema import observation_schema
from joblake.warehouse.warehouse import Warehouse, open_warehouse

NIGHTS = 365
SHARES = {
    "model_invocation_jobs": 0.75,
    "trained_model_inference_jobs": 0.15,
    "model_customization_jobs": 0.10,
    "custom_models": 0.08,  # no jobs, so beyond the whole
}

_PLACES = """
    create table places as
    select row_number() over () - 1 as place, account_id, region_name
    from unnest(['111122223333', '444455556666', '777788889999']) accounts(account_id),
        unnest(['us-east-1', 'eu-west-1']) regions(region_name)
"""

# A resource is listed on some nights from the one after its creation; `step` counts them, and
# `fate` (0 to 999) decides how it ends. What ends beyond the last night is still running.
_LIVES = """
    create or replace temp table lives as
    with resources as (
        select
            number,
            places.*,
            md5(number::varchar || '{table}') as code,
            (hash(number, 'fate', '{table}') % 1000)::int as fate,
            2 + (hash(number, 'steps') % 5)::int as steps,
            today() - interval {nights} days + to_microseconds(
                (hash(number, 'created') % ({nights} * 86400000000))::bigint
            ) as created_at
        from range({count}) numbers(number)
        join places on places.place = hash(number, 'place') % 6
    )
    select
        *,
        generate_series(0, steps - 1) as nights,
        created_at + to_seconds(600 + (hash(number, 'queue') % 7200)::int) as begun_at,
        created_at + to_seconds(7800 + (hash(number, 'run') % 40000)::int)
            + to_days(steps - 2) as ended_at
    from resources
"""

_SEEN = """
    create or replace temp table seen as
    select
        lives.* exclude (nights),
        step,
        date_trunc('day', created_at) + to_days(step::int + 1) + interval 2 hours
            + to_minutes(place::int) as observed_at,
        step = steps - 1 as is_last,
        fate % 50 = 7 and step = steps - 1 as is_gone,
        'run-' || strftime(date_trunc('day', created_at) + to_days(step::int + 1), '%Y-%m-%d')
            as run_id,
        case when fate % 50 = 7 and step = steps - 1 then 'vanished'
            when step = 0 then 'added' else 'changed' end as change,
        'arn:aws:{service}:' || region_name || ':' || account_id || ':' as arn_head,
        'arn:aws:bedrock:' || region_name || '::foundation-model/' || list_extract(
            ['amazon.nova-lite-v1:0', 'amazon.nova-pro-v1:0', 'amazon.titan-text-express-v1',
             'anthropic.claude-3-haiku-20240307-v1:0', 'meta.llama3-1-8b-instruct-v1:0'],
            1 + fate % 5
        ) as foundation_model
    from lives, unnest(nights) steps(step)
    where date_trunc('day', created_at) + to_days(step::int + 1) <= today()
"""

_MEMBERS = {
    "model_invocation_jobs": """
        arn_head || 'model-invocation-job/' || left(code, 12) as job_arn,
        'nightly-batch-' || number as job_name,
        if(
            fate % 40 = 3,
            arn_head || 'custom-model/amazon.nova-lite-v1:0:300k/'
                || left(md5((number % 40)::varchar || 'custom_models'), 12),
            foundation_model
        ) as model_id,
        code as client_request_token,
        'arn:aws:iam::' || account_id || ':role/batch-inference' as role_arn,
        case
            when step = 0 then list_extract(['Submitted', 'Scheduled'], 1 + fate % 2)
            when not is_last then 'InProgress'
            when fate < 60 then 'Failed'
            when fate < 80 then 'Stopped'
            when fate < 90 then 'Expired'
            when fate < 120 then 'PartiallyCompleted'
            else 'Completed'
        end as status,
        if(is_last and fate < 60, 'The input file could not be read: line ' || fate, null)
            as message,
        created_at as submit_time,
        if(is_last, ended_at, greatest(created_at, observed_at - interval 1 hour))
            as last_modified_time,
        if(is_last, ended_at, null) as end_time,
        'JSONL' as input_data_config__s3_input_data_config__s3_input_format,
        's3://batch-input-' || account_id || '/' || code || '.jsonl'
            as input_data_config__s3_input_data_config__s3_uri,
        's3://batch-output-' || account_id || '/' || code || '/'
            as output_data_config__s3_output_data_config__s3_uri,
        if(fate % 3 = 0, '["subnet-0a1b2c3d","subnet-4e5f6a7b"]', null) as vpc_config__subnet_ids,
        if(fate % 3 = 0, '["sg-0a1b2c3d"]', null) as vpc_config__security_group_ids,
        24 as timeout_duration_in_hours,
        created_at + interval 24 hours as job_expiration_time,
        1000 + number % 9000 as total_record_count,
        ((1000 + number % 9000) * step / (steps - 1))::bigint as processed_record_count,
        ((1000 + number % 9000) * step / (steps - 1) * 0.99)::bigint as success_record_count,
        ((1000 + number % 9000) * step / (steps - 1) * 0.01)::bigint as error_record_count
    """,
    "model_customization_jobs": """
        arn_head || 'model-customization-job/amazon.nova-lite-v1:0:300k/' || left(code, 12)
            as job_arn,
        foundation_model as base_model_arn,
        'fine-tuning-' || number as job_name,
        case
            when not is_last then 'InProgress'
            when fate < 80 then 'Failed'
            when fate < 100 then 'Stopped'
            else 'Completed'
        end as status,
        'Completed' as status_details__validation_details__status,
        created_at as status_details__validation_details__creation_time,
        begun_at as status_details__validation_details__last_modified_time,
        'Completed' as status_details__data_processing_details__status,
        begun_at as status_details__data_processing_details__creation_time,
        begun_at + interval 5 minutes
            as status_details__data_processing_details__last_modified_time,
        if(is_last, 'Completed', 'InProgress') as status_details__training_details__status,
        begun_at + interval 5 minutes as status_details__training_details__creation_time,
        if(is_last, ended_at, observed_at - interval 1 hour)
            as status_details__training_details__last_modified_time,
        if(is_last, ended_at, observed_at - interval 1 hour) as last_modified_time,
        created_at as creation_time,
        if(is_last, ended_at, null) as end_time,
        if(
            is_last and fate >= 100,
            arn_head || 'custom-model/amazon.nova-lite-v1:0:300k/'
                || left(md5(number::varchar || 'custom_models'), 12),
            null
        ) as custom_model_arn,
        'tuned-' || number as custom_model_name,
        'FINE_TUNING' as customization_type
    """,
    "custom_models": """
        arn_head || 'custom-model/amazon.nova-lite-v1:0:300k/' || left(code, 12) as model_arn,
        'tuned-' || number as model_name,
        created_at as creation_time,
        foundation_model as base_model_arn,
        split_part(foundation_model, '/', -1) as base_model_name,
        'FINE_TUNING' as customization_type,
        account_id as owner_account_id,
        if(step = 0, 'Creating', 'Active') as model_status
    """,
    "trained_model_inference_jobs": """
        arn_head || 'membership/' || parent || '/trained-model-inference-job/'
            || code as trained_model_inference_job_arn,
        parent,
        arn_head || 'membership/' || parent || '/trained-model/' || fate % 20
            as trained_model_arn,
        'collaboration-' || place as collaboration_identifier,
        case
            when step = 0 then 'CREATE_PENDING'
            when not is_last then 'CREATE_IN_PROGRESS'
            when fate < 60 then 'CREATE_FAILED'
            when fate < 80 then 'INACTIVE'
            else 'ACTIVE'
        end as status,
        'text/csv' as output_configuration__accept,
        '[{"accountId":"' || account_id || '"}]' as output_configuration__members,
        'inference-' || number as name,
        created_at as create_time,
        if(is_last, ended_at, observed_at - interval 1 hour) as update_time
    """,
}

_MEMBERSHIP = """
    *, '00000000-0000-4000-8000-00000000000' || (place * 2 + number % 2) as parent
"""

_LISTINGS = """
    select
        'run-' || strftime(night, '%Y-%m-%d') as run_id,
        '{table}' as table_name,
        account_id,
        region_name,
        {membership} as parent,
        night + interval 2 hours + to_minutes(place::int) as started_at,
        night + interval 3 hours as ended_at,
        'complete' as outcome,
        1000 as listed
    from places, unnest({members}) members(member),
        unnest(generate_series(
            today()::timestamptz - interval {nights} days, today()::timestamptz, interval 1 day
        )) nights(night)
"""


def build(lake: Lake, job_count: int) -> None:
    """Write the lake: a file for each scope and month, as an export leaves it."""
    with duckdb.connect(config={"preserve_insertion_order": False}) as made:
        made.execute("set global timezone = 'UTC'")
        made.execute(_PLACES)
        for table, share in SHARES.items():
            service = (
                "cleanrooms-ml"
                if shipped_catalogue().default[table].parent is not None
                else "bedrock"
            )
            names = {"table": table, "nights": NIGHTS, "service": service}
            made.execute(_LIVES.format(**names, count=round(job_count * share)))
            made.execute(_SEEN.format(**names))
            schema = observation_schema(shipped_catalogue().default[table])
            members = _MEMBERS[table]
            keys = "account_id as account, region_name as region"
            if shipped_catalogue().default[table].parent is not None:
                keys += ", parent as membership"
            rows = f"""
                select run_id, observed_at, change, account_id, region_name, {members}
                from (select {_MEMBERSHIP} from seen)
            """
            _write(made, lake.root / table / OBSERVATIONS, rows, schema, keys)
            if shipped_catalogue().default[table].parent is not None:
                membership = "'00000000-0000-4000-8000-00000000000' || (place * 2 + member)"
                listings = _LISTINGS.format(**names, membership=membership, members="[0, 1]")
            else:
                listings = _LISTINGS.format(**names, membership="null", members="[0]")
            _write(made, lake.root / "listings" / table / LISTINGS, listings, LEDGER_SCHEMA, keys)


def _write(
    made: duckdb.DuckDBPyConnection, path: Path, rows: str, schema: pa.Schema, keys: str
) -> None:
    """Write rows under the folder of `path`, to a file of its name in each partition."""
    folder, name = path.parent, path.stem
    instant = "started_at" if name == "listings" else "observed_at"
    made.register("typed", schema.empty_table())
    folder.mkdir(parents=True)
    partitions = ", ".join(key.split(" as ")[1] for key in keys.split(", "))
    made.execute(f"""
        copy (
            select *, {keys}, strftime({instant}, '%Y-%m') as month
            from (select * from typed union all by name {rows})
            order by month, {instant}
        ) to '{folder}' (
            format parquet, compression zstd, partition_by ({partitions}, month),
            overwrite_or_ignore, filename_pattern '{name}'
        )
    """)
    for file in folder.rglob("*.parquet"):
        file.rename(file.with_name(f"{name}.parquet"))


@contextmanager
def _lake(folder: Path | None, job_count: int) -> Iterator[Lake]:
    scratch = tempfile.TemporaryDirectory() if folder is None else nullcontext(folder)
    with scratch as root:
        lake = Lake.at(Path(root) / "lake")
        if not lake.root.exists():
            started = perf_counter()
            build(lake, job_count)
            sys.stderr.write(f"built {lake.root} in {perf_counter() - started:.0f} s\n")
        yield lake


def _measure(warehouse: Warehouse, view: str, repeat: int) -> tuple[float, float, int]:
    """The least wall and CPU seconds of several queries, and the rows of one."""
    walls, cpus, row_count = [], [], 0
    for _ in range(repeat):
        wall, cpu = perf_counter(), process_time()
        row_count = warehouse.query(f"from {view}").num_rows
        walls.append(perf_counter() - wall)
        cpus.append(process_time() - cpu)
    return min(walls), min(cpus), row_count


def main() -> None:
    """Build or reuse the lake, and print seconds and rows of each view."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("views", nargs="*", help="schema.view; default: all")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the lake here, and use it again")
    parser.add_argument("--explain", action="store_true", help="print the plan of the slowest")
    options = parser.parse_args()
    with (
        _lake(options.folder, options.jobs) as lake,
        open_warehouse(lake, shipped_catalogue()) as warehouse,
    ):
        tables = [f"observations.{table}" for table in shipped_catalogue().default]
        counts = " + ".join(f"(select count(*) from {table})" for table in tables)
        (total,) = warehouse.query(f"select {counts} as n").to_pylist()
        load, _, _ = os.getloadavg()
        _print(f"{total['n']:,} observations; {os.cpu_count()} cores; load {load:.1f}\n")
        _print(f"| view | rows | seconds, best of {options.repeat} | CPU seconds |")
        _print("|---|---|---|---|")
        slowest = (0.0, "")
        for view in options.views or [f"{v.schema}.{v.name}" for v in warehouse.views()]:
            wall, cpu, row_count = _measure(warehouse, view, options.repeat)
            _print(f"| `{view}` | {row_count:,} | {wall:.2f} | {cpu:.2f} |")
            slowest = max(slowest, (wall, view))
        if options.explain:
            (plan,) = warehouse.query(f"explain analyze from {slowest[1]}").to_pylist()
            _print(f"\n{slowest[1]}:\n{plan['explain_value']}")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
