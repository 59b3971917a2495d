"""Reading pages on another core while the next ones are on their way."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from joblake.flatten import Page, UnreadPage

# Pages of 1000 items come every 3 to 5 ms from an endpoint on loopback and pages of 100 every
# 1.3 ms; what takes longer than this leaves time enough to read each page alone. Of 1000, 2000 and
# 4000 rows at once, 2000 list about as fast as 4000, in less memory, and up to a tenth faster than
# 1000 (100,000 rows, medians of 11 rounds).
_QUICK_SECONDS = 0.02
_ROWS_AT_ONCE = 2000
PAGES_AT_ONCE = 20
# Parsing this much takes so long without the interpreter's lock that two threads at it list a
# tenth faster than one; of less, they spend more on waiting for the lock than they gain.
_LONG_BYTES = 1_500_000
_LONG_WAITING = 3


class _Batch:
    """Pages to be read together. `rows` stay None until another than the thread has read them."""

    def __init__(self) -> None:
        self.pages: list[UnreadPage] = []
        self.rows: Sequence[Page] | None = None
        self.is_being_read = False

    @property
    def is_full(self) -> bool:
        rows = sum(page.item_count for page in self.pages)
        return rows >= _ROWS_AT_ONCE or len(self.pages) >= PAGES_AT_ONCE

    @property
    def is_long(self) -> bool:
        return sum(page.byte_count for page in self.pages) >= _LONG_BYTES


class Aside:
    """Reads pages, and keeps their rows in order, on a thread of its own.

    Small pages that come quickly are read together, which costs less. What waits is read as soon
    as no page comes, so that what ends a listing while the service hangs costs no page that had
    come; a kill among quick pages costs those that wait and those that are being read. Who adds
    long pages faster than they are read reads some of them itself.
    """

    def __init__(
        self,
        read: Callable[[Sequence[UnreadPage]], Iterable[Page]],
        keep: Callable[[Page], object],
    ) -> None:
        self._read, self._keep = read, keep
        self._waiting: deque[_Batch] = deque()
        self._is_over = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        # An interrupt before the end of __enter__ leaves nobody to end the thread.
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the rows of every page are kept; what failed there fails here."""
        with self._changed:
            self._is_over = True
            for batch in self._waiting:
                batch.is_being_read = False  # it was, until an error
            self._changed.notify_all()
        self._thread.join()
        self._raise_error()

    def add(self, page: UnreadPage) -> None:
        """Have a page read and kept; what has failed with an earlier one fails here."""
        with self._changed:
            if not self._waiting or self._waiting[-1].is_full:
                self._waiting.append(_Batch())
            last = self._waiting[-1]
            last.pages.append(page)
            if len(last.pages) == 1 or last.is_full:
                self._changed.notify_all()
        self._read_surplus()
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or not self._is_too_much)
            self._raise_error()

    def _read_surplus(self) -> None:
        """Where more waits than should: read the last full batch here, if it is long."""
        with self._changed:
            surplus = self._waiting[-2] if self._is_too_much else None
            if surplus is None or not surplus.is_long or surplus.rows is not None:
                return
            surplus.is_being_read = True
        surplus.rows = list(self._read(surplus.pages))
        with self._changed:
            surplus.is_being_read = False
            self._changed.notify_all()

    @property
    def _is_too_much(self) -> bool:
        """Whether more full batches wait than memory and time are well spent on."""
        if not self._waiting:
            return False
        return len(self._waiting) > (_LONG_WAITING if self._waiting[0].is_long else 1)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                for page in self._read(batch.pages) if batch.rows is None else batch.rows:
                    self._keep(page)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next(self) -> _Batch | None:
        """What is to be kept next; None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._waiting[0].is_being_read if self._waiting else self._is_over
            )
            if not self._waiting:
                return None
            batch = self._waiting[0]
            while not self._is_over and not batch.is_full:
                count = len(batch.pages)
                self._changed.wait(_QUICK_SECONDS)
                if count == len(batch.pages):
                    break
            self._waiting.popleft()
            self._changed.notify_all()
        return batch
