"""Looks at a server and its helper processes from outside, as proc(5) tells of them, in a thread of its own."""

import os
import select
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import common
from process import children_of

LOOK = 0.1
"""Seconds between two looks at the memory."""

CLOSE = 0.005
"""Seconds between two looks where a new helper is waited for."""

PSS_EVERY = 10  # looks: it costs the most
FILTERED = 2
"""A helper lets the kernel filter its calls (proc(5), `status`) just before it says that it is ready."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Helper:
    """A helper process. `ready`: whether it takes jobs; `pidfd` tells when it ends."""

    pid: int
    pidfd: int
    ready: bool = False
    killed: bool = False
    instead: float | None = None
    """When the helper ended in whose place it came, if any did."""


@dataclass
class Seen:
    """What was seen. `rss`, `server`, `pss`: most MB of 10^6 bytes, of all processes, of the server, of all.

    `came`, `ready`: seconds from the end of a helper until another process is there, and until that one takes jobs.
    """

    rss: float = 0.0
    server: float = 0.0
    pss: float = 0.0
    ended: int = 0
    came: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)

    def __add__(self, later: "Seen") -> "Seen":
        most = [max(getattr(self, name), getattr(later, name)) for name in ("rss", "server", "pss")]
        return Seen(*most, self.ended + later.ended, self.came + later.came, self.ready + later.ready)


class Watch:
    """Follows a server, which may have `most` helpers, from entering to leaving the context."""

    def __init__(self, server: common.Process, most: int) -> None:
        self._server = server
        self._most = most
        self._helpers: dict[int, Helper] = {}
        self._missing: list[float] = []
        self._early: list[Helper] = []
        """Those that were met before the end was noticed of those in whose place they came."""
        self._seen = Seen()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._poll = select.poll()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        for helper in self._helpers.values():
            os.close(helper.pidfd)

    def take(self) -> Seen:
        """Return what was seen since the last time."""
        with self._lock:
            seen, self._seen = self._seen, Seen()
        return seen

    def kill(self) -> bool:
        """End the helper that has been there longest, of those that take jobs; whether there was one."""
        with self._lock:
            victim = next((helper for helper in self._helpers.values() if helper.ready), None)
            if victim:
                victim.ready, victim.killed = False, True
                signal.pidfd_send_signal(victim.pidfd, signal.SIGKILL)
            return victim is not None

    def helpers(self) -> list[int]:
        """Return the pids of the helpers that take jobs."""
        with self._lock:
            return [helper.pid for helper in self._helpers.values() if helper.ready]

    def _follow(self) -> None:
        looks, due = 0, 0.0
        while not self._closed.is_set():
            close = self._missing or not all(it.ready or it.killed for it in self._helpers.values())
            for descriptor, _ in self._poll.poll((CLOSE if close else LOOK) * 1000):  # ms
                self._gone(descriptor)
            with self._lock, suppress(OSError):  # whatever ends meanwhile
                self._find(everybody=bool(self._missing) or time.perf_counter() >= due)
                if time.perf_counter() >= due:
                    due = time.perf_counter() + LOOK
                    looks += 1
                    self._weigh(pss=looks % PSS_EVERY == 0)

    def _gone(self, descriptor: int) -> None:
        now = time.perf_counter()
        with self._lock:
            helper = next(it for it in self._helpers.values() if it.pidfd == descriptor)
            del self._helpers[helper.pid]
            self._seen.ended += 1
            if self._early:
                self._seen.came.append(0.0)
                other = self._early.pop(0)
                other.instead = now
                self._seen.ready += [0.0] if other.ready else []
            else:
                self._missing.append(now)
        self._poll.unregister(descriptor)
        os.close(descriptor)

    def _find(self, *, everybody: bool) -> None:
        """Look for new helpers, and whether those that are there are ready."""
        # Helpers are forks of the zygote, which is the server's child.
        for zygote in self._server.children() if everybody else ():
            for pid in children_of(zygote):
                if pid not in self._helpers and _runs(pid):
                    self._meet(pid)
        now = time.perf_counter()
        for helper in self._helpers.values():
            if not (helper.ready or helper.killed) and _takes_jobs(helper.pid):
                helper.ready = True
                if helper.instead is not None:
                    self._seen.ready.append(now - helper.instead)

    def _meet(self, pid: int) -> None:
        helper = Helper(pid, os.pidfd_open(pid))
        if self._missing:
            helper.instead = instead = self._missing.pop(0)
            self._seen.came.append(time.perf_counter() - instead)
        elif len(self._helpers) >= self._most:
            self._early.append(helper)
        self._helpers[pid] = helper
        self._poll.register(helper.pidfd, select.POLLIN)

    def _weigh(self, *, pss: bool) -> None:
        seen = self._seen
        weights = [rss_of(pid) for pid in self._server.pids()]
        seen.rss = max(seen.rss, sum(weights))
        seen.server = max(seen.server, weights[0])
        if pss:
            seen.pss = max(seen.pss, self._server.pss())


def _takes_jobs(pid: int) -> bool:
    return f"\nSeccomp:\t{FILTERED}\n" in Path(f"/proc/{pid}/status").read_text()


def _runs(pid: int) -> bool:
    """Whether it is more than the record of its end, which the zygote keeps until it makes the next."""
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def rss_of(pid: int) -> float:
    """Resident set of a process, in MB of 10^6 bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6
