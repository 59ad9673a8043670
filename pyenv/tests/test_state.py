"""Classes are as they were after each job, and one job at a time has those that it assigns to."""

import threading
import time

import pytest

from sluice import state
from sluice.state import Keeper
from sluice.transfer import OverdueError


class Base:
    _TOKEN = None
    _HEADERS = {"a": "1"}  # noqa: RUF012  as extractors have them


class Extractor(Base):
    pass


def keeper():
    return Keeper(["test_state:Base._TOKEN", "test_state:Base._LATER"], ["test_state:Base._HEADERS"])


def test_what_a_job_leaves_in_a_class_is_gone():
    keep, extractor = keeper(), Extractor()
    keep.made(extractor, None)
    Base._TOKEN, Base._LATER = "secret", "more"
    extractor._HEADERS["b"] = "secret"
    keep.over()
    assert (Base._TOKEN, hasattr(Base, "_LATER"), Base._HEADERS) == (None, False, {"a": "1"})


def test_one_job_at_a_time():
    ours, theirs = keeper(), keeper()
    ours.made(Extractor(), None)
    ours.made(Extractor(), None)
    ended = []

    def job():
        with pytest.raises(OverdueError):
            theirs.made(Extractor(), time.monotonic() + 0.05)
        theirs.over()
        ended.append("late")
        theirs.made(Extractor(), None)
        theirs.over()
        ended.append("served")

    thread = threading.Thread(target=job)
    thread.start()
    while not ended:
        time.sleep(0.01)
    assert ended == ["late"]
    ours.over()
    thread.join()
    assert ended == ["late", "served"]


def test_a_job_that_is_broken_off_right_after_it_got_the_lock_gives_it_back():
    keep = keeper()
    keep.made(Extractor(), None)
    keep._first.clear()
    keep.over()
    assert not any(lock._is_owned() for lock in state._locks.values())
