"""What shows the resources of all sources in one shape."""

from joblake.quoting import literal
from joblake.sources.catalogue import Catalogue, Source
from joblake.warehouse.generated.columns import member, resource_id
from joblake.warehouse.generated.text import call, macro_header, select, view_header

_RESOURCE_COLUMNS = {
    "name": "varchar",
    "status": "varchar",
    "created": "timestamptz",
    "modified": "timestamptz",
    "ended": "timestamptz",
    "model": "varchar",
    "message": "varchar",
}
"""The keys of a declaration that name a member, each with the type that the member has."""


def resources_view(catalogue: Catalogue) -> str:
    """The view of every observation of every source."""
    header = view_header(
        "Every observation of every source in one shape. What AWS listed without a key cannot be "
        "followed and stands in observations only.",
        "one row per observation",
        ["table_name", "account_id", "region_name", "resource_id", "observed_at", "run_id"],
        dict.fromkeys(
            [
                "table_name",
                "job_kind",
                "account_id",
                "region_name",
                "parent",
                "resource_id",
                "name",
                "status",
                "outcome",
                "is_terminal",
                "created_at",
                "modified_at",
                "ended_at",
                "model",
                "message",
                "run_id",
                "observed_at",
                "change",
            ],
            "",
        ),
    )
    branches = [
        select(
            [
                *_shape(source, f"{resource_id(source)} as resource_id"),
                "run_id",
                "observed_at",
                "change",
            ],
            f"observations.{source.table}\nwhere {resource_id(source)} is not null",
        )
        for source in catalogue.values()
    ]
    return header + "\nunion all\n\n".join(branches)


def job_states_macro(catalogue: Catalogue) -> str:
    """The macro that gives the latest state of every job."""
    header = macro_header(
        "The resources that are jobs, of every source, in one shape, as known at an instant. "
        "`estimated_end_at` is an upper bound of a job's end: its last modification, or, where "
        "AWS tells no end, what the first observation with a terminal status says.",
        "one row per table_name, account_id, region_name and resource_id",
        "the instant",
        "job_states_as_of(as_of) as table",
    )
    branches = [
        select(
            [
                *_shape(source, "resource_id"),
                f"{_estimated_end(source)} as estimated_end_at",
                "first_seen_at",
                "last_seen_at",
                "is_vanished",
            ],
            _states(source),
        )
        for source in (catalogue.jobs or catalogue).values()
    ]
    return header + "\nunion all\n\n".join(branches)


def observation_counts_view(catalogue: Catalogue) -> str:
    """The view of the number of observations of each run and scope."""
    header = view_header(
        "How many observations each run left of each scope.",
        "one row per run and scope that has any",
        ["run_id", "table_name", "account_id", "region_name", "parent"],
        dict.fromkeys(
            ["run_id", "table_name", "account_id", "region_name", "parent", "observation_count"],
            "",
        ),
    )
    scope = "account_id,\n    region_name,\n    parent"
    return header + "\nunion all\n\n".join(
        f"select\n    run_id,\n    {literal(table)} as table_name,\n    {scope},\n"
        f"    count(*) as observation_count\nfrom observations.{table}\ngroup by all\n"
        for table in catalogue
    )


def _shape(source: Source, resource_id: str) -> list[str]:
    """The columns that make resources of all sources alike."""
    table = literal(source.table)
    told = {key: member(source, key, kind) for key, kind in _RESOURCE_COLUMNS.items()}
    return [
        f"{table} as table_name",
        f"{'null::varchar' if source.job is None else literal(source.job)} as job_kind",
        "account_id",
        "region_name",
        "parent",
        resource_id,
        f"{told['name']} as name",
        f"{told['status']} as status",
        f"outcome({table}, {told['status']}) as outcome",
        f"is_terminal({table}, {told['status']}) as is_terminal",
        f"{told['created']} as created_at",
        f"{told['modified']} as modified_at",
        f"{told['ended']} as ended_at",
        f"{told['model']} as model",
        f"{told['message']} as message",
    ]


def _states(source: Source) -> str:
    """The source's resources as of an instant, with a first end where nothing else tells one."""
    arguments = [literal(source.table), resource_id(source), "as_of"]
    if not _tells_end(source):
        status = member(source, "status", "varchar")
        end = "observed_at" if source.modified is None else member(source, "modified", "")
        arguments.append(
            f"end_seen := case when is_terminal('{source.table}', {status}) then {end} end"
        )
    return call("resources_as_of", arguments)


def _estimated_end(source: Source) -> str:
    return member(source, "modified", "") if _tells_end(source) else "first_end_at"


def _tells_end(source: Source) -> bool:
    """Whether a job's own members bound its end."""
    return source.ended is not None and source.modified is not None
