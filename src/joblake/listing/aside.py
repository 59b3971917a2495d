"""Reading pages on another core while the next ones are on their way."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from joblake.listing.pages import Page, UnreadPage

# Pages of 1000 items come every 3 to 5 ms from an endpoint on loopback and pages of 100 every
# 1.3 ms; what takes longer than this leaves time enough to read each page alone. Of 1000, 2000 and
# 4000 rows at once, 2000 list about as fast as 4000, in less memory, and up to a tenth faster than
# 1000 (100,000 rows, medians of 11 rounds).
_QUICK_SECONDS = 0.02
_ROWS_AT_ONCE = 2000
PAGES_AT_ONCE = 20
# pyarrow parses without the interpreter's lock. Where this much is to be parsed, two threads at it
# list batch inference jobs in nine tenths of the time of one; of less (custom models), they spend
# more on waiting for the lock than they gain. With two batches waiting the thread runs out of work
# while the other thread reads one, and a fourth gains nothing (medians of 9 rounds).
_LONG_BYTES = 1_500_000
_LONG_BATCHES_WAITING = 3


@dataclass
class _Batch:
    """Pages to be read together. `read` is set where the thread that adds pages has read them."""

    unread: list[UnreadPage]
    read: Sequence[Page] | None = None
    is_read_by_adder: bool = False

    @property
    def is_full(self) -> bool:
        rows = sum(page.item_count for page in self.unread)
        return rows >= _ROWS_AT_ONCE or len(self.unread) >= PAGES_AT_ONCE

    @property
    def is_long(self) -> bool:
        return sum(page.byte_count for page in self.unread) >= _LONG_BYTES


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
                batch.is_read_by_adder = False  # who adds is here, interrupted in its reading
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def add(self, page: UnreadPage) -> None:
        """Have a page read and kept; what has failed with an earlier one fails here."""
        with self._changed:
            if self._waiting and not self._waiting[-1].is_full:
                self._waiting[-1].unread.append(page)
            else:
                self._waiting.append(_Batch([page]))
            if len(self._waiting[-1].unread) == 1 or self._waiting[-1].is_full:
                self._changed.notify_all()
            surplus = self._take_surplus()
        if surplus is not None:
            # Whatever fails here fails again on the thread, after the pages before it are kept.
            with suppress(Exception):
                surplus.read = list(self._read(surplus.unread))
        with self._changed:
            if surplus is not None:
                surplus.is_read_by_adder = False
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._error is not None or not self._is_too_much)
            if self._error is not None:
                raise self._error

    def _take_surplus(self) -> _Batch | None:
        """Of too much, what is better read by the thread that adds it than waited for."""
        surplus = self._waiting[-2] if self._is_too_much else None
        if surplus is None or not surplus.is_long:
            return None
        surplus.is_read_by_adder = True
        return surplus

    @property
    def _is_too_much(self) -> bool:
        """Whether more batches wait than memory and time are well spent on."""
        if not self._waiting:
            return False
        return len(self._waiting) > (_LONG_BATCHES_WAITING if self._waiting[0].is_long else 1)

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                for page in self._read(batch.unread) if batch.read is None else batch.read:
                    self._keep(page)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next(self) -> _Batch | None:
        """What is to be kept next; None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._waiting[0].is_read_by_adder if self._waiting else self._is_over
            )
            if not self._waiting:
                return None
            batch = self._waiting[0]
            while not self._is_over and not batch.is_full:
                count = len(batch.unread)
                self._changed.wait(_QUICK_SECONDS)
                if count == len(batch.unread):
                    break
            self._waiting.popleft()
            self._changed.notify_all()
        return batch
