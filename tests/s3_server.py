"""A real S3 server for tests: SeaweedFS in one process, on loopback and on ports of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from exporting import ACCOUNT
from joblake.endpoint.identity import access_key_id

READ_ONLY = ("AKIAREADONLY", "a-secret-of-readers")
WRITER = (access_key_id(ACCOUNT), f"secret-of-{ACCOUNT}")
_STARTUP_SECONDS = 60
_SERVICES = ("master", "volume", "filer", "s3", "admin")


@dataclass(frozen=True)
class S3Server:
    """A running server. Its writer has the credentials that the embedded endpoint knows, too."""

    url: str
    bucket: str

    def environment(self) -> dict[str, str]:
        """What makes boto3 use it for S3 alone."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": WRITER[0],
            "AWS_SECRET_ACCESS_KEY": WRITER[1],
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @classmethod
    @contextmanager
    def started(cls, folder: Path, bucket: str = "lake") -> Iterator["S3Server"]:
        """Run one until the block ends; its log lies in `folder`."""
        ports = _free_ports(2 * len(_SERVICES))
        http = dict(zip(_SERVICES, ports[::2], strict=True))
        grpc = dict(zip(_SERVICES, ports[1::2], strict=True))
        options = [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={bucket}"]
        options += ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        identities = [
            _identity("writer", WRITER, "Admin"),
            _identity("reader", READ_ONLY, "Read", "List"),
        ]
        (folder / "identities.json").write_text(json.dumps({"identities": identities}))
        options.append(f"-s3.config={folder / 'identities.json'}")
        options += [f"-{service}.port={port}" for service, port in http.items()]
        options += [f"-{service}.port.grpc={port}" for service, port in grpc.items()]
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [_weed(), "mini", *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(folder),
                },
            )
        try:
            server = cls(f"http://127.0.0.1:{http['s3']}", bucket)
            server._wait(process, log)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def client(self) -> object:
        """A client of boto3 for it, whatever the environment says."""
        return boto3.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=WRITER[0],
            aws_secret_access_key=WRITER[1],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _wait(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        client = self.client()
        deadline = time.monotonic() + _STARTUP_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                # A write, because the first volume comes up after the bucket.
                client.put_object(Bucket=self.bucket, Key="is-up", Body=b"yes")
            except (BotoCoreError, ClientError):
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"no S3 server came up: {log.read_text(errors='replace')[-2000:]}")


def _identity(name: str, credentials: tuple[str, str], *actions: str) -> dict[str, object]:
    key_id, secret = credentials
    keys = [{"accessKey": key_id, "secretKey": secret}]
    return {"name": name, "credentials": keys, "actions": list(actions)}


def _weed() -> str:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed") or "weed"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
