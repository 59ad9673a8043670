"""Streams of segments beside the same film in one file: what passing them on costs, their first byte, their memory.

The playlists are pages of their own, which the generic extractor takes in a helper process; they are extracted before
anything is measured, and figures are those of the server's own process. ffmpeg reads the same playlist and copies the
film into a pipe; its figures are those that wait4(2) gives for it, its start included.
"""

import hashlib
import http.client
import os
import ssl
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import common
import film
import relays
from film import Film
from process import PATIENCE, cpu_of, kib_of, running

from subjects import first_byte, memory, relay

ROUND_TRIP = 40.0
"""Milliseconds between server and origin, where the first byte is measured."""

REQUESTS = 40
"""For a first byte, per run and side, one after the other."""

COPIED = (0.95, 1.05)
"""Bytes that ffmpeg writes, as a part of what it reads: it makes the packets of the transport stream anew."""

LOADS = {"hls": "HLS", "plain": "one file", "locked": "HLS, AES-128", "ffmpeg": "ffmpeg -c copy"}
STOPPED = {"hls": "HLS", "plain": "one file", "short": f"HLS, {film.SHORT // 1000} kB segments"}
WAITING = {"hls": "HLS", "plain": "one file", "bare": "bare client, one file"}
"""Sides of each table. The ratio is that of the first two."""

PLAYLISTS = {"hls": film.HLS, "locked": film.LOCKED, "short": film.SHORTS}

COST = {
    "cpu": ("one stream: CPU-seconds per GiB", 3),
    "speed": ("one stream: MB/s", 0),
    "busy": ("one stream: cores kept busy", 2),
}
WEIGHT = {
    "idle": ("RSS idle, page extracted, MB", 1),
    "stream": ("RSS per stream, KiB", 1),
    "anonymous": ("of it no file's (RssAnon), KiB", 1),
    "upstreams": ("connections to the origin per stream", 2),
    "left": (f"RSS {memory.AFTER:.0f} s after they left, above idle, MB", 1),
    "left_streams": ("connections to the origin then, with bytes that nobody takes", 0),
}
WAIT = {
    "median": ("until the first body byte, median, ms", 1),
    "p95": ("until the first body byte, 95th percentile, ms", 1),
    "beyond": ("median beyond the round trips (HLS: 2, others: 1), ms", 1),
    "own": ("median beyond as many requests of the bare client, ms", 1),
}
"""Figures of each table, their names in it, and their digits."""

Figures = dict[str, dict[str, list[float]]]
"""By side and name: one value per run."""


def run(options: common.Options) -> str:
    """Make the film, then measure each side of each table once per run; which is first alternates."""
    loads, waiting, stopped = _figures(LOADS, COST), _figures(WAITING, WAIT), _figures(STOPPED, WEIGHT)
    with relays.origin(options) as source:
        made = film.make(source.folder / "files", options.gib)
        sides = [
            *(lambda side=side: _load(side, source, made, options, loads[side]) for side in LOADS),
            lambda: _wait(source, made, options, waiting),
            *(lambda side=side: _weigh(side, source, options, stopped[side]) for side in STOPPED),
        ]
        common.alternate(options.runs, *sides)
    where = f"servers on cores {options.cores[0]}, origin and clients on {options.cores[1]}"
    film_is = f"{options.gib:g} GiB per load, streams of {made.size / 1e6:.0f} MB in {made.segments} segments"
    return "\n".join(
        [
            _table(f"formats: {film_is}; {where}", loads, LOADS, COST),
            _table(
                f"formats: {ROUND_TRIP:g} ms between server and origin, connections warm, page extracted; "
                f"{REQUESTS} requests per run",
                waiting,
                WAITING,
                WAIT,
            ),
            _table(f"formats: {options.clients} clients that read the head and stop", stopped, STOPPED, WEIGHT),
        ]
    )


def _figures(sides: dict[str, str], names: dict[str, tuple[str, int]]) -> Figures:
    return {side: {name: [] for name in names} for side in sides}


def _table(title: str, figures: Figures, sides: dict[str, str], names: dict[str, tuple[str, int]]) -> str:
    rows = [
        common.Row.of(text, [figures[side][name] for side in sides], digits) for name, (text, digits) in names.items()
    ]
    return common.table(title, rows, list(sides.values()))


@contextmanager
def _serving(source: relays.Origin, options: common.Options, side: str) -> Iterator[tuple[common.Process, str]]:
    """Start a server that has extracted a side's page, if it has one; also gives the target of the side's stream."""
    with relays.start("sluice", source, options) as server:
        if side in PLAYLISTS:
            yield server.process, _page(server.process, source, PLAYLISTS[side])
        else:
            yield server.process, server.path(film.PLAIN)


def _page(server: common.Process, source: relays.Origin, name: str) -> str:
    """Have a playlist extracted; gives the target of its stream."""
    page = quote(source.url(name), safe="")
    common.get(server, f"/extract?url={page}")
    return f"/stream?url={page}"


def _load(side: str, source: relays.Origin, made: Film, options: common.Options, into: dict[str, list[float]]) -> None:
    """Have the film so often that it is `options.gib`."""
    count = max(1, round(options.gib * relays.GIB / made.size))
    if side == "ffmpeg":
        cost = _ffmpeg(source, made, count, options.cores)
    else:
        with _serving(source, options, side) as (server, target):
            _check(server, target, made)
            pid, url = server.child.pid, f"http://127.0.0.1:{server.port}{target}"
            cost = relay.curl(url, lambda: cpu_of(pid), made.size, count, [], options.cores[1])
    into["cpu"].append(cost.cpu_per_gib)
    into["speed"].append(cost.speed)
    into["busy"].append(cost.cpu / cost.seconds)


def _check(server: common.Process, target: str, made: Film) -> None:
    """Have the film once, whole and unchanged; connects the server to the origin, too."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        if hashlib.file_digest(response, "sha256").hexdigest() != made.digest:
            raise common.BenchError(f"{response.status} with other bytes")
    finally:
        connection.close()


def _ffmpeg(source: relays.Origin, made: Film, count: int, cores: tuple[str, str]) -> relay.Cost:
    """Have ffmpeg copy the film `count` times, into a pipe whose other end counts."""
    command = ["taskset", "-c", cores[0], "ffmpeg", "-nostdin", "-loglevel", "error", "-ca_file", str(source.ca)]
    command += ["-tls_verify", "1", "-i", source.url(film.HLS), "-c", "copy", "-f", "mpegts", "-"]
    cpu, started = 0.0, time.perf_counter()
    for _ in range(count):
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as copying,
            subprocess.Popen(
                ["taskset", "-c", cores[1], "wc", "-c"], stdin=copying.stdout, stdout=subprocess.PIPE
            ) as counting,
        ):
            copied = int(counting.communicate(timeout=common.LOAD_LIMIT)[0])
            said = copying.stderr.read() if copying.stderr else b""
            _, status, usage = os.wait4(copying.pid, 0)
            copying.returncode = os.waitstatus_to_exitcode(status)
        if copying.returncode or said or not COPIED[0] < copied / made.size < COPIED[1]:
            raise common.BenchError(f"ffmpeg: {copied} of {made.size} bytes; {said[-500:]!r}")
        cpu += usage.ru_utime + usage.ru_stime
    return relay.Cost(made.size * count, time.perf_counter() - started, cpu)


def _wait(source: relays.Origin, made: Film, options: common.Options, into: Figures) -> None:
    """Measure first bytes, in turn, of streams that are each read to the end before the next begins."""
    command: list[str | Path] = [common.PYTHON, common.ROOT / "tests/bench/delay.py", "--to", str(source.port)]
    with running([*command, "--round-trip-ms", str(ROUND_TRIP)], {}, cores=options.cores[1]) as delay:
        delay.listening("listening on 127.0.0.1:")
        far = replace(source, port=delay.port)
        with relays.start("sluice", far, options) as server:
            local = http.client.HTTPConnection("127.0.0.1", server.process.port, timeout=PATIENCE)
            tls = ssl.create_default_context(cafile=far.ca)
            bare = http.client.HTTPSConnection("localhost", far.port, timeout=PATIENCE, context=tls)
            asked = {
                "hls": (local, _page(server.process, far, film.BRIEFLY), made.brief, 2),
                "plain": (local, server.path(film.FIRST), made.first, 1),
                "bare": (bare, f"/{film.FIRST}", made.first, 1),
            }
            times: dict[str, list[float]] = {side: [] for side in WAITING}
            for _ in range(first_byte.WARM_UP + REQUESTS):
                for side, (connection, target, size, _) in asked.items():
                    times[side].append(_first_byte(connection, target, size))
            local.close()
            bare.close()
    medians = {side: statistics.median(of[first_byte.WARM_UP :]) for side, of in times.items()}
    for side, (_, _, _, trips) in asked.items():
        into[side]["median"].append(medians[side])
        into[side]["p95"].append(statistics.quantiles(times[side][first_byte.WARM_UP :], n=20)[-1])
        into[side]["beyond"].append(medians[side] - trips * ROUND_TRIP)
        # The delay itself, the origin and this client are late, too.
        into[side]["own"].append(medians[side] - trips * medians["bare"])


def _first_byte(connection: http.client.HTTPConnection, target: str, size: int) -> float:
    """Milliseconds from asking on a kept connection until the first byte of the body, which is read to the end."""
    started = time.perf_counter()
    connection.request("GET", target)
    response = connection.getresponse()
    got = len(response.read(1))
    took = (time.perf_counter() - started) * 1000
    got += len(response.read())
    if response.status != http.client.OK or got != size:
        raise common.BenchError(f"{response.status} with {got} of {size} bytes")
    return took


def _weigh(side: str, source: relays.Origin, options: common.Options, into: dict[str, list[float]]) -> None:
    """Weigh a server whose clients do not read."""
    clients = options.clients
    with _serving(source, options, side) as (server, target):
        pid = server.child.pid
        time.sleep(1)  # for what a start leaves to be done
        idle, idle_anonymous = kib_of(pid, "status", "VmRSS:"), kib_of(pid, "status", "RssAnon:")
        with ThreadPoolExecutor(memory.THREADS) as threads:
            opened = list(threads.map(lambda _: memory.stop_reading(server.port, target), range(clients)))
        try:
            upstreams = _wait_until_blocked(server.port, source.port, clients)
            into["idle"].append(idle * 1024 / 1e6)
            into["stream"].append((kib_of(pid, "status", "VmRSS:") - idle) / clients)
            into["anonymous"].append((kib_of(pid, "status", "RssAnon:") - idle_anonymous) / clients)
            into["upstreams"].append(upstreams / clients)
        finally:
            for client in opened:
                client.close()
        time.sleep(memory.AFTER)
        into["left"].append((kib_of(pid, "status", "VmRSS:") - idle) * 1024 / 1e6)
        into["left_streams"].append(sum(unsent > 0 for unsent, _ in memory.connections(source.port).values()))


def _wait_until_blocked(port: int, origin: int, clients: int) -> int:
    """Wait until nothing moved for `memory.STILL`, and each client has bytes that it does not take.

    Gives the connections to the origin. A segment may have come whole before its stream stopped, and the next one have
    been asked for, so that bytes which the origin can't send are no sign of a stream.
    """
    deadline = time.perf_counter() + memory.BLOCK_LIMIT
    before: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]] = {}, {}
    while time.perf_counter() < deadline:
        time.sleep(memory.STILL)
        now = memory.connections(port), memory.connections(origin)
        blocked = sum(unsent > 0 for unsent, _ in now[0].values())
        if blocked == clients and now == before:
            return len(now[1])
        before = now
    raise common.BenchError(f"{blocked} of {clients} clients have bytes that they do not take, or something moves")
