"""Clients that ask for pages and note what they got: whatever it is, it is an answer, and silence is a code, too."""

import http.client
import itertools
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import common
import load

OK = "ok"
UNANSWERED = "unanswered"
"""In place of a code: the connection broke, or nothing came for `common.PATIENCE`."""


@dataclass(frozen=True)
class Answer:
    """`code`: `ok`, that of the problem, or `UNANSWERED`; `seconds`: from the request to the whole answer."""

    code: str
    seconds: float
    body: dict[str, Any] = field(default_factory=dict)

    def gives(self, wanted: dict[str, int | None]) -> bool:
        """Whether it is a success that holds what it should: see `Gives` in tests/support/hostile/mod.rs."""
        formats, entries = (len(self.body.get(name) or ()) for name in ("formats", "entries"))
        least, exactly = wanted["formats"], wanted["entries"]
        return self.code == OK and formats >= (least or 0) and exactly in (None, entries)


def ask(server: common.Process, url: str, *, fresh: bool = False) -> Answer:
    """Ask for a page's description (`POST /extract`) on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=common.PATIENCE)
    body = json.dumps({"url": url, "fresh": fresh})
    started = time.perf_counter()
    try:
        connection.request("POST", "/extract", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        said: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return Answer(UNANSWERED, time.perf_counter() - started)
    finally:
        connection.close()
    code = OK if response.status == http.client.OK else str(said.get("code", response.status))
    return Answer(code, time.perf_counter() - started, said)


def health(server: common.Process) -> dict[str, Any]:
    """Return what `/health` says."""
    said: dict[str, Any] = json.loads(common.get(server, "/health"))
    return said


class Named:
    """Clients of a named site's pages, each of which asks for a new one as soon as it has the last."""

    def __init__(self, server: common.Process, internet: common.Stage, clients: int) -> None:
        self._server = server
        self._pages = internet.pages()
        self._clients = clients
        self._codes: Counter[str] = Counter()
        self._since = time.perf_counter()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Named":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def take(self) -> tuple[Counter[str], float]:
        """Return answers by code since the last time, and how long that is, in seconds."""
        with self._lock:
            now = time.perf_counter()
            taken = self._codes, now - self._since
            self._codes, self._since = Counter(), now
        return taken

    def _follow(self) -> None:
        while not self._closed.is_set():
            try:
                for answer in load.answers(self._server.port, self._requests(), self._clients, limit=float("inf")):
                    self._count(OK if load.is_ok(answer) else _code(answer))
            except (common.BenchError, OSError):
                self._count(UNANSWERED)

    def _requests(self) -> Iterator[bytes]:
        return (load.tiktok(page) for page in itertools.takewhile(lambda _: not self._closed.is_set(), self._pages))

    def _count(self, code: str) -> None:
        with self._lock:
            self._codes[code] += 1


def _code(answer: bytes) -> str:
    try:
        return str(json.loads(answer.partition(b"\r\n\r\n")[2])["code"])
    except (ValueError, KeyError):
        return answer[9:12].decode("ascii", "replace")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows of texts as Markdown."""
    lines = [f"### {title}", "", _line(columns), "|---|" + "--:|" * (len(columns) - 1), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def spread(seconds: Sequence[float]) -> str:
    """Write median and longest, in ms."""
    return f"{statistics.median(seconds) * 1000:.0f}, {max(seconds) * 1000:.0f}" if seconds else "-"
