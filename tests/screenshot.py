"""The picture of the report in README: `uv run python tests/screenshot.py data/demo`.

Run it after `uv run joblake demo`; it replaces docs/report.png.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from browsing import chromium, opened
from joblake.lake.local import Lake
from joblake.report import write_report
from joblake.sources.catalogue import shipped_catalogue

PICTURE = Path(__file__).parents[1] / "docs" / "report.png"
SIZE = {"x": 0, "y": 0, "width": 1240, "height": 1204}


def main(lake: str) -> None:
    """Write the lake's report and take the picture of its head."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page = Path(write_report(Lake.at(lake), shipped_catalogue(), Path(folder) / "report.html"))
        with opened(browser, page, now=datetime.now(UTC), width=SIZE["width"]) as shown:
            shown.screenshot(path=PICTURE, full_page=True, clip=SIZE)


if __name__ == "__main__":
    main(sys.argv[1])
