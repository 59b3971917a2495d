"""One process, measured from outside: wall and CPU seconds and peak memory."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from resources import REGION


@dataclass(frozen=True)
class Measured:
    """What a process took: CPU seconds with its children's, memory of the largest of them.

    `peak_bytes` is the resident set, with the pages of files that are mapped into it. `output` is
    what it printed.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run_measured(command: Sequence[str | Path], environment: Mapping[str, str]) -> Measured:
    """Run a command to its end; RuntimeError where it fails."""
    started = perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    with process.stdout:
        output = process.stdout.read()
    # The children that it has waited for are in its figures.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}: {output}")
    return Measured(
        wall_seconds=perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,
        output=output,
    )


def run_contender(name: str, url: str, home: Path, **task: object) -> tuple[dict, Measured]:
    """Run one of `contenders.py`: what it says of its work, and what its process took."""
    script = Path(__file__).with_name("contenders.py")
    words = json.dumps({"url": url, **task})
    measured = run_measured([sys.executable, script, name, words], environment(url, home))
    return json.loads(measured.output), measured


def environment(url: str, home: Path) -> dict[str, str]:
    """An environment in which boto3 and the AWS CLI know the endpoint and nothing of the user's."""
    # Without compiled modules a second goes into compiling them, at each start.
    foreign = ("AWS_", "JOBLAKE_", "PREFECT_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "HOME": str(home),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
