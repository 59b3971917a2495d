"""Request parameters: from text to values, refused in AWS's words where the model forbids them."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache

from joblake.endpoint.wire import ServiceError
from joblake.sources.service_model import Member, Operation, ParameterValue

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


def read_parameters(operation: Operation, texts: Mapping[str, str]) -> dict[str, ParameterValue]:
    """The values of a request's parameters, by wire name; parameters nobody knows are ignored.

    A ValidationException names every violation at once, as AWS does.
    """
    values: dict[str, ParameterValue] = {}
    violations: list[str] = []
    for parameter in operation.parameters:
        text = texts.get(parameter.name)
        if text is None:
            if parameter.is_required:
                violations.append(f"Value null at '{parameter.name}' {_FAILED} not be null")
            continue
        try:
            value = _convert(parameter.kind, text)
        except ValueError as error:
            broken = [str(error)]
        else:
            values[parameter.name] = value
            broken = list(_broken_constraints(parameter, value))
        violations += [f"Value '{text}' at '{parameter.name}' {_FAILED} {rule}" for rule in broken]
    if violations:
        raise ServiceError("ValidationException", _summary(violations))
    return values


_FAILED = "failed to satisfy constraint: Member must"


def _summary(violations: list[str]) -> str:
    count = len(violations)
    noun = "error" if count == 1 else "errors"
    return f"{count} validation {noun} detected: {'; '.join(violations)}"


def _convert(kind: str, text: str) -> ParameterValue:
    """The value of a text; ValueError names the constraint that the text breaks."""
    match kind:
        case "string":
            return text
        case "integer" | "long":
            if _WHOLE_NUMBER.fullmatch(text):
                return int(text)
            raise ValueError("be a whole number")
        case "boolean":
            if text in ("true", "false"):
                return text == "true"
            raise ValueError("be true or false")
        case "timestamp":
            return _convert_timestamp(text)
        case _:
            raise TypeError(f"no request parameters of kind {kind!r} are understood")


def _convert_timestamp(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        zoned = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("be a timestamp in ISO 8601 format") from None


def _broken_constraints(parameter: Member, value: ParameterValue) -> Iterator[str]:
    """The constraints that the value breaks, in AWS's words."""
    if parameter.allowed_values and value not in parameter.allowed_values:
        yield f"satisfy enum value set: [{', '.join(parameter.allowed_values)}]"
    if isinstance(value, str):
        size, what = len(value), "length"
    elif isinstance(value, int) and not isinstance(value, bool):
        size, what = value, "value"
    else:
        return
    if parameter.minimum is not None and size < parameter.minimum:
        yield f"have {what} greater than or equal to {parameter.minimum}"
    elif parameter.maximum is not None and size > parameter.maximum:
        yield f"have {what} less than or equal to {parameter.maximum}"
    elif isinstance(value, str) and parameter.pattern is not None:
        pattern = _compiled(parameter.pattern)
        if pattern is not None and not pattern.fullmatch(value):
            yield f"satisfy regular expression pattern: {parameter.pattern}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    r"""A model's pattern for Python; None where `re` does not understand it.

    Patterns such as `(-*[a-z\-])*` say the same thing twice: the class holds the hyphen already.
    Without its `-*` such a pattern matches the same texts, but a refusal no longer takes time
    that doubles with every hyphen.
    """
    try:
        return re.compile(re.sub(r"-\*(\[[^\]]*\\-[^\]]*\])", r"\1", pattern))
    except re.error:
        return None
