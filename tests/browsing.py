"""A real browser for the tests of the report: the system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DESKTOP, PHONE = 1440, 390


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; as root it has no sandbox."""
    arguments = [] if os.geteuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(  # noqa: PLR0913 - how people differ who open a page
    browser: Browser,
    file: Path,
    *,
    now: datetime,
    choice: str = "",
    width: int = DESKTOP,
    theme: Literal["light", "dark"] = "light",
) -> Iterator[Page]:
    """A page opened from its file at an instant, without a network. Complaints are errors.

    `choice` is what stands behind the # of the address.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        offline=True,
    )
    complaints: list[str] = []
    page = context.new_page()
    page.clock.set_fixed_time(now)
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("request", lambda request: complaints.append(f"request: {request.url}"))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    address = file.as_uri() + (f"#{choice}" if choice else "")
    page.goto(address)
    try:
        yield page
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert complaints == [f"request: {file.as_uri()}"], complaints
    finally:
        context.close()
