"""The client for loads that are quicker than a client in Python."""

import re
import subprocess
import time
from dataclasses import dataclass

import common


@dataclass(frozen=True)
class Ran:
    """What wrk counted. `seconds`: of the whole run; `rate`: requests per second; `latency`: 99th percentile in ms."""

    requests: int
    seconds: float
    rate: float
    latency: float


def run(url: str, connections: int, duration: float, cores: str) -> Ran:
    """Ask for a URL on kept connections for some whole seconds; an answer without 2xx or 3xx is a `BenchError`."""
    wrk = ["wrk", "--threads", "1", "--connections", str(connections), "--timeout", f"{common.PATIENCE:.0f}s"]
    command = ["taskset", "-c", cores, *wrk, "--latency", "--duration", f"{max(1, round(duration))}s", url]
    started = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, timeout=common.LOAD_LIMIT, check=True)
    seconds = time.perf_counter() - started
    requests = re.search(r"(\d+) requests in", ran.stdout)
    rate = re.search(r"Requests/sec: +([\d.]+)", ran.stdout)
    latency = re.search(r"99% +([\d.]+)(us|ms|s)", ran.stdout)
    if not requests or not rate or not latency or "Socket errors" in ran.stdout or "Non-2xx" in ran.stdout:
        raise common.BenchError(f"wrk: {ran.stdout}{ran.stderr}")
    milliseconds = float(latency[1]) * {"us": 0.001, "ms": 1, "s": 1000}[latency[2]]
    return Ran(int(requests[1]), seconds, float(rate[1]), milliseconds)
