"""Pages are parsed on other threads: together where they come quickly, and kept in order."""

import threading
from itertools import chain
from time import monotonic, sleep

import msgspec
import pyarrow as pa
import pytest

from joblake.listing.pages import RawPage
from joblake.listing.reader import PageReader
from joblake.listing.rows import ParsedRows

SECONDS = 60


def page(number, rows=100):
    return RawPage(str(number), [msgspec.Raw(b"{}")] * rows)


class Work:
    """Parses what it is given, as soon as it may.

    `batches` has the tokens of what was parsed together, `kept` those of every page in the order
    of their keeping, `threads` those that have parsed.
    """

    def __init__(self):
        self.batches, self.kept, self.threads = [], [], set()
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()
        self.errors = {}

    def parse(self, pages):
        """Parse pages as a pager does: one after the other, up to the bad one."""
        self.has_begun.set()
        assert self.may_go_on.wait(SECONDS)
        self.threads.add(threading.current_thread())
        self.batches.append([page.next_token for page in pages])
        for raw in pages:
            if raw.next_token in self.errors:
                raise self.errors[raw.next_token]
            yield ParsedRows(pa.table({}), raw.next_token)

    def keep(self, parsed):
        """Keep rows, as a listing does."""
        assert threading.current_thread().name == "pages"
        self.kept.append(parsed.next_token)

    def reader(self):
        """What is tested, with this work."""
        return PageReader(self.parse, self.keep)

    def fail_at(self, number, text="as arranged"):
        """Have the parsing of a page fail."""
        self.errors[str(number)] = ValueError(text)


@pytest.fixture
def work():
    return Work()


def tokens(numbers):
    return list(map(str, numbers))


def wait_until(is_so):
    """Whether it comes true in time."""
    deadline = monotonic() + SECONDS
    while not is_so() and monotonic() < deadline:
        sleep(0.001)
    return is_so()


@pytest.mark.parametrize("rows", [0, 1, 100, 999, 5000])
def test_every_page_is_kept_once_and_in_order(work, rows):
    """Empty pages, small ones and large ones: whatever is parsed together, none is missing."""
    with work.reader() as reader:
        for number in range(300):
            reader.add(page(number, rows))
    assert work.kept == tokens(range(300))
    assert max(map(len, work.batches)) <= 20
    assert len(work.batches) == 300 or rows < 2000


def test_whoever_parses_them_pages_are_kept_once_and_in_order(work):
    """Long pages and short ones mixed, while two threads are at it."""
    sizes = [1000, 2000, 50, 5000, 1]

    def parse(pages):
        sleep(0.001 * (int(pages[0].next_token) % 3))
        return work.parse(pages)

    with PageReader(parse, work.keep) as reader:
        for number in range(500):
            reader.add(page(number, sizes[number // 20 % len(sizes)]))
    assert len(work.threads) == 2
    assert work.kept == tokens(range(500))
    assert sorted(chain.from_iterable(work.batches)) == sorted(work.kept)


def test_quick_pages_are_parsed_together(work):
    """Those that come while the first of them waits make one batch, up to its limit."""
    with work.reader() as reader:
        for number in range(60):
            reader.add(page(number))
    assert len(work.batches) < 20


def test_a_page_is_kept_though_none_follows(work):
    """A service that hangs on the next page keeps none of those before from being kept."""
    with work.reader() as reader:
        reader.add(page(1))
        assert wait_until(lambda: work.kept == ["1"])


def test_no_more_pages_wait_than_fit_into_memory(work):
    """Whoever adds pages faster than they are parsed has to wait."""
    added = []
    work.may_go_on.clear()

    def add_all():
        with work.reader() as reader:
            for number in range(20):
                reader.add(page(number, 2000))
                added.append(number)

    adding = threading.Thread(target=add_all)
    adding.start()
    assert wait_until(lambda: len(added) == 10)
    adding.join(0.5)
    assert len(added) == 10  # two are being parsed, eight wait, and one more waits to be added
    work.may_go_on.set()
    adding.join(SECONDS)
    assert work.kept == tokens(range(20))


def test_what_fails_in_parsing_fails_in_adding(work):
    """Later pages are neither kept nor waited for."""
    work.fail_at(1)
    added = []
    with pytest.raises(ValueError, match="as arranged"), work.reader() as reader:  # noqa: PT012
        for number in range(1, 100):
            reader.add(page(number, rows=2000))
            added.append(number)
    assert work.kept == []
    assert len(added) < 12


@pytest.mark.parametrize("rows", [100, 2000])
def test_what_fails_in_parsing_costs_no_page_before(work, rows):
    """Also not of those that were to be parsed together with the bad one."""
    work.fail_at(7)
    with pytest.raises(ValueError, match="as arranged"), work.reader() as reader:  # noqa: PT012
        for number in range(100):
            reader.add(page(number, rows))
    assert work.kept == tokens(range(7))


def test_what_fails_in_keeping_ends_the_keeping(work):
    """No page after the one that could not be kept is kept."""

    def keep(parsed):
        if parsed.next_token == "3":
            raise OSError("disk full")
        work.keep(parsed)

    with (  # noqa: PT012
        pytest.raises(OSError, match="disk full"),
        PageReader(work.parse, keep) as reader,
    ):
        for number in range(100):
            reader.add(page(number))
    assert work.kept == tokens(range(3))


def test_an_interrupt_costs_no_page_that_was_added(work):
    """They are kept before the interrupt goes on."""
    with pytest.raises(KeyboardInterrupt), work.reader() as reader:  # noqa: PT012
        for number in range(5):
            reader.add(page(number, 2000))
        raise KeyboardInterrupt
    assert work.kept == tokens(range(5))


def test_what_fails_in_parsing_the_last_page_fails_at_the_end(work):
    """Also where no page follows that could hear of it."""
    work.fail_at(1)
    with pytest.raises(ValueError, match="as arranged"), work.reader() as reader:
        reader.add(page(1))


def test_pages_before_an_error_are_kept(work):
    """What fails in asking for the next page costs none of those that had come."""
    with pytest.raises(KeyError, match="refused"), work.reader() as reader:  # noqa: PT012
        reader.add(page(1))
        reader.add(page(2))
        raise KeyError("refused")
    assert work.kept == ["1", "2"]


def test_of_two_errors_the_earlier_page_has_the_last_word(work):
    """What came of the pages before goes before what came of the next request."""
    work.fail_at(1)
    with pytest.raises(ValueError, match="as arranged") as raised, work.reader() as reader:  # noqa: PT012
        reader.add(page(1))
        raise KeyError("refused")
    assert isinstance(raised.value.__context__, KeyError)


def test_of_two_bad_pages_the_earlier_one_is_told(work):
    """Though the later one, on another thread, may have failed before it."""

    def parse(pages):
        if pages[0].next_token == "1":
            assert wait_until(lambda: ["2"] in work.batches)
        return work.parse(pages)

    work.fail_at(1, "the earlier")
    work.fail_at(2, "the later")
    with pytest.raises(ValueError, match="the earlier"), PageReader(parse, work.keep) as reader:  # noqa: PT012
        reader.add(page(1, 2000))
        reader.add(page(2, 2000))
