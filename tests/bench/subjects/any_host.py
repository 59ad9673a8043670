"""A harmless page of any host: through a server and its warm helper, and in a process with nothing else.

A process that waits between two pages finds its caches cold and takes up to a third more CPU for the same page. The
loop in process never waits; so the helper is also measured with two clients, of which one always has a job for it.
"""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import common
import load
from process import cpu_of, running
from watch import rss_of

PAGE = "https://iframe-open.harmless.example.net/"
"""A control of the corpus, with one film."""

EXTRACTIONS = 200
"""Per run and side, unless the command line says otherwise."""

WARM_UP = 20


@dataclass
class Figures:
    """A value per run of each: CPU and wall time per extraction, in ms; of the CPU the helper's."""

    cpu: list[float] = field(default_factory=list)
    helper: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, run: common.Load, helper: float = 0.0) -> None:
        """Note a run; `helper`: seconds."""
        self.cpu.append(run.cpu_each)
        self.helper.append(helper / run.count * 1000)
        self.seconds.append(1000 / run.rate)


def run(options: common.Options) -> str:
    """Measure in turn: one client, two, and the loop; then weigh the helper."""
    count = options.extractions or EXTRACTIONS
    one, two, alone = Figures(), Figures(), Figures()
    rss: list[float] = []
    with tempfile.TemporaryDirectory() as folder, common.stage(plays=["hostile"]) as internet:
        settings, log = {**internet.settings, "GENERIC_WORKERS": "1"}, Path(folder, "sluice")
        with common.sluice(options, settings, log=log) as server, _bare(internet) as bare:
            common.wait_until_warm(server)
            _helped(server, 1, WARM_UP)
            _alone(bare, WARM_UP)

            def helped(clients: int, into: Figures) -> None:
                into.add(*_helped(server, clients, count))
                rss.append(rss_of(_helper(server)))

            common.alternate(
                options.runs, lambda: helped(1, one), lambda: helped(2, two), lambda: alone.add(_alone(bare, count))
            )
    rows = [
        *_rows("one client", one, alone),
        *_rows("two clients, helper always at work", two, alone),
        common.Row("RSS of the helper after each, MB", rss, (), 1),
    ]
    return common.table(f"hostile: a harmless page, {count} extractions", rows, ("server and helper", "in process"))


def _rows(name: str, ours: Figures, theirs: Figures) -> list[common.Row]:
    return [
        common.Row(f"{name}: CPU per extraction, ms", ours.cpu, theirs.cpu, 2),
        common.Row(f"{name}: of it the helper's, ms", ours.helper, theirs.cpu, 2),
        common.Row(f"{name}: wall time per extraction, ms", ours.seconds, theirs.seconds, 2),
    ]


def _helper(server: common.Process) -> int:
    """Return the pid of the one helper that is there; it was there before, for it is asked for after a warm-up."""
    pid, *others = server.children()
    if others:
        raise common.BenchError("more than one helper")
    return pid


def _helped(server: common.Process, clients: int, count: int) -> tuple[common.Load, float]:
    """Have the page extracted so often; gives the load, and what of its CPU seconds was the helper's."""
    before = cpu_of(_helper(server)) if server.children() else 0.0
    cpu, started = server.cpu(), time.perf_counter()
    # Two who ask for the same page at once would get one extraction.
    requests = [load.anew(f"{PAGE}?{number}") for number in range(count)]
    for answer in load.answers(server.port, requests, clients):
        if not load.is_ok(answer):
            raise common.BenchError(f"{PAGE}: {answer[-300:]!r}")
    seconds = time.perf_counter() - started
    return common.Load(count, seconds, server.cpu() - cpu), cpu_of(_helper(server)) - before


@contextmanager
def _bare(internet: common.Stage) -> Iterator[common.Process]:
    """Start the loop of bare_any_host.py."""
    command: list[str | Path] = [common.PYTHON, common.ROOT / "tests/bench/bare_any_host.py"]
    with running([*command, "--proxy", internet.proxy, "--ca-file", internet.ca], {}) as process:
        process.listening("listening on 127.0.0.1:")
        yield process


def _alone(process: common.Process, count: int) -> common.Load:
    with socket.create_connection(("127.0.0.1", process.port), timeout=common.LOAD_LIMIT) as line:
        cpu, started = process.cpu(), time.perf_counter()
        line.sendall(f"{PAGE} {count}\n".encode())
        said = line.makefile().readline().strip()
        seconds = time.perf_counter() - started
    if said != "done":
        raise common.BenchError(f"the loop without a server: {said}")
    return common.Load(count, seconds, process.cpu() - cpu)
