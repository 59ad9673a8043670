"""A round-trip time in front of a server: bytes pass unchanged, and each waits half of it in either direction.

Connections to it open at once; only what is sent on them is late. It keeps what waits in memory, however much it is.
"""

import argparse
import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

RECEIVE = 1 << 18  # bytes, at most, taken from a socket at once
BACKLOG = 128


@dataclass(eq=False)
class Way:
    """One direction of a connection. `late`: bytes, and when they are due; none are the end."""

    source: socket.socket
    sink: socket.socket
    late: deque[tuple[float, bytes]] = field(default_factory=deque)
    open: bool = True

    def take(self, delay: float) -> None:
        """Take what has come."""
        data = b""
        with suppress(OSError):
            data = self.source.recv(RECEIVE)
        self.open = bool(data)
        self.late.append((time.perf_counter() + delay, data))

    def give(self) -> bool:
        """Pass on what is due first, or as much of it as the sink takes; whether the direction goes on."""
        due, data = self.late.popleft()
        try:
            if not data:
                self.sink.shutdown(socket.SHUT_WR)
                return False
            sent = self.sink.send(data)
        except OSError:
            return False
        if sent < len(data):
            self.late.appendleft((due, data[sent:]))
        return True

    def due(self) -> float:
        """When it has something to give, on the clock of `time.perf_counter`."""
        return self.late[0][0] if self.late else float("inf")


def main() -> None:
    """Pass bytes on until killed."""
    parser = argparse.ArgumentParser(description="A delay in front of a server")
    parser.add_argument("--to", type=int, required=True, metavar="PORT")
    parser.add_argument("--round-trip-ms", type=float, required=True)
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        sys.stdout.write(f"listening on 127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        follow(listener, arguments.to, arguments.round_trip_ms / 2000)


def follow(listener: socket.socket, port: int, delay: float) -> None:
    """Take connections, and what comes on them; give what is due."""
    ways: list[Way] = []
    while True:
        now = time.perf_counter()
        later = [way.due() - now for way in ways if now < way.due() < float("inf")]
        reading = {way.source: way for way in ways if way.open}
        giving = {way.sink: way for way in ways if way.due() <= now}
        # select(2) waits for microseconds; epoll(7) and poll(2) as Python has them for milliseconds.
        readable, writable, _ = select.select([listener, *reading], [*giving], [], min(later, default=None))
        for source in readable:
            if source is listener:
                ways += connect(listener, port)
            else:
                reading[source].take(delay)
        ended = [giving[sink] for sink in writable if not giving[sink].give()]
        ways = [way for way in ways if way not in ended]


def connect(listener: socket.socket, port: int) -> list[Way]:
    """Take a connection, and open the one that it leads to; both are closed when nothing refers to them any more."""
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", port))
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        each.setblocking(False)
    return [Way(client, server), Way(server, client)]


if __name__ == "__main__":
    main()
