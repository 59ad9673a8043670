"""Behind all else that keeps Python here from the network and from starting processes: it is refused.

By an audit hook (PEP 578), which Python calls before it does any of these, whatever library asks. It is no prison: code
in C (libcurl) does not ask, and Python that means harm gets around it. What it stops is code that nobody thought of.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class WallError(PermissionError):
    """What was asked for is not done here. As the kernel would say it: who looks for a program finds none."""


@dataclass(frozen=True)
class _Rules:
    guard: tuple[str, int] | None
    forks: bool
    everywhere: bool


_rules: _Rules | None = None
_hooked = False
_at_work: set[int] = set()
"""Threads in the midst of a job."""


def install(guard: str | None, forks: bool = False, everywhere: bool = True) -> None:
    """Let Python connect to `guard` (an address and a port: "127.0.0.1:1080") alone, and start no process.

    `forks`: but os.fork, outside of jobs; `everywhere`: in all threads, else in jobs' own (`at_work`). Later calls
    replace these. Raises ValueError for what is no address.
    """
    global _rules, _hooked
    host, colon, port = (guard or "").rpartition(":")
    if guard is not None and not (host and colon and port.isdecimal()):
        raise ValueError("the guard has no address and port")
    _rules = _Rules((host, int(port)) if guard is not None else None, forks, everywhere)
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True


@contextmanager
def at_work() -> Iterator[None]:
    """Mark this thread as one in the midst of a job."""
    thread = threading.get_ident()
    _at_work.add(thread)
    try:
        yield
    finally:
        _at_work.discard(thread)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    # Called for every import, every file that is opened, and more.
    judge = _JUDGES.get(event)
    if judge is not None and _rules is not None and (_rules.everywhere or threading.get_ident() in _at_work):
        judge(_rules, args)


def _to(rules: _Rules, args: tuple[Any, ...]) -> None:
    """Judge (socket, address); without an address the socket is connected already, and that was judged."""
    address = args[1]
    # These very types: others may say that they are equal to anything.
    plain = type(address) is tuple and [type(part) for part in address] == [str, int]
    if address is not None and not (plain and address == rules.guard):
        raise WallError("Python connects to nothing but the guard here")


def _look_up(rules: _Rules, args: tuple[Any, ...]) -> None:
    """Judge (host, ...): the guard's is numeric, and asks nobody."""
    if rules.guard is None or type(args[0]) is not str or args[0] != rules.guard[0]:
        raise WallError("Python looks no names up here")


def _refuse_network(_: _Rules, __: tuple[Any, ...]) -> None:
    raise WallError("Python uses no network here")


def _refuse_process(_: _Rules, __: tuple[Any, ...]) -> None:
    raise WallError("No process is started from Python here")


def _fork(rules: _Rules, args: tuple[Any, ...]) -> None:
    if not rules.forks or threading.get_ident() in _at_work:
        _refuse_process(rules, args)


_JUDGES: dict[str, Callable[[_Rules, tuple[Any, ...]], None]] = {
    "socket.connect": _to,
    "socket.sendto": _to,
    "socket.sendmsg": _to,
    "socket.getaddrinfo": _look_up,
    "socket.bind": _refuse_network,
    "socket.gethostbyname": _refuse_network,
    "socket.gethostbyaddr": _refuse_network,
    "socket.getnameinfo": _refuse_network,
    "os.fork": _fork,
    **dict.fromkeys(
        ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.forkpty", "pty.spawn"),
        _refuse_process,
    ),
}
"""By event (Python's documentation, "Audit events table"); gethostbyname is that of gethostbyname_ex, too."""
