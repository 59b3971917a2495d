"""The command line: arguments, printing, exit codes.

Data goes to stdout, narration and progress to stderr. Heavy libraries are imported by the commands
that use them, so that `--help` stays fast. Exit codes: 0 every scope complete, filtered or
unsupported; 1 some scope partial, denied or failed; 2 usage or configuration; 3 an unusable lake or
credentials before any listing began; 130 interrupted by Ctrl-C.
"""

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from joblake.cli.arguments import (
    Format,
    QuietPipes,
    SqlCommand,
    format_of,
    parameters_of,
    statement_of,
)
from joblake.cli.options import ExportCommand, LakeCommand
from joblake.errors import JoblakeError, LakeError, UsageError

if TYPE_CHECKING:
    from joblake.lake.local import Lake
    from joblake.settings.settings import Settings

app = typer.Typer(
    name="joblake",
    cls=QuietPipes,
    help="A nightly history of AWS machine-learning jobs in plain Parquet, queried with DuckDB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


INTERRUPTED = 130  # as shells report a process that SIGINT ended


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
SkipCorrupt = Annotated[
    bool,
    typer.Option(
        "--skip-corrupt", help="Leave out files that are no readable Parquet, and name them."
    ),
]


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    from importlib.metadata import version

    if is_wanted:
        typer.echo(f"joblake {version('joblake')}")
        raise typer.Exit


@app.callback()
def joblake(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    del version


def main() -> None:
    """Run the command line and turn every refusal into one line and its exit code."""
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    _open_streams()
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except typer.Abort:
        _fail("interrupted", INTERRUPTED)
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # what DuckDB makes of Ctrl-C
            raise
        _fail("interrupted", INTERRUPTED)
    except typer.exceptions.TyperException as error:
        # typer quotes pydantic on a wrong choice, and pydantic begins with the kind of error.
        _fail(error.format_message().replace("Value error, ", "", 1), error.exit_code)
    except JoblakeError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(f"cannot write the output: {error.strerror or error}", 1)


def _open_streams() -> None:
    """Open the streams that the shell closed, and write UTF-8 whatever the locale."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we run
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _fail(message: str, code: int) -> None:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))


@app.command()
def demo(
    lake: Annotated[str, typer.Option(help="Folder of the demo's own lake.")] = "data/demo",
    nights: Annotated[int, typer.Option(min=2, max=365, help="Nights to replay.")] = 30,
) -> None:
    """Run the whole job on an embedded AWS endpoint, without account."""
    from joblake.cli.demo import run_demo

    run_demo(lake, nights)


@app.command(cls=ExportCommand)
def export(
    ctx: typer.Context,
    *,
    as_json: AsJson = False,
) -> None:
    """List every scope, and commit what changed to the lake."""
    from joblake.cli.narration import narrating
    from joblake.export.export import export as export_run
    from joblake.export.planning import plan

    run = plan(ctx.obj)
    try:
        with narrating(run) as narration:
            result = export_run(run, on_page=narration.page, on_results=narration.results)
            narration.total(result)
    except KeyboardInterrupt:
        # sys.exit would wait for every listing that still runs. The lake and the kept pages are
        # whole whenever a run ends, even by SIGKILL.
        os._exit(INTERRUPTED)
    if as_json:
        _print_json(result.as_json())
    raise typer.Exit(0 if result.is_good else 1)


@app.command(cls=SqlCommand)
def query(  # noqa: PLR0913 - one parameter for each documented option
    ctx: typer.Context,
    sql: Annotated[
        str | None,
        typer.Argument(
            help='One select statement, such as "from jobs"; - reads stdin, as no SQL does where '
            "something is piped in.",
            show_default=False,
        ),
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="File that holds the statement.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="Value of $name in the SQL: a text, which becomes what it is compared with or "
            "cast to ($n::int); repeatable.",
        ),
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", help="[default: from --output's suffix, else table]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write instead of stdout.")
    ] = None,
    skip_corrupt: SkipCorrupt = False,
) -> None:
    """Query the lake with SQL; read only."""
    chosen = output_format or format_of(output)
    statement = statement_of(sql, file)
    parameters = parameters_of(param or ())
    from joblake.cli.formats import write_result
    from joblake.warehouse.warehouse import open_warehouse

    with (
        _lake_to_read(ctx.obj) as found,
        open_warehouse(found, ctx.obj.catalogue, skip_unreadable=skip_corrupt) as warehouse,
    ):
        for path, reason in warehouse.skipped:
            typer.echo(f"skipped {path}: {reason}", err=True)
        write_result(warehouse, statement, parameters, output_format=chosen, output=output)


@contextmanager
def _lake_to_read(settings: "Settings") -> Iterator["Lake"]:
    """Give the lake; where there is none, say at the end that every view is empty."""
    from joblake.settings.settings import lake_of

    lake = lake_of(settings)
    was_there = lake.exists()
    yield lake
    if not was_there:
        typer.echo(
            f"there is no lake at {settings.lake} yet, so every view is empty; "
            "`joblake export` makes one",
            err=True,
        )


def _lake_to_publish(settings: "Settings") -> "Lake":
    """Give the lake; LakeError where there is none, because a mistyped place stays empty."""
    from joblake.settings.settings import lake_of

    lake = lake_of(settings)
    if not lake.has_files():
        raise LakeError(
            f"there is no lake at {settings.lake}, so there is nothing to publish; check --lake, "
            "or make one with `joblake export`"
        )
    return lake


@app.command(cls=LakeCommand)
def shell(
    ctx: typer.Context,
    *,
    skip_corrupt: SkipCorrupt = False,
) -> None:
    """Query the lake in harlequin, an interactive SQL shell."""
    from importlib.util import find_spec

    if find_spec("harlequin") is None:
        raise UsageError(
            "the shell is harlequin, which is not installed; install joblake[shell], or in a "
            "clone run `uv run --extra shell joblake shell`"
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the shell needs a terminal; `joblake query` does without")
    with _lake_to_read(ctx.obj) as found:
        location = found.name_of(found.root)
    command = [sys.executable, "-m", "harlequin", "--adapter", "joblake", location]
    sys.stderr.flush()
    os.execv(sys.executable, [*command, "--skip-corrupt"] if skip_corrupt else command)  # noqa: S606 - our own interpreter


@app.command()
def views() -> None:
    """Tell of every view, its grain, its key and what its columns hold."""
    from joblake.sources.catalogue import shipped_catalogue
    from joblake.warehouse.views import read_views

    for view in read_views(shipped_catalogue()):
        columns = "\n".join(f"    {name}: {text}" for name, text in view.columns.items())
        typer.echo(f"{view.schema}.{view.name}\n  {view.description}\n  grain: {view.grain}")
        typer.echo(f"  key: {', '.join(view.key)}\n  columns:\n{columns}\n")


@app.command(cls=LakeCommand)
def publish(
    ctx: typer.Context,
    *,
    as_json: AsJson = False,
) -> None:
    """Write flat Parquet files and joblake.duckdb for BI tools."""
    from joblake.warehouse.publish import publish as publish_marts

    published = publish_marts(_lake_to_publish(ctx.obj), ctx.obj.catalogue)
    for file in published:
        typer.echo(f"{file.name}: {file.rows:,} rows, {file.bytes / 1024:,.0f} KiB", err=True)
        if not as_json:
            typer.echo(file.path)
    if as_json:
        _print_json([file.as_json() for file in published])


@app.command(cls=LakeCommand)
def report(
    ctx: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write.  [default: marts/report.html in the lake]"
        ),
    ] = None,
) -> None:
    """Write the lake's news as one HTML page that opens offline."""
    from joblake.report import write_report

    typer.echo(write_report(_lake_to_publish(ctx.obj), ctx.obj.catalogue, output))


@app.command(cls=ExportCommand)
def doctor(
    ctx: typer.Context,
    *,
    as_json: AsJson = False,
) -> None:
    """Check that an export can work, and say what to mend."""
    from joblake.doctor.doctor import diagnose, exit_code

    findings = []
    for finding in diagnose(ctx.obj):
        findings.append(finding)
        if not as_json:
            status = "ok     " if finding.is_ok else "problem"
            typer.echo(f"{status}  {finding.subject}: {finding.detail}")
            if finding.next_step is not None:
                typer.echo(f"         next: {finding.next_step}")
    code = exit_code(findings)
    if as_json:
        _print_json({"is_ok": code == 0, "findings": [finding.as_json() for finding in findings]})
    raise typer.Exit(code)


@app.command(cls=ExportCommand)
def iam_policy(
    ctx: typer.Context,
    *,
    identity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose policy: default, profile:NAME or a role's ARN.  [default: the first]",
        ),
    ] = None,
) -> None:
    """Print the least-privilege IAM policy of an export, as JSON."""
    from joblake.doctor.policy import policies

    found = policies(ctx.obj)
    if identity is None:
        identity, *others = found
        if others:
            listed = "".join(f"\n  {other}" for other in others)
            typer.echo(
                f"this is the policy of {identity}; others, with --identity, have:{listed}",
                err=True,
            )
    if identity not in found:
        raise UsageError(f"no identity {identity!r} in this run; there are: {', '.join(found)}")
    _print_json(found[identity])


@app.command()
def endpoint(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 8765,
    seed: Annotated[int, typer.Option(help="Another seed is another world.")] = 1,
) -> None:
    """Serve the embedded AWS endpoint by itself, on loopback only."""
    from joblake.cli.demo import serve_endpoint

    serve_endpoint(port, seed)
