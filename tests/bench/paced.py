"""The clients of many streams that come in small pieces: how long each waits for the next piece.

A process of its own, so that nothing but these streams takes its time. All streams are of the same film, which the
stage plays slowly; it is fetched whole, from the stage, to compare with.

    pyenv/python tests/bench/paced.py --sluice PORT --path /stream?data=... --count 200 --stage PORT --direct 20

`--direct`: as many more come from the stage itself, and show what the machine and the stage have their part in. Who
connects to the port that it prints is told what came since the last time (`streams.Look`), as JSON.
"""

import argparse
import http.client
import json
import selectors
import socket
import sys
import time
from array import array
from dataclasses import dataclass, field

SLOWLY, WHOLE = "http://drip.example.net/slowly", "http://drip.example.net/whole"
APART = 0.001
"""Seconds between the openings of two streams: the stage's pieces should not come all at once."""

PATIENCE = 60.0
RECEIVE = 1 << 16


@dataclass(eq=False)
class Stream:
    """A stream that goes on. `at`: the next byte's offset, once the head is there; `last`: when a piece came."""

    socket: socket.socket
    at: int = -1
    last: float = 0.0
    head: bytes = b""


@dataclass
class Group:
    """Streams of one kind, and what is known of them. `broken`: those that ended, failed or had a wrong byte."""

    film: bytes
    streams: list[Stream] = field(default_factory=list)
    gaps: "array[float]" = field(default_factory=lambda: array("d"))
    broken: int = 0
    taken: int = 0

    def open(self, port: int, target: str, selector: selectors.BaseSelector) -> None:
        """Ask for one more."""
        opened = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        opened.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        stream = Stream(opened)
        self.streams.append(stream)
        selector.register(opened, selectors.EVENT_READ, (self, stream))

    def take(self, stream: Stream, now: float) -> bool:
        """Take what has come; whether the stream goes on."""
        try:
            data = stream.socket.recv(RECEIVE)
        except OSError:
            data = b""
        if stream.at < 0 and data:
            stream.head += data
            head, end, data = stream.head.partition(b"\r\n\r\n")
            if not end:
                return True
            if not head.startswith(b"HTTP/1.1 200 "):
                return self.lose(stream)
            stream.at, stream.last = 0, now
        elif data:
            self.gaps.append(now - stream.last)
            stream.last = now
        else:
            return self.lose(stream)
        if data != self.film[stream.at : stream.at + len(data)]:
            return self.lose(stream)
        stream.at += len(data)
        self.taken += len(data)
        return True

    def lose(self, stream: Stream) -> bool:
        """Count it as broken."""
        self.broken += 1
        self.streams.remove(stream)
        return False

    def look(self) -> dict[str, object]:
        """Say what came since the last look; the fields of `streams.Look`. A silence that goes on counts, too."""
        now = time.perf_counter()
        silence = max((now - stream.last for stream in self.streams if stream.at >= 0), default=0.0)
        gaps = [round(gap, 5) for gap in self.gaps]
        if silence > max(gaps, default=0.0):
            gaps.append(silence)
        said = {
            "open": sum(stream.at >= 0 for stream in self.streams),
            "broken": self.broken,
            "taken": self.taken,
            "gaps": gaps,
        }
        del self.gaps[:]
        self.taken = 0
        return said


def main() -> None:
    """Follow the streams until killed."""
    parser = argparse.ArgumentParser(description="Clients of streams that come in small pieces")
    parser.add_argument("--sluice", type=int, required=True, metavar="PORT")
    parser.add_argument("--path", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--stage", type=int, required=True, metavar="PORT")
    parser.add_argument("--direct", type=int, required=True)
    arguments = parser.parse_args()
    film = whole(arguments.stage)
    groups = {"sluice": Group(film), "stage": Group(film)}
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as selector:
        for _ in range(arguments.direct):
            groups["stage"].open(arguments.stage, SLOWLY, selector)
            time.sleep(APART)
        for _ in range(arguments.count):
            groups["sluice"].open(arguments.sluice, arguments.path, selector)
            time.sleep(APART)
        selector.register(listener, selectors.EVENT_READ)
        sys.stdout.write(f"listening on 127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        follow(selector, groups)


def whole(port: int) -> bytes:
    """Fetch the film at once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", WHOLE)
    return connection.getresponse().read()


def follow(selector: selectors.BaseSelector, groups: dict[str, Group]) -> None:
    """Take pieces as they come, and answer who asks."""
    while True:
        ready = selector.select()
        now = time.perf_counter()
        for key, _ in ready:
            if key.data is None:
                tell(key.fileobj, groups)
                continue
            group, stream = key.data
            if not group.take(stream, now):
                selector.unregister(stream.socket)
                stream.socket.close()


def tell(listener: object, groups: dict[str, Group]) -> None:
    """Answer one who connects."""
    assert isinstance(listener, socket.socket)
    client, _ = listener.accept()
    with client:
        client.sendall(json.dumps({name: group.look() for name, group in groups.items()}).encode())


if __name__ == "__main__":
    main()
