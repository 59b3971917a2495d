"""The demo replays many nights on an embedded AWS endpoint, the last one as the flow.

Nothing is faked on joblake's side: real boto3 over real HTTP, the real export, and for the last
night the real Prefect flow in a process of its own.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import track

from joblake.bundled import bundled_folder
from joblake.cli.narration import counted
from joblake.errors import JoblakeError, UsageError
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.lake.local import Lake
from joblake.settings.settings import load_settings

if TYPE_CHECKING:
    from joblake.endpoint import EndpointServer

_MARKER = ".joblake-demo"
_REGION = "us-east-1"

_ANSWERS = (
    (
        "How long do jobs take, and is it getting worse? (hours; 8 jobs a month or more)",
        """
        select
            job_kind,
            parse_filename(model) as model,
            month,
            job_count,
            p50_seconds / 3600 as median,
            p95_seconds / 3600 as p95,
            max_seconds / 3600 as longest
        from job_durations
        where job_count >= 8
        order by job_kind, model, month
        """,
    ),
    (
        "What happened last night?",
        """
        select
            job_kind,
            coalesce(previous_status, '(new)') as was,
            coalesce(status, '(gone)') as is_now,
            count(*) as jobs,
            max_by(job_name, changed_at) as for_example
        from job_status_changes
        where run_id = (select max_by(run_id, observed_at) from job_status_changes)
        group by all
        order by job_kind, was, jobs desc, is_now
        """,
    ),
)


@dataclass
class NightClock:
    """A clock that can be put back, so that a night of the past is listed as the present."""

    behind: timedelta = timedelta()

    def __call__(self) -> datetime:
        """The instant that it shows, in UTC."""
        return datetime.now(UTC) - self.behind


def run_demo(lake: str, nights: int) -> None:
    """Replay the nights into a lake of the demo's own, and show the answers to its questions.

    UsageError when `lake` holds anything but an earlier demo.
    """
    from joblake.endpoint import EndpointServer, World

    console = Console(stderr=True, highlight=False)
    folder = Lake.at(lake).root
    _clear(folder)
    clock = NightClock()
    today = datetime.now(UTC).date()
    world = World(first_day=today - timedelta(days=nights + 14), days=nights + 15)
    with EndpointServer(world, clock=clock) as server:
        _set_environment(server)
        console.print(f"An AWS endpoint of our own: {server.url} (loopback only)")
        _replay(lake, nights, clock, console)
        clock.behind = timedelta()
        console.print("Last night runs as the Prefect flow, on Prefect's embedded API …")
        _run_flow(lake, console)
    _show(folder)


def serve_endpoint(port: int, seed: int) -> None:
    """Print the environment of an endpoint and serve it until Ctrl-C.

    Its world began 30 days ago and lives on.
    """
    from joblake.endpoint import World, serve_forever

    today = datetime.now(UTC).date()
    world = World(first_day=today - timedelta(days=30), days=60, seed=seed)

    def announce(server: "EndpointServer") -> None:
        for name, value in server.environment(region_name=_REGION).items():
            if not name.lower().endswith("_proxy"):
                typer.echo(f"export {name}={value}")
        typer.echo(f"serving {server.url} on loopback only; Ctrl-C ends it", err=True)

    serve_forever(world, announce=announce, port=port)


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARKER).exists():
            raise UsageError(f"{folder} holds a lake that is no demo; choose another --lake")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).touch()


def _set_environment(server: "EndpointServer") -> None:
    """Let the rest of this process know the endpoint, and no settings of the user's."""
    for name in list(os.environ):
        if name.startswith("JOBLAKE_") or name in {"AWS_PROFILE", "AWS_SESSION_TOKEN"}:
            del os.environ[name]
    os.environ["JOBLAKE_CONFIG"] = os.devnull
    os.environ.update(server.environment(region_name=_REGION))


def _replay(lake: str, nights: int, clock: NightClock, console: Console) -> None:
    settings = load_settings(lake=lake, region=(_REGION,))
    listed = written = 0
    steps = range(nights - 1, 0, -1)
    label = f"Replaying {counted(nights - 1, 'night')}"
    for days_ago in track(steps, label, console=console, disable=not console.is_terminal):
        clock.behind = timedelta(days=days_ago)
        result = export(plan(settings, clock=clock), clock=clock)
        if not result.is_good:
            bad = next(scope for scope in result.scopes if not scope.is_good)
            raise JoblakeError(f"the demo's {bad.table_name} ended {bad.outcome}: {bad.error}")
        listed += sum(scope.listed for scope in result.scopes)
        written += sum(s.added + s.changed + s.vanished for s in result.scopes)
    console.print(
        f"{counted(nights - 1, 'night')}: {listed:,} resources listed, "
        f"{written:,} observations written"
    )


def _run_flow(lake: str, console: Console) -> None:
    flow = bundled_folder("flows") / "nightly_export.py"
    environment = os.environ | {"JOBLAKE_LAKE": lake, "JOBLAKE_REGION": _REGION}
    # The demo needs no server, not even one that the user has.
    environment.pop("PREFECT_API_URL", None)
    finished = subprocess.run(  # noqa: S603 - our own interpreter and our own file
        [sys.executable, str(flow)], env=environment, stdout=sys.stderr, check=False
    )
    if finished.returncode:
        raise JoblakeError("the flow did not complete; its log above says why")
    console.print("The flow completed.")


def _show(folder: Path) -> None:
    from joblake.cli.formats import write_result
    from joblake.sources.catalogue import shipped_catalogue
    from joblake.warehouse.warehouse import open_warehouse

    with open_warehouse(Lake.at(folder), shipped_catalogue()) as warehouse:
        for question, sql in _ANSWERS:
            typer.echo(f"\n{question}\n")
            write_result(warehouse, sql)
    files = list(folder.glob("**/*.parquet"))
    size = sum(file.stat().st_size for file in files)
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    command = "uv run joblake" if "UV" in os.environ else "joblake"
    typer.echo(
        f"""
The lake lies in {shown}: {len(files)} Parquet files, {size / 1024:,.0f} KiB.
Its report, for any browser: {shown}/marts/report.html

Three things to try next:

  {command} query "from job_phases limit 20" --lake {shown}
  {command} query "from jobs_as_of(now() - interval 7 days) limit 20" --lake {shown}
  {command} query "from listing_coverage" --lake {shown} --format csv"""
    )
