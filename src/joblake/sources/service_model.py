"""Paginated list operations, as botocore's service models describe them.

This is the one module that reads those models. Everything a source does not declare (columns,
types, page maximum, paginator tokens, request parameters and their allowed values, sensitive
members) comes from here, so that an SDK upgrade teaches joblake new members without a change of
code.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property

from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader, create_loader
from botocore.model import (
    ListShape,
    MapShape,
    OperationNotFoundError,
    ServiceModel,
    Shape,
    StringShape,
    StructureShape,
)

from joblake.errors import UsageError

ParameterValue = str | int | float | bool | datetime


@dataclass(frozen=True, eq=False)
class Member:
    """A member of a request or of an answer, as the service model describes it.

    `name` is the spelling on the wire, `kind` botocore's type name (`string`, `timestamp`,
    `structure`, …). `minimum` and `maximum` bound a number's value or a text's or list's length.
    `documentation` is AWS's first sentence on it, without the full stop.
    """

    name: str
    kind: str
    is_required: bool = False
    is_sensitive: bool = False
    location: str | None = None
    allowed_values: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    timestamp_format: str | None = None
    documentation: str = ""
    members: tuple["Member", ...] = ()
    element: "Member | None" = None

    @cached_property
    def member_by_name(self) -> Mapping[str, "Member"]:
        """The members of a structure by their names on the wire."""
        return {member.name: member for member in self.members}


@dataclass(frozen=True, eq=False)
class Operation:
    """A list operation with its request parameters and the shape of the items it lists."""

    client: str
    name: str
    service_id: str
    signing_name: str
    http_method: str
    request_uri: str
    parameters: tuple[Member, ...]
    input_token: str
    output_token: str
    limit_key: str
    page_maximum: int
    result_key: str
    item: Member

    @property
    def method_name(self) -> str:
        """The operation's name in boto3: `list_custom_models`."""
        return column_name(self.name)

    @property
    def action(self) -> str:
        """The operation as IAM policies spell it: `bedrock:ListCustomModels`."""
        return f"{self.signing_name}:{self.name}"

    @cached_property
    def parameter_by_name(self) -> Mapping[str, Member]:
        """The request parameters by their names on the wire."""
        return {parameter.name: parameter for parameter in self.parameters}

    def parameter(self, name: str) -> Member:
        """The request parameter called `name`; UsageError names the existing ones otherwise."""
        try:
            return self.parameter_by_name[name]
        except KeyError:
            known = ", ".join(self.parameter_by_name)
            raise UsageError(f"{self.name} has no parameter {name!r}; it has: {known}") from None


@cache
def loader_of(data_path: str | None) -> Loader:
    """The one loader of botocore's data, which takes half a second to parse its endpoints."""
    return create_loader(data_path)


@cache
def load_operation(client: str, name: str) -> Operation:
    """Read one operation from the newest service model that botocore finds.

    AWS_DATA_PATH is not consulted; `~/.aws/models` and botocore's own data are. UsageError where
    they have no such paginated operation.
    """
    loader = loader_of(None)
    try:
        service = ServiceModel(loader.load_service_model(client, "service-2"), client)
        paginator = loader.load_service_model(client, "paginators-1")["pagination"][name]
        operation = service.operation_model(name)
    except (DataNotFoundError, KeyError, OperationNotFoundError):
        raise UsageError(f"botocore knows no paginated operation {client}.{name}") from None
    parameters = _members(operation.input_shape)
    limit = next(member for member in parameters if member.name == paginator["limit_key"])
    result = next(m for m in _members(operation.output_shape) if m.name == paginator["result_key"])
    if limit.maximum is None or result.element is None:
        raise UsageError(f"{client}.{name} is not a list operation with a page maximum")
    return Operation(
        client=client,
        name=name,
        service_id=service.service_id.hyphenize(),
        signing_name=service.signing_name,
        http_method=operation.http["method"],
        request_uri=operation.http["requestUri"],
        parameters=parameters,
        input_token=paginator["input_token"],
        output_token=paginator["output_token"],
        limit_key=paginator["limit_key"],
        page_maximum=limit.maximum,
        result_key=paginator["result_key"],
        item=result.element,
    )


def column_name(member_name: str) -> str:
    """A wire name in the snake_case that boto3 uses for its methods and options."""
    return str(xform_name(member_name))


def convert_parameter(operation: Operation, name: str, text: str) -> ParameterValue:
    """Turn the text of an option into the value that boto3 expects for a parameter.

    Timestamps are ISO 8601 (UTC where no zone is given) or epoch seconds; booleans `true` or
    `false`. UsageError names the parameter, the text and what is allowed.
    """
    parameter = operation.parameter(name)
    expected = _EXPECTED.get(parameter.kind)
    if expected is None:
        raise UsageError(f"{operation.name} parameter {name!r} cannot be given as text")
    try:
        value = _convert(parameter.kind, text.strip() if parameter.kind != "string" else text)
    except (ValueError, OverflowError):
        raise UsageError(f"{name}={text}: expected {expected}") from None
    _check_bounds(parameter, value, text)
    return value


_EXPECTED: Mapping[str, str] = {
    "string": "a text",
    "integer": "a whole number",
    "long": "a whole number",
    "boolean": "true or false",
    "timestamp": "a timestamp such as 2026-01-31 or 2026-01-31T08:00:00Z",
}


def _convert(kind: str, text: str) -> ParameterValue:
    match kind:
        case "boolean":
            return ("false", "true").index(text.lower()) == 1
        case "integer" | "long":
            return int(text)
        case "timestamp":
            return _convert_timestamp(text)
        case _:
            return text


def _convert_timestamp(text: str) -> datetime:
    if text.replace(".", "", 1).isdigit() and len(text) > len("20260131"):
        return datetime.fromtimestamp(float(text), UTC)
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


def _check_bounds(parameter: Member, value: ParameterValue, text: str) -> None:
    if parameter.allowed_values and value not in parameter.allowed_values:
        allowed = ", ".join(parameter.allowed_values)
        raise UsageError(f"{parameter.name}={text}: allowed values are {allowed}")
    if isinstance(value, str):
        size, unit = len(value), " characters"
    elif isinstance(value, int) and not isinstance(value, bool):
        size, unit = value, ""
    else:
        return
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and size < low) or (high is not None and size > high):
        bounds = (
            f"{low if low is not None else 0} to {high}" if high is not None else f"at least {low}"
        )
        raise UsageError(f"{parameter.name}={text}: allowed are {bounds}{unit}")


def _members(shape: Shape | None) -> tuple[Member, ...]:
    if not isinstance(shape, StructureShape):
        return ()
    required = set(shape.required_members)
    return tuple(
        _member(name, member, is_required=name in required)
        for name, member in shape.members.items()
    )


def _member(name: str, shape: Shape, *, is_required: bool = False) -> Member:
    metadata = shape.metadata
    is_document = isinstance(shape, StructureShape) and shape.is_document_type
    return Member(
        name=shape.serialization.get("name", name),
        kind="document" if is_document else shape.type_name,
        is_required=is_required,
        is_sensitive=bool(metadata.get("sensitive", False)),
        location=shape.serialization.get("location"),
        allowed_values=tuple(shape.enum) if isinstance(shape, StringShape) else (),
        minimum=metadata.get("min"),
        maximum=metadata.get("max"),
        pattern=metadata.get("pattern"),
        timestamp_format=shape.serialization.get("timestampFormat"),
        documentation=_first_sentence(shape.documentation),
        members=_members(shape),
        element=_member("", shape.member) if isinstance(shape, ListShape) else _map_value(shape),
    )


def _first_sentence(documentation: str) -> str:
    """The first sentence of a documentation in HTML, as plain text without its full stop."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", documentation))
    return re.split(r"[.:](?:\s|$)", " ".join(text.split()), maxsplit=1)[0]


def _map_value(shape: Shape) -> Member | None:
    return _member("", shape.value) if isinstance(shape, MapShape) else None
