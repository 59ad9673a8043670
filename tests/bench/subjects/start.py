"""From a cold start to the first answer, and what the process weighs then."""

import time

import common


def run(options: common.Options) -> str:
    """Boot each side once per run."""
    figures = ["boot", "boot_cpu", "rss", "pss", "idle_rss", "first", "first_rss"]
    ours: dict[str, list[float]] = {name: [] for name in figures}
    theirs: dict[str, list[float]] = {name: [] for name in figures}

    def booted(server: common.Process, into: dict[str, list[float]]) -> None:
        into["boot"].append((time.perf_counter() - server.started) * 1000)
        into["boot_cpu"].append(server.cpu() * 1000)
        into["rss"].append(server.rss())
        into["pss"].append(server.pss())

    def first(server: common.Process, into: dict[str, list[float]]) -> None:
        load = common.extractions(server, internet, clients=1, count=1)
        # Beside the boot: how long the figures above took is not counted.
        into["first"].append(into["boot"][-1] + load.seconds * 1000)
        into["first_rss"].append(server.rss())

    with common.stage(size=200_000) as internet:

        def sluice() -> None:
            with common.sluice(options, internet.settings) as server:
                booted(server, ours)
                common.wait_until_warm(server)
                ours["idle_rss"].append(server.rss())
                first(server, ours)

        def baseline() -> None:
            with common.baseline(internet.ca, internet.proxy) as server:
                booted(server, theirs)
                theirs["idle_rss"].append(server.rss())
                first(server, theirs)

        common.alternate(options.runs, sluice, baseline)

    names = {
        "boot": "from spawn to `/ready` (seed: `/health`), ms",
        "boot_cpu": "CPU until then, ms",
        "rss": "RSS at that moment, MB",
        "pss": "PSS at that moment, MB",
        "idle_rss": "RSS when all first workers are warm, MB",
        "first": "from spawn to the answer of the first extraction, ms",
        "first_rss": "RSS after the first extraction, MB",
    }
    rows = [common.Row(names[name], ours[name], theirs[name], int("rss" in name or "pss" in name)) for name in figures]
    return common.table("start", rows)
