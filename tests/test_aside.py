"""Reading pages on a thread of its own: in order, together where they come quickly."""

import threading
from itertools import chain

import pytest

from joblake.aside import Aside
from joblake.flatten import Page, UnreadPage

SECONDS = 60
LONG = 2_000_000


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


@pytest.mark.parametrize("byte_count", [0, LONG])
@pytest.mark.parametrize("rows", [0, 1, 100, 999, 5000])
def test_every_page_is_kept_once_and_in_order(reader, rows, byte_count):
    """Empty pages, small ones and large ones: whatever is read together, none is missing."""
    reader.may_go_on.set()
    with reader.aside() as aside:
        for number in range(300):
            aside.add(page(number, rows, byte_count))
    assert reader.kept == tokens(range(300))
    assert sorted(chain.from_iterable(reader.batches)) == sorted(reader.kept)
    assert max(map(len, reader.batches)) <= 20
    assert len(reader.batches) == 300 or rows < 2000


def test_a_page_is_read_though_none_follows(reader):
    """A service that hangs on the next page keeps none of those before from being read."""
    reader.may_go_on.set()
    with reader.aside() as aside:
        aside.add(page(1))
        assert reader.has_begun.wait(SECONDS)


@pytest.mark.parametrize(("byte_count", "limit"), [(0, 2), (LONG, 4)])
def test_no_more_pages_wait_than_fit_into_memory(reader, byte_count, limit):
    """Who adds pages faster than they are read has to wait."""
    added, are_enough = [], threading.Event()

    def add_all():
        with reader.aside() as aside:
            for number in range(10):
                aside.add(page(number, 2000, byte_count))
                added.append(number)
                if len(added) == limit:
                    are_enough.set()

    adding = threading.Thread(target=add_all)
    adding.start()
    assert are_enough.wait(SECONDS)
    adding.join(0.5)
    assert len(added) == limit  # one is being read, others wait, and one waits to be added
    reader.may_go_on.set()
    adding.join(SECONDS)
    assert reader.kept == tokens(range(10))


def test_who_adds_long_pages_faster_than_they_are_read_reads_some(reader):
    """Two threads read then; what the second one has read is kept in its turn, and read once."""

    def read(pages):
        if threading.current_thread().name != "pages":
            reader.may_go_on.set()
        return reader.read(pages)

    with Aside(read, reader.keep) as aside:
        for number in range(10):
            aside.add(page(number, 2000, LONG))
    assert threading.current_thread() in reader.readers
    assert reader.kept == tokens(range(10))
    assert len(reader.batches) == 10


def test_what_fails_in_reading_fails_in_adding(reader):
    """Later pages are neither kept nor waited for."""
    reader.fail_at(1)
    with pytest.raises(ValueError, match="as arranged"), reader.aside() as aside:  # noqa: PT012
        aside.add(page(1, rows=2000))
        reader.may_go_on.set()
        for number in range(2, 100):
            aside.add(page(number, rows=2000))
    assert reader.kept == []


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
            aside.add(page(number, 2000, LONG))
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
