"""The embedded endpoint as a running server, in a thread of its own or in the foreground."""

import asyncio
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from joblake.endpoint.application import Application, Clock, Intercept, Lister, Log
from joblake.endpoint.identity import access_key_id
from joblake.endpoint.resources import Resources
from joblake.endpoint.wire import Call
from joblake.errors import JoblakeError, UsageError
from joblake.sources.catalogue import Catalogue, shipped_catalogue

_IDLE_CONNECTION_SECONDS = 75
_START_SECONDS = 10.0


class CloseableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, whose connections the application can close by their peer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the application, through each request's state, the means to close connections."""
        super().connection_made(transport)
        self.app_state["close_connection"] = self._close_connection

    def _close_connection(self, client: tuple[str, int]) -> None:
        for connection in tuple(self.connections):
            if isinstance(connection, CloseableProtocol) and connection.client == client:
                connection.transport.close()


def utc_now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


class EndpointServer:
    """Serves resources on the loopback interface for as long as its context lasts.

    `clock` gives the instant that a listing shows; `port` 0 takes a free one. `intercept` sees
    each call with its answer, in the server's thread, and may return another answer. The operations
    of the `catalogue` are served, by default of the shipped one. UsageError where the host is not
    the loopback interface or the port cannot be had.
    """

    def __init__(  # noqa: PLR0913 - each is an independent option, given by name
        self,
        resources: Resources,
        *,
        clock: Clock = utc_now,
        host: str = "127.0.0.1",
        port: int = 0,
        intercept: Intercept | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        _require_loopback(host)
        sources = (catalogue or shipped_catalogue()).values()
        self._resources = resources
        self._operations = tuple(dict.fromkeys(source.operation for source in sources))
        self._log = Log()
        parents = (source.parent for source in sources)
        parameters = frozenset(parent.parameter for parent in parents if parent is not None)
        lister = Lister(resources, clock, parameters)
        self._application = Application(self._operations, lister, self._log, intercept)
        self._address = (host, port)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""

    def __enter__(self) -> Self:
        listener = _listen(*self._address)
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._server = uvicorn.Server(_configuration(self._application))
        self._thread = threading.Thread(
            target=self._run, args=(self._server, listener), name=f"endpoint {self.url}"
        )
        self._thread.start()
        self._await_start(self._server, self._thread)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call answered so far, in order; safe to read from any thread."""
        return self._log.calls()

    def environment(
        self, account_id: str | None = None, region_name: str = "us-east-1"
    ) -> dict[str, str]:
        """The environment in which boto3 and the aws CLI talk to this endpoint and no other.

        The credentials belong to `account_id`, by default the resources' default account.
        """
        account_id = account_id or self._resources.default_account_id
        services = {operation.service_id for operation in self._operations} | {"sts"}
        endpoints = {
            f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}": self.url
            for service in services
        }
        hosts = ["127.0.0.1", "localhost", "::1"]
        bypass = ",".join(
            filter(None, [os.environ.get("no_proxy", os.environ.get("NO_PROXY")), *hosts])
        )
        return {
            **endpoints,  # stronger than AWS_ENDPOINT_URL: the user's own may be set
            "AWS_ENDPOINT_URL": self.url,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "AWS_ACCESS_KEY_ID": access_key_id(account_id),
            "AWS_SECRET_ACCESS_KEY": f"secret-of-{account_id}",
            "AWS_REGION": region_name,
            "AWS_DEFAULT_REGION": region_name,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": bypass,
            "no_proxy": bypass,
        }

    def _run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await server.serve(sockets=[listener])

        with listener:
            asyncio.run(serve())

    def _await_start(self, server: uvicorn.Server, thread: threading.Thread) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                self._stop()
                raise JoblakeError(f"the endpoint at {self.url} did not start")
            time.sleep(0.005)

    def _stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._application.closing.set)
        self._thread.join()


def serve_forever(
    resources: Resources,
    *,
    announce: Callable[[EndpointServer], None],
    clock: Clock = utc_now,
    host: str = "127.0.0.1",
    port: int = 0,
) -> None:
    """Serve until Ctrl-C; `announce` gets the running server once, to print its address."""
    with EndpointServer(resources, clock=clock, host=host, port=port) as server:
        announce(server)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _configuration(application: Application) -> uvicorn.Config:
    """Uvicorn without access log, lifespan, web sockets or a log configuration of its own."""
    asgi: Any = application.starlette()
    return uvicorn.Config(
        asgi,
        http=CloseableProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_IDLE_CONNECTION_SECONDS,
    )


def _require_loopback(host: str) -> None:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UsageError(
            f"the endpoint answers anybody who asks: it listens on the loopback interface only,"
            f" not on {host!r}; use 127.0.0.1"
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only then: 40 ms a page without it.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(f"the endpoint cannot listen on {host} port {port}: {error}") from error
    return listener
