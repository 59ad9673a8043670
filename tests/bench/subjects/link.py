"""Whether libpython is better linked statically (the default) or shared: boot, and CPU of an extraction."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import common

TARGET = common.ROOT / "target/bench-shared"
"""A folder of its own, so that the ordinary build stays as it is."""

BUILD_LIMIT = 1800
"""Longest time of the build, in seconds."""

LEAST_RUNS = 5
WARM_UP = 20
EXTRACTIONS = 150
"""Per run and side, by one client: less than the load of `extract` depends on how threads take turns."""


def run(options: common.Options) -> str:
    """Build the shared variant, then boot and load both in turn."""
    static, shared = (Side(replace(options, binary=binary)) for binary in (common.SLUICE, _build_shared()))
    with common.stage(size=200_000) as internet:
        runs = max(options.runs, LEAST_RUNS)
        common.alternate(runs, lambda: static.measure(internet), lambda: shared.measure(internet))
    rows = [
        common.Row("from spawn to `/ready`, ms", static.boot, shared.boot),
        common.Row("CPU until then, ms", static.boot_cpu, shared.boot_cpu),
        common.Row("CPU per extraction, ms", static.cost, shared.cost, 2),
        common.Row("time per extraction, ms", static.time, shared.time, 2),
        common.Row("RSS at `/ready`, MB", static.rss, shared.rss, 1),
    ]
    title = f"link: libpython static against shared, one client, {EXTRACTIONS} extractions per run"
    return common.table(title, rows, ("static", "shared"))


class Side:
    """One way of linking, and its figures run by run."""

    def __init__(self, options: common.Options) -> None:
        self.options = options
        self.boot: list[float] = []
        self.boot_cpu: list[float] = []
        self.cost: list[float] = []
        self.time: list[float] = []
        self.rss: list[float] = []

    def measure(self, internet: common.Stage) -> None:
        """Boot once and extract."""
        with common.sluice(self.options, internet.settings) as server:
            self.boot.append((time.perf_counter() - server.started) * 1000)
            self.boot_cpu.append(server.cpu() * 1000)
            self.rss.append(server.rss())
            common.extractions(server, internet, clients=1, count=WARM_UP)
            load = common.extractions(server, internet, clients=1, count=EXTRACTIONS)
            self.cost.append(load.cpu_each)
            self.time.append(1000 / load.rate)


def _build_shared() -> Path:
    environment = {**os.environ, "SLUICE_LINK_PYTHON": "shared"}
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--bin", "sluice", "--target-dir", str(TARGET)]
    subprocess.run(command, cwd=common.ROOT, env=environment, check=True, timeout=BUILD_LIMIT)
    return TARGET / "release/sluice"
