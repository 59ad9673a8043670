"""`GET /extract` of a page that is in the cache, beside a plain hyper server that answers a constant.

The constant has the size of Sluice's answer and its headers (tests/constant.rs); client and connections are the same.
"""

import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import common
import load
import wrk
from process import running

CONNECTIONS = 8
OF_CONNECTION = {"content-length", "connection", "date", "keep-alive", "transfer-encoding"}
"""Headers that hyper adds by itself, or that are about the connection."""

NAMES = {
    "rate": ("requests per second", 0),
    "cpu": ("CPU per request, us", 1),
    "latency": ("99th percentile, ms", 2),
}
"""Figures, their names in the table, and their digits."""

Figures = dict[str, list[float]]


def run(options: common.Options) -> str:
    """Keep one process of each side for all runs."""
    ours: Figures = {name: [] for name in NAMES}
    theirs: Figures = {name: [] for name in NAMES}
    with (
        tempfile.TemporaryDirectory() as folder,
        common.stage() as internet,
        common.sluice(options, internet.settings, log=Path(folder, "sluice"), cores=options.cores[0]) as sluice,
    ):
        page = next(internet.pages())
        path = f"/extract?url={quote(page, safe='')}"

        def prime() -> bytes:
            """Have the page in the cache, and its answer from there."""
            return list(load.answers(sluice.port, [load.get(path)] * 2, clients=1))[1]

        answer = prime()
        if not load.is_ok(answer):
            raise common.BenchError(f"no description: {answer[:600]!r}")
        head, _, body = answer.partition(b"\r\n\r\n")
        size, cached = len(body), b'"cached":true' in body
        lines = [line.decode() for line in head.split(b"\r\n")[1:]]
        kept = [line for line in lines if line.partition(":")[0].lower() not in OF_CONNECTION]
        command: list[str | Path] = [
            common.CONSTANT,
            "--size",
            str(size),
            *(part for line in kept for part in ("--header", line)),
        ]
        with running(command, {}, cores=options.cores[0]) as constant:
            constant.listening("listening on http://127.0.0.1:")

            def ours_once() -> None:
                prime()
                _measure(sluice, path, options, ours)

            common.alternate(options.runs, ours_once, lambda: _measure(constant, path, options, theirs))
    rows = [common.Row(text, ours[name], theirs[name], digits) for name, (text, digits) in NAMES.items()]
    title = (
        f"cached: `GET /extract` of one page, {size} bytes, {CONNECTIONS} connections, {options.seconds:g} s per run"
    )
    table = common.table(title, rows, ("Sluice", "constant"))
    return (
        table
        if cached
        else f"{table}\nThis build does not keep what it extracted: each of its answers was made anew.\n"
    )


def _measure(server: common.Process, path: str, options: common.Options, into: Figures) -> None:
    url = f"http://127.0.0.1:{server.port}{path}"
    wrk.run(url, CONNECTIONS, 1, options.cores[1])
    time.sleep(0.1)  # for what the last requests leave to be done
    cpu = server.cpu()
    ran = wrk.run(url, CONNECTIONS, options.seconds, options.cores[1])
    into["rate"].append(ran.rate)
    into["cpu"].append((server.cpu() - cpu) / ran.requests * 1e6)
    into["latency"].append(ran.latency)
