"""What the benchmarks share: processes under measurement, load, and tables.

All of it is on loopback, and all of it is bounded: a wait by `PATIENCE`, a load by its count and `LOAD_LIMIT`.
"""

import http.client
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLUICE = ROOT / "target/release/sluice"
STAGE = ROOT / "target/release/examples/stage"
PYTHON = ROOT / "pyenv/python"

PATIENCE = 60.0
"""Longest wait for a line in a log or for an answer, in seconds. To reach it is a failure."""

LOAD_LIMIT = 180.0
"""Longest time that one load may take, in seconds."""

_TICKS = os.sysconf("SC_CLK_TCK")  # clock ticks per second, the unit of CPU times in /proc


class BenchError(Exception):
    """What was to be measured did not work; there is no figure."""


class Process:
    """A child that logs to stderr. It is killed by `close`, and by the kernel when this process ends."""

    def __init__(self, command: Sequence[str | Path], environment: dict[str, str]) -> None:
        self.name = Path(command[0]).name
        self.started = time.perf_counter()
        # setpriv(1) becomes the command, so that its start costs both sides the same millisecond.
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.port = 0
        self._lines: list[str] = []
        self._ended = False
        self._change = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            with self._change:
                self._lines.append(line.rstrip())
                self._change.notify_all()
        with self._change:
            self._ended = True
            self._change.notify_all()

    def wait_for(self, text: str) -> str:
        """Return the first line of output that holds `text`, as soon as it is there."""

        def found() -> str | None:
            return next((line for line in self._lines if text in line), None)

        with self._change:
            self._change.wait_for(lambda: self._ended or found(), PATIENCE)
            line = found()
            if line is None:
                raise BenchError(f"{self.name} did not say {text!r}:\n" + "\n".join(self._lines[-20:]))
        return line

    def listening(self, text: str) -> None:
        """Learn the port from the line that holds `text` and, right after it, the port."""
        rest = self.wait_for(text).split(text)[1]
        self.port = int("".join(itertools.takewhile(str.isdigit, rest)))

    def cpu(self) -> float:
        """CPU time so far, user and system, in seconds."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss(self) -> float:
        """Resident set (VmRSS), in MB of 10^6 bytes."""
        return self._kib("status", "VmRSS:")

    def pss(self) -> float:
        """Proportional set: shared pages count in part. In MB of 10^6 bytes."""
        return self._kib("smaps_rollup", "Pss:")

    def _kib(self, name: str, key: str) -> float:
        line = next(line for line in self._proc(name).splitlines() if line.startswith(key))
        return int(line.split()[1]) * 1024 / 1e6

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.child.pid}/{name}").read_text()

    def close(self) -> None:
        """Kill it; there is nothing in it worth keeping."""
        self.child.kill()
        self.child.wait()


@contextmanager
def _running(command: Sequence[str | Path], settings: dict[str, str]) -> Iterator[Process]:
    """Run with a home of its own and nothing of the caller's environment but PATH."""
    with tempfile.TemporaryDirectory() as home:
        process = Process(command, {"PATH": os.environ["PATH"], "HOME": home, **settings})
        try:
            yield process
        finally:
            process.close()


@dataclass(frozen=True)
class Stage:
    """The stand-in internet. `ca`: PEM file; `page`: a page's URL, whose id may be any."""

    proxy: str
    ca: str
    page: str

    def pages(self) -> Iterator[str]:
        """URLs of different pages, without end, and never the same in two calls."""
        user = self.page.rpartition("/")[0]
        return (f"{user}/{next(_ids)}" for _ in itertools.repeat(None))


# `next` on it is atomic.
_ids = itertools.count(7_400_000_000_000_000_000)


@contextmanager
def stage(size: int) -> Iterator[Stage]:
    """Start a stage whose best format has `size` bytes, without delays of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ca = f"{folder}/ca.pem"
        with _running([STAGE, "--ca", ca, "--any-id", "--size", str(size)], {}) as process:
            said = json.loads(process.wait_for('"proxy"'))
            yield Stage(said["proxy"], ca, said["page"])


@contextmanager
def sluice(internet: Stage, binary: Path = SLUICE) -> Iterator[Process]:
    """Start Sluice with its defaults and wait until `/ready` answers 200."""
    settings = {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "PROXY": internet.proxy,
        "CA_FILE": internet.ca,
        "PYENV_DIR": str(ROOT / "pyenv"),
    }
    with _running([binary], settings) as process:
        process.listening("listening on http://127.0.0.1:")
        process.wait_for("ready in ")
        get(process, "/ready")
        yield process


@contextmanager
def baseline(internet: Stage) -> Iterator[Process]:
    """Start the seed's design and wait until `/health` answers 200."""
    command: list[str | Path] = [
        PYTHON,
        ROOT / "tests/bench/baseline.py",
        "--proxy",
        internet.proxy,
        "--ca-file",
        internet.ca,
    ]
    with _running(command, {}) as process:
        process.listening("Uvicorn running on http://127.0.0.1:")
        get(process, "/health")
        yield process


def get(server: Process, path: str) -> bytes:
    """`GET` a path on a connection of its own; anything but 200 is a `BenchError`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return body(connection.getresponse())
    finally:
        connection.close()


def body(response: http.client.HTTPResponse) -> bytes:
    """Read a whole answer; anything but 200 is a `BenchError`."""
    data = response.read()
    if response.status != http.client.OK:
        raise BenchError(f"{response.status}: {data[:300]!r}")
    return data


@dataclass(frozen=True)
class Load:
    """What a load cost. `seconds`: wall time; `cpu`: CPU seconds of the server."""

    count: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Extractions per second."""
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU of the server per extraction, in ms."""
        return self.cpu / self.count * 1000


def extractions(server: Process, internet: Stage, clients: int, count: int) -> Load:
    """Have `count` pages that nobody asked for before extracted (`POST /tiktok`) by clients with kept connections."""
    pages = internet.pages()
    todo = iter(range(count))
    deadline = time.perf_counter() + LOAD_LIMIT

    def client(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        for _ in todo:
            if time.perf_counter() > deadline:
                raise BenchError(f"{count} extractions took over {LOAD_LIMIT} s")
            ask = json.dumps({"url": next(pages)})
            connection.request("POST", "/tiktok", ask, {"Content-Type": "application/json"})
            answer = body(connection.getresponse())
            if b'"streamData"' not in answer:
                raise BenchError(f"no stream in {answer[:300]!r}")
        connection.close()

    cpu, started = server.cpu(), time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(client, range(clients)))
    return Load(count, time.perf_counter() - started, server.cpu() - cpu)


def alternate(runs: int, *sides: Callable[[], None]) -> None:
    """Call each of the sides `runs` times in turn; which is first alternates, so that drift hits all alike."""
    for run in range(runs):
        for side in sides if run % 2 == 0 else reversed(sides):
            side()


@dataclass(frozen=True)
class Row:
    """A line of a table: the same figure of both sides, one value per run."""

    figure: str
    ours: Sequence[float]
    theirs: Sequence[float]
    digits: int = 0


def table(title: str, rows: Sequence[Row], sides: tuple[str, str] = ("Sluice", "seed's design")) -> str:
    """Write medians, with lowest and highest, as Markdown; the ratio is that of the medians, left over right."""
    lines = [
        f"### {title}; {len(rows[0].ours)} runs",
        "",
        f"| figure | {sides[0]} | {sides[1]} | ratio |",
        "|---|--:|--:|--:|",
    ]
    for row in rows:
        ratio = ""
        if row.ours and row.theirs and statistics.median(row.theirs) > 0:
            ratio = f"{statistics.median(row.ours) / statistics.median(row.theirs):.2f}"
        lines.append(
            f"| {row.figure} | {_spread(row.ours, row.digits)} | {_spread(row.theirs, row.digits)} | {ratio} |"
        )
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} ... {high})"
