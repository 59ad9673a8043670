"""What so many streams take of a machine: memory, cores and open files, while each is read at the pace of a player.

A run starts Sluice anew for each number of streams. The origin (nginx, over TLS) sends each stream `PACE` bytes a
second; clients take them as they come. The streams are weighed once all have begun, over `SECONDS`.
"""

import resource
import selectors
import socket
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import common
import relays

COUNTS = (100, 1_000, 5_000)
SECONDS = 15.0
SETTLE = 3.0
"""Seconds from the last stream's beginning to the first look."""

APART = 0.001
"""Seconds between the beginnings of two streams: they should not come in step."""

SPARE = 500
"""Connections beside those of streams."""

RECEIVE = 1 << 18

NAMES = {
    "rss": ("RSS, MB", 0),
    "stream": ("RSS per stream beyond idle, KiB", 1),
    "cores": ("cores", 3),
    "speed": ("MB/s in all", 1),
    "cpu": ("CPU-seconds per GiB", 2),
    "files": ("open files", 0),
}
"""Figures, their names in the table, and their digits."""


@dataclass
class Readers:
    """Clients that take what comes. `taken`: bytes in all, with heads; `begun`: those that something has come to."""

    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    taken: int = 0
    begun: int = 0
    buffer: bytearray = field(default_factory=lambda: bytearray(RECEIVE))

    def open(self, port: int, target: str) -> None:
        """Ask for one more."""
        client = socket.create_connection(("127.0.0.1", port), timeout=common.PATIENCE)
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.selector.register(client, selectors.EVENT_READ, [True])

    def read(self, seconds: float) -> None:
        """Take what comes for so long; a stream that ends is a `BenchError`."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            for key, _ in self.selector.select(left):
                assert isinstance(key.fileobj, socket.socket)
                count = key.fileobj.recv_into(self.buffer)
                if key.data[0]:
                    if not self.buffer.startswith(b"HTTP/1.1 200 "):
                        raise common.BenchError(f"a client got {bytes(self.buffer[:300])!r}")
                    key.data[0] = False
                    self.begun += 1
                if not count:
                    raise common.BenchError("a stream ended")
                self.taken += count

    def close(self) -> None:
        """Leave."""
        for key in list(self.selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self.selector.close()


def run(options: common.Options) -> str:
    """Measure each number of streams once per run."""
    figures: dict[tuple[int, str], list[float]] = {(count, name): [] for count in COUNTS for name in NAMES}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with relays.origin(options) as source:

        def measure(count: int) -> None:
            settings = {**options.settings, "MAX_STREAMS": str(count), "MAX_CONNECTIONS": str(count + SPARE)}
            with relays.start("sluice", source, replace(options, settings=settings)) as relay:
                for name, value in _measure(relay, count).items():
                    figures[count, name].append(value)

        common.alternate(options.runs, *(lambda count=count: measure(count) for count in COUNTS))
    rows = [
        common.Row(f"{count} streams: {text}", figures[count, name], (), digits)
        for count in COUNTS
        for name, (text, digits) in NAMES.items()
    ]
    return common.table(f"sizing: streams of {relays.PACE // 1000} kB/s each, over TLS", rows, ["Sluice"])


def _measure(relay: relays.Relay, count: int) -> dict[str, float]:
    process = relay.process
    time.sleep(1)  # for what a start leaves to be done
    idle, target, readers = process.rss(), relay.path("paced/large"), Readers()
    try:
        for _ in range(count):
            readers.open(process.port, target)
            readers.read(APART)
        deadline = time.perf_counter() + common.PATIENCE
        while readers.begun < count:
            if time.perf_counter() > deadline:
                raise common.BenchError(f"{readers.begun} of {count} streams have begun")
            readers.read(APART)
        readers.read(SETTLE)
        cpu, taken, started = process.cpu(), readers.taken, time.perf_counter()
        readers.read(SECONDS)
        cpu, taken, seconds = process.cpu() - cpu, readers.taken - taken, time.perf_counter() - started
        return {
            "rss": process.rss(),
            "stream": (process.rss() - idle) * 1e6 / 1024 / count,
            "cores": cpu / seconds,
            "speed": taken / seconds / 1e6,
            "cpu": cpu / taken * relays.GIB,
            "files": float(sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in process.pids())),
        }
    finally:
        readers.close()
