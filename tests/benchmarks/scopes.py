"""Very many small scopes: how many a second, with how much memory, and what bounds them.

`uv run python tests/benchmarks/scopes.py` plans and exports ten accounts in 25 regions, four tables
each, with a hundred resources in every scope: a thousand scopes, twice, for each number of workers.
The command line runs in a process of its own against an endpoint that only copies bytes.
`--profile` names the functions that the first night spends its time in instead.
"""

import argparse
import cProfile
import json
import os
import pstats
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from measuring import environment, run_measured
from resources import MEMBERSHIP
from serving import render, render_memberships, serving

from joblake.aws.regions import service_regions
from joblake.export.export import export_scope
from joblake.export.planning import plan
from joblake.export.run import open_run
from joblake.settings.settings import load_settings
from joblake.sources.catalogue import shipped_catalogue

_ROW = "| {:>7} | {:<15} | {:>8} | {:>11} | {:>11} | {:>9} |"


@contextmanager
def _endpoint(folder: Path, rows: int) -> Iterator[Mapping[str, str]]:
    """An environment in which every account and region lists the same rows."""
    for table in shipped_catalogue().default:
        render(folder / "pages" / "any" / table, table, rows)
    render_memberships(folder / "pages" / "any", MEMBERSHIP)
    with serving(folder / "pages") as url:
        yield environment(f"{url}/any", folder)


def _options(accounts: int, regions: int) -> dict[str, str]:
    """The settings of so many accounts, all but the first by a role, in so many regions."""
    # Bedrock is in more regions than Clean Rooms; a region by its name is taken at its word.
    names = sorted(r for r in service_regions("bedrock") if r[:2] in {"ap", "ca", "eu", "sa", "us"})
    arns = (f"arn:aws:iam::{number:012}:role/reader" for number in range(1, accounts))
    roles = [{"role_arn": arn} for arn in arns]
    return {"account": json.dumps([{}, *roles]), "region": ",".join(names[:regions])}


def _measure(folder: Path, env: Mapping[str, str], workers: int) -> None:
    """Two nights of one lake, a row for each."""
    lake = folder / "lake"
    for night in ("first night", "nothing changed"):
        command = [sys.executable, "-m", "joblake.cli", "export", "--json", "--lake", str(lake)]
        limits = ["--max-workers", str(workers), "--max-workers-per-region", str(workers)]
        measured = run_measured([*command, *limits], env)
        scopes = json.loads(measured.output)["scopes"]
        # Of each parent there is one, of all else as many rows as were asked for.
        outcomes = Counter(
            (scope["outcome"], scope["listed"])
            for scope in scopes
            if scope["table_name"] in shipped_catalogue().default
        )
        if len(outcomes) != 1:
            raise RuntimeError(f"the scopes ended differently: {outcomes}")
        figures = (
            f"{len(scopes) / measured.wall_seconds:.1f}",
            f"{measured.wall_seconds:.1f}",
            f"{measured.cpu_seconds:.1f}",
            f"{measured.peak_bytes / 2**20:,.0f} MiB",
        )
        sys.stdout.write(_ROW.format(workers, night, *figures) + "\n")
        sys.stdout.flush()
    shutil.rmtree(lake)


def _profile(folder: Path, env: Mapping[str, str]) -> None:
    """Print where one worker's time goes, planning and exporting."""
    os.environ.update(env)
    profile = cProfile.Profile(time.process_time)  # whatever else the machine does
    profile.enable()
    settings = load_settings(lake=str(folder / "lake"), max_workers=1)
    run = plan(settings)
    # Not through threads, where the profile would not follow.

    opened = open_run(run)
    for planned in run.scopes:
        export_scope(opened, planned)
    profile.disable()
    pstats.Stats(profile, stream=sys.stdout).sort_stats("cumulative").print_stats("joblake", 30)
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Measure as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10)
    parser.add_argument("--regions", type=int, default=25)
    parser.add_argument("--rows", type=int, default=100, help="resources in every scope")
    parser.add_argument("--workers", type=int, action="append", help="repeatable; 1, 2, 4 and 8")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _endpoint(folder, given.rows) as env:
            options = _options(given.accounts, given.regions)
            named = {f"JOBLAKE_{key.upper()}": text for key, text in options.items()}
            told = {**env, **named}
            if given.profile:
                _profile(folder, told)
                return
            heads = ("workers", "night", "scopes/s", "seconds", "CPU seconds", "peak")
            sys.stdout.write(_ROW.format(*heads) + "\n")
            sys.stdout.write("|" + "|".join("---" for _ in heads) + "|\n")
            for workers in given.workers or (1, 2, 4, 8):
                _measure(folder, told, workers)


if __name__ == "__main__":
    main()
