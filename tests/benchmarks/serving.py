"""An endpoint that only copies bytes: every page lies rendered in a file before anyone asks.

`render` writes the pages of one listing; this file run as a script serves them over HTTP with
keep-alive until its stdin closes. A page goes from the page cache to the socket by sendfile, so
that the clients measured are never waiting for it: `contenders.py` has a raw reader to prove that.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from resources import ACCOUNT, ITEMS, Item

from joblake.sources.catalogue import shipped_catalogue

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_IDENTITY = f"""
<GetCallerIdentityResponse xmlns="{_NAMESPACE}">
<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/benchmark</Arn><UserId>benchmark</UserId>
<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>
""".encode()
_ROLE = f"""
<AssumeRoleResponse xmlns="{_NAMESPACE}"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>benchmark</SecretAccessKey>
<SessionToken>benchmark</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>
""".encode()


@dataclass(frozen=True)
class Pages:
    """The rendered pages of a listing: one file, and where in it each page begins and ends."""

    file: Path
    offsets: tuple[int, ...]

    @classmethod
    def at(cls, folder: Path) -> "Pages":
        """What `render` left in a folder."""
        offsets = json.loads((folder / "offsets.json").read_text())
        return cls(folder / "pages", tuple(offsets))


def render(
    folder: Path, table: str, row_count: int, item_of: Callable[[int], Item] | None = None
) -> Pages:
    """Write the pages of a listing, full ones of the operation's maximum.

    `item_of` gives the item of a number, by default as it is first.
    """
    item_of = item_of or ITEMS[table]
    operation = shipped_catalogue().default[table].operation
    size = operation.page_maximum
    folder.mkdir(parents=True)
    offsets = [0]
    with (folder / "pages").open("wb") as file:
        for start in range(0, max(row_count, 1), size):
            numbers = range(start, min(start + size, row_count))
            items = [item_of(number) for number in numbers]
            page: dict[str, Any] = {operation.result_key: items}
            if start + size < row_count:
                page[operation.output_token] = f"page-{start // size + 1}"
            file.write(json.dumps(page, separators=(",", ":")).encode())
            offsets.append(file.tell())
    (folder / "offsets.json").write_text(json.dumps(offsets))
    return Pages.at(folder)


def render_empty(folder: Path) -> None:
    """Write the pages of an account that has nothing, not even a membership."""
    for table in shipped_catalogue().default:
        render(folder / table, table, 0)
    render_memberships(folder)


def render_memberships(folder: Path, *identifiers: str) -> None:
    """Write the listing of an account's memberships."""
    page = json.dumps(
        {
            shipped_catalogue()["memberships"].operation.result_key: [
                {"id": name} for name in identifiers
            ]
        }
    )
    memberships = folder / "memberships"
    memberships.mkdir()
    (memberships / "pages").write_text(page)
    (memberships / "offsets.json").write_text(json.dumps([0, len(page)]))


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Serve every listing rendered below `root` in a process of its own; gives its URL.

    What lies in `<root>/<account>/<table>` is listed by clients of the endpoint `<url>/<account>`,
    and of `<url>/<account>@50` with a wait of 50 ms before each page.
    """
    command = [sys.executable, __file__, str(root)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            if process.stdin:
                process.stdin.close()


class _Endpoint:
    """Answers the list operations of any source, and STS, from the folders below a root."""

    def __init__(self, root: Path) -> None:
        self._pages = cache(lambda listing: Pages.at(root / listing))
        self._file = cache(lambda listing: (root / listing / "pages").open("rb"))

    def serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._answer_all, args=(connection,), daemon=True).start()

    def _answer_all(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            try:
                while request := requests.readline():
                    length = 0
                    while (line := requests.readline()) not in {b"\r\n", b""}:
                        name, _, value = line.partition(b":")
                        if name.lower() == b"content-length":
                            length = int(value)
                    self._answer(connection, request.decode(), requests.read(length))
            except ConnectionError:
                return

    def _answer(self, connection: socket.socket, request: str, body: bytes) -> None:
        method, target, _ = request.split(" ")
        parts = urlsplit(target)
        account, *operation = parts.path.strip("/").split("/")
        if method == "POST" and not operation:  # only STS is asked at the root
            answer = _ROLE if b"Action=AssumeRole" in body else _IDENTITY
            connection.sendall(_head("text/xml", len(answer)) + answer)
            return
        # The path of each list operation ends in the words of its table.
        account, _, milliseconds = account.partition("@")
        time.sleep(int(milliseconds or 0) / 1000)
        listing = f"{account}/{operation[-1].replace('-', '_')}"
        token = parse_qs(parts.query).get("nextToken", ["page-0"])[0]
        page = int(token.removeprefix("page-"))
        start, end = self._pages(listing).offsets[page : page + 2]
        connection.sendall(_head("application/json", end - start), socket.MSG_MORE)
        while start < end:
            file = self._file(listing)
            start += os.sendfile(connection.fileno(), file.fileno(), start, end - start)


def _head(content_type: str, length: int) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def main() -> None:
    """Serve the folders below the path given, print the URL, and end with stdin."""
    listener = socket.create_server(("127.0.0.1", 0))
    endpoint = _Endpoint(Path(sys.argv[1]))
    threading.Thread(target=endpoint.serve, args=(listener,), daemon=True).start()
    host, port = listener.getsockname()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
