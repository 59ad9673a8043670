"""What extractors keep in their classes: tokens, mostly, that would go from one job to another.

The names come from the source of the pinned release, when the runtime is built (class_state.py, index.py).
"""

import copy
import threading
import time
from collections.abc import Iterable
from typing import Any

from sluice.transfer import OverdueError

_locks: dict[str, threading.RLock] = {}
"""By class that an extractor assigns to: held by the job that uses it, for the class is there only once."""


class Keeper:
    """Keeps one job's extractors from those of other jobs. `stateful`, `changed`: as in `index.Table`."""

    def __init__(self, stateful: Iterable[str], changed: Iterable[str]) -> None:
        self._stateful = _by_class(stateful)
        self._changed = _by_class(changed)
        self._first: dict[tuple[type, str], Any] = {}

    def made(self, extractor: Any, deadline: float | None) -> None:
        """Take care of an extractor that was just made. Waits, if another job uses one that assigns to its class."""
        cls = type(extractor)
        for name in _names(cls, self._changed):
            setattr(extractor, name, copy.deepcopy(getattr(cls, name)))
        for base in cls.__mro__:
            owner = _path(base)
            if owner not in self._stateful:
                continue
            wait = -1 if deadline is None else max(deadline - time.monotonic(), 0)
            if not _locks.setdefault(owner, threading.RLock()).acquire(timeout=wait):
                raise OverdueError
            for name in self._stateful[owner]:
                self._first.setdefault((base, name), vars(base).get(name, _absent))

    def over(self) -> None:
        """Put the classes back as they were, at the end of a job, and let others have them."""
        for (base, name), value in self._first.items():
            if value is not _absent:
                setattr(base, name, value)
            elif name in vars(base):
                delattr(base, name)
        self._first.clear()
        # The locks know best: a job may have been broken off right after it got one.
        for lock in list(_locks.values()):
            while lock._is_owned():  # type: ignore[attr-defined]
                lock.release()


_absent = object()


def _by_class(paths: Iterable[str]) -> dict[str, list[str]]:
    """From "module:Class.attribute" to names by "module:Class"."""
    names: dict[str, list[str]] = {}
    for path in paths:
        owner, _, name = path.rpartition(".")
        names.setdefault(owner, []).append(name)
    return names


def _path(cls: type) -> str:
    return f"{cls.__module__.rpartition('.')[2]}:{cls.__qualname__}"


def _names(cls: type, by_class: dict[str, list[str]]) -> list[str]:
    return [name for base in cls.__mro__ for name in by_class.get(_path(base), ())]
