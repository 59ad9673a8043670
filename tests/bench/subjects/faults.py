"""Deliveries whose upstream breaks, one after the other: what the test `resume::cuts::full_run` prints."""

import os
import subprocess
import time

import common

TEST = "resume::cuts::full_run"
LIMIT = 3600
"""Longest time of build and test, in seconds."""


def run(_: common.Options) -> str:
    """Run the ignored test, and show its output as it is; a `BenchError` where it fails or is not there."""
    build = ["cargo", "test", "--release", "--locked", "--quiet", "--test", "integration"]
    subprocess.run([*build, "--no-run"], cwd=common.ROOT, check=True, timeout=LIMIT)
    command = [*build, "--", "--ignored", "--exact", "--nocapture", TEST]
    started = time.perf_counter()
    ran = subprocess.run(
        command,
        cwd=common.ROOT,
        env=os.environ | {"CARGO_TERM_COLOR": "never"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIMIT,
        check=False,
    )
    # The harness succeeds with a name that it does not know.
    if ran.returncode or "\nrunning 1 test\n" not in f"\n{ran.stdout}":
        raise common.BenchError(f"{TEST} failed, or there is no such test:\n{ran.stdout[-4000:]}")
    return f"### faults: `{TEST}`, in {time.perf_counter() - started:.0f} s\n\n{ran.stdout.strip()}\n"
