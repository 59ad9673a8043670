"""Streams that go on through Sluice while something else is measured: see paced.py, which is their client."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import common
import relays
from process import running

FILM = "https://drip.example.net/slowly"
"""What the stage plays in small pieces, one every 200 ms, with `--drip`."""

DIRECT = 20
"""Streams from the stage itself, beside those through Sluice."""

SETTINGS = {"ENCRYPTION_KEY": relays.KEY}
"""What a server needs that is to have these streams."""


@dataclass(frozen=True)
class Look:
    """What came to some streams in a time.

    `open`: streams that go on; `broken`: those that do not, or had a wrong byte; `taken`: bytes; `gaps`: seconds
    between two pieces of a stream.
    """

    open: int
    broken: int
    taken: int
    gaps: list[float]

    def __add__(self, later: "Look") -> "Look":
        return Look(later.open, later.broken, self.taken + later.taken, sorted(self.gaps + later.gaps))

    @property
    def middle(self) -> float:
        """Median of the gaps."""
        return self._gap(50)

    @property
    def high(self) -> float:
        """99th percentile of the gaps."""
        return self._gap(99)

    @property
    def longest(self) -> float:
        """Longest of the gaps."""
        return max(self.gaps, default=0.0)

    def _gap(self, percent: int) -> float:
        return sorted(self.gaps)[len(self.gaps) * percent // 100] if self.gaps else 0.0


@dataclass(frozen=True)
class Streams:
    """Streams that go on."""

    process: common.Process
    count: int

    def look(self) -> tuple[Look, Look]:
        """Say what came since the last look: through Sluice, and from the stage itself."""
        with socket.create_connection(("127.0.0.1", self.process.port), timeout=common.PATIENCE) as line:
            said = json.loads(line.makefile().read())
        return Look(**said["sluice"]), Look(**said["stage"])


@contextmanager
def streams(server: common.Process, internet: common.Stage, count: int) -> Iterator[Streams]:
    """Open so many streams of a server with `SETTINGS`, and wait until all have begun."""
    program = common.ROOT / "tests/bench/paced.py"
    target = f"/stream?data={relays.token(FILM)}"
    command: list[str | Path] = [
        common.PYTHON,
        program,
        "--sluice",
        str(server.port),
        "--path",
        target,
        "--count",
        str(count),
    ]
    command += ["--stage", str(urlsplit(internet.proxy).port), "--direct", str(DIRECT)]
    with running(command, {}) as process:
        process.listening("listening on 127.0.0.1:")
        followed = Streams(process, count)
        deadline = time.perf_counter() + common.PATIENCE
        while (look := followed.look()[0]).open < count:
            if look.broken or time.perf_counter() > deadline:
                raise common.BenchError(f"{look.open} of {count} streams began, {look.broken} are broken")
            time.sleep(0.1)
        yield followed
