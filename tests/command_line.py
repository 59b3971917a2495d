"""The command line as tests run it: in this process, or in one of its own where that matters.

A process of its own costs a second; it is for signals, terminals, closed pipes, rights and memory.
"""

import io
import os
import sys
from pathlib import Path

import pytest

from joblake.cli.commands import main
from processes import Finished, run_program

JOBLAKE = (sys.executable, "-m", "joblake.cli")
_POWERS = "-dac_override,-dac_read_search"  # which let root read and write what nobody may
WITHOUT_POWERS = (
    ("setpriv", f"--bounding-set={_POWERS}", f"--inh-caps={_POWERS}") if os.geteuid() == 0 else ()
)
_WIDTH = {"COLUMNS": "80"}  # that of no terminal; tests may run on a wider one


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
    return run_program(
        *before, *JOBLAKE, *arguments, folder=folder, environment=os.environ | environment
    )
