"""Breaking off what holds Python's lock: a pattern that backtracks holds it for as long as the page likes.

Python's own way to stop a thread needs the lock. A signal does not: patterns look for one every few thousand steps, as
they would for Ctrl-C, but only in the thread that Python takes for the main one. Rust makes that the one that holds the
lock (extract/python.rs), and then has Python believe that `SIGNAL` has come; nobody sends it.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from sluice.handoff import HandOff
from sluice.transfer import may_break_off

SIGNAL = int(signal.SIGRTMAX) - 1
"""A number that nothing else uses."""

_at_work: set[int] = set()
"""Threads in the midst of a job."""


class LockHeldError(HandOff):
    """The job has held the lock for too long; a helper may take all the time there is."""


def install() -> None:
    """Take the signal. Only in the thread that started Python."""
    signal.signal(SIGNAL, _break_off)


@contextlib.contextmanager
def breakable() -> Iterator[None]:
    """Let this thread's work be broken off, by a LockHeldError."""
    thread = threading.get_ident()
    _at_work.add(thread)
    try:
        yield
    finally:
        _at_work.discard(thread)


def _break_off(_signal: int, _frame: Any) -> None:
    thread = threading.get_ident()
    # Otherwise Rust tries again, if the lock is still held.
    if thread in _at_work and may_break_off(thread):
        raise LockHeldError
