"""Reading pages on a thread of its own: in order, together where they come quickly."""

import threading
from itertools import chain
from time import monotonic, sleep

import pytest

from joblake.listing.aside import Aside
from joblake.listing.pages import Page, UnreadPage

SECONDS = 60
LONG = 1_000_000
"""Bytes of a page; two of them are worth a second thread."""


def page(number, rows=100, byte_count=0):
    return UnreadPage(str(number), rows, byte_count, [])


class Reader:
    """Reads what it is given; on another thread than the test's, waits before that to be told.

    `batches` has the tokens of what was read together, `kept` those of every page in the order
    of their keeping, `readers` the threads that have read.
    """

    def __init__(self):
        self.batches, self.kept, self.readers = [], [], []
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        self.error = None

    def read(self, pages):
        """Read pages, as a pager does: one after the other, up to the bad one."""
        self.readers.append(threading.current_thread())
        if threading.current_thread().name == "pages":
            self.has_begun.set()
            assert self.may_go_on.wait(SECONDS)
        self.batches.append([page.next_token for page in pages])
        for unread in pages:
            if self.error is not None and unread.next_token == self.bad_token:
                raise self.error
            yield Page(None, unread.next_token)

    def keep(self, page):
        """Keep a page, as a listing's intake does."""
        assert threading.current_thread().name == "pages"
        self.kept.append(page.next_token)

    def aside(self):
        """What is tested, with this reader."""
        return Aside(self.read, self.keep)

    def fail_at(self, number):
        """Have the reading of a page fail."""
        self.bad_token, self.error = str(number), ValueError("as arranged")


@pytest.fixture
def reader():
    return Reader()


def tokens(numbers):
    return list(map(str, numbers))


@pytest.mark.parametrize("rows", [0, 1, 100, 999, 5000])
def test_every_page_is_kept_once_and_in_order(reader, rows):
    """Empty pages, small ones and large ones: whatever is read together, none is missing."""
    reader.may_go_on.set()
    with reader.aside() as aside:
        for number in range(300):
            aside.add(page(number, rows))
    assert reader.kept == tokens(range(300))
    assert max(map(len, reader.batches)) <= 20
    assert len(reader.batches) == 300 or rows < 2000


def test_whoever_reads_them_pages_are_kept_once_and_in_order(reader):
    """Long pages and short ones mixed, while both threads are at it."""
    sizes = [(1000, LONG), (2000, 10), (50, 10), (1000, LONG), (2000, 2 * LONG)]

    def read(pages):
        sleep(0.001 * len(pages))  # as parsing does, without the interpreter's lock
        return reader.read(pages)

    reader.may_go_on.set()
    with Aside(read, reader.keep) as aside:
        for number in range(500):
            aside.add(page(number, *sizes[number // 20 % len(sizes)]))
    assert len(set(reader.readers)) == 2
    assert reader.kept == tokens(range(500))
    assert sorted(chain.from_iterable(reader.batches)) == sorted(reader.kept)


def test_a_page_is_read_though_none_follows(reader):
    """A service that hangs on the next page keeps none of those before from being read."""
    reader.may_go_on.set()
    with reader.aside() as aside:
        aside.add(page(1))
        assert reader.has_begun.wait(SECONDS)


@pytest.mark.parametrize(("rows", "byte_count", "limit"), [(2000, 10, 2), (2000, 2 * LONG, 4)])
def test_no_more_pages_wait_than_fit_into_memory(reader, rows, byte_count, limit):
    """Who adds pages faster than they are read has to wait."""
    added, are_enough = [], threading.Event()

    def add_all():
        with reader.aside() as aside:
            for number in range(20):
                aside.add(page(number, rows, byte_count))
                added.append(number)
                if len(added) == limit:
                    are_enough.set()

    adding = threading.Thread(target=add_all)
    adding.start()
    assert are_enough.wait(SECONDS)
    adding.join(0.5)
    assert len(added) == limit  # some are being read, others wait, and one waits to be added
    # Short pages are not worth a second thread.
    assert (adding in reader.readers) == (byte_count > LONG)
    reader.may_go_on.set()
    adding.join(SECONDS)
    assert reader.kept == tokens(range(20))


def test_who_adds_long_pages_faster_than_they_are_read_reads_some(reader):
    """What it has read is read once, kept in its turn, and waits for no page that follows."""

    def read(pages):
        if threading.current_thread().name != "pages" and not reader.may_go_on.is_set():
            reader.may_go_on.set()
            # Time for the thread to come as far as this batch, and to wait for it.
            before = tokens(range(int(pages[0].next_token)))
            assert wait_until(lambda: reader.kept == before)
            sleep(0.1)
        return reader.read(pages)

    with Aside(read, reader.keep) as aside:
        for number in range(9):
            aside.add(page(number, 1000, LONG))
            assert number == 0 or reader.has_begun.wait(SECONDS)
        assert wait_until(lambda: len(reader.kept) == 9)
    assert threading.current_thread() in reader.readers
    assert reader.kept == tokens(range(9))
    assert sorted(chain.from_iterable(reader.batches)) == reader.kept


def wait_until(is_so):
    """Whether it comes true in time."""
    deadline = monotonic() + SECONDS
    while not is_so() and monotonic() < deadline:
        sleep(0.001)
    return is_so()


def test_what_fails_in_reading_fails_in_adding(reader):
    """Later pages are neither kept nor waited for."""
    reader.fail_at(1)
    reader.may_go_on.set()
    added = []
    with pytest.raises(ValueError, match="as arranged"), reader.aside() as aside:  # noqa: PT012
        for number in range(1, 100):
            aside.add(page(number, rows=2000))
            added.append(number)
    assert reader.kept == []
    assert len(added) < 4


def test_what_fails_where_pages_are_added_costs_no_page_before(reader):
    """Also not of those that were to be read together with the bad one."""

    def read(pages):
        try:
            yield from reader.read(pages)
        finally:
            reader.may_go_on.set()

    reader.fail_at(7)
    with pytest.raises(ValueError, match="as arranged"), Aside(read, reader.keep) as aside:  # noqa: PT012
        for number in range(100):
            aside.add(page(number, 1000, LONG))
    assert threading.current_thread() in reader.readers
    assert reader.kept == tokens(range(7))


def test_what_fails_only_where_pages_are_added_is_read_on_the_thread(reader):
    """The stack is deeper there, and JSON may be nested too deeply for the one alone."""

    def read(pages):
        if threading.current_thread().name != "pages":
            reader.may_go_on.set()
            raise RecursionError
        return reader.read(pages)

    with Aside(read, reader.keep) as aside:
        for number in range(20):
            aside.add(page(number, 2000, 2 * LONG))
    assert reader.may_go_on.is_set()
    assert reader.kept == tokens(range(20))


def test_an_interrupt_while_pages_are_read_where_they_are_added_costs_none(reader):
    """They are read on the thread then."""

    def read(pages):
        if threading.current_thread().name != "pages":
            reader.may_go_on.set()
            raise KeyboardInterrupt
        return reader.read(pages)

    added = []
    with pytest.raises(KeyboardInterrupt), Aside(read, reader.keep) as aside:  # noqa: PT012
        for number in range(100):
            aside.add(page(number, 2000, 2 * LONG))
            added.append(number)
    assert reader.kept == tokens([*added, len(added)])


def test_what_fails_in_reading_the_last_page_fails_at_the_end(reader):
    """Also where no page follows that could hear of it."""
    reader.fail_at(1)
    reader.may_go_on.set()
    with pytest.raises(ValueError, match="as arranged"), reader.aside() as aside:
        aside.add(page(1))


def test_pages_before_an_error_are_kept(reader):
    """What fails in asking for the next page costs none of those that had come."""
    reader.may_go_on.set()
    with pytest.raises(KeyError, match="refused"), reader.aside() as aside:  # noqa: PT012
        aside.add(page(1))
        aside.add(page(2))
        raise KeyError("refused")
    assert reader.kept == ["1", "2"]


def test_of_two_errors_the_earlier_page_has_the_last_word(reader):
    """What came of the pages before goes before what came of the next request."""
    reader.fail_at(1)
    reader.may_go_on.set()
    with pytest.raises(ValueError, match="as arranged") as raised, reader.aside() as aside:  # noqa: PT012
        aside.add(page(1))
        raise KeyError("refused")
    assert isinstance(raised.value.__context__, KeyError)
