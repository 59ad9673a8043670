"""A harmless page of any host: through a server and its warm helper, and in a process with nothing else."""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asking
import common
from process import running
from watch import Watch, rss_of

PAGE = "https://iframe-open.harmless.example.net/"
"""A control of the corpus, with one film."""

EXTRACTIONS = 200
"""Per run and side, unless the command line says otherwise."""

WARM_UP = 20


def run(options: common.Options) -> str:
    """Measure both in turn, one client; then weigh the helpers."""
    count = options.extractions or EXTRACTIONS
    ours: list[common.Load] = []
    theirs: list[common.Load] = []
    rss: list[float] = []
    with tempfile.TemporaryDirectory() as folder, common.stage(plays=["hostile"]) as internet:
        log = Path(folder, "sluice")
        with (
            common.sluice(options, internet.settings, log=log) as server,
            _bare(internet) as bare,
            Watch(server) as watch,
        ):
            common.wait_until_warm(server)
            _helped(server, WARM_UP)
            _alone(bare, WARM_UP)

            def helped() -> None:
                ours.append(_helped(server, count))
                rss.append(max(map(rss_of, watch.helpers())))

            common.alternate(options.runs, helped, lambda: theirs.append(_alone(bare, count)))
    rows = [
        common.Row("CPU per extraction, ms", [it.cpu_each for it in ours], [it.cpu_each for it in theirs], 2),
        common.Row("time per extraction, ms", [1000 / it.rate for it in ours], [1000 / it.rate for it in theirs], 2),
        common.Row("RSS of the helper after it, MB", rss, (), 1),
    ]
    title = f"hostile: a harmless page, one client, {count} extractions"
    return common.table(title, rows, ("server and helper", "in process"))


def _helped(server: common.Process, count: int) -> common.Load:
    cpu, started = server.cpu(), time.perf_counter()
    for _ in range(count):
        answer = asking.ask(server, PAGE, fresh=True)
        if answer.code != asking.OK:
            raise common.BenchError(f"{PAGE}: {answer.code} {answer.body}")
    seconds = time.perf_counter() - started
    return common.Load(count, seconds, server.cpu() - cpu)


@contextmanager
def _bare(internet: common.Stage) -> Iterator[common.Process]:
    """Start the loop of bare_any_host.py."""
    command: list[str | Path] = [common.PYTHON, common.ROOT / "tests/bench/bare_any_host.py"]
    with running([*command, "--proxy", internet.proxy, "--ca-file", internet.ca], {}) as process:
        process.listening("listening on 127.0.0.1:")
        yield process


def _alone(process: common.Process, count: int) -> common.Load:
    with socket.create_connection(("127.0.0.1", process.port), timeout=common.LOAD_LIMIT) as line:
        cpu, started = process.cpu(), time.perf_counter()
        line.sendall(f"{PAGE} {count}\n".encode())
        said = line.makefile().readline().strip()
        seconds = time.perf_counter() - started
    if said != "done":
        raise common.BenchError(f"the loop without a server: {said}")
    return common.Load(count, seconds, process.cpu() - cpu)
