"""What the benchmarks share: servers under measurement, load, and tables.

All of it is on loopback, and all of it is bounded: a wait by `PATIENCE`, a load by its count and `load.LOAD_LIMIT`.
"""

import http.client
import itertools
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import load

# The names that every benchmark needs are here, wherever they live.
from load import LOAD_LIMIT as LOAD_LIMIT
from load import Load as Load
from process import PATIENCE as PATIENCE
from process import BenchError as BenchError
from process import Process as Process
from process import running

ROOT = Path(__file__).resolve().parents[2]
SLUICE = ROOT / "target/release/sluice"
STAGE = ROOT / "target/release/examples/stage"
CONSTANT = ROOT / "target/release/examples/constant"
PYTHON = ROOT / "pyenv/python"


@dataclass(frozen=True)
class Options:
    """What the command line says.

    `settings`: of Sluice, on top of those that a benchmark gives it. `other`: a build to compare it with, without them.
    `extractions`: None where each subject has its own number; `seconds`: length of each load that is not counted.
    """

    runs: int
    binary: Path
    settings: Mapping[str, str]
    gib: float
    clients: int
    sides: Sequence[str]
    cores: tuple[str, str]
    other: Path | None = None
    extractions: int | None = None
    seconds: float = 5
    cases: int | None = None
    kills: int = 200

    def setting(self, name: str, default: int) -> int:
        """Give the value of a setting of Sluice that is a number."""
        return int(self.settings.get(name, default))


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
        return (f"{self.prefix}{next(_ids)}" for _ in itertools.repeat(None))

    @property
    def prefix(self) -> str:
        """What stands before the id in a page's URL."""
        return self.page.rpartition("/")[0] + "/"

    def ids(self, count: int) -> int:
        """Set aside ids that follow each other, as new as those of `pages`; gives the first."""
        first = next(_ids)
        for _ in range(count - 1):
            next(_ids)
        return first

    def trapped(self, user: str) -> Iterator[str]:
        """URLs of different pages of a user who holds on to whoever asks: hang, drip, circle."""
        parts = urlsplit(self.page)
        return (f"{parts.scheme}://{parts.netloc}/@{user}/video/{next(_ids)}" for _ in itertools.repeat(None))

    def served(self) -> int:
        """Ask the stage how many pages it has served."""
        return int(self._told("pages"))

    def corpus(self) -> list[dict[str, Any]]:
        """Ask the stage for the hostile corpus: see `Case::json` in tests/support/hostile/mod.rs."""
        cases: list[dict[str, Any]] = json.loads(self._told("hostile"))
        return cases

    def _told(self, what: str) -> bytes:
        proxy = urlsplit(self.proxy)
        connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"http://stage.invalid/{what}")
            return body(connection.getresponse())
        finally:
            connection.close()


# `next` on it is atomic.
_ids = itertools.count(7_400_000_000_000_000_000)


@contextmanager
def stage(size: int = 200_000, *, delay: int = 0, plays: Sequence[str] = ()) -> Iterator[Stage]:
    """Start a stage whose best format has `size` bytes, with pages and heads `delay` ms late.

    `plays`: what else it is to play, such as `traps`, `hostile` or `drip`.
    """
    with tempfile.TemporaryDirectory() as folder:
        ca = f"{folder}/ca.pem"
        command: list[str | Path] = [STAGE, "--ca", ca, "--any-id", "--size", str(size), "--delay-ms", str(delay)]
        with running([*command, *(f"--{it}" for it in plays)], {}) as process:
            said = json.loads(process.wait_for('"proxy"'))
            yield Stage(said["proxy"], ca, said["page"])


@contextmanager
def sluice(
    options: Options,
    settings: Mapping[str, str],
    *,
    log: Path | None = None,
    cores: str | None = None,
    files: int | None = None,
) -> Iterator[Process]:
    """Start Sluice with its defaults and these settings, and so many files; wait until `/ready` answers 200."""
    # A build of another work tree has its runtime there.
    trees = (options.binary.parents[2] if len(options.binary.parents) > 2 else ROOT, ROOT)
    pyenv = next(tree / "pyenv" for tree in trees if (tree / "pyenv/runtime").exists() or tree == ROOT)
    own = {"HOST": "127.0.0.1", "PORT": "0", "PYENV_DIR": str(pyenv)}
    limited = [] if files is None else ["prlimit", f"--nofile={files}:{files}"]
    settings = {**own, **settings, **options.settings}
    with running([*limited, options.binary], settings, log=log, cores=cores) as process:
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


@contextmanager
def bare(internet: Stage, handlers: str) -> Iterator[Process]:
    """Start the loop of bare.py, which is told by `extract_bare` what to do."""
    command: list[str | Path] = [PYTHON, ROOT / "tests/bench/bare.py", "--handlers", handlers]
    with running([*command, "--proxy", internet.proxy, "--ca-file", internet.ca], {}) as process:
        process.listening("listening on 127.0.0.1:")
        yield process


def extract_bare(process: Process, internet: Stage, count: int) -> Load:
    """Have `count` pages that nobody asked for before extracted by the bare loop."""
    ask = f"{internet.prefix} {internet.ids(count)} {count}\n"
    with socket.create_connection(("127.0.0.1", process.port), timeout=LOAD_LIMIT) as line:
        cpu, started = process.cpu(), time.perf_counter()
        line.sendall(ask.encode())
        said = line.makefile().readline().strip()
        seconds = time.perf_counter() - started
    if said != "done":
        raise BenchError(f"the bare loop: {said}")
    return Load(count, seconds, process.cpu() - cpu)


def workers(server: Process) -> dict[str, int]:
    """What Sluice's `/health` says of its workers."""
    said: dict[str, int] = json.loads(get(server, "/health"))["workers"]
    return said


def wait_until_warm(server: Process) -> None:
    """Poll Sluice's `/health`: the workers after the first one say nothing in the log."""
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        said = workers(server)
        if said["warm"] == said["total"]:
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


def extractions(server: Process, internet: Stage, clients: int, count: int) -> Load:
    """Have `count` pages that nobody asked for before extracted (`POST /tiktok`) by clients with kept connections."""
    return load.extractions(server, internet.pages(), clients, count)


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
    columns = ["figure", *sides[:2], *(["ratio"] if len(sides) > 1 else []), *sides[2:]]
    lines = [f"### {title}; {len(rows[0].ours)} runs", "", _line(columns), "|---|" + "--:|" * (len(columns) - 1)]
    for row in rows:
        ratio = ""
        if row.ours and row.theirs and statistics.median(row.theirs) > 0:
            ratio = f"{statistics.median(row.ours) / statistics.median(row.theirs):.2f}"
        ours, theirs, *more = (_spread(values, row.digits) for values in (row.ours, row.theirs, *row.more))
        lines.append(_line([row.figure, ours, *([theirs, ratio] if len(sides) > 1 else []), *more]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} ... {high})"
