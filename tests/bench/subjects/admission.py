"""A client's wait for `/ready`, each time by a new connection, beside 5,000 clients that are slow on purpose.

The slow ones come from the machine's own address on its network, the good one from loopback; slowhttptest makes them.
"""

import socket
import statistics
import subprocess
import time

import common

SLOW = 5000
"""Connections that slowhttptest holds, or tries to, at a time."""
RATE = 2000
"""Of them made in a second."""
MODES = {"-H": "slow heads", "-B": "slow bodies", "-R": "ranges", "-X": "slow reading"}


def run(options: common.Options) -> str:
    """Have the good client ask, alone and beside each kind of slow ones."""
    quiet: dict[str, list[float]] = {mode: [] for mode in MODES}
    beside: dict[str, list[float]] = {mode: [] for mode in MODES}
    own = _own_address()
    # In front, because the port is read from the line with this address.
    with common.sluice(options, {"HOST": f"127.0.0.1,{own}", "PORT": str(_free_port()), "LOG": "info"}) as server:
        for _ in range(options.runs):
            for mode in MODES:
                quiet[mode].append(_worst_hundredth(server, options.seconds))
                with subprocess.Popen(
                    _command(mode, own, server.port, options.seconds), stdout=subprocess.DEVNULL
                ) as slow:
                    try:
                        beside[mode].append(_worst_hundredth(server, options.seconds))
                    finally:
                        slow.terminate()
    rows = [common.Row(f"{name}, ms", beside[mode], quiet[mode], 2) for mode, name in MODES.items()]
    title = f"admission: 99th percentile of `GET /ready`, beside {SLOW} slow connections of one address"
    return common.table(title, rows, ("beside them", "alone"))


def _worst_hundredth(server: common.Process, seconds: float) -> float:
    """Ask for so long; the 99th percentile in ms. An answer that does not come is a `BenchError`."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        try:
            common.get(server, "/ready")
        except OSError as error:
            raise common.BenchError(f"refused: {error}") from error
        times.append((time.perf_counter() - start) * 1000)
        # A client among others, not one that fills the server.
        time.sleep(0.002)
    return statistics.quantiles(times, n=100)[98]


def _command(mode: str, address: str, port: int, seconds: float) -> list[str]:
    path = "extract" if mode == "-B" else "openapi.json"
    numbers = ["-c", str(SLOW), "-r", str(RATE), "-i", "1", "-l", str(int(seconds) + 5), "-p", "2"]
    return ["slowhttptest", mode, *numbers, "-u", f"http://{address}:{port}/{path}"]


def _own_address() -> str:
    """The address by which this machine would reach others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
        return address


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
