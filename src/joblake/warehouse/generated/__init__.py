"""The SQL that is the same for every source, written from the catalogue.

    current.py    the views of one source
    resources.py  the views and macros of all sources in one shape
    statuses.py   the macros that tell what statuses mean
    columns.py    the columns and types that these are made of
    text.py       headers and statements

Pure functions: a catalogue goes in, texts come out that have the form of the files in `sql/`, each
under the path that such a file would have. A view written by hand reads these, and names a source
only where it is about that source.
"""

from joblake.sources.catalogue import Catalogue, Source
from joblake.sources.schema import Column, item_columns
from joblake.warehouse.generated.current import current_view, elements_view
from joblake.warehouse.generated.resources import (
    job_states_macro,
    observation_counts_view,
    resources_view,
)
from joblake.warehouse.generated.statuses import (
    is_terminal_macro,
    job_kind_macro,
    outcome_macro,
)


def generated_sql(catalogue: Catalogue) -> dict[str, str]:
    """Every generated view and macro by its path below `sql/`, such as `history/resources.sql`."""
    files = {
        "macros/job_kind.sql": job_kind_macro(catalogue),
        "macros/outcome.sql": outcome_macro(catalogue),
        "macros/is_terminal.sql": is_terminal_macro(catalogue),
        "macros/job_states_as_of.sql": job_states_macro(catalogue),
        "history/resources.sql": resources_view(catalogue),
        "history/observation_counts.sql": observation_counts_view(catalogue),
    }
    for source in catalogue.values():
        files[f"current/{source.table}.sql"] = current_view(source)
        for name, column in child_views(source).items():
            files[f"current/{name}.sql"] = elements_view(source, column)
    return files


def child_views(source: Source) -> dict[str, Column]:
    """The views in `current` that unnest the lists and maps of a source, each with its column."""
    return {
        f"{source.table}_{column.name}": column
        for column in item_columns(source.operation)
        if column.member.kind in {"list", "map"}
    }
