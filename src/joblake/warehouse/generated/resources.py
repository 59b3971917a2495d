"""The views and macros that give the resources of all sources one shape."""

from joblake.quoting import literal
from joblake.sources.catalogue import Catalogue, Source
from joblake.warehouse.generated.columns import declared, resource_id
from joblake.warehouse.generated.text import call, macro_header, select, union_all, view_header

_DECLARED = {
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
    observation = {"run_id": "run_id", "observed_at": "observed_at", "change": "change"}
    shapes = {
        source: {**_shape(source, resource_id(source)), **observation}
        for source in catalogue.values()
    }
    header = view_header(
        "Every observation of every source in one shape. A resource that AWS listed without its "
        "key cannot be followed; it stands in observations only.",
        "one row per observation",
        ["table_name", "account_id", "region_name", "resource_id", "observed_at", "run_id"],
        next(iter(shapes.values())),
    )
    return header + union_all(
        select(shape, f"observations.{source.table}\nwhere {resource_id(source)} is not null")
        for source, shape in shapes.items()
    )


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
    life = {name: name for name in ("first_seen_at", "last_seen_at", "is_vanished")}
    return header + union_all(
        select(
            {
                **_shape(source, "resource_id"),
                "estimated_end_at": _estimated_end(source),
                **life,
            },
            _states(source),
        )
        for source in (catalogue.jobs or catalogue).values()
    )


def observation_counts_view(catalogue: Catalogue) -> str:
    """The view of the number of observations of each run and scope."""
    scope = ["table_name", "account_id", "region_name", "parent"]
    header = view_header(
        "How many observations each run left of each scope.",
        "one row per run and scope that has any",
        ["run_id", *scope],
        ["run_id", *scope, "observation_count"],
    )
    columns = {name: name for name in ("run_id", *scope)}
    return header + union_all(
        select(
            {**columns, "table_name": literal(table), "observation_count": "count(*)"},
            f"observations.{table}\ngroup by all",
        )
        for table in catalogue
    )


def _shape(source: Source, resource_id: str) -> dict[str, str]:
    """The columns that all resources have, each with its expression for those of a source."""
    table = literal(source.table)
    told = {key: declared(source, key, kind) for key, kind in _DECLARED.items()}
    return {
        "table_name": table,
        "job_kind": "null::varchar" if source.job is None else literal(source.job),
        "account_id": "account_id",
        "region_name": "region_name",
        "parent": "parent",
        "resource_id": resource_id,
        "name": told["name"],
        "status": told["status"],
        "outcome": f"outcome({table}, {told['status']})",
        "is_terminal": f"is_terminal({table}, {told['status']})",
        "created_at": told["created"],
        "modified_at": told["modified"],
        "ended_at": told["ended"],
        "model": told["model"],
        "message": told["message"],
    }


def _states(source: Source) -> str:
    """The source's resources as of an instant, with a first end where nothing else tells one."""
    arguments = [literal(source.table), resource_id(source), "as_of"]
    if not _tells_end(source):
        status = declared(source, "status", "varchar")
        end = "observed_at" if source.modified is None else _modified(source)
        ended = f"is_terminal({literal(source.table)}, {status})"
        arguments.append(f"end_seen := case when {ended} then {end} end")
    return call("resources_as_of", arguments)


def _estimated_end(source: Source) -> str:
    return _modified(source) if _tells_end(source) else "first_end_at"


def _modified(source: Source) -> str:
    return declared(source, "modified", "timestamptz")


def _tells_end(source: Source) -> bool:
    """Whether a job's own members bound its end."""
    return source.ended is not None and source.modified is not None
