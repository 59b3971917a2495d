"""Faults on the wire: what an endpoint may answer instead of a page, and on which page it does."""

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exporting import JOBS
from joblake.endpoint import Answer, Call, error_answer, json_answer
from joblake.endpoint.identity import sts_error_answer
from joblake.sources.service_model import load_operation

RESULT_KEY = load_operation("bedrock", JOBS).result_key
TOKEN = "nextToken"
HTML = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"

Fault = Callable[[Answer], Answer]


def body(content: bytes) -> Fault:
    """A 200 with another body."""
    return lambda answer: replace(answer, body=content)


def members(**changed: Any) -> Fault:
    """A 200 whose object has other members; `...` leaves one out."""

    def fault(answer: Answer) -> Answer:
        page = json.loads(answer.body) | changed
        return json_answer({name: value for name, value in page.items() if value is not ...})

    return fault


def cut_body(keep: Callable[[bytes], int]) -> Fault:
    """A 200 whose body ends early and whose Content-Length says that it is whole."""
    return lambda answer: replace(answer, body=answer.body[: keep(answer.body)])


def cut_connection(keep: Callable[[bytes], int]) -> Fault:
    """A 200 whose connection is closed before Content-Length is met."""
    return lambda answer: replace(answer, cut_after=keep(answer.body))


def error(status: int, code: str = "", content: bytes | None = None) -> Fault:
    """An error of HTTP."""
    answer = error_answer(code or "InternalServerException", "as arranged", status)
    return lambda _: answer if content is None else replace(answer, body=content)


DAMAGES: Mapping[str, Fault] = {
    "cut after one byte": cut_body(lambda _: 1),
    "cut in the first item": cut_body(lambda text: text.index(b"jobName")),
    "cut in the middle": cut_body(lambda text: len(text) // 2),
    "cut after the list": cut_body(lambda text: text.rindex(b"]") + 1),
    "cut before the last brace": cut_body(lambda text: len(text) - 1),
    "cut between two items": cut_body(lambda text: text.index(b"},{") + 1),
    "connection cut before the body": cut_connection(lambda _: 0),
    "connection cut in the middle": cut_connection(lambda text: len(text) // 2),
    "connection cut before the last byte": cut_connection(lambda text: len(text) - 1),
    "garbage": body(b"\x00\xfe\xff garbage \x80"),
    "HTML": body(HTML),
    "nothing": body(b""),
    "white space": body(b" \r\n\t "),
    "an empty object": body(b"{}"),
    "a message": body(b'{"message": "Internal server error"}'),
    "an empty list": body(b"[]"),
    "the bare list": lambda answer: json_answer(json.loads(answer.body)[RESULT_KEY]),
    "null": body(b"null"),
    "a text": body(b'"modelCustomizationJobSummaries"'),
    "a number": body(b"0"),
    "no result key": members(**{RESULT_KEY: ...}),
    "null for the result key": members(**{RESULT_KEY: None}),
    "an object for the result key": members(**{RESULT_KEY: {}}),
    "a text for the result key": members(**{RESULT_KEY: ""}),
    "a number for the result key": members(**{RESULT_KEY: 0}),
    "true for the result key": members(**{RESULT_KEY: True}),
    "another spelling of the result key": lambda answer: replace(
        answer, body=answer.body.replace(b'"modelC', b'"ModelC')
    ),
    "two documents": lambda answer: replace(answer, body=answer.body * 2),
    "two documents in two lines": lambda answer: replace(
        answer, body=answer.body + b"\n" + answer.body
    ),
    "text after the document": lambda answer: replace(answer, body=answer.body + HTML),
    "a number for the token": members(**{TOKEN: 17}),
    "an object for the token": members(**{TOKEN: {"nextToken": "x"}}),
    "a list for the token": members(**{TOKEN: []}),
    "false for the token": members(**{TOKEN: False}),
    "compressed": lambda answer: replace(answer, body=gzip.compress(answer.body)),
    "no content": lambda answer: replace(answer, status=204, body=b""),
}
"""Answers with a good status that are no page of the operation."""

REFUSALS: Mapping[str, Fault] = {
    "500": error(500, "InternalFailure"),
    "500 in HTML": error(500, "InternalFailure", HTML),
    "502 in HTML": error(502, "BadGateway", HTML),
    "503": error(503, "ServiceUnavailableException"),
    "504 without a body": error(504, "GatewayTimeout", b""),
    "429": error(429, "ThrottlingException"),
    "throttled with 400": error(400, "ThrottlingException"),
    "connection reset": lambda answer: replace(answer, is_dropped=True),
    "no answer in time": lambda answer: replace(answer, delay_seconds=30),
}
"""Answers that botocore itself repeats."""


@dataclass
class OnPage:
    """Puts a fault in place of one page of an operation, in the regions named or everywhere.

    `times` is how often in a row, for each region; `page` counts from 1 by the tokens that the
    endpoint gave out.
    """

    fault: Fault
    page: int = 1
    times: int = 10_000
    regions: Sequence[str] = ()
    operation: str = JOBS
    used: Counter[str] = field(default_factory=Counter)
    _pages: dict[str, int] = field(default_factory=dict)

    def __call__(self, call: Call, answer: Answer) -> Answer | None:
        """The fault's answer, or None for the sound one."""
        if call.operation != self.operation or call.client == "sts":
            return None
        page = self._pages.get(call.parameters.get(TOKEN, ""), 1)
        if answer.status == 200 and (token := json.loads(answer.body).get(TOKEN)):
            self._pages[token] = page + 1
        is_place = not self.regions or call.region_name in self.regions
        if page != self.page or not is_place or self.used[call.region_name] >= self.times:
            return None
        self.used[call.region_name] += 1
        return self.fault(answer)


@dataclass
class Limit:
    """A limit as AWS keeps it, by account and region: a bucket of `rate` tokens, filled evenly.

    Every call takes one, STS included; `refused` and `answered` count the calls of each place.
    """

    rate: float
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    _left: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def __call__(self, call: Call, _answer: Answer) -> Answer | None:
        """The answer of a service that is asked too often, or None for the sound one."""
        place, now = (call.account_id, call.region_name), time.monotonic()
        tokens, then = self._left.get(place, (self.rate, now))
        tokens = min(self.rate, tokens + (now - then) * self.rate)
        is_answered = tokens >= 1
        self._left[place] = (tokens - 1 if is_answered else tokens, now)
        (self.answered if is_answered else self.refused)[place] += 1
        if is_answered:
            return None
        refuse = sts_error_answer if call.client == "sts" else error_answer
        return refuse("ThrottlingException", "Rate exceeded", 400)

    @property
    def refused_share(self) -> float:
        """The share of all calls that was refused."""
        return self.refused.total() / (self.refused.total() + self.answered.total())


@dataclass
class Switch:
    """An interceptor that a test changes between nights; several are asked in turn."""

    faults: Sequence[Callable[[Call, Answer], Answer | None]] = ()

    def __call__(self, call: Call, answer: Answer) -> Answer | None:
        """The first replacement that one of the faults has."""
        replaced = (fault(call, answer) for fault in self.faults)
        return next((other for other in replaced if other is not None), None)


def scripted(
    script: Mapping[str | None, tuple[Sequence[Any], Any]], operation: str = JOBS
) -> Callable[[Call, Answer], Answer | None]:
    """Pages by the token that asks for them: items (datetimes as texts) and the next token."""

    def intercept(call: Call, _: Answer) -> Answer | None:
        if call.operation != operation:
            return None
        items, token = script[call.parameters.get(TOKEN)]
        page = {RESULT_KEY: items} | ({} if token is ... else {TOKEN: token})
        return json_answer(json.loads(json.dumps(page, default=lambda at: at.isoformat())))

    return intercept


def first_tokens(calls: Sequence[Call], operation: str = JOBS) -> list[str | None]:
    """The page tokens that were asked for, in order; None for page 1."""
    return [call.parameters.get(TOKEN) for call in calls if call.operation == operation]
