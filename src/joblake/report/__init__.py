"""The report: one HTML page that answers what a team asks of its lake every morning.

    figures.py   what the views answer, bounded in size, as columns for the page
    page.py      one self-contained page of those figures, the scripts and the style
    queries/     the questions in SQL, over the views of `sql/`
    static/      the page itself: HTML, CSS and JavaScript
    vega/        Vega and Vega-Lite as their project publishes them, with their licence

The page opens from a file or any web server, offline: it asks the network for nothing, and its
content security policy forbids it to.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from joblake.lake.local import Lake
from joblake.output import replaced
from joblake.report.figures import read_figures
from joblake.report.page import render_page
from joblake.warehouse.warehouse import open_warehouse

REPORT = "report.html"
"""Its name beside the marts."""


def write_report(
    lake: Lake,
    output: Path | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> str:
    """Write the page of the lake as it is now, in the place of the last one; returns where it is.

    It goes beside the marts, or to `output`. UnreadableFileError when a file of the lake is
    damaged, LakeError when the lake cannot be written, UsageError when `output` cannot; the old
    page is then as it was.
    """
    with open_warehouse(lake) as warehouse:
        page = render_page(read_figures(warehouse, clock()))
    if output is not None:
        with replaced(output) as written:
            written.write_text(page, encoding="utf-8")
        return str(output)
    target = lake.mart(REPORT)
    with lake.locked_marts(), lake.replacing(target, is_whole=True) as written:
        written.write_text(page, encoding="utf-8")
    return lake.name_of(target)
