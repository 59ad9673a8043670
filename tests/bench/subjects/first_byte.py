"""Time to the first body byte of `/stream?url=`, for a page that nobody asked for before, beyond the stage's own time.

The stage's own time is what a bare client pays that knows the media's address beforehand, keeps its connections,
fetches the whole page and then the first byte of the media. Its median is taken off the others.
"""

import http.client
import json
import re
import ssl
import statistics
import time
from urllib.parse import quote, urlsplit

import common

WARM_UP = 5
REQUESTS = 40
"""Per run and side, one after the other."""

SIZE = 200_000
"""Bytes of the media: read to the end after the first one, so that connections can be kept by whoever keeps them."""


def run(options: common.Options) -> str:
    """Start all sides once per run; their requests are interleaved."""
    sides = ("bare", "sluice", "baseline")
    first, median, p95 = ({side: list[float]() for side in sides} for _ in range(3))
    with common.stage(SIZE) as internet:
        for _ in range(options.runs):
            with (
                common.sluice(options, internet.settings) as sluice,
                common.baseline(internet.ca, internet.proxy) as baseline,
            ):
                bare, pages = Bare(internet), internet.pages()
                times: dict[str, list[float]] = {side: [] for side in sides}
                for _ in range(WARM_UP + REQUESTS):
                    times["bare"].append(bare.first_byte(next(pages)))
                    times["sluice"].append(first_byte(sluice, next(pages)))
                    times["baseline"].append(first_byte(baseline, next(pages)))
                bare.close()
            floor = statistics.median(times["bare"][WARM_UP:])
            for side in sides:
                own = floor if side != "bare" else 0.0
                warm = times[side][WARM_UP:]
                first[side].append(times[side][0] - own)
                median[side].append(statistics.median(warm) - own)
                p95[side].append(statistics.quantiles(warm, n=20)[-1] - own)
    rows = [
        common.Row("beyond the stage, median, ms", median["sluice"], median["baseline"], 1),
        common.Row("beyond the stage, 95th percentile, ms", p95["sluice"], p95["baseline"], 1),
        common.Row("beyond the stage, first request of the process, ms", first["sluice"], first["baseline"], 1),
        common.Row("taken off: a bare client's median, ms", median["bare"], median["bare"], 1),
    ]
    title = f"first-byte: `/stream?url=`, a new page each time, one client, {REQUESTS} requests per run"
    return common.table(title, rows)


def first_byte(server: common.Process, page: str) -> float:
    """Milliseconds from connecting to the first body byte."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=common.PATIENCE)
    connection.request("GET", f"/stream?url={quote(page, safe='')}")
    return _first_byte(connection.getresponse(), started, connection)


def _first_byte(response: http.client.HTTPResponse, started: float, close: http.client.HTTPConnection | None) -> float:
    byte = response.read(1)
    took = (time.perf_counter() - started) * 1000
    got = len(byte) + len(response.read())
    if close:
        close.close()
    if response.status != http.client.OK or got != SIZE:
        raise common.BenchError(f"{response.status} with {got} bytes")
    return took


class Bare:
    """A client that fetches page and media straight from the stage, on kept connections."""

    def __init__(self, internet: common.Stage) -> None:
        self._proxy = urlsplit(internet.proxy)
        self._tls = ssl.create_default_context(cafile=internet.ca)
        self._site = self._connect(internet.page)
        self._site.request("GET", urlsplit(internet.page).path)
        response = self._site.getresponse()
        html = common.body(response).decode()
        cookie = (response.getheader("Set-Cookie") or "").split(";")[0]
        found = re.search(r'"playAddr":("[^"]+")', html)
        if not found:
            raise common.BenchError("the stage's page names no media")
        # The stage gives every page the same media and cookie.
        media = urlsplit(json.loads(found[1]))
        self._cdn = self._connect(media.geturl())
        self._media = f"{media.path}?{media.query}"
        self._headers = {"Cookie": cookie, "Referer": internet.page}

    def _connect(self, url: str) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._proxy.hostname or "", self._proxy.port, timeout=common.PATIENCE, context=self._tls
        )
        connection.set_tunnel(urlsplit(url).hostname or "", 443)
        return connection

    def first_byte(self, page: str) -> float:
        """Milliseconds for the page and the first byte of its media."""
        started = time.perf_counter()
        self._site.request("GET", urlsplit(page).path)
        common.body(self._site.getresponse())
        self._cdn.request("GET", self._media, headers=self._headers)
        return _first_byte(self._cdn.getresponse(), started, None)

    def close(self) -> None:
        """Close both connections."""
        self._site.close()
        self._cdn.close()
