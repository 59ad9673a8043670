"""Long runs: what thousands of extractions leave in memory, and what jobs that never end take from the others."""

import sys
import tempfile
from pathlib import Path

import common

from subjects import trapped

CLIENTS = 8
FIRST = 500
"""Extractions after which memory is weighed first: by then the pool has grown to what the load asks for."""

EXTRACTIONS = 10_000
"""After those, unless the command line says otherwise."""

STEPS = 10


def run(options: common.Options) -> str:
    """Measure growth, then the trapped jobs; the first table is there whatever becomes of the second."""
    sys.stdout.write(f"\n{growth(options)}")
    sys.stdout.flush()
    return trapped.run(options)


def growth(options: common.Options) -> str:
    """Start Sluice anew for each run, and weigh it ten times on the way."""
    step = max(1, (options.extractions or EXTRACTIONS) // STEPS)
    course: list[list[float]] = [[] for _ in range(STEPS + 1)]
    grown: list[float] = []
    most: list[float] = []
    rates: list[float] = []
    with tempfile.TemporaryDirectory() as folder, common.stage() as internet:

        def sluice() -> None:
            with common.sluice(options, internet.settings, log=Path(folder, "sluice")) as server:
                common.extractions(server, internet, CLIENTS, FIRST)
                first = server.rss()
                course[0].append(first)
                server.forget_peak()
                loads = []
                for weighed in course[1:]:
                    loads.append(common.extractions(server, internet, CLIENTS, step))
                    weighed.append(server.rss())
                grown.append(course[-1][-1] - first)
                most.append(server.peak() - first)
                rates.append(step * STEPS / sum(load.seconds for load in loads))

        common.alternate(options.runs, sluice)
    rows = [common.Row(f"RSS after {FIRST + index * step}, MB", weighed, (), 1) for index, weighed in enumerate(course)]
    rows += [
        common.Row(f"growth over {step * STEPS}, MB", grown, (), 1),
        common.Row(f"most RSS above that after {FIRST}, MB", most, (), 1),
        common.Row("extractions per second", rates, (), 1),
    ]
    title = f"soak: growth; `POST /tiktok`, a new page each time, {CLIENTS} clients"
    return common.table(title, rows, ["Sluice"])
