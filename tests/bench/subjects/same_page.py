"""Many clients that ask for the same new page at the same moment: how often it is fetched.

All clients are connected before the first one asks, and the stage takes its time for the page, so that all have asked
before there is anything to answer.
"""

import tempfile
import time
from pathlib import Path

import common
import load

DELAY = 500
"""What the stage waits before it sends a page, in ms."""


def run(options: common.Options) -> str:
    """Ask one Sluice for a new page per run."""
    fetched: list[float] = []
    good: list[float] = []
    took: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        common.stage(delay=DELAY) as internet,
        common.sluice(options, internet.settings, log=Path(folder, "sluice")) as server,
    ):
        common.wait_until_warm(server)

        def crowd() -> None:
            requests = [load.extract(next(internet.pages()))] * options.clients
            before, started = internet.served(), time.perf_counter()
            good.append(sum(load.is_ok(answer) for answer in load.answers(server.port, requests, options.clients)))
            took.append((time.perf_counter() - started) * 1000)
            fetched.append(internet.served() - before)

        common.alternate(options.runs, crowd)
    rows = [
        common.Row("pages fetched", fetched, ()),
        common.Row("answers with 200", good, ()),
        common.Row(f"until the last answer, the stage's {DELAY} ms included, ms", took, ()),
    ]
    return common.table(f"same-page: {options.clients} clients ask for the same new page at once", rows, ["Sluice"])
