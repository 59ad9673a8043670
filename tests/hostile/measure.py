"""Shows that the corpus is hostile to stock yt-dlp, and that it is no more than that.

pyenv/python tests/hostile/measure.py [NAME ...]

For each case (all, or those whose name or family begins with a NAME) one child process asks for the hostile page and
another for its control, through the stage; each with a limit of time and of memory. Prints a Markdown table and ends
with 1 when a case of a `redos` family is not at work for long enough, or a control does not work.
"""

import argparse
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "pyenv/python"
STAGE = ROOT / "target/release/examples/stage"

LIMIT = 20.0
"""Seconds that a page is given."""

CPU = 6
"""Seconds of CPU that a page is given, however many of LIMIT they take on a machine that does something else too."""

MEMORY = 1536 << 20
"""Bytes of address space that a child may have."""

LEAST = 5.0
"""Seconds of CPU that a page has to cost to be called a ReDoS."""

CONTROL = 2.0
"""Seconds of CPU that a control may cost at most, the start of Python and yt-dlp included."""


@dataclass(frozen=True)
class Run:
    """How a child ended. `outcome`: ok, error, time, memory or died; `cpu`, `wall`: seconds; `peak`: MB of memory."""

    outcome: str
    said: dict[str, Any]
    cpu: float
    wall: float
    peak: float


def main() -> int:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--child", nargs=2, metavar=("PROXY", "URL"), help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS")
    parser.add_argument("--controls", action="store_true", help="ask for the controls only")
    arguments = parser.parse_args()
    if arguments.child:
        return extract(*arguments.child)
    bad = []
    print("| case | outcome | CPU s | peak MB | control | CPU s | |\n|---|---|---|---|---|---|---|")
    with stage() as proxy:
        for case in corpus(proxy):
            names = (case["name"], case["family"])
            if arguments.names and not any(it.startswith(tuple(arguments.names)) for it in names):
                continue
            control = run(proxy, case["control"]["url"], arguments.limit)
            hostile = None if arguments.controls else run(proxy, case["url"], arguments.limit)
            wrong = complaint(case, hostile, control)
            bad += [case["name"]] if wrong else []
            cost = f"{told(hostile)} | {hostile.cpu:.1f} | {hostile.peak:.0f}" if hostile else "| |"
            row = f"| {case['family']}/{case['name']} | {cost} | {told(control)} | {control.cpu:.1f} | {wrong} |"
            print(row, flush=True)
    print(f"\n{len(bad)} to mend: {' '.join(bad)}" if bad else "\nall as they should be")
    return 1 if bad else 0


def told(run: Run) -> str:
    """Say how a child ended, in a table's cell."""
    text = " ".join(f"{name}={value}" for name, value in run.said.items() if value)
    return f"{run.outcome} {text}".strip().replace("|", "/")[:110]


def complaint(case: dict[str, Any], hostile: Run | None, control: Run) -> str:
    """Say what is wrong with a case, or nothing."""
    if hostile and case["family"].startswith("redos") and hostile.cpu < LEAST:
        return f"done in {hostile.cpu:.1f} s"
    if control.outcome != "ok":
        return "control fails"
    gives = case["control"]["gives"]
    if control.said.get("formats", 0) < (gives["formats"] or 0):
        return f"control has not {gives['formats']} formats"
    if gives["entries"] is not None and control.said.get("entries") != gives["entries"]:
        return f"control has not {gives['entries']} entries"
    return "control is slow" if control.cpu > CONTROL else ""


@contextmanager
def stage() -> Iterator[str]:
    """Play the corpus; the proxy's address."""
    with tempfile.TemporaryDirectory() as folder:
        command: list[str | Path] = [STAGE, "--ca", Path(folder, "ca.pem"), "--hostile"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout
                yield json.loads(child.stdout.readline())["proxy"]
            finally:
                child.terminate()


def corpus(proxy: str) -> list[dict[str, Any]]:
    """Ask the stage what it plays."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
    with opener.open("http://stage.invalid/hostile") as answer:
        cases: list[dict[str, Any]] = json.load(answer)
    return cases


def run(proxy: str, url: str, limit: float) -> Run:
    """Ask for a page in a process of its own, for so many seconds at most."""
    command: list[str | Path] = [PYTHON, __file__, "--child", proxy, url]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command, stdout=output, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True
        )
        ended, usage = wait(child, started + limit)
        output.seek(0)
        lines = output.read().decode().splitlines()
    said = json.loads(lines[-1]) if lines else {}
    in_time = ended and child.returncode != -signal.SIGXCPU
    outcome = said.pop("outcome", "died") if in_time else "time"
    wall = time.perf_counter() - started
    return Run(outcome, said, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024 / 1e6)


def wait(child: "subprocess.Popen[bytes]", deadline: float) -> tuple[bool, resource.struct_rusage]:
    """Reap a child, by force after the deadline; whether it ended by itself, and what it cost."""
    ended = True
    descriptor = os.pidfd_open(child.pid)
    try:
        if not select.select([descriptor], [], [], max(0.0, deadline - time.perf_counter()))[0]:
            ended = False
            child.kill()
    finally:
        os.close(descriptor)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return ended, usage


def extract(proxy: str, url: str) -> int:
    """Ask stock yt-dlp for a page and say in one line what came of it. In a child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU + 1))
    from yt_dlp import YoutubeDL

    options = {"proxy": proxy, "quiet": True, "no_warnings": True, "cachedir": False, "simulate": True}
    # The stage's authority is not what is measured.
    options |= {"nocheckcertificate": True, "js_runtimes": {}, "check_formats": False}
    said: dict[str, Any]
    try:
        with YoutubeDL(options) as ydl:
            info = ydl.extract_info(url, download=False)
        entries = info.get("entries")
        said = {"outcome": "ok", "formats": len(info.get("formats") or [it for it in [info] if "url" in it])}
        if entries is not None:
            said["entries"] = len(list(entries))
    except MemoryError:
        said = {"outcome": "memory"}
    except BaseException as error:
        # Whatever it is, it is the outcome.
        text = str(error)
        said = {"outcome": "memory" if "MemoryError" in text else "error", "message": text[-90:]}
    print(json.dumps(said), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
