"""Taking pages on a thread of its own: in order, together where they come quickly."""

import threading
from itertools import chain

import pytest

from joblake.aside import Aside
from joblake.flatten import UnreadPage

SECONDS = 60


def page(number, rows=100):
    return UnreadPage(str(number), rows, [])


class Taker:
    """Keeps what it is given; waits before that until it is told to go on."""

    def __init__(self):
        self.batches = []
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        self.error = None

    def __call__(self, pages):
        """Take pages, as a listing's intake does."""
        self.has_begun.set()
        assert self.may_go_on.wait(SECONDS)
        if self.error is not None:
            raise self.error
        self.batches.append([page.next_token for page in pages])

    @property
    def taken(self):
        """The tokens of all pages so far."""
        return list(chain.from_iterable(self.batches))


@pytest.fixture
def taker():
    return Taker()


@pytest.mark.parametrize("rows", [0, 1, 100, 999, 5000])
def test_every_page_is_taken_once_and_in_order(taker, rows):
    """Empty pages, small ones and large ones: whatever is taken together, none is missing."""
    taker.may_go_on.set()
    with Aside(taker) as aside:
        for number in range(300):
            aside.add(page(number, rows))
    assert taker.taken == [str(number) for number in range(300)]
    assert max(map(len, taker.batches)) <= 20
    assert len(taker.batches) == 300 or rows < 2000


def test_a_page_is_taken_though_none_follows(taker):
    """A service that hangs on the next page keeps none of those before from being taken."""
    taker.may_go_on.set()
    with Aside(taker) as aside:
        aside.add(page(1))
        assert taker.has_begun.wait(SECONDS)


def test_no_more_pages_wait_than_fit_into_memory(taker):
    """Who adds pages faster than they are taken has to wait."""
    added, have_two = [], threading.Event()

    def add_all():
        with Aside(taker) as aside:
            for number in range(10):
                aside.add(page(number, rows=2000))
                added.append(number)
                if len(added) == 2:
                    have_two.set()

    adding = threading.Thread(target=add_all)
    adding.start()
    assert have_two.wait(SECONDS)
    adding.join(0.5)
    assert len(added) == 2  # one is being taken, and one waits
    taker.may_go_on.set()
    adding.join(SECONDS)
    assert taker.taken == [str(number) for number in range(10)]


def test_what_fails_in_taking_fails_in_adding(taker):
    """Later pages are neither taken nor waited for."""
    taker.error = ValueError("as arranged")
    with pytest.raises(ValueError, match="as arranged"), Aside(taker) as aside:  # noqa: PT012
        aside.add(page(1, rows=2000))
        taker.may_go_on.set()
        for number in range(2, 100):
            aside.add(page(number, rows=2000))
    assert taker.taken == []


def test_what_fails_in_taking_the_last_page_fails_at_the_end(taker):
    """Also where no page follows that could hear of it."""
    taker.error = ValueError("as arranged")
    taker.may_go_on.set()
    with pytest.raises(ValueError, match="as arranged"), Aside(taker) as aside:
        aside.add(page(1))


def test_pages_before_an_error_are_taken(taker):
    """What fails in asking for the next page costs none of those that had come."""
    taker.may_go_on.set()
    with pytest.raises(KeyError, match="refused"), Aside(taker) as aside:  # noqa: PT012
        aside.add(page(1))
        aside.add(page(2))
        raise KeyError("refused")
    assert taker.taken == ["1", "2"]


def test_of_two_errors_the_earlier_page_has_the_last_word(taker):
    """What came of the pages before goes before what came of the next request."""
    taker.error = ValueError("as arranged")
    taker.may_go_on.set()
    with pytest.raises(ValueError, match="as arranged") as raised, Aside(taker) as aside:  # noqa: PT012
        aside.add(page(1))
        raise KeyError("refused")
    assert isinstance(raised.value.__context__, KeyError)
