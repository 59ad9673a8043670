"""`scripts/bench [NAME] [FLAGS]`: prints tables, and judges nothing."""

import argparse
import http.client
import os
import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import common
import relays
from subjects import (
    admission,
    any_host,
    cached,
    egress,
    extract,
    extract_memory,
    faults,
    first_byte,
    formats,
    hostile,
    link,
    memory,
    relay,
    same_page,
    sizing,
    soak,
    start,
)

SUBJECTS: dict[str, Callable[[common.Options], str]] = {
    "start": start.run,
    "first-byte": first_byte.run,
    "extract": extract.run,
    "extract-memory": extract_memory.run,
    "same-page": same_page.run,
    "cached": cached.run,
    "link": link.run,
    "relay": relay.run,
    "memory": memory.run,
    "formats": formats.run,
    "faults": faults.run,
    "soak": soak.run,
    "hostile": hostile.run,
    "egress": egress.run,
    "admission": admission.run,
    "sizing": sizing.run,
}

ON_DEMAND = {
    *("admission", "cached", "egress", "link", "relay", "memory", "formats", "faults", "sizing", "soak", "hostile"),
}
"""Only by name: what takes a build or packages of its own, or long."""


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


def cores() -> tuple[str, str]:
    """Where relays run, and where origin and clients do: apart, where there are cores enough for that."""
    usable = sorted(os.sched_getaffinity(0))
    names = [str(core) for core in usable]
    if len(usable) < 4:
        return ",".join(names), ",".join(names)
    return ",".join(names[:2]), ",".join(names[2:])


def options() -> tuple[list[str], common.Options]:
    """Read the command line: subjects, and how to measure them."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "name", nargs="?", choices=list(SUBJECTS), help=f"unset: all but {', '.join(sorted(ON_DEMAND))}"
    )
    parser.add_argument("--runs", type=int, default=3, choices=range(1, 101), metavar="N", help="interleaved runs (3)")
    parser.add_argument("--binary", type=Path, default=common.SLUICE, help="another build of Sluice")
    parser.add_argument("--other", type=Path, metavar="BINARY", help="relay, memory, egress: a build to set beside it")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of Sluice; repeatable"
    )
    parser.add_argument(
        "--sides", help=f"relay, memory: columns, of {', '.join(relays.SIDES)}; the ratio is of the first two"
    )
    parser.add_argument(
        "--cores", metavar="SERVER:REST", help="cached, relay, memory, formats: as in taskset -c, such as 0:1"
    )
    parser.add_argument(
        "--gib", type=float, default=4, metavar="N", help="relay, formats: GiB per load, run and side (4)"
    )
    parser.add_argument(
        "--clients",
        type=int,
        default=1000,
        metavar="N",
        help="memory, formats: clients that stop; same-page: clients that ask (1000)",
    )
    parser.add_argument(
        "--extractions",
        type=int,
        metavar="N",
        help=f"extract: per run and side ({extract.EXTRACTIONS}); soak: per run ({soak.EXTRACTIONS}); "
        f"hostile: per run and side of its last table ({any_host.EXTRACTIONS})",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=5,
        metavar="N",
        help="admission, cached, soak: length of a load that is not counted (5)",
    )
    parser.add_argument("--cases", type=int, metavar="N", help="hostile: so many pages of the corpus (all)")
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="hostile: helpers killed (200)")
    said = parser.parse_args()
    settings = dict(pair.partition("=")[::2] for pair in said.set)
    other = said.other.absolute() if said.other else None
    sides = (said.sides or ("sluice,other" if other else relays.DEFAULT_SIDES)).split(",")
    apart = said.cores.partition(":")[::2] if said.cores else cores()
    known = relays.SIDES.keys() - (set() if other else {"other"})
    if not set(sides) <= known or not all(apart) or said.gib <= 0 or said.seconds <= 0:
        parser.error("a bad value of --sides, --cores, --gib or --seconds")
    if said.clients < 1 or (said.extractions is not None and said.extractions < 1):
        parser.error("a bad value of --clients or --extractions")
    if said.kills < 1 or (said.cases is not None and said.cases < 1):
        parser.error("a bad value of --cases or --kills")
    chosen = common.Options(
        runs=said.runs,
        binary=said.binary.absolute(),
        settings=settings,
        gib=said.gib,
        clients=said.clients,
        sides=sides,
        cores=apart,
        other=other,
        extractions=said.extractions,
        seconds=said.seconds,
        cases=said.cases,
        kills=said.kills,
    )
    return [said.name] if said.name else [name for name in SUBJECTS if name not in ON_DEMAND], chosen


def main() -> int:
    """Run what was asked for; exit code 1 when something could not be measured."""
    names, chosen = options()
    # As an exception, so that the processes under measurement are killed and temporary folders removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # A client or a relay of a thousand streams has more files than the usual soft limit.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.stdout.write(f"{machine()}\n\nMedian (lowest ... highest) of interleaved runs; the ratio is left over right.\n")
    for name in names:
        try:
            sys.stdout.write("\n" + SUBJECTS[name](chosen))
        except (common.BenchError, OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
            sys.stderr.write(f"scripts/bench: {name}: {error}\n")
            return 1
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
