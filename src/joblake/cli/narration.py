"""The words of a run on stderr: live progress on a terminal, plain lines elsewhere."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from joblake.export.outcomes import RunResult, ScopeResult
from joblake.export.run import Run
from joblake.lake.scope import Scope


class Narration:
    """Tells of pages and results as they come, from any thread."""

    def __init__(self, run: Run, progress: Progress) -> None:
        self._run = run
        self._progress = progress
        self._task = progress.add_task("", total=len(run.scopes), rows=0, pages=0)
        self._lock = Lock()
        self._rows = self._pages = self._finished = 0
        self._began = monotonic()

    def page(self, _scope: Scope, rows: int) -> None:
        """Count a page of so many rows."""
        with self._lock:
            self._rows += rows
            self._pages += 1
            self._progress.update(self._task, rows=self._rows, pages=self._pages)

    def results(self, results: Sequence[ScopeResult]) -> None:
        """Tell the results of a planned scope, which is finished."""
        with self._lock:
            self._finished += 1
            for result in results:
                self._say(sentence(result))
            self._progress.advance(self._task)

    def total(self, result: RunResult) -> None:
        """Tell the result of the run."""
        self._say(f"{total_sentence(result)} ({monotonic() - self._began:.1f} s)")

    def interrupted(self) -> None:
        """Tell of the pages that an interrupted run keeps."""
        scopes, minutes = len(self._run.scopes), self._run.settings.resume_minutes
        self._say(
            f"interrupted: {self._finished} of {counted(scopes, 'scope')} finished and in the "
            "lake; the pages of the others are kept, and the same export goes on with them "
            f"within {minutes:g} minutes"
        )

    def _say(self, line: str) -> None:
        self._progress.console.print(Text(line), soft_wrap=True)


def sentence(result: ScopeResult) -> str:
    """A result in one line."""
    scope = (result.table_name, result.account_id, result.region_name, result.parent)
    line = (
        f"{' '.join(filter(None, scope))}: {result.outcome}, "
        f"{result.listed} listed, {result.added} added, {result.changed} changed, "
        f"{result.vanished} vanished ({counted(result.pages, 'page')}, {result.seconds:.1f} s)"
    )
    if result.odd_values:
        line += f"; {counted(result.odd_values, 'odd value')} kept in extra"
    if result.error:
        line += f"; {result.error}"
    if result.next_token:
        line += f"; go on with --starting-token {result.next_token}"
    return line


def total_sentence(result: RunResult) -> str:
    """A whole run in one line."""
    outcomes = Counter(scope.outcome for scope in result.scopes)
    parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    figures = ", ".join(
        f"{sum(getattr(scope, name) for scope in result.scopes)} {name}"
        for name in ("listed", "added", "changed", "vanished")
    )
    return f"{counted(len(result.scopes), 'scope')}: {parts}; {figures}"


def counted(count: int, noun: str) -> str:
    """A count and its noun: `1 page`, `2 pages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@contextmanager
def narrating(run: Run) -> Iterator[Narration]:
    """Tell of a run while it goes, and of the kept pages when the user interrupts it."""
    columns = (
        TextColumn("scopes"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[pages]:,} pages"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True, highlight=False)
    progress = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
    with progress:
        narration = Narration(run, progress)
        try:
            yield narration
        except KeyboardInterrupt:
            narration.interrupted()
            raise
