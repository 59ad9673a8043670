"""What the benchmarks share: servers under measurement, load, and tables.

All of it is on loopback, and all of it is bounded: a wait by `PATIENCE`, a load by its count and `LOAD_LIMIT`.
"""

import http.client
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# The names that every benchmark needs are here, wherever they live.
from process import PATIENCE as PATIENCE
from process import BenchError as BenchError
from process import Process as Process
from process import running

ROOT = Path(__file__).resolve().parents[2]
SLUICE = ROOT / "target/release/sluice"
STAGE = ROOT / "target/release/examples/stage"
PYTHON = ROOT / "pyenv/python"

LOAD_LIMIT = 180.0
"""Longest time that one load may take, in seconds."""


@dataclass(frozen=True)
class Options:
    """What the command line says.

    `settings`: of Sluice, on top of those that a benchmark gives it. `other`: a build to compare it with, without them.
    """

    runs: int
    binary: Path
    settings: Mapping[str, str]
    gib: float
    clients: int
    sides: Sequence[str]
    cores: tuple[str, str]
    other: Path | None = None


@dataclass(frozen=True)
class Stage:
    """The stand-in internet. `ca`: PEM file; `page`: a page's URL, whose id may be any."""

    proxy: str
    ca: str
    page: str

    @property
    def settings(self) -> dict[str, str]:
        """What makes Sluice take it for the internet."""
        return {"PROXY": self.proxy, "CA_FILE": self.ca}

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
        with running([STAGE, "--ca", ca, "--any-id", "--size", str(size)], {}) as process:
            said = json.loads(process.wait_for('"proxy"'))
            yield Stage(said["proxy"], ca, said["page"])


@contextmanager
def sluice(
    options: Options, settings: Mapping[str, str], *, log: Path | None = None, cores: str | None = None
) -> Iterator[Process]:
    """Start Sluice with its defaults and these settings, and wait until `/ready` answers 200."""
    # A build of another work tree has its runtime there.
    trees = (options.binary.parents[2] if len(options.binary.parents) > 2 else ROOT, ROOT)
    pyenv = next(tree / "pyenv" for tree in trees if (tree / "pyenv/runtime").exists() or tree == ROOT)
    own = {"HOST": "127.0.0.1", "PORT": "0", "PYENV_DIR": str(pyenv)}
    with running([options.binary], {**own, **settings, **options.settings}, log=log, cores=cores) as process:
        process.listening("listening on http://127.0.0.1:")
        process.wait_for("ready in ")
        get(process, "/ready")
        yield process


@contextmanager
def baseline(
    ca: str, proxy: str | None = None, *, log: Path | None = None, cores: str | None = None
) -> Iterator[Process]:
    """Start the seed's design and wait until `/health` answers 200."""
    command: list[str | Path] = [PYTHON, ROOT / "tests/bench/baseline.py", "--ca-file", ca]
    if proxy:
        command += ["--proxy", proxy]
    with running(command, {}, log=log, cores=cores) as process:
        process.listening("Uvicorn running on http://127.0.0.1:")
        get(process, "/health")
        yield process


def wait_until_warm(server: Process) -> None:
    """Poll Sluice's `/health`: the workers after the first one say nothing in the log."""
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        workers = json.loads(get(server, "/health"))["workers"]
        if workers["warm"] == workers["total"]:
            return
        time.sleep(0.01)
    raise BenchError("the first workers did not warm up")


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
    """A line of a table: the same figure of all sides, one value per run. `more`: of the sides after the second."""

    figure: str
    ours: Sequence[float]
    theirs: Sequence[float]
    digits: int = 0
    more: Sequence[Sequence[float]] = ()

    @classmethod
    def of(cls, figure: str, sides: Sequence[Sequence[float]], digits: int) -> "Row":
        """Take the sides as a list; a second one that is missing has no figures."""
        ours, theirs, *more = sides if len(sides) > 1 else [*sides, ()]
        return cls(figure, ours, theirs, digits, more)


def table(title: str, rows: Sequence[Row], sides: Sequence[str] = ("Sluice", "seed's design")) -> str:
    """Write medians, with lowest and highest, as Markdown; the ratio is that of the first two sides' medians."""
    sides = sides if len(sides) > 1 else [*sides, "-"]
    columns = ["figure", *sides[:2], "ratio", *sides[2:]]
    lines = [f"### {title}; {len(rows[0].ours)} runs", "", _line(columns), "|---|" + "--:|" * (len(columns) - 1)]
    for row in rows:
        ratio = ""
        if row.ours and row.theirs and statistics.median(row.theirs) > 0:
            ratio = f"{statistics.median(row.ours) / statistics.median(row.theirs):.2f}"
        ours, theirs, *more = (_spread(values, row.digits) for values in (row.ours, row.theirs, *row.more))
        lines.append(_line([row.figure, ours, theirs, ratio, *more]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} ... {high})"
