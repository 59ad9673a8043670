"""What extraction takes in memory: ready, with a few pages at once, and with all workers warm.

The stage takes its time for each page, so that extractions that begin together overlap.
"""

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import common
import load

DELAY = 500
"""What the stage waits before it sends a page, in ms."""

AT_ONCE = 10
ROUNDS = 5
"""Most times that all workers are asked for at once, twice over."""

WORKERS = 20
"""Workers unless MAX_WORKERS says otherwise; so many threads has the seed's design."""

NAMES = {
    "ready": ("RSS ready, all first workers warm, MB", 1),
    "peak": (f"{AT_ONCE} pages at once: most RSS above that, MB", 1),
    "after": (f"{AT_ONCE} pages at once: RSS above that afterwards, MB", 1),
    "all": ("RSS with all workers warm, MB", 1),
    "workers": ("workers that were warm then", 0),
}
"""Figures, their names in the table, and their digits."""

Figures = dict[str, list[float]]


def run(options: common.Options) -> str:
    """Start each side anew for each run."""
    ours: Figures = {name: [] for name in NAMES}
    theirs: Figures = {name: [] for name in NAMES}
    most = options.setting("MAX_WORKERS", WORKERS)
    with tempfile.TemporaryDirectory() as folder, common.stage(delay=DELAY) as internet:

        def sluice() -> None:
            with common.sluice(options, internet.settings, log=Path(folder, "sluice")) as server:
                common.wait_until_warm(server)
                _measure(server, internet, most, lambda: common.workers(server)["warm"], ours)

        def seed() -> None:
            with common.baseline(internet.ca, internet.proxy, log=Path(folder, "seed")) as server:
                _measure(server, internet, WORKERS, lambda: WORKERS, theirs)

        common.alternate(options.runs, sluice, seed)
    rows = [common.Row(text, ours[name], theirs[name], digits) for name, (text, digits) in NAMES.items()]
    return common.table(f"extract-memory: pages that take {DELAY} ms to come", rows)


def _measure(server: common.Process, internet: common.Stage, most: int, warm: Callable[[], int], into: Figures) -> None:
    ready = server.rss()
    into["ready"].append(ready)
    server.forget_peak()
    _at_once(server, internet, AT_ONCE)
    into["peak"].append(server.peak() - ready)
    into["after"].append(server.rss() - ready)
    for _ in range(ROUNDS):
        _at_once(server, internet, 2 * most)
        if warm() >= most:
            break
    into["all"].append(server.rss())
    into["workers"].append(warm())


def _at_once(server: common.Process, internet: common.Stage, count: int) -> None:
    requests = [load.tiktok(page) for page in itertools.islice(internet.pages(), count)]
    for answer in load.answers(server.port, requests, count):
        load.check(answer)
