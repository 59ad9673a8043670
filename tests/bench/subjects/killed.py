"""Helpers that are killed all the time, while clients ask for pages that need them and streams go on."""

import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import asking
import common
import streams
from watch import Watch

STREAMS = 200
CLIENTS = 4
PAGE = "https://iframe-open.harmless.example.net/"
"""A control of the corpus, with one film."""

LIMIT = 30.0
"""Longest time between two kills, in seconds."""

LOOK = 0.005  # seconds
HELPERS = 2  # GENERIC_WORKERS' default


class Asking:
    """Clients that ask for the page, each time anew."""

    def __init__(self, server: common.Process) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._follow, daemon=True) for _ in range(CLIENTS)]
        self.codes: Counter[str] = Counter()
        self.longest = 0.0

    def __enter__(self) -> "Asking":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def _follow(self) -> None:
        while not self._closed.is_set():
            answer = asking.ask(self._server, PAGE, fresh=True)
            with self._lock:
                self.codes[answer.code] += 1
                self.longest = max(self.longest, answer.seconds)


def run(options: common.Options) -> str:
    """Start a server, and kill its helpers as often as the options say."""
    with tempfile.TemporaryDirectory() as folder, common.stage(plays=["hostile", "drip"]) as internet:
        settings = {**internet.settings, **streams.SETTINGS}
        with common.sluice(options, settings, log=Path(folder, "sluice")) as server:
            common.wait_until_warm(server)
            with (
                streams.streams(server, internet, STREAMS) as followed,
                Watch(server, options.setting("GENERIC_WORKERS", HELPERS)) as watch,
            ):
                followed.look()
                started = time.perf_counter()
                with Asking(server) as clients:
                    for _ in range(options.kills):
                        _kill(watch, clients)
                seconds = time.perf_counter() - started
                (look, direct), seen, health = followed.look(), watch.take(), asking.health(server)
    codes = clients.codes
    others = ", ".join(f"{code} {count}" for code, count in codes.most_common() if code != asking.OK)
    rows = [
        ("kills; seconds", f"{options.kills}; {seconds:.1f}"),
        (
            "helpers ended, as `/health` says",
            ", ".join(f"{why} {count}" for why, count in health["quarantine"]["ended"].items()),
        ),
        ("answers", str(codes.total() - codes[asking.UNANSWERED])),
        ("of them OK", str(codes[asking.OK])),
        ("the others", others or "-"),
        ("requests without an answer", str(codes[asking.UNANSWERED])),
        ("longest wait for an answer, s", f"{clients.longest:.2f}"),
        ("streams broken; that go on, every byte right", f"{look.broken}; {look.open}"),
        ("gap of a stream's pieces, median, p99, longest, ms", _gaps(look)),
        ("the same, of the stage itself", _gaps(direct)),
        ("from a helper's end until the next process is there, median and longest, ms", asking.spread(seen.came)),
        ("until that takes jobs, median and longest, ms", asking.spread(seen.ready)),
    ]
    each = f"a kill after {CLIENTS + 1} good answers"
    title = f"hostile: helpers killed under {CLIENTS} clients and {STREAMS} streams; {each}"
    return asking.table(title, ("figure", ""), rows)


def _gaps(look: streams.Look) -> str:
    return ", ".join(f"{it * 1000:.1f}" for it in (look.middle, look.high, look.longest))


def _kill(watch: Watch, clients: Asking) -> None:
    """Wait until those that are there work, and end one of them."""
    deadline = time.perf_counter() + LIMIT
    before = clients.codes[asking.OK]
    while clients.codes[asking.OK] <= before + CLIENTS or not watch.kill():
        if time.perf_counter() > deadline:
            raise common.BenchError(f"no good answers for {LIMIT} s, but {dict(clients.codes)}")
        time.sleep(LOOK)
