"""The client that puts a load of extractions on a server: one thread, raw sockets, requests made in advance.

On a machine with few cores it must cost little beside what it measures: some 0.2 ms of CPU per answer, which
`scripts/bench extract` shows. The same client is used for every side.
"""

import itertools
import json
import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import quote

from process import PATIENCE, BenchError, Process

LOAD_LIMIT = 180.0
"""Longest time that one load may take, in seconds."""

_RECEIVE = 1 << 18  # bytes, at most, taken from a socket at once
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What a load cost. `seconds`: wall time; `cpu`: CPU seconds of the server; `client`: those of the client."""

    count: int
    seconds: float
    cpu: float
    client: float = 0.0

    @property
    def rate(self) -> float:
        """Extractions per second."""
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU of the server per extraction, in ms."""
        return self.cpu / self.count * 1000

    @property
    def client_each(self) -> float:
        """CPU of the client per extraction, in ms."""
        return self.client / self.count * 1000


@dataclass(eq=False)
class Kept:
    """A kept connection, with at most one request on its way. The socket blocks: use it when there is something."""

    socket: socket.socket
    _got: bytearray = field(default_factory=bytearray)
    _whole: int = 0

    @classmethod
    def to(cls, port: int) -> "Kept":
        """Connect on loopback."""
        opened = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(opened)

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self.socket.sendall(request)

    def answer(self) -> bytes | None:
        """Take what has come; gives the answer, head and all, once it is whole. One without a length is an error."""
        data = self.socket.recv(_RECEIVE)
        if not data:
            raise BenchError(f"a connection ended after {bytes(self._got[:300])!r}")
        self._got += data
        if not self._whole:
            head = self._got.find(b"\r\n\r\n")
            if head < 0:
                return None
            length = _LENGTH.search(self._got, 0, head + 2)
            if not length:
                raise BenchError(f"an answer without a length: {bytes(self._got[:300])!r}")
            self._whole = head + 4 + int(length[1])
        if len(self._got) < self._whole:
            return None
        answer = bytes(self._got)
        self._got.clear()
        self._whole = 0
        return answer

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def answers(port: int, requests: Iterable[bytes], clients: int, limit: float = LOAD_LIMIT) -> Iterator[bytes]:
    """Send the requests on so many kept connections, one at a time on each; gives answers as they become whole.

    All connect before the first request is sent.
    """
    deadline = time.perf_counter() + limit
    todo = iter(requests)
    with selectors.DefaultSelector() as selector, ExitStack() as opened:
        connections = [Kept.to(port) for _ in range(clients)]
        for connection in connections:
            opened.callback(connection.close)
        for connection, request in zip(connections, itertools.islice(todo, clients), strict=False):
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask(request)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready or time.perf_counter() > deadline:
                raise BenchError(f"no answer for {PATIENCE} s, or a load that took over {limit} s")
            for key, _ in ready:
                answer = key.data.answer()
                if answer is None:
                    continue
                request = next(todo, b"")
                if request:
                    key.data.ask(request)
                else:
                    selector.unregister(key.fileobj)
                yield answer


def is_ok(answer: bytes) -> bool:
    """Whether the status is 200."""
    return answer.startswith(b"HTTP/1.1 200 ")


def get(path: str) -> bytes:
    """Make a request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def extract(page: str) -> bytes:
    """Make a request for a page's description (`GET /extract`)."""
    return get(f"/extract?url={quote(page, safe='')}")


def tiktok(page: str) -> bytes:
    """Make a request for a page's description in the shape that both sides have (`POST /tiktok`)."""
    body = json.dumps({"url": page})
    head = "POST /tiktok HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def anew(page: str) -> bytes:
    """Make a request for a page's description that no cache answers (`POST /extract`)."""
    body = json.dumps({"url": page, "fresh": True})
    head = "POST /extract HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def check(answer: bytes) -> None:
    """Anything but a description with links is a `BenchError`."""
    if not is_ok(answer) or b'"streamData"' not in answer:
        raise BenchError(f"no stream in {answer[:600]!r}")


def extractions(server: Process, pages: Iterator[str], clients: int, count: int) -> Load:
    """Have `count` pages extracted (`POST /tiktok`) by clients with kept connections."""
    requests = [tiktok(page) for page in itertools.islice(pages, count)]
    cpu, client, started = server.cpu(), time.process_time(), time.perf_counter()
    for answer in answers(server.port, requests, min(clients, count)):
        check(answer)
    seconds = time.perf_counter() - started
    return Load(count, seconds, server.cpu() - cpu, time.process_time() - client)
