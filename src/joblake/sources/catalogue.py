"""The catalogue of the list operations that joblake exports, and the meaning of their members.

It is data, in TOML, and the only place that says what is particular about a source. The shipped
declarations stand in `catalogue.toml` beside this module. Everything that a declaration does not
say (columns, types, pages, filters, sensitive members) comes from botocore's service models.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from joblake.errors import UsageError

if TYPE_CHECKING:
    from joblake.sources.service_model import Operation

_WORD = r"^[a-z][a-z0-9_]*$"


class JobOutcome(StrEnum):
    """How a job ended."""

    succeeded = "succeeded"
    partially_succeeded = "partially_succeeded"
    failed = "failed"
    stopped = "stopped"
    expired = "expired"


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Keys = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parent(_Declared):
    """The source of the parents in which another source is listed.

    `request` maps a parameter of the child's operation to a member of the parent's resources.
    """

    source: str
    request: Mapping[str, str] = Field(min_length=1, max_length=1)

    @property
    def parameter(self) -> str:
        """The request parameter that names the parent."""
        return next(iter(self.request))

    @property
    def member(self) -> str:
        """The member of the parent's resources that the parameter takes."""
        return self.request[self.parameter]


class Source(_Declared):
    """One list operation and the table that it fills.

    Members have the names of the service's API. `key` identifies a resource within its account and
    region. `job` is the kind of job that the resources are; without it they are none. `outcomes`
    maps each status of a resource that has ended to its outcome, `running` has the other
    statuses that are known. `request` is sent with every listing and narrows none. A source that
    is not `default` is listed where it is named, or as the parent of one that is listed.
    """

    table: str = Field(pattern=_WORD)
    operation_id: str = Field(alias="operation", pattern=r"^[a-z0-9-]+\.[A-Z][A-Za-z0-9]*$")
    key: Keys
    name: str | None = None
    created: str | None = None
    modified: str | None = None
    ended: str | None = None
    status: str | None = None
    message: str | None = None
    model: str | None = None
    job: str | None = Field(default=None, pattern=_WORD)
    running: tuple[str, ...] = ()
    outcomes: Mapping[str, JobOutcome] = Field(default_factory=dict)
    request: Mapping[str, str | int | bool] = Field(default_factory=dict)
    parent: Parent | None = None
    default: bool = True

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.job is not None and not (self.status and self.created and self.outcomes):
            raise ValueError("job: jobs have a status, a created time and outcomes")
        if (self.running or self.outcomes) and self.status is None:
            raise ValueError("status: running and outcomes are statuses, and no member has one")
        if both := sorted(set(self.running) & set(self.outcomes)):
            raise ValueError(f"running: {both[0]} has an outcome too")
        return self

    @property
    def client(self) -> str:
        """The name of the service's client in boto3."""
        return self.operation_id.partition(".")[0]

    @property
    def operation(self) -> "Operation":
        """The source's operation, as botocore's service model describes it."""
        from joblake.sources.service_model import load_operation  # noqa: PLC0415 - queries load no botocore

        return load_operation(self.client, self.operation_id.partition(".")[2])

    @property
    def created_after(self) -> str | None:
        """The request parameter that leaves out earlier resources; None without one."""
        name = f"{self.created}After"
        return name if name in self.operation.parameter_by_name else None

    def __hash__(self) -> int:
        return hash((self.table, self.operation_id))


@dataclass(frozen=True)
class Catalogue(Mapping[str, Source]):
    """Every declared source by the name of its table, parents too."""

    sources: tuple[Source, ...]

    def __getitem__(self, table: str) -> Source:
        return self._by_table[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_table)

    def __len__(self) -> int:
        return len(self.sources)

    @cached_property
    def _by_table(self) -> dict[str, Source]:
        return {source.table: source for source in self.sources}

    @property
    def default(self) -> "Catalogue":
        """The sources that are listed where no table is named."""
        return Catalogue(tuple(source for source in self.sources if source.default))

    @property
    def jobs(self) -> "Catalogue":
        """The sources whose resources are jobs."""
        return Catalogue(tuple(source for source in self.sources if source.job is not None))

    def named(self, table: str) -> Source:
        """The source that fills `table`; UsageError names the existing ones otherwise."""
        try:
            return self[table]
        except KeyError:
            raise UsageError(f"unknown table {table!r}; tables are: {', '.join(self)}") from None

    def parent_of(self, source: Source) -> Source | None:
        """The source of a source's parents; None where it has no parent."""
        return None if source.parent is None else self[source.parent.source]


@cache
def shipped_catalogue() -> Catalogue:
    """The catalogue that travels with joblake."""
    text = files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    return read_catalogue(tomllib.loads(text)["source"])


def read_catalogue(
    declarations: Mapping[str, Any], *, shipped: Catalogue = Catalogue(())
) -> Catalogue:
    """Read declarations, by table, and add their sources to the shipped ones.

    UsageError names the source and the key that are wrong.
    """
    declared = [_read_source(table, keys) for table, keys in declarations.items()]
    catalogue = Catalogue((*shipped.sources, *declared))
    for source in declared:
        if source.table in shipped:
            raise UsageError(f"source {source.table}: joblake has a source of this name already")
        if source.parent is not None and source.parent.source not in catalogue:
            raise UsageError(
                f"source {source.table}: parent.source: unknown source {source.parent.source!r}; "
                f"sources are: {', '.join(catalogue)}"
            )
    for source in declared:
        if source in _ancestors(catalogue, source):
            raise UsageError(f"source {source.table}: parent.source: it is its own ancestor")
    return catalogue


def _ancestors(catalogue: Catalogue, source: Source) -> list[Source]:
    """The parent, its parent and so on, each once."""
    found: list[Source] = []
    parent = catalogue.parent_of(source)
    while parent is not None and parent not in found:
        found.append(parent)
        parent = catalogue.parent_of(parent)
    return found


def _read_source(table: str, keys: Any) -> Source:
    if not isinstance(keys, Mapping):
        raise UsageError(f"source {table}: expected a table of keys")
    try:
        return Source.model_validate({**keys, "table": table})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        if problem["type"] == "extra_forbidden":
            known = ", ".join(field.alias or name for name, field in Source.model_fields.items())
            message = f"unknown key; keys are: {known}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
        path = ".".join(str(step) for step in problem["loc"])
        where = f"source {table}: {path}: " if path else f"source {table}: "
        raise UsageError(f"{where}{message}") from None
