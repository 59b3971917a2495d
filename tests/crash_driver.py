"""Exports in processes that a test may kill: imported once, forked for every export.

Reads a JSON object a line from stdin (`lake`, `at`, `is_traced`); answers with the process id of
the export and, when that has ended, with its wait status. The exit code is that of the command
line, or 70 where an error got out that should have become an outcome.
"""

import ctypes
import gc
import json
import os
import sys
import time
import traceback
from datetime import datetime
from pathlib import Path

import duckdb  # noqa: F401 - all that takes long is imported before the first fork
import pandas as pd  # noqa: F401 - pyarrow does, when it meets its first timestamp

from declared import SOURCES
from exporting import run_export
from joblake.aws.allowance import Politeness
from joblake.aws.connections import Connections
from joblake.errors import JoblakeError
from joblake.listing import reader
from joblake.sources.schema import observation_schema

PR_SET_PTRACER = 0x59616D61
OPTIONS = {"page_size": 4, "max_attempts": 2, "max_workers": 1}


def be_traced():
    """Let any process attach, and wait until one has."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        time.sleep(0.002)
    time.sleep(0.02)


def export(order):
    """The child's whole life."""
    code = 70
    try:
        if order["is_traced"]:
            be_traced()
            # Each page by itself: more calls to disturb, and as many in every run.
            reader.BATCH_PAGES = 1
            reader.THREADS = 1  # strace counts the calls of each thread by itself
        at = datetime.fromisoformat(order["at"])
        result = run_export(Path(order["lake"]), at=at, **OPTIONS)
        sys.stderr.write("".join(f"{scope.outcome}: {scope.error}\n" for scope in result.scopes))
        code = 0 if result.is_good else 1
    except JoblakeError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    except Exception:  # noqa: BLE001 - the test wants to know
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def warm_up():
    """Parse botocore's data and models: under strace each look at a file costs a hundredfold."""
    connections = Connections(Politeness(max_attempts=1))
    for service in ("sts", "bedrock"):
        connections.client(service, "us-east-1")
    for source in SOURCES.values():
        observation_schema(source)
    gc.freeze()  # or the children would copy the whole heap


def main():
    """Serve until stdin ends."""
    warm_up()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            export(json.loads(line))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
