"""`scripts/bench [NAME] [--runs N]`: prints tables, and judges nothing."""

import argparse
import http.client
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import common
from subjects import extract, first_byte, link, start

SUBJECTS: dict[str, Callable[[int], str]] = {
    "start": start.run,
    "first-byte": first_byte.run,
    "extract": extract.run,
    "link": link.run,
}

ON_DEMAND = {"link"}
"""Only by name: what takes a build of its own, or long."""


def machine() -> str:
    """Say what the figures belong to."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((line.split(": ")[1] for line in cpuinfo.splitlines() if line.startswith("model name")), "unknown CPU")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=common.ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"{os.cpu_count()} x {model}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}, commit {commit or '?'}"
    )


def main() -> int:
    """Run what was asked for; exit code 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=list(SUBJECTS), help=f"unset: all but {', '.join(ON_DEMAND)}")
    parser.add_argument("--runs", type=int, default=3, choices=range(1, 101), metavar="N", help="interleaved runs (3)")
    arguments = parser.parse_args()
    # As an exception, so that the processes under measurement are killed and temporary folders removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = [arguments.name] if arguments.name else [name for name in SUBJECTS if name not in ON_DEMAND]
    sys.stdout.write(f"{machine()}\n\nMedian (lowest ... highest) of interleaved runs; the ratio is left over right.\n")
    for name in names:
        try:
            sys.stdout.write("\n" + SUBJECTS[name](arguments.runs))
        except (common.BenchError, OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
            sys.stderr.write(f"scripts/bench: {name}: {error}\n")
            return 1
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
