"""Races between writers: whoever loses one reads the lake anew and tries again."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from joblake.errors import RaceLostError

_ATTEMPTS = 10
_Known = TypeVar("_Known")
_Result = TypeVar("_Result")


def until_won(work: Callable[[], _Result]) -> _Result:
    """Do the work, and do it again when another writer was faster.

    Work that loses ten times in a row raises its last RaceLostError.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except RaceLostError:
            continue
    return work()


def first_known(known: _Known, read: Callable[[], _Known]) -> Iterator[_Known]:
    """Give what is known to the first attempt, and to each later one what it reads anew."""
    yield known
    while True:
        yield read()
