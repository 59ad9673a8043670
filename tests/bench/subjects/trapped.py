"""Jobs that hold on to their workers, and what one client gets of the rest meanwhile.

The stage's traps: `hang` never answers, `drip` sends a head and then a byte per second, `circle` redirects to itself,
after a second each time. As long as the quiet client is measured, a job that is answered is followed by another: with
loads longer than YTDLP_TIMEOUT those that go on without a client add up.
"""

import math
import selectors
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import common
import load

MODES = ("hang", "drip", "circle")
JOBS = 10
WARM_UP = 20
TRAP_LIMIT = 20.0
"""Longest time until all jobs have a worker, in seconds."""

TIMEOUT = 30  # seconds; YTDLP_TIMEOUT's default
GRACE = 30.0
"""How long after YTDLP_TIMEOUT a worker is waited for, in seconds. Then its figure is `inf`."""

LOOK = 0.05  # seconds between two looks

Figures = dict[str, list[float]]


def run(options: common.Options) -> str:
    """Start Sluice anew for each run and mode."""
    names = ("beside", "quiet", "held", "wait", "free")
    figures: dict[str, Figures] = {mode: {name: [] for name in names} for mode in MODES}
    with tempfile.TemporaryDirectory() as folder, common.stage(plays=["traps"]) as internet:

        def measure(mode: str) -> None:
            with common.sluice(options, internet.settings, log=Path(folder, "sluice")) as server:
                common.wait_until_warm(server)
                _measure(server, internet, mode, options, figures[mode])

        common.alternate(options.runs, *(lambda mode=mode: measure(mode) for mode in MODES))
    rows = []
    for mode, found in figures.items():
        rows += [
            common.Row(f"{mode}: extractions per second", found["beside"], found["quiet"], 1),
            common.Row(f"{mode}: workers held at the end of it", found["held"], ()),
            common.Row(f"{mode}: longest that a trapped client waited for an answer, s", found["wait"], (), 1),
            common.Row(f"{mode}: from the last trapped job until no worker is busy, s", found["free"], (), 1),
        ]
    title = f"soak: one client beside {JOBS} trapped jobs, {options.seconds:g} s per run"
    return common.table(title, rows, ("beside them", "without"))


def _measure(server: common.Process, internet: common.Stage, mode: str, options: common.Options, into: Figures) -> None:
    common.extractions(server, internet, 1, WARM_UP)
    into["quiet"].append(_rate(server, internet, options.seconds, beside=False))
    with Traps(server, internet.trapped(mode)) as traps:
        _wait(lambda: _held(server) >= JOBS, TRAP_LIMIT, f"{JOBS} workers are not held")
        common.wait_until_warm(server)
        into["beside"].append(_rate(server, internet, options.seconds, beside=True))
        into["held"].append(_held(server))
        traps.stop()
        deadline = traps.last + options.setting("YTDLP_TIMEOUT", TIMEOUT) + GRACE
        while (held := _held(server)) and time.perf_counter() < deadline:
            time.sleep(LOOK)
        into["free"].append(math.inf if held else time.perf_counter() - traps.last)
        into["wait"].append(traps.longest_wait())


def _rate(server: common.Process, internet: common.Stage, seconds: float, *, beside: bool) -> float:
    """Extractions per second of one client that asks for a new page as soon as it has the last.

    `beside` trapped jobs, refusals and silence are no error, but no extraction either.
    """
    started = time.perf_counter()

    def requests() -> Iterator[bytes]:
        for page in internet.pages():
            if time.perf_counter() > started + seconds:
                return
            yield load.tiktok(page)

    count = 0
    try:
        for answer in load.answers(server.port, requests(), clients=1):
            count += load.is_ok(answer)
            if not beside:
                load.check(answer)
    except common.BenchError:
        if not beside:
            raise
    return count / (time.perf_counter() - started)


def _held(server: common.Process) -> int:
    """Workers with a job, and those that were given up on: whichever of the two `/health` counts them in."""
    said = common.workers(server)
    return max(said["busy"], said.get("stuck", 0))


def _wait(done: Callable[[], bool], limit: float, otherwise: str) -> None:
    deadline = time.perf_counter() + limit
    while not done():
        if time.perf_counter() > deadline:
            raise common.BenchError(otherwise)
        time.sleep(LOOK)


class Traps:
    """So many clients with a job each that does not end soon; a thread of its own follows their answers."""

    def __init__(self, server: common.Process, pages: Iterator[str]) -> None:
        self._pages = pages
        self._stopped = threading.Event()
        self._closed = threading.Event()
        self._asked: dict[load.Kept, float] = {}
        self._waits: list[float] = []
        self._connections = [load.Kept.to(server.port) for _ in range(JOBS)]
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.last = 0.0
        """When the last job was asked for."""

    def __enter__(self) -> "Traps":
        for connection in self._connections:
            self._ask(connection)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def stop(self) -> None:
        """Let no other job follow one that ends."""
        self._stopped.set()

    def longest_wait(self) -> float:
        """Seconds, of those that were answered; `inf` when one was not."""
        time.sleep(2 * LOOK)  # for answers that are on their way
        return math.inf if self._asked else max(self._waits)

    def _ask(self, connection: load.Kept) -> None:
        self.last = self._asked[connection] = time.perf_counter()
        connection.ask(load.tiktok(next(self._pages)))

    def _follow(self) -> None:
        with selectors.DefaultSelector() as selector:
            for connection in self._connections:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            while not self._closed.is_set():
                for key, _ in selector.select(LOOK):
                    if key.data.answer() is None:
                        continue
                    self._waits.append(time.perf_counter() - self._asked.pop(key.data))
                    if not self._stopped.is_set():
                        self._ask(key.data)
