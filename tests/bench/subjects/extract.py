"""Uncached extractions: how many per second, what each costs, and what stays in memory."""

import common

CLIENTS = 8
WARM_UP = 40
EXTRACTIONS = 200
"""Per run and side."""


def run(options: common.Options) -> str:
    """Keep one process of each side for all runs, so that growth shows."""
    with (
        common.stage(size=200_000) as internet,
        common.sluice(options, internet.settings) as ours,
        common.baseline(internet.ca, internet.proxy) as theirs,
    ):
        loads: dict[common.Process, list[common.Load]] = {ours: [], theirs: []}
        memory: dict[common.Process, list[float]] = {}
        for server in loads:
            common.extractions(server, internet, CLIENTS, WARM_UP)
            memory[server] = [server.rss()]

        def side(server: common.Process) -> None:
            loads[server].append(common.extractions(server, internet, CLIENTS, EXTRACTIONS))
            memory[server].append(server.rss())

        common.alternate(options.runs, lambda: side(ours), lambda: side(theirs))

    rates = {server: [load.rate for load in ran] for server, ran in loads.items()}
    costs = {server: [load.cpu_each for load in ran] for server, ran in loads.items()}
    rows = [
        common.Row("extractions per second", rates[ours], rates[theirs], 1),
        common.Row("CPU per extraction, ms", costs[ours], costs[theirs], 1),
        common.Row(f"RSS after {WARM_UP} extractions, MB", memory[ours][:1], memory[theirs][:1], 1),
        common.Row(f"RSS after {WARM_UP + options.runs * EXTRACTIONS}, MB", memory[ours][-1:], memory[theirs][-1:], 1),
    ]
    title = f"extract: `POST /tiktok`, a new page each time, {CLIENTS} clients, {EXTRACTIONS} extractions per run"
    return common.table(title, rows)
