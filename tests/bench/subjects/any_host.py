"""A harmless page of any host: through a server and its warm helper, and through one that extracts it in process.

The second server has a plugin (../inside) by which it takes the page's host for a named site's. A process that waits
between two pages finds its caches cold and takes up to a third more CPU for the same page; so both are also measured
with two clients, of which one always has a job for whoever extracts.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asking
import common
import load
from process import children_of, cpu_of
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

    def take(self, server: common.Process, clients: int, count: int) -> None:
        """Have the page extracted so often, and note what it took."""
        helpers = _helpers(server)
        before, cpu, started = sum(map(cpu_of, helpers)), server.cpu(), time.perf_counter()
        # Two who ask for the same page at once would get one extraction.
        requests = [load.anew(f"{PAGE}?{number}") for number in range(count)]
        for answer in load.answers(server.port, requests, clients):
            if not load.is_ok(answer):
                raise common.BenchError(f"{PAGE}: {answer[-300:]!r}")
        self.seconds.append((time.perf_counter() - started) / count * 1000)
        self.cpu.append((server.cpu() - cpu) / count * 1000)
        self.helper.append((sum(map(cpu_of, helpers)) - before) / count * 1000)


def run(options: common.Options) -> str:
    """Measure in turn: each server with one client and with two; then weigh the helper."""
    count = options.extractions or EXTRACTIONS
    ours, theirs = (Figures(), Figures()), (Figures(), Figures())
    rss: list[float] = []
    pss: list[float] = []
    with (
        common.stage(plays=["hostile"]) as internet,
        _helped(options, internet) as server,
        _inside(options, internet) as other,
    ):
        for each in (server, other):
            common.wait_until_warm(each)
            Figures().take(each, 2, WARM_UP)
        _compare(server, other)

        def weigh() -> None:
            rss.append(rss_of(_helpers(server)[0]))
            pss.append(server.pss())

        loads = [
            lambda each=each, into=into, clients=clients: into[clients - 1].take(each, clients, count)
            for clients in (1, 2)
            for each, into in ((server, ours), (other, theirs))
        ]
        common.alternate(options.runs, *loads, weigh)
        if _helpers(other):
            raise common.BenchError("the page was not extracted in process")
    rows = [
        *_rows("one client", ours[0], theirs[0]),
        *_rows("two clients", ours[1], theirs[1]),
        common.Row("RSS of the helper after each, MB", rss, (), 1),
        common.Row("PSS of server, zygote and helper after each, MB", pss, (), 1),
    ]
    return common.table(f"hostile: a harmless page, {count} extractions", rows, ("in a helper", "in process"))


def _rows(name: str, ours: Figures, theirs: Figures) -> list[common.Row]:
    return [
        common.Row(f"{name}: CPU per request, ms", ours.cpu, theirs.cpu, 2),
        common.Row(f"{name}: of it the helper's, ms", ours.helper, (), 2),
        common.Row(f"{name}: wall time per request, ms", ours.seconds, theirs.seconds, 2),
    ]


@contextmanager
def _helped(options: common.Options, internet: common.Stage) -> Iterator[common.Process]:
    with tempfile.TemporaryDirectory() as folder:
        settings, log = {**internet.settings, "GENERIC_WORKERS": "1"}, Path(folder, "sluice")
        with common.sluice(options, settings, log=log) as server:
            yield server


@contextmanager
def _inside(options: common.Options, internet: common.Stage) -> Iterator[common.Process]:
    """Start a server with the plugin."""
    with tempfile.TemporaryDirectory() as folder:
        pyenv = Path(folder, "pyenv")
        (pyenv / "plugins").mkdir(parents=True)
        for name in ("runtime", "sluice", "plugins/sluice"):
            (pyenv / name).symlink_to(common.ROOT / "pyenv" / name)
        (pyenv / "plugins/inside").symlink_to(common.ROOT / "tests/bench/inside")
        settings, log = {**internet.settings, "PYENV_DIR": str(pyenv)}, Path(folder, "sluice")
        with common.sluice(options, settings, log=log) as server:
            yield server


def _compare(server: common.Process, other: common.Process) -> None:
    """Raise where the two find different things."""
    found = [asking.ask(each, f"{PAGE}?same", fresh=True) for each in (server, other)]
    titles, formats = ([it.body.get(name) for it in found] for name in ("title", "formats"))
    counts = [len(it or ()) for it in formats]
    if titles[0] != titles[1] or counts[0] != counts[1] or not counts[0]:
        raise common.BenchError(f"different answers: {titles}, {counts} formats")


def _helpers(server: common.Process) -> list[int]:
    return [pid for zygote in server.children() for pid in children_of(zygote)]
