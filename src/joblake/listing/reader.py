"""Pages are parsed on other threads while the next ones are on their way.

The threads are our own, because executors of `concurrent.futures` take no more work once the main
thread has ended, and a listing that is under way then still ends well.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import Self

from joblake.listing.pages import RawPage
from joblake.listing.rows import ParsedRows

# pyarrow parses without the interpreter's lock: a second thread gains a tenth on long pages.
THREADS = 2
_WAITING_PAGES = 8
# Small pages cost less when they are parsed together. Pages of 1000 items come every 3 to 5 ms from
# an endpoint on loopback, pages of 100 every 1.3 ms.
_QUICK_SECONDS = 0.02
_BATCH_ROWS = 2000
BATCH_PAGES = 20


class PageReader:
    """Parses pages in batches, and keeps their rows in the order in which the pages were added.

    A batch is closed when it is full, or when no page has come for 20 ms. So a service that hangs,
    or whatever else ends a listing, costs no page that had come. `add` waits while too many pages
    wait, so memory stays bounded.
    """

    def __init__(
        self,
        parse: Callable[[Sequence[RawPage]], Iterator[ParsedRows]],
        keep: Callable[[ParsedRows], object],
    ) -> None:
        self._parse, self._keep = parse, keep
        self._pages: Queue[RawPage | None] = Queue(_WAITING_PAGES)
        self._taking = Lock()
        self._are_kept = Event()  # the rows of all batches that were taken
        self._are_kept.set()
        self._error: BaseException | None = None
        # An interrupt before the end of __enter__ leaves nobody to end the threads.
        self._threads = [
            Thread(target=self._run, name="pages", daemon=True) for _ in range(THREADS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the rows of every page are kept; raises the error of the earliest bad one."""
        self._pages.put(None)
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def add(self, page: RawPage) -> None:
        """Have a page parsed and kept; raises the error of an earlier one."""
        if self._error is not None:
            raise self._error
        self._pages.put(page)

    def _run(self) -> None:
        while True:
            with self._taking:
                batch = self._take()
                before, self._are_kept = self._are_kept, Event()
                kept = self._are_kept
            if not batch:
                return
            try:
                self._read(batch, before)
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that adds
                self._error = self._error or error
            finally:
                kept.set()

    def _take(self) -> Sequence[RawPage]:
        """Take pages until a batch is full or they no longer come quickly; none at the end."""
        batch: list[RawPage] = []
        row_count = 0
        while row_count < _BATCH_ROWS and len(batch) < BATCH_PAGES:
            try:
                page = self._pages.get(timeout=_QUICK_SECONDS if batch else None)
            except Empty:
                break
            if page is None:
                self._pages.put(None)  # for the next batch, and for the other threads
                break
            batch.append(page)
            row_count += len(page.items)
        return batch

    def _read(self, batch: Sequence[RawPage], before: Event) -> None:
        parsed = self._parse(batch)
        try:
            # The rows of the whole batch, unless one of its pages needs the tolerant parser.
            first = next(parsed)
        finally:
            before.wait()
        if self._error is None:
            for rows in chain([first], parsed):
                self._keep(rows)
