"""What passing bytes on costs, and how fast it goes, beside nginx's `proxy_pass`.

A run starts each relay anew, one at a time, and puts three loads on it: one stream, eight at once, and requests for
small objects on kept connections. CPU is user and system time of the relay's processes; what the kernel does for
loopback counts for whoever was running.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import common
import relays
import wrk

STREAMS = 8
CONNECTIONS = 32
SECONDS_PER_GIB = 1.25
"""Length of the load of small requests, for each GiB of the others."""

SEED_SHARE = 8
"""The seed's design gets one part in so many of the bytes: it takes that much longer."""

NAMES = {
    "one.cpu": ("one stream: CPU-seconds per GiB", 3),
    "one.speed": ("one stream: MB/s", 0),
    "one.busy": ("one stream: cores that the relay kept busy", 2),
    "many.cpu": (f"{STREAMS} streams: CPU-seconds per GiB", 3),
    "many.speed": (f"{STREAMS} streams: MB/s in all", 0),
    "small.rate": (f"{relays.SMALL // 1000} kB objects, {CONNECTIONS} connections: requests per second", 0),
    "small.cpu": (f"{relays.SMALL // 1000} kB objects: CPU-seconds per GiB", 3),
    "small.latency": (f"{relays.SMALL // 1000} kB objects: 99th percentile, ms", 1),
}
"""Figures, their names in the table, and their digits."""

Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Cost:
    """What moving `size` bytes took: wall and the relay's CPU seconds."""

    size: int
    seconds: float
    cpu: float

    @property
    def cpu_per_gib(self) -> float:
        """CPU-seconds per GiB."""
        return self.cpu / self.size * relays.GIB

    @property
    def speed(self) -> float:
        """MB of 10^6 bytes per second."""
        return self.size / self.seconds / 1e6


def run(options: common.Options) -> str:
    """Measure each side once per run; which is first alternates."""
    figures: dict[str, Figures] = {side: {name: [] for name in NAMES} for side in options.sides}
    with relays.origin(options, huge=int(min(options.gib, 1) * relays.GIB)) as source:

        def measure(side: str) -> None:
            with relays.start(side, source, options) as relay:
                relays.check(relay, source)
                gib = options.gib / SEED_SHARE if side == "seed" else options.gib
                _measure(relay, source, gib, options.cores[1], figures[side])

        common.alternate(options.runs, *(lambda side=side: measure(side) for side in options.sides))
    rows = [
        common.Row.of(text, [side[name] for side in figures.values()], digits) for name, (text, digits) in NAMES.items()
    ]
    less = f" (seed's design: 1/{SEED_SHARE} of it)" if "seed" in options.sides else ""
    title = (
        f"relay: {options.gib:g} GiB per load{less}, "
        f"relays on cores {options.cores[0]}, origin and clients on {options.cores[1]}"
    )
    return common.table(title, rows, [relays.SIDES[side] for side in options.sides])


def _measure(relay: relays.Relay, source: relays.Origin, gib: float, cores: str, into: Figures) -> None:
    """Put the three loads on a relay."""
    cpu = relay.process.cpu
    one = curl(relay.url("huge"), cpu, source.huge, max(1, round(gib * relays.GIB / source.huge)), [], cores)
    into["one.cpu"].append(one.cpu_per_gib)
    into["one.speed"].append(one.speed)
    into["one.busy"].append(one.cpu / one.seconds)
    parallel = ["--parallel", "--parallel-immediate", "--parallel-max", str(STREAMS)]
    count = max(STREAMS, round(gib * relays.GIB / relays.LARGE))
    many = curl(relay.url("large"), cpu, relays.LARGE, count, parallel, cores)
    into["many.cpu"].append(many.cpu_per_gib)
    into["many.speed"].append(many.speed)
    small, rate, latency = _wrk(relay, max(1, round(gib * SECONDS_PER_GIB)), cores)
    into["small.cpu"].append(small.cpu_per_gib)
    into["small.rate"].append(rate)
    into["small.latency"].append(latency)


def curl(url: str, cpu: Callable[[], float], size: int, count: int, flags: Sequence[str], cores: str) -> Cost:
    """Have a file `count` times, and all of it. `cpu`: CPU seconds so far of who serves it."""
    command = ["taskset", "-c", cores, "curl", "--silent", "--show-error", "--fail", *flags]
    command += ["--write-out", "%{http_code} %{size_download}\\n"]
    for _ in range(count):
        command += ["--output", "/dev/null", url]
    before, started = cpu(), time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, timeout=common.LOAD_LIMIT, check=False)
    seconds, spent = time.perf_counter() - started, cpu() - before
    if ran.returncode or ran.stdout.splitlines() != [f"200 {size}"] * count:
        raise common.BenchError(f"curl: {ran.stdout[-500:]}{ran.stderr[-500:]}")
    return Cost(size * count, seconds, spent)


def _wrk(relay: relays.Relay, duration: int, cores: str) -> tuple[Cost, float, float]:
    """Ask for small objects for some seconds; also gives requests per second and their 99th percentile in ms."""
    cpu = relay.process.cpu()
    ran = wrk.run(relay.url("small"), CONNECTIONS, duration, cores)
    cost = Cost(ran.requests * relays.SMALL, ran.seconds, relay.process.cpu() - cpu)
    return cost, ran.rate, ran.latency
