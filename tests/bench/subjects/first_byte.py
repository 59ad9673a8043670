"""Time to the first body byte of `/stream?url=`, beyond the stage's own: of a new page, and of the same one again.

The stage's own time is what a bare client pays that knows the media's address beforehand, keeps its connections,
fetches the whole page and then the first byte of the media; for the same page again, that byte alone. Its median is
taken off the others. The seed's design extracts a page again whenever it is asked for.
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


SIDES = ("bare", "sluice", "baseline")
Times = dict[str, list[float]]


def run(options: common.Options) -> str:
    """Start all sides once per run; their requests are interleaved."""
    first, median, p95, again, again_p95 = ({side: list[float]() for side in SIDES} for _ in range(5))
    with common.stage(SIZE) as internet:
        for _ in range(options.runs):
            with (
                common.sluice(options, internet.settings) as sluice,
                common.baseline(internet.ca, internet.proxy) as baseline,
            ):
                new, same = _measure(internet, sluice, baseline)
            for side in SIDES:
                first[side].append(new[side][0] - _floor(new, side))
                for times, middle, slow in ((new, median, p95), (same, again, again_p95)):
                    warm = times[side][WARM_UP:]
                    middle[side].append(statistics.median(warm) - _floor(times, side))
                    slow[side].append(statistics.quantiles(warm, n=20)[-1] - _floor(times, side))

    def row(figure: str, of: Times, digits: int = 1) -> common.Row:
        return common.Row(figure, of["sluice"], of["baseline"], digits)

    rows = [
        row("beyond the stage, median, ms", median),
        row("beyond the stage, 95th percentile, ms", p95),
        row("beyond the stage, first request of the process, ms", first),
        row("same page again: beyond the stage, median, ms", again),
        row("same page again: beyond the stage, 95th percentile, ms", again_p95),
        common.Row("taken off: a bare client's median, ms", median["bare"], median["bare"], 1),
        common.Row("taken off for the same page again, ms", again["bare"], again["bare"], 1),
    ]
    title = f"first-byte: `/stream?url=`, a new page each time, then again, one client, {REQUESTS} pages per run"
    return common.table(title, rows)


def _measure(internet: common.Stage, sluice: common.Process, baseline: common.Process) -> tuple[Times, Times]:
    """Milliseconds of each request: of new pages, and of the same page right afterwards."""
    new: Times = {side: [] for side in SIDES}
    same: Times = {side: [] for side in SIDES}
    bare, pages = Bare(internet), internet.pages()
    for _ in range(WARM_UP + REQUESTS):
        new["bare"].append(bare.first_byte(next(pages)))
        same["bare"].append(bare.media_byte())
        for side, server in (("sluice", sluice), ("baseline", baseline)):
            page = next(pages)
            new[side].append(first_byte(server, page))
            same[side].append(first_byte(server, page))
    bare.close()
    return new, same


def _floor(times: Times, side: str) -> float:
    """What is taken off a side: nothing off the bare client."""
    return 0.0 if side == "bare" else statistics.median(times["bare"][WARM_UP:])


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
        return self.media_byte(started)

    def media_byte(self, started: float | None = None) -> float:
        """Milliseconds for the first byte of the media, from now or from `started`."""
        started = started or time.perf_counter()
        self._cdn.request("GET", self._media, headers=self._headers)
        return _first_byte(self._cdn.getresponse(), started, None)

    def close(self) -> None:
        """Close both connections."""
        self._site.close()
        self._cdn.close()
