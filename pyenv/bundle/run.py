"""Programs that tell something."""

import subprocess
from pathlib import Path


def lines(*command: str | Path) -> list[str]:
    """Run a program that should succeed, and return the lines that it prints."""
    return asked(*command, needed=True) or []


def asked(*command: str | Path, needed: bool = False) -> list[str] | None:
    """Run a program, and return the lines that it prints, or none if it fails. What is `needed` must not."""
    complaints = None if needed else subprocess.DEVNULL
    # Our own words, and no shell.
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=complaints, text=True, check=False)  # noqa: S603
    if ended.returncode == 0:
        return ended.stdout.splitlines()
    if needed:
        raise SystemExit(f"{command[0]} ended with {ended.returncode}")
    return None
