"""Pages are parsed on other threads while the next ones are on their way.

The threads are our own, because executors of `concurrent.futures` take no more work once the main
thread has ended, and a listing that is under way then still ends well.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from queue import Queue
from threading import Event, Lock, Thread
from typing import Self

from joblake.listing.pages import RawPage
from joblake.listing.rows import ParsedRows

# pyarrow parses without the interpreter's lock: a second thread gains a tenth on long pages.
_THREADS = 2
_WAITING_BATCHES = 2
# Small pages cost less when they are parsed together. Pages of 1000 items come every 3 to 5 ms from
# an endpoint on loopback, pages of 100 every 1.3 ms.
_BATCH_SECONDS = 0.02
_BATCH_ROWS = 2000
BATCH_PAGES = 20


@dataclass(frozen=True)
class _Batch:
    """Consecutive pages that are parsed together.

    `is_next` is set when all batches before this one are kept, `is_kept` when this one is too.
    """

    is_next: Event
    is_kept: Event = field(default_factory=Event)
    pages: list[RawPage] = field(default_factory=list)
    _is_closed: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def add(self, page: RawPage) -> bool:
        """Take in a page; False when the batch is closed."""
        with self._lock:
            if self._is_closed.is_set():
                return False
            self.pages.append(page)
            rows = sum(len(page.items) for page in self.pages)
            if rows >= _BATCH_ROWS or len(self.pages) >= BATCH_PAGES:
                self._is_closed.set()
            return True

    def close(self) -> None:
        """Take in no more pages."""
        with self._lock:
            self._is_closed.set()

    def close_in_time(self) -> None:
        """Wait until the batch is full, and close it after 20 ms."""
        self._is_closed.wait(_BATCH_SECONDS)
        self.close()


class PageReader:
    """Parses pages in batches, and keeps their rows in the order in which the pages were added.

    A batch is closed when it is full, or 20 ms after a thread has taken it up. So a service that
    hangs, or whatever else ends a listing, costs no page that had come. `add` waits while too many
    batches wait, so memory stays bounded.
    """

    def __init__(
        self,
        parse: Callable[[Sequence[RawPage]], Iterator[ParsedRows]],
        keep: Callable[[ParsedRows], object],
    ) -> None:
        self._parse, self._keep = parse, keep
        self._batches: Queue[_Batch | None] = Queue(_WAITING_BATCHES)
        self._last = _Batch(Event())
        self._last.close()
        self._last.is_kept.set()
        self._error: BaseException | None = None
        # An interrupt before the end of __enter__ leaves nobody to end the threads.
        self._threads = [
            Thread(target=self._run, name="pages", daemon=True) for _ in range(_THREADS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the rows of every page are kept; raises the error of the earliest bad one."""
        self._last.close()
        for _thread in self._threads:
            self._batches.put(None)
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def add(self, page: RawPage) -> None:
        """Have a page parsed and kept; raises the error of an earlier one."""
        if self._error is not None:
            raise self._error
        if not self._last.add(page):
            self._last = _Batch(self._last.is_kept)
            self._last.add(page)
            self._batches.put(self._last)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._read(batch)
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that adds
                self._error = self._error or error
            finally:
                batch.is_kept.set()

    def _read(self, batch: _Batch) -> None:
        batch.close_in_time()
        parsed = self._parse(batch.pages)
        try:
            # The rows of the whole batch, unless one of its pages needs the tolerant parser.
            first = next(parsed)
        finally:
            batch.is_next.wait()
        if self._error is None:
            for rows in chain([first], parsed):
                self._keep(rows)
