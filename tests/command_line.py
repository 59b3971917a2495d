"""The command line as tests run it: in this process, or in one of its own where that matters.

A process of its own costs a second; it is for signals, terminals, closed pipes, rights and memory.
"""

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from joblake.cli.commands import main

JOBLAKE = (sys.executable, "-m", "joblake.cli")
_POWERS = "-dac_override,-dac_read_search"  # which let root read and write what nobody may
WITHOUT_POWERS = (
    ("setpriv", f"--bounding-set={_POWERS}", f"--inh-caps={_POWERS}") if os.geteuid() == 0 else ()
)
_WIDTH = {"COLUMNS": "80"}  # that of no terminal; tests may run on a wider one
_SECONDS = 400


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


def run_joblake(
    *arguments: str | bytes, stdin: str = "", folder: Path | None = None, **environment: str
) -> Finished:
    """Run a command in this process, and leave the process as it was.

    `folder` is the working directory, `environment` comes on top of this process's.
    """
    streams = {name: io.TextIOWrapper(io.BytesIO(), "utf-8") for name in ("stdout", "stderr")}
    streams["stdin"] = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["joblake", *map(os.fsdecode, arguments)])
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        for variable, value in (_WIDTH | environment).items():
            patch.setenv(variable, value)
        patch.chdir(folder or Path.cwd())
        with pytest.raises(SystemExit) as ended:
            main()
    written = {name: _written(streams[name]) for name in ("stdout", "stderr")}
    assert isinstance(ended.value.code, int)
    return Finished(ended.value.code, written["stdout"], written["stderr"].decode())


def _written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    octets = stream.buffer
    assert isinstance(octets, io.BytesIO)
    return octets.getvalue()


def run_joblake_process(
    *arguments: str | bytes,
    before: tuple[str, ...] = (),
    folder: Path | None = None,
    **environment: str,
) -> Finished:
    """Run a command in a process of its own; `before` is a program that starts it."""
    finished = subprocess.run(
        [*before, *JOBLAKE, *arguments],
        env=os.environ | environment,
        cwd=folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
        check=False,
    )
    return Finished(finished.returncode, finished.stdout, finished.stderr.decode())
