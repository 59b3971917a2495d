"""The macros that tell what the statuses of a table mean, and the kind of its jobs."""

from joblake.quoting import literal
from joblake.sources.catalogue import Catalogue, JobOutcome, Source
from joblake.warehouse.generated.text import cases, macro_header, values


def job_kind_macro(catalogue: Catalogue) -> str:
    """The macro `job_kind(table_name)`."""
    header = macro_header(
        "The kind of job that the resources of a table are; null where they are none.",
        "a scalar",
        "the table's name",
        "job_kind(table_name) as",
    )
    return header + cases(
        {table: literal(source.job or "") for table, source in catalogue.jobs.items()}, "null"
    )


def outcome_macro(catalogue: Catalogue) -> str:
    """The macro `outcome(table_name, status)`."""
    header = macro_header(
        "What a resource's status amounts to: succeeded, partially_succeeded, failed, stopped or "
        "expired where it is terminal, else running; unknown for a status that is not known yet. "
        "Null for a table whose statuses have no meaning to joblake.",
        "a scalar",
        "the table's name, the status as AWS spells it",
        "outcome(table_name, status) as",
    )
    return header + cases(
        {table: _outcome_of(source) for table, source in catalogue.items() if source.outcomes},
        "null",
    )


def is_terminal_macro(catalogue: Catalogue) -> str:
    """The macro `is_terminal(table_name, status)`."""
    header = macro_header(
        "Whether a resource has come to its end, so that its outcome is that of something ended; "
        "false for an absent status and for one that is not known yet. A plain list for each "
        "table, because DuckDB can ask the files themselves for it.",
        "a scalar",
        "the table's name, the status as AWS spells it",
        "is_terminal(table_name, status) as",
    )
    whens = {
        table: f"status in {values(source.outcomes)}"
        for table, source in catalogue.items()
        if source.outcomes
    }
    return f"{header}status is not null and {cases(whens, 'false')}"


def _outcome_of(source: Source) -> str:
    meanings: dict[str, list[str]] = {outcome: [] for outcome in (*JobOutcome, "running")}
    for status, outcome in source.outcomes.items():
        meanings[outcome].append(status)
    meanings["running"] += source.running
    whens = (
        f"        when status in {values(statuses)} then {literal(str(meaning))}\n"
        for meaning, statuses in meanings.items()
        if statuses
    )
    return f"case\n{''.join(whens)}        else 'unknown'\n    end"
