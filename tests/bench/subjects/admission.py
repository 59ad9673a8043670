"""What it costs to let clients in: the checks, connections that wait, a flood, and clients that are slow on purpose.

The slow ones come from the machine's own address on its network, the good one from loopback; slowhttptest makes them.
"""

import contextlib
import json
import socket
import statistics
import subprocess
import time

import common

CHECKS = common.ROOT / "target/release/examples/checks"

SLOW = 5000
"""Connections that slowhttptest holds, or tries to, at a time."""
RATE = 2000
"""Of them made in a second."""
IDLE = 10_000
"""Connections that wait."""
FILES = 64
"""Open files of a server that is flooded."""
FLOOD_SECONDS = 5
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
    return "\n".join([_costs(options), common.table(title, rows, ("beside them", "alone"))])


def _costs(options: common.Options) -> str:
    """What has no rival: it is what it is."""
    checks = [json.loads(subprocess.check_output([CHECKS])) for _ in range(options.runs)]
    runs = range(options.runs)
    figures = {
        "a check by key, µs": [one["key_ns"] / 1000 for one in checks],
        "a check by address, µs": [one["address_ns"] / 1000 for one in checks],
        "10,000 keys and 100,000 addresses, MB": [one["bytes"] / 1e6 for one in checks],
        f"a connection that waits for its first request, of {IDLE}, KiB": [_idle(options, asked=False) for _ in runs],
        f"a connection that waits for its next request, of {IDLE}, KiB": [_idle(options, asked=True) for _ in runs],
        f"CPU under a flood with {FILES} files, % of one": [_flooded(options) for _ in runs],
    }
    lines = ["### admission: what it costs", "", "| figure | median (lowest ... highest) |", "|---|--:|"]
    for name, values in figures.items():
        lines.append(f"| {name} | {statistics.median(values):.2f} ({min(values):.2f} ... {max(values):.2f}) |")
    return "\n".join([*lines, ""])


def _idle(options: common.Options, asked: bool) -> float:
    """Resident memory of the server for each of many connections, in KiB."""
    with common.sluice(options, {"LOG": "info"}) as server, contextlib.ExitStack() as stack:
        common.get(server, "/ready")
        before = server.rss()
        for _ in range(IDLE):
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            if asked:
                wire.sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                wire.recv(4096)
        # Its answer comes after the last of them was taken in.
        common.get(server, "/ready")
        return (server.rss() - before) * 1e6 / IDLE / 1024


def _flooded(options: common.Options) -> float:
    """Part of a processor that a server takes which has no files left for the connections that keep coming."""
    with common.sluice(options, {"LOG": "info"}, files=FILES) as server:
        begun, cpu = time.perf_counter(), server.cpu()
        wires: list[socket.socket] = []
        while (elapsed := time.perf_counter() - begun) < FLOOD_SECONDS:
            with contextlib.suppress(OSError):
                wires.append(socket.create_connection(("127.0.0.1", server.port), timeout=1))
            # They stay, and more come.
            time.sleep(0.01)
        spent = server.cpu() - cpu
        for wire in wires:
            wire.close()
        return 100 * spent / elapsed


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
