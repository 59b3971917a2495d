"""The endpoint's HTTP application: routes, listings and pages, derived from the service models.

A listing shows one instant: the clock's when its first page was asked for. Its items are selected
and sorted once and kept for the pages that follow; a page whose listing is no longer kept is made
again from the instant in its token. Every first page asks the resources anew.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from joblake.endpoint.identity import Caller, answer_sts, read_caller, sts_error_answer
from joblake.endpoint.resources import Place, Resources
from joblake.endpoint.selection import Item, filters_of, select
from joblake.endpoint.tokens import Position, query_digest, read_token, write_token
from joblake.endpoint.validation import read_parameters
from joblake.endpoint.wire import Answer, Call, ServiceError, encoder, error_answer, json_answer
from joblake.sources.service_model import Operation, ParameterValue

Clock = Callable[[], datetime]
Intercept = Callable[[Call, Answer], Answer | None]

DEFAULT_PAGE_SIZE = 100
_LISTINGS_KEPT = 32
_NO_CREDENTIALS = ("MissingAuthenticationToken", "Missing Authentication Token", 403)


@dataclass
class Log:
    """The calls answered so far; threads may read it while the application writes."""

    _calls: list[Call] = field(default_factory=list)
    _numbers: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def number(self, operation: str) -> int:
        """The number of the next call of an operation, from 1."""
        with self._lock:
            self._numbers[operation] += 1
            return self._numbers[operation]

    def add(self, call: Call) -> None:
        """Keep a call that has its answer."""
        with self._lock:
            self._calls.append(call)

    def calls(self) -> tuple[Call, ...]:
        """Every call so far, in the order of their answers."""
        with self._lock:
            return tuple(self._calls)


@dataclass(frozen=True)
class Lister:
    """Answers the list operations from the resources.

    `parent_parameters` are the request parameters that name what is listed in.
    """

    resources: Resources
    clock: Clock
    parent_parameters: frozenset[str]
    _listings: OrderedDict[tuple[str, datetime], Sequence[Item]] = field(
        default_factory=OrderedDict
    )

    def page(self, operation: Operation, caller: Caller, texts: Mapping[str, str]) -> Answer:
        """One page of a list operation; ServiceError where the parameters are refused."""
        values = read_parameters(operation, texts)
        place = replace(caller.place, parent=self._parent(values))
        digest = query_digest(operation, place, values)
        now = self.clock().astimezone(UTC)
        token = str(values.get(operation.input_token, ""))
        position = read_token(token, digest, now) if token else Position(0, now)
        items = self._listing(operation, place, values, position)
        size = int(str(values.get(operation.limit_key, _default_size(operation))))
        end = position.offset + size
        shown = [_encoded(operation, item) for item in items[position.offset : end]]
        body: dict[str, Any] = {operation.result_key: shown}
        if end < len(items):
            body[operation.output_token] = write_token(replace(position, offset=end), digest)
        return json_answer(body)

    def _parent(self, values: Mapping[str, ParameterValue]) -> str | None:
        named = self.parent_parameters.intersection(values)
        return str(values[next(iter(named))]) if named else None

    def _listing(
        self,
        operation: Operation,
        place: Place,
        values: Mapping[str, ParameterValue],
        position: Position,
    ) -> Sequence[Item]:
        key = (query_digest(operation, place, values), position.shown_at)
        if position.offset == 0 or key not in self._listings:
            items = self.resources.items(operation, place, position.shown_at)
            self._listings[key] = select(operation, items, values, place)
            if len(self._listings) > _LISTINGS_KEPT:
                self._listings.popitem(last=False)
        self._listings.move_to_end(key)
        return self._listings[key]


def _default_size(operation: Operation) -> int:
    return min(DEFAULT_PAGE_SIZE, operation.page_maximum)


def _encoded(operation: Operation, item: Item) -> Any:
    encode = encoder(operation.item)
    return item if encode is None else encode(item)


class AnswerResponse(Response):
    """Sends an answer with its faults: late, cut short, or not at all."""

    def __init__(self, answer: Answer, closing: asyncio.Event) -> None:
        super().__init__(answer.body, answer.status, dict(answer.headers))
        self._answer = answer
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer as the ASGI application that a response is."""
        answer = self._answer
        if answer.delay_seconds > 0:
            await self._delay(answer.delay_seconds)
        if not answer.is_dropped and answer.cut_after is None:
            await super().__call__(scope, receive, send)
            return
        if not answer.is_dropped:
            start = {"type": "http.response.start", "status": answer.status}
            await send({**start, "headers": self.raw_headers})
            part = answer.body[: answer.cut_after]
            await send({"type": "http.response.body", "body": part, "more_body": True})
        scope["state"]["close_connection"](scope["client"])
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _delay(self, seconds: float) -> None:
        """Wait, but no longer than the server lives."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return


@dataclass(frozen=True)
class Application:
    """The routes of list operations, and of STS."""

    operations: Sequence[Operation]
    lister: Lister
    log: Log
    intercept: Intercept | None
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def starlette(self) -> Starlette:
        """The application as uvicorn serves it."""
        routes = [Route("/", self._answer_sts, methods=["POST"])]
        for operation in self.operations:
            filters_of(operation)  # a filter that names no member shows now, not when it is used
            routes.append(self._route(operation))
        unknown: Any = {404: self._answer_unknown, 405: self._answer_unknown}
        application = Starlette(routes=routes, exception_handlers=unknown)
        application.router.redirect_slashes = False
        return application

    def _route(self, operation: Operation) -> Route:
        async def answer_listing(request: Request) -> Response:
            texts = {**request.query_params, **request.path_params}

            def page(caller: Caller) -> Answer:
                return self.lister.page(operation, caller, texts)

            call = self._call(request, operation.client, operation.name, texts)
            return self._respond(request, call, page, error_answer)

        return Route(operation.request_uri, answer_listing, methods=[operation.http_method])

    async def _answer_sts(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        call = self._call(request, "sts", form.get("Action", ""), form)
        return self._respond(
            request, call, lambda caller: answer_sts(caller, form), sts_error_answer
        )

    async def _answer_unknown(self, request: Request, _: HTTPException) -> Response:
        def refuse(_: Caller) -> Answer:
            raise ServiceError("UnknownOperationException", "Unknown operation", 404)

        call = self._call(request, "", "", dict(request.query_params))
        return self._respond(request, call, refuse, error_answer)

    def _call(
        self, request: Request, client: str, operation: str, texts: Mapping[str, str]
    ) -> Call:
        caller = self._caller(request)
        return Call(
            client=client,
            operation=operation,
            account_id=caller.account_id if caller else "",
            region_name=caller.region_name if caller else "",
            path=request.url.path,
            parameters=dict(texts),
            number=self.log.number(operation),
            access_key_id=caller.access_key_id if caller else "",
        )

    def _caller(self, request: Request) -> Caller | None:
        authorization = request.headers.get("authorization", "")
        return read_caller(authorization, self.lister.resources.default_account_id)

    def _respond(
        self,
        request: Request,
        call: Call,
        make: Callable[[Caller], Answer],
        refuse: Callable[[str, str, int], Answer],
    ) -> Response:
        """Make the answer, let the interceptor replace it, log the call and send."""
        caller = self._caller(request)
        try:
            answer = refuse(*_NO_CREDENTIALS) if caller is None else make(caller)
        except ServiceError as error:
            answer = refuse(error.code, error.message, error.status)
        if self.intercept is not None:
            answer = self.intercept(call, answer) or answer
        self.log.add(replace(call, status=answer.status))
        headers = {"x-amzn-requestid": str(uuid4()), **answer.headers}
        return AnswerResponse(replace(answer, headers=headers), self.closing)
