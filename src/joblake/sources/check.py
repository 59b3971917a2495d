"""Whether botocore's service models have what declarations of sources name."""

from collections import Counter
from collections.abc import Iterator, Mapping

from joblake.errors import UsageError
from joblake.sources.catalogue import Catalogue, Source
from joblake.sources.schema import observation_schema
from joblake.sources.service_model import Member

_MEMBERS = ("name", "created", "modified", "ended", "status", "message", "model")
_INSTANTS = frozenset({"created", "modified", "ended"})


def check_members(catalogue: Catalogue) -> None:
    """Check that botocore's service models have every member that the declarations name.

    UsageError names the source and the key that do not fit. This loads the service models.
    """
    for source in catalogue.values():
        for key, problem in _problems(catalogue, source):
            raise UsageError(f"source {source.table}: {key}: {problem}")


def _problems(catalogue: Catalogue, source: Source) -> Iterator[tuple[str, str]]:
    """The keys of a declaration that the service model contradicts, each with the reason."""
    try:
        operation = source.operation
    except UsageError as error:
        yield "operation", str(error)
        return
    columns = Counter(observation_schema(source).names)
    for name in (name for name, count in columns.items() if count > 1):
        yield "operation", f"the lake has a column {name!r} of its own, and {operation.name} too"
    members = operation.item.member_by_name
    for member in source.key:
        yield from _member_problems(members, "key", member)
    for key in _MEMBERS:
        if (member := getattr(source, key)) is not None:
            yield from _member_problems(members, key, member)
    parameters = operation.parameter_by_name
    for name in source.request:
        if name not in parameters:
            yield "request", f"{operation.name} has no parameter {name!r}"
    if source.parent is not None:
        if source.parent.parameter not in parameters:
            yield "parent.request", f"{operation.name} has no parameter {source.parent.parameter!r}"
        given = catalogue[source.parent.source].operation.item.member_by_name
        yield from _member_problems(given, "parent.request", source.parent.member)


def _member_problems(
    members: Mapping[str, Member], key: str, name: str
) -> Iterator[tuple[str, str]]:
    if name not in members:
        yield key, f"no member {name!r}; members are: {', '.join(members)}"
    elif key in _INSTANTS and members[name].kind != "timestamp":
        yield key, f"{name} is a {members[name].kind}, not a timestamp"
    elif key not in _INSTANTS and members[name].kind in {"structure", "list", "map"}:
        yield key, f"{name} is a {members[name].kind}, not a text"
