"""Programs that tests run beside themselves, and end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STARTUP_SECONDS = 120
_END_SECONDS = 400


def program(name: str) -> str:
    """The path of a program that is installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_until(is_true: Callable[[], object], what: str, seconds: float = _STARTUP_SECONDS) -> None:
    """Wait for something to become true; AssertionError that names it when it does not."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.3)


@dataclass(frozen=True)
class Finished:
    """How a command ended: its exit code, the octets of its data, the text of its narration."""

    returncode: int
    octets: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """The data as text."""
        return self.octets.decode()


def run_program(
    *command: str | bytes,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program to its end, without anything on its stdin."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_END_SECONDS,
        check=False,
    )
    return Finished(ended.returncode, ended.stdout, ended.stderr.decode())


@contextmanager
def running(
    command: list[str], *, folder: Path, environment: Mapping[str, str]
) -> Iterator[Callable[[], str]]:
    """Run a program and all that it starts until the block ends; gives what it printed so far."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield lambda: log.read_text(errors="replace")
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(15)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        process.wait()
