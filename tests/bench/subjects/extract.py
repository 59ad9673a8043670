"""Uncached extractions: how many per second, what each costs, and what stays in memory.

The second table is about CPU alone: beside a loop in the same Python that keeps its session, fetches the page and
calls the extractor (bare.py), once with yt-dlp's own handlers and once with Sluice's.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import common

CLIENTS = 8
WARM_UP = 40
EXTRACTIONS = 200
"""Per run and side, unless the command line says otherwise."""

Loads = list[common.Load]


def run(options: common.Options) -> str:
    """Keep one process of each side for all runs, so that growth shows."""
    count = options.extractions or EXTRACTIONS
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        internet = stack.enter_context(common.stage())
        # Whoever writes a line per request writes it to a file: reading it would cost the client its time.
        ours = stack.enter_context(common.sluice(options, internet.settings, log=Path(folder, "sluice")))
        theirs = stack.enter_context(common.baseline(internet.ca, internet.proxy, log=Path(folder, "seed")))
        loops = {name: stack.enter_context(common.bare(internet, name)) for name in ("stock", "own")}
        loads: dict[common.Process, Loads] = {ours: [], theirs: []}
        memory: dict[common.Process, list[float]] = {}
        for server in loads:
            common.extractions(server, internet, CLIENTS, WARM_UP)
            memory[server] = [server.rss()]
        for loop in loops.values():
            common.extract_bare(loop, internet, WARM_UP)
        bare: dict[str, Loads] = {name: [] for name in loops}
        alone: Loads = []

        def side(server: common.Process) -> None:
            loads[server].append(common.extractions(server, internet, CLIENTS, count))
            memory[server].append(server.rss())

        def one_client() -> None:
            alone.append(common.extractions(ours, internet, 1, count))

        def one_loop(name: str) -> None:
            bare[name].append(common.extract_bare(loops[name], internet, count))

        common.alternate(
            options.runs,
            lambda: side(ours),
            lambda: one_loop("stock"),
            lambda: one_loop("own"),
            one_client,
            lambda: side(theirs),
        )
        lasting = {server: [server.rss()] for server in loads}

    rates = {server: [load.rate for load in ran] for server, ran in loads.items()}
    costs = {server: _costs(ran) for server, ran in loads.items()}
    client = {server: [load.client_each for load in ran] for server, ran in loads.items()}
    rows = [
        common.Row("extractions per second", rates[ours], rates[theirs], 1),
        common.Row("CPU per extraction, ms", costs[ours], costs[theirs], 1),
        common.Row("CPU of the client per extraction, ms", client[ours], client[theirs], 2),
        common.Row(f"RSS after {WARM_UP} extractions, MB", memory[ours][:1], memory[theirs][:1], 1),
        common.Row("RSS at the end, MB", lasting[ours], lasting[theirs], 1),
    ]
    title = f"extract: `POST /tiktok`, a new page each time, {CLIENTS} clients, {count} extractions per run"
    beside = [
        common.Row(f"{CLIENTS} clients; loop with yt-dlp's own handlers", costs[ours], _costs(bare["stock"]), 2),
        common.Row(f"{CLIENTS} clients; loop with Sluice's handlers", costs[ours], _costs(bare["own"]), 2),
        common.Row("one client; loop with yt-dlp's own handlers", _costs(alone), _costs(bare["stock"]), 2),
        common.Row("one client; loop with Sluice's handlers", _costs(alone), _costs(bare["own"]), 2),
    ]
    cpu = common.table("extract: CPU per extraction, ms", beside, ("Sluice", "bare loop"))
    return f"{common.table(title, rows)}\n{cpu}"


def _costs(loads: Loads) -> list[float]:
    return [load.cpu_each for load in loads]
