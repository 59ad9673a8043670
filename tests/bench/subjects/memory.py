"""What clients that stop reading hold in memory, and what is left of it after they have gone.

A run starts each relay anew, one at a time. All clients ask for the same large object, read the head of the answer and
no more, with the receive buffer that the kernel gives by default. When none of their upstream connections moves any
more and each has bytes that the relay does not take, the relay is weighed. What the kernel holds in socket buffers is
nobody's RSS.
"""

import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import common
import relays

THREADS = 32  # that connect clients
STILL = 3.0
"""Seconds without movement after which an upstream counts as blocked."""

BLOCK_LIMIT = 25.0
"""Longest wait for that, in seconds: under the 30 s for which the seed's design waits for a client."""

AFTER = 10.0
"""Seconds from the leaving of the clients to the last look."""

SEED_CLIENTS = 200
"""Most clients of the seed's design: it takes a thread for each, and gives up on those that it serves too late."""

NAMES = {
    "idle": ("RSS idle, after the start, MB", 1),
    "stream": ("RSS per stream, KiB", 1),
    "anonymous": ("of it no file's (RssAnon), KiB", 1),
    "pss": ("PSS per stream, KiB", 1),
    "taken": ("taken from the origin per stream, kernel's buffers included, KiB", 0),
    "left": (f"RSS {AFTER:.0f} s after they left, above idle, MB", 1),
    "left_streams": ("connections to the origin then", 0),
}
"""Figures, their names in the table, and their digits."""

Figures = dict[str, list[float]]


def run(options: common.Options) -> str:
    """Measure each side once per run; which is first alternates."""
    figures: dict[str, Figures] = {side: {name: [] for name in NAMES} for side in options.sides}
    with relays.origin(options) as source:

        def measure(side: str) -> None:
            clients = min(options.clients, SEED_CLIENTS) if side == "seed" else options.clients
            with relays.start(side, source, options) as relay:
                _measure(relay, source, clients, figures[side])

        common.alternate(options.runs, *(lambda side=side: measure(side) for side in options.sides))
    rows = [
        common.Row.of(text, [it[name] for it in figures.values()], digits) for name, (text, digits) in NAMES.items()
    ]
    fewer = f" (seed's design: {SEED_CLIENTS})" if "seed" in options.sides and options.clients > SEED_CLIENTS else ""
    title = f"memory: {options.clients} clients{fewer} that read the head of {relays.LARGE >> 20} MiB and stop"
    return common.table(title, rows, [relays.SIDES[side] for side in options.sides])


def _measure(relay: relays.Relay, source: relays.Origin, clients: int, into: Figures) -> None:
    process = relay.process
    time.sleep(1)  # for what a start leaves to be done
    idle, idle_anonymous, idle_pss = process.rss(), process.anonymous(), process.pss()
    target = relay.path("large")
    with ThreadPoolExecutor(THREADS) as threads:
        opened = list(threads.map(lambda _: stop_reading(process.port, target), range(clients)))
    try:
        taken = _wait_until_blocked(source.port, clients)

        def each(megabytes: float) -> float:
            """KiB per stream."""
            return megabytes * 1e6 / 1024 / clients

        into["idle"].append(idle)
        into["stream"].append(each(process.rss() - idle))
        into["anonymous"].append(each(process.anonymous() - idle_anonymous))
        into["pss"].append(each(process.pss() - idle_pss))
        into["taken"].append(taken / 1024)
    finally:
        for client in opened:
            client.close()
    time.sleep(AFTER)
    into["left"].append(process.rss() - idle)
    into["left_streams"].append(len(connections(source.port)))


def stop_reading(port: int, target: str) -> socket.socket:
    """Ask for the target and take the head of the answer from the socket, not a byte more."""
    client = socket.create_connection(("127.0.0.1", port), timeout=common.PATIENCE)
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    seen = b""
    # A look leaves the bytes in the socket, so each begins with the head; that it comes in pieces is rare.
    while (length := seen.find(b"\r\n\r\n") + 4) < 4:
        seen = client.recv(65536, socket.MSG_PEEK)
        if not seen:
            raise common.BenchError("a client got no answer")
    head = client.recv(length)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise common.BenchError(f"a client got {head[:300]!r}")
    return client


def _wait_until_blocked(port: int, clients: int) -> float:
    """Wait until no upstream moved for `STILL` and all have more to send; gives the mean of the bytes taken."""
    deadline = time.perf_counter() + BLOCK_LIMIT
    before: dict[str, tuple[int, int]] = {}
    while time.perf_counter() < deadline:
        time.sleep(STILL)
        now = connections(port)
        # Idle ones, left in a pool, have nothing to send.
        blocked = {peer: state for peer, state in now.items() if state[0] > 0}
        if len(blocked) == clients and blocked.items() <= before.items():
            return sum(acked for _, acked in blocked.values()) / clients
        before = now
    raise common.BenchError(f"{len(blocked)} of {clients} upstreams have bytes that nobody takes after {BLOCK_LIMIT} s")


def connections(port: int) -> dict[str, tuple[int, int]]:
    """List a server's connections by peer: bytes in the send queue, and bytes that the peer's kernel has taken."""
    command = ["ss", "--no-header", "--numeric", "--tcp", "--info", "--oneline", "state", "established"]
    lines = subprocess.run([*command, f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    found: dict[str, tuple[int, int]] = {}
    for line in lines.splitlines():
        _, unsent, _, peer = line.split()[:4]
        acked = re.search(r"bytes_acked:(\d+)", line)
        found[peer] = (int(unsent), int(acked[1]) if acked else 0)
    return found
