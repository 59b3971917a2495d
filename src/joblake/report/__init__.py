"""The report: one HTML page that answers what a team asks of its lake every morning.

    figures.py   the figures that the page shows, bounded in size, as columns
    page.py      one self-contained page of those figures, the script and the style
    queries/     the questions in SQL, over the views of `sql/`; each becomes a table of the page
    macros.sql   the macros that the questions share
    static/      the page itself: HTML, CSS and JavaScript

The page opens from a file or any web server, offline: it asks the network for nothing, and its
content security policy forbids it to. It takes the kinds of jobs and their phases from the data, so
that a source added to the catalogue appears on it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from joblake.lake.local import Lake
from joblake.report.figures import read_figures
from joblake.report.page import render_page
from joblake.sources.catalogue import Catalogue
from joblake.user_files import replaced
from joblake.warehouse.warehouse import open_warehouse

REPORT = "report.html"
"""Its name beside the marts."""


def write_report(
    lake: Lake,
    catalogue: Catalogue,
    output: Path | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> str:
    """Write the page of the lake as it is now, in the place of the last one; returns where it is.

    It goes beside the marts, or to `output`. UnreadableFileError when a file of the lake is
    damaged, LakeError when the lake cannot be written, UsageError when `output` cannot; the old
    page is then as it was.
    """
    if output is not None:
        with replaced(output) as written:
            _write(lake, catalogue, written, clock())
        return str(output)
    target = lake.mart(REPORT)
    with lake.locked_marts(), lake.overwriting(target) as written:
        _write(lake, catalogue, written, clock())
    return lake.name_of(target)


def _write(lake: Lake, catalogue: Catalogue, path: Path, made_at: datetime) -> None:
    with path.open("w", encoding="utf-8") as file, open_warehouse(lake, catalogue) as warehouse:
        file.write(render_page(read_figures(warehouse, made_at)))
