"""What a run says on stderr: live progress on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from joblake.export import ScopeResult
from joblake.lake import Scope
from joblake.planning import Run


class Narration:
    """Hears of pages and results, from any thread."""

    def __init__(self, run: Run, console: Console, progress: Progress | None) -> None:
        self._run = run
        self._console = console
        self._progress = progress
        self._lock = Lock()
        self._rows = self._pages = 0
        if progress is not None:
            self._task = progress.add_task("", total=len(run.scopes), rows=0, pages=0)

    def page(self, _scope: Scope, rows: int) -> None:
        """A page of so many rows has arrived."""
        with self._lock:
            self._rows += rows
            self._pages += 1
            if self._progress is not None:
                self._progress.update(self._task, rows=self._rows, pages=self._pages)

    def result(self, result: ScopeResult) -> None:
        """A scope is finished."""
        line = sentence(result)
        with self._lock:
            self._console.print(Text(line), soft_wrap=True)
            if self._progress is not None:
                self._progress.advance(self._task)


def sentence(result: ScopeResult) -> str:
    """A result in one line."""
    place = (
        result.table_name,
        result.account_id,
        result.region_name,
        result.membership_identifier,
    )
    line = (
        f"{' '.join(part for part in place if part)}: {result.outcome}, "
        f"{result.listed} listed, {result.added} added, {result.changed} changed, "
        f"{result.vanished} vanished ({result.pages} pages, {result.seconds:.1f} s)"
    )
    if result.odd_values:
        line += f"; {result.odd_values} odd values kept in extra"
    if result.error:
        line += f"; {result.error}"
    if result.next_token:
        line += f"; go on with --starting-token {result.next_token}"
    return line


@contextmanager
def narrating(run: Run) -> Iterator[Narration]:
    """Tell of a run while it goes, and sum it up when it ends."""
    console = Console(stderr=True, highlight=False)
    if not sys.stderr.isatty():
        yield Narration(run, console, None)
        return
    columns = (
        TextColumn("scopes"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[pages]:,} pages"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Narration(run, console, progress)
