"""Filters and order of a listing, derived from the names of the operation's parameters.

`creationTimeAfter` compares with the member `creationTime`, `statusEquals` with `status`,
`nameContains` looks into the member that names the resource, and so on: a new list operation
brings its filters with it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from joblake.endpoint.resources import Place
from joblake.sources.service_model import Operation, ParameterValue

Item = Mapping[str, Any]
Keeps = Callable[[Item, ParameterValue, Place], bool]

_SORT_PARAMETERS = frozenset({"sortBy", "sortOrder"})
_CREATED_MEMBERS = ("creationTime", "createTime", "submitTime")


@cache
def filters_of(operation: Operation) -> Mapping[str, Keeps]:
    """The filters of an operation by parameter; LookupError where one names no member.

    Parameters in the path are no filters: they are part of the place.
    """
    others = {operation.input_token, operation.limit_key, *_SORT_PARAMETERS}
    return {
        parameter.name: _filter(operation, parameter.name)
        for parameter in operation.parameters
        if parameter.location == "querystring" and parameter.name not in others
    }


def select(
    operation: Operation,
    items: Iterable[Item],
    values: Mapping[str, ParameterValue],
    place: Place,
) -> Sequence[Item]:
    """The items that pass every filter in `values`, in the order asked for.

    Without `sortOrder` the newest come first, as in AWS's console; items of one instant, and
    items without one, stay in the order given.
    """
    filters = [
        (filters_of(operation)[name], value)
        for name, value in values.items()
        if name in filters_of(operation)
    ]
    kept = [item for item in items if all(keeps(item, value, place) for keeps, value in filters)]
    created = created_member(operation)
    kept.sort(
        key=lambda item: _instant(item.get(created)) or 0.0,
        reverse=values.get("sortOrder") != "Ascending",
    )
    return kept


@cache
def created_member(operation: Operation) -> str:
    """The member that tells when a resource was created."""
    names = {member.name for member in operation.item.members}
    return next(name for name in _CREATED_MEMBERS if name in names)


def _filter(operation: Operation, parameter: str) -> Keeps:
    match parameter:
        case "isOwned":
            return lambda item, value, place: (
                (item.get("ownerAccountId") == place.account_id) == value
            )
        case "foundationModelArnEquals":
            return lambda item, value, _: _foundation_model_arn(item.get("baseModelArn")) == value
        case "nameContains":
            member = _name_member(operation)
            return lambda item, value, _: str(value) in str(item.get(member, ""))
    for suffix, make in _SUFFIXES.items():
        if parameter.endswith(suffix):
            return make(_known_member(operation, parameter.removesuffix(suffix)))
    return _equals(_known_member(operation, parameter))


def _equals(member: str) -> Keeps:
    return lambda item, value, _: item.get(member) == value


def _after(member: str) -> Keeps:
    return lambda item, value, _: _compare(item.get(member), value) > 0


def _before(member: str) -> Keeps:
    return lambda item, value, _: _compare(item.get(member), value) < 0


_SUFFIXES: Mapping[str, Callable[[str], Keeps]] = {
    "Equals": _equals,
    "After": _after,
    "Before": _before,
}


def _known_member(operation: Operation, name: str) -> str:
    if all(member.name != name for member in operation.item.members):
        raise LookupError(f"{operation.name}: no member {name!r} to filter by")
    return name


def _name_member(operation: Operation) -> str:
    names = [member.name for member in operation.item.members]
    return next(name for name in names if name.lower().endswith("name"))


def _foundation_model_arn(base_model_arn: object) -> str | None:
    """The foundation model beneath a base model, which may itself be a custom model."""
    if not isinstance(base_model_arn, str) or ":custom-model/" not in base_model_arn:
        return base_model_arn if isinstance(base_model_arn, str) else None
    head, _, tail = base_model_arn.partition(":custom-model/")
    without_account = head.rpartition(":")[0]
    return f"{without_account}::foundation-model/{tail.rpartition('/')[0]}"


def _compare(member: object, value: ParameterValue) -> float:
    """Seconds from `value` to the member; zero, which no filter keeps, where either is none."""
    instant, limit = _instant(member), _instant(value)
    return 0.0 if instant is None or limit is None else instant - limit


def _instant(value: object) -> float | None:
    """Epoch seconds of a datetime, number or ISO 8601 text; None of anything else."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return (value.replace(tzinfo=UTC) if value.tzinfo is None else value).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        return None
    return None
