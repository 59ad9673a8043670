"""What the guard costs: extractions by this build beside those by one from before it (`--other`).

The guard works on the server's own threads, and Python's side of it on the workers': so CPU is told by thread.
"""

import dataclasses
import os
from contextlib import ExitStack
from pathlib import Path

import common

CLIENTS = 8
WARM_UP = 60
EXTRACTIONS = 300
"""Per run and build, unless the command line says otherwise."""

_TICKS = os.sysconf("SC_CLK_TCK")


def run(options: common.Options) -> str:
    """Keep one process of each build for all runs, and let them take turns."""
    if options.other is None:
        raise SystemExit("egress: --other PATH names the build to compare with")
    count = options.extractions or EXTRACTIONS
    with ExitStack() as stack:
        internet = stack.enter_context(common.stage())
        ours = stack.enter_context(common.sluice(options, internet.settings))
        before = dataclasses.replace(options, binary=options.other, settings={})
        theirs = stack.enter_context(common.sluice(before, internet.settings))
        loads: dict[common.Process, list[common.Load]] = {ours: [], theirs: []}
        threads: dict[common.Process, list[float]] = {ours: [], theirs: []}
        for server in loads:
            common.extractions(server, internet, CLIENTS, WARM_UP)

        def side(server: common.Process) -> None:
            began = _of_server(server)
            loads[server].append(common.extractions(server, internet, CLIENTS, count))
            threads[server].append((_of_server(server) - began) / count * 1000)

        common.alternate(options.runs, lambda: side(ours), lambda: side(theirs))

    def both(value: str) -> list[list[float]]:
        return [[getattr(load, value) for load in loads[server]] for server in (ours, theirs)]

    rows = [
        common.Row("extractions per second", *both("rate"), 1),
        common.Row("CPU per extraction, ms", *both("cpu_each"), 2),
        common.Row("of it on the server's own threads, ms", threads[ours], threads[theirs], 2),
    ]
    title = f"egress: `POST /tiktok`, a new page each time, {CLIENTS} clients, {count} extractions per run"
    return common.table(title, rows, ("this build", "the other"))


def _of_server(process: common.Process) -> float:
    """CPU time of the threads that are no workers, in seconds."""
    total = 0
    for thread in Path(f"/proc/{process.child.pid}/task").iterdir():
        name, _, rest = (thread / "stat").read_text().partition("(")[2].rpartition(")")
        if not name.startswith("extract-"):
            total += sum(map(int, rest.split()[11:13]))
    return total / _TICKS
