"""The endpoint's side of the wire: calls, answers, errors, and items by the shape of the model."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from joblake.sources.service_model import Member

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json"}


@dataclass(frozen=True)
class Call:
    """One request, as the log and interceptors see it.

    `operation` and `client` are empty where no operation has the path. `number` counts the calls
    of the same operation since the server began, from 1. `status` is the HTTP status of the
    answer; 0 while there is none. `access_key_id` is whose key signed the request.
    """

    client: str
    operation: str
    account_id: str
    region_name: str
    path: str
    parameters: Mapping[str, str]
    number: int
    status: int = 0
    access_key_id: str = ""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, sound or faulty.

    `delay_seconds` passes before the first byte. With `cut_after`, Content-Length announces the
    whole body but the connection is closed after that many bytes of it; with `is_dropped` it is
    closed without an answer.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON_HEADERS))
    body: bytes = b""
    delay_seconds: float = 0.0
    cut_after: int | None = None
    is_dropped: bool = False


class ServiceError(Exception):
    """An error that the endpoint answers with; it never leaves the endpoint."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def json_answer(payload: Any, status: int = 200) -> Answer:
    """An answer whose body is `payload` as JSON."""
    return Answer(status=status, body=json.dumps(payload, separators=(",", ":")).encode())


def error_answer(code: str, message: str, status: int = 400) -> Answer:
    """An error in the rest-json protocol: the code in a header, the message in the body."""
    body = json.dumps({"message": message}).encode()
    return Answer(status=status, headers={**JSON_HEADERS, "x-amzn-errortype": code}, body=body)


Encode = Callable[[Any], Any]


@cache
def encoder(member: Member) -> Encode | None:
    """A function from a member's Python value to its JSON value; None where nothing changes.

    Values that do not fit the shape pass unchanged, so that odd pages can be served too.
    """
    if member.kind == "timestamp":
        return _timestamp_encoder(member)
    if member.kind == "structure":
        return _structure_encoder(member)
    if member.kind in {"list", "map"} and member.element is not None:
        return _collection_encoder(member.element)
    return None


def _timestamp_encoder(member: Member) -> Encode:
    write = {None: _epoch, "unixTimestamp": _epoch, "iso8601": _iso8601}[member.timestamp_format]
    return lambda value: write(value) if isinstance(value, datetime) else value


def _epoch(instant: datetime) -> float:
    return _in_utc(instant).timestamp()


def _iso8601(instant: datetime) -> str:
    precision = "microseconds" if instant.microsecond % 1000 else "milliseconds"
    return _in_utc(instant).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _in_utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _structure_encoder(member: Member) -> Encode:
    changing = {child.name: encode for child in member.members if (encode := encoder(child))}

    def encode_structure(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: changing[name](child) if name in changing else child
            for name, child in value.items()
            if child is not None
        }

    return encode_structure


def _collection_encoder(element: Member) -> Encode | None:
    encode = encoder(element)
    if encode is None:
        return None

    def encode_collection(value: Any) -> Any:
        match value:
            case list() | tuple():
                return [encode(child) for child in value]
            case Mapping():
                return {name: encode(child) for name, child in value.items()}
            case _:
                return value

    return encode_collection
