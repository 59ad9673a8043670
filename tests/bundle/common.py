"""What the checks in this folder share."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds for one program


class WrongError(Exception):
    """A check that failed; the text says how."""


def expect(fine: object, what: str) -> None:
    """Fail the check that this is part of, if it is not fine."""
    if not fine:
        raise WrongError(what)


def run(
    *command: str | Path,
    fails: bool = False,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = PATIENCE,
) -> str:
    """Run a program that should succeed, or fail; return all that it printed."""
    ended = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    words = " ".join(map(str, command))
    expect((ended.returncode != 0) == fails, f"{words}: exit code {ended.returncode}\n{ended.stdout}")
    return ended.stdout


def check(name: str, body: Callable[[], str | None]) -> bool:
    """Run a check, print what came of it, and tell whether it is fine. What it returns is a remark."""
    try:
        remark = body()
    except WrongError as wrong:
        print(f"bundle, {name}: FAILED\n{wrong}", flush=True)
        return False
    print(f"bundle, {name}: ok{f' ({remark})' if remark else ''}", flush=True)
    return True
