"""The nightly export as a Prefect flow: plan, one task per scope, a summary, marts and report.

Runs by itself (`python nightly_export.py --region us-east-1,eu-west-1`, any setting as an option),
on Prefect's embedded API, and under a Prefect server.
The package does the work and knows no Prefect; this file only schedules it.
"""

# ruff: noqa: E402 - Prefect reads its defaults from the environment when it is imported

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

# Without a server Prefect starts one of its own; its defaults do not suit a short run. They must
# stand before the first import of prefect.
EMBEDDED_API_DEFAULTS = {
    "PREFECT_HOME": str(Path.cwd() / ".prefect"),
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).with_name("logging.yml")),
}
if "PREFECT_API_URL" not in os.environ:
    for _name, _value in EMBEDDED_API_DEFAULTS.items():
        os.environ.setdefault(_name, _value)

from prefect import Task, flow, task, unmapped
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, PrefectFutureList
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from joblake.errors import JoblakeError, UsageError
from joblake.export.export import export_scope
from joblake.export.outcomes import RunResult, ScopeResult, failed_result
from joblake.export.planning import plan
from joblake.export.run import OpenRun, PlannedScope, Run, open_run
from joblake.lake.layout import S3_SCHEME
from joblake.outcome import ListingOutcome
from joblake.report import write_report
from joblake.settings.settings import Settings, lake_of, load_settings
from joblake.warehouse.publish import publish

SUMMARY_KEY = "joblake-nightly-export"
_COLUMNS = ("scope", "outcome", "listed", "added", "changed", "vanished", "seconds", "error")


class ScopeNotExportedError(Exception):
    """A scope ended partial, denied or failed. The first argument has all results of its task."""

    @property
    def results(self) -> tuple[ScopeResult, ...]:
        """The results of the planned scope and of those below it."""
        return self.args[0]  # type: ignore[no-any-return]  # exceptions keep their arguments untyped

    def __str__(self) -> str:
        bad = (result for result in self.results if not result.is_good)
        return "; ".join(f"{result.table_name}: {result.outcome}: {result.error}" for result in bad)


def _is_worth_another_try(_task: object, _run: object, state: State[Any]) -> bool:
    """Whether another try may help: a missing permission does not come back by waiting."""
    error = state.result(raise_on_failure=False)
    if not isinstance(error, ScopeNotExportedError):
        return True
    return any(
        not result.is_good and result.outcome is not ListingOutcome.denied
        for result in error.results
    )


@task(cache_policy=NO_CACHE)
def plan_run(config: str | None, options: dict[str, Any]) -> Run:
    """Name the scopes of this night."""
    return plan(load_settings(config, **options))


@task(
    task_run_name="{planned.scope}",
    cache_policy=NO_CACHE,
    retry_condition_fn=_is_worth_another_try,
    retry_jitter_factor=0.5,
)
def export_one(opened: Callable[[], OpenRun], planned: PlannedScope) -> tuple[ScopeResult, ...]:
    """Export one planned scope of the run that this process has opened.

    Fails where an outcome is not a good one, or where this process could not open the run.
    """
    results = export_scope(opened(), planned)
    if not all(result.is_good for result in results):
        raise ScopeNotExportedError(results)
    return results


@task(cache_policy=NO_CACHE)
def publish_marts(run: Run) -> None:
    """Write the marts for BI tools anew."""
    publish(lake_of(run.settings), run.settings.catalogue)


@task(cache_policy=NO_CACHE)
def publish_report(run: Run) -> None:
    """Write the page that people read, beside the marts."""
    write_report(lake_of(run.settings), run.settings.catalogue)


@flow(name="nightly-export")
def nightly_export(config: str | None = None, options: dict[str, Any] | None = None) -> State[Any]:
    """List every scope, merge it into the lake, sum it up, and publish marts and report.

    The flow ends failed if any scope did; no scope stops another.

    Args:
        config: path of a joblake.toml; the one in the working directory where it is None.
        options: settings by name, before those of the file and the environment.
    """
    run = plan_run(config, options or {})
    retrying = export_one.with_options(
        retries=run.settings.scope_retries,
        retry_delay_seconds=run.settings.scope_retry_seconds,
    )
    with _task_runner(run.settings) as runner, _opened_for_tasks(run, runner) as opened:
        futures: PrefectFutureList[Any] = runner.map(
            cast("Task[..., Any]", retrying),
            {"opened": unmapped(opened), "planned": list(run.scopes)},
        )
        results = [
            result
            for planned, future in zip(run.scopes, futures, strict=True)
            for result in _results_of(run, planned, future)
        ]
    whole = RunResult(run.run_id, run.observed_at, tuple(results))
    create_markdown_artifact(key=SUMMARY_KEY, markdown=summary(whole), description=run.run_id)
    publish_marts(run)
    publish_report(run)
    bad = [result for result in results if not result.is_good]
    if bad:
        return Failed(message=f"{len(bad)} of {len(results)} scopes: see the summary")
    return Completed(message=f"{len(results)} scopes")


def _task_runner(settings: Settings) -> TaskRunner[Any]:
    """The runner of the tasks: threads of this process, or the processes of a Dask cluster."""
    if settings.task_runner == "threads":
        return ThreadPoolTaskRunner(max_workers=settings.max_workers)
    try:
        import cloudpickle  # noqa: PLC0415 - comes with Dask, which only some installations have
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise UsageError(
            "task_runner is dask, which is not installed; install joblake[dask]"
        ) from error
    # Workers have the package, and this file perhaps not.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    if settings.task_runner_address is not None:
        if not settings.lake.startswith(S3_SCHEME) and not Path(settings.lake).is_absolute():
            raise UsageError(
                f"lake {settings.lake}: the workers of a cluster need one place; give a lake on S3 "
                "or an absolute path that they share"
            )
        return DaskTaskRunner(address=settings.task_runner_address)
    cluster = {"n_workers": settings.max_workers, "threads_per_worker": 1}
    return DaskTaskRunner(cluster_kwargs={**cluster, "dashboard_address": None})


@contextmanager
def _opened_for_tasks(run: Run, runner: TaskRunner[Any]) -> Iterator[Callable[[], OpenRun]]:
    """A function by which each task gets the run, opened once in its process.

    The flow opens it where its tasks are threads. With Dask a plugin opens it in every worker,
    also in one that comes later.
    """
    if isinstance(runner, ThreadPoolTaskRunner):
        opened = open_run(run)
        yield lambda: opened
        return
    from distributed import Worker, WorkerPlugin, get_worker  # noqa: PLC0415 - comes with Dask

    class Opener(WorkerPlugin):
        def setup(self, worker: Worker) -> None:  # noqa: ARG002 - as Dask calls it
            self.opened: OpenRun | JoblakeError
            try:
                self.opened = open_run(run)
            except JoblakeError as error:  # each task tells it; here it would end the flow
                self.opened = error

    def opened_by_worker() -> OpenRun:
        opened: OpenRun | JoblakeError = cast("Any", get_worker().plugins[run.run_id]).opened
        if isinstance(opened, JoblakeError):
            raise opened
        return opened

    client = cast("Any", runner).client
    client.register_plugin(Opener(), name=run.run_id)
    try:
        yield opened_by_worker
    finally:
        client.unregister_worker_plugin(run.run_id)


def _results_of(
    run: Run, planned: PlannedScope, future: PrefectFuture[Any]
) -> tuple[ScopeResult, ...]:
    outcome: object
    try:
        outcome = future.result(raise_on_failure=False)
    except Exception as error:  # noqa: BLE001 - a cluster may lose the task: the scope then failed
        outcome = error
    if isinstance(outcome, ScopeNotExportedError):
        return outcome.results
    if isinstance(outcome, tuple):
        return outcome
    if isinstance(outcome, JoblakeError):  # a worker may lack what the planning machine has
        return (failed_result(run, planned.scope, str(outcome)),)
    # A worker that died or a run that was cancelled: nothing is known of the scope.
    return (failed_result(run, planned.scope, f"the task ended without a result: {outcome!r}"),)


def summary(result: RunResult) -> str:
    """The run as a Markdown table, a row per scope."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "| " + " | ".join("---" for _ in _COLUMNS) + " |"]
    for scope in result.scopes:
        place = (scope.table_name, scope.account_id, scope.region_name, scope.parent)
        cells = [" ".join(part for part in place if part)]
        figures = (getattr(scope, name) for name in _COLUMNS[1:])
        cells += ["" if figure is None else str(figure) for figure in figures]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _options() -> dict[str, str | None]:
    """Every setting and `config`, from options spelled as in the environment."""
    parser = argparse.ArgumentParser(
        description="List every scope, merge it into the lake, and publish the marts.",
        epilog="Options are the settings, and lists have commas: --region us-east-1,eu-west-1",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file of settings.")
    for name, field in Settings.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, metavar="VALUE", help=field.description)
    return vars(parser.parse_args())


if __name__ == "__main__":
    options = _options()
    state = nightly_export(options.pop("config"), options, return_state=True)
    sys.exit(0 if state.is_completed() else 1)
