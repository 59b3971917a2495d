"""Races between writers: who loses one tries again, from what there then is."""

import pytest

from joblake.errors import LakeError, RaceLostError
from joblake.lake.races import first_known, until_won


def test_work_is_done_until_no_race_is_lost():
    """The first attempt has what is known already, each later one what it reads anew."""
    pasts = first_known("known", lambda: "read")
    tried = []

    def work():
        tried.append(next(pasts))
        if len(tried) < 3:
            raise RaceLostError("lost")
        return len(tried)

    assert until_won(work) == 3
    assert tried == ["known", "read", "read"]


def test_who_always_loses_hears_of_it():
    """Ten attempts are made; any other error ends the work at once."""
    tried = []

    def work():
        tried.append(None)
        raise RaceLostError(f"lost {len(tried)}")

    with pytest.raises(RaceLostError, match="lost 10"):
        until_won(work)

    def broken():
        tried.append(None)
        raise LakeError("broken")

    with pytest.raises(LakeError, match="broken"):
        until_won(broken)
    assert len(tried) == 11
