"""Reading pages on another core while the next ones are on their way."""

import threading
from collections.abc import Callable, Sequence
from typing import Self

from joblake.flatten import UnreadPage

# Pages of 1000 items come every 3 to 5 ms from an endpoint on loopback and pages of 100 every
# 1.3 ms; what takes longer than this leaves time enough to read each page alone. Of 1000, 2000 and
# 4000 rows at once, 2000 list about as fast as 4000, in less memory, and up to a tenth faster than
# 1000 (100,000 rows, medians of 11 rounds).
_QUICK_SECONDS = 0.02
_ROWS_AT_ONCE = 2000
PAGES_AT_ONCE = 20


class Aside:
    """Takes pages on a thread of its own, while the next ones are on their way.

    Small pages that come quickly are taken together, which costs less. What waits is taken as soon
    as no page comes, so that what ends a listing while the service hangs costs no page that had
    come; a kill among quick pages costs those that wait and those that are being taken.
    """

    def __init__(self, take: Callable[[Sequence[UnreadPage]], object]) -> None:
        self._take = take
        self._waiting: list[UnreadPage] = []
        self._is_over = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        # An interrupt before the end of __enter__ leaves nobody to end the thread.
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until every page is taken; what failed there fails here."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def add(self, page: UnreadPage) -> None:
        """Have a page taken; what has failed with an earlier one fails here."""
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or not self._is_enough)
            if self._error is not None:
                raise self._error
            self._waiting.append(page)
            if len(self._waiting) == 1 or self._is_enough:
                self._changed.notify_all()

    @property
    def _is_enough(self) -> bool:
        rows = sum(page.item_count for page in self._waiting)
        return rows >= _ROWS_AT_ONCE or len(self._waiting) >= PAGES_AT_ONCE

    def _run(self) -> None:
        try:
            while pages := self._next():
                self._take(pages)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next(self) -> list[UnreadPage]:
        """What is to be taken next; empty at the end."""
        with self._changed:
            while not self._is_over and not self._is_enough:
                count = len(self._waiting)
                self._changed.wait(_QUICK_SECONDS if count else None)
                if count and count == len(self._waiting):
                    break
            pages, self._waiting = self._waiting, []
            self._changed.notify_all()
        return pages
