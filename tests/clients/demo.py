"""`scripts/serve --demo` on a port of its own, as the checks in this folder use it."""

import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600  # seconds for the demo to be set up and to serve


@dataclass(frozen=True)
class Demo:
    """A demo that serves. `curl`: the line that it prints; `sha256`: of what that line fetches."""

    port: int
    curl: str
    sha256: str


@contextmanager
def running() -> Iterator[Demo]:
    """Start it, and end it."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [ROOT / "scripts/serve", "--demo"],
            env={**os.environ, "PORT": str(port), "STATE_DIR": home},
            stdout=subprocess.PIPE,
            text=True,
            # A process group of its own, to be ended as one.
            start_new_session=True,
        )
        try:
            demo = Demo(port, *_announced(process))
            _wait_ready(port)
            yield demo
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _announced(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the curl line and the SHA-256 that it prints."""
    assert process.stdout is not None
    curl = None
    for line in process.stdout:
        if line.startswith("  curl "):
            curl = line.strip()
        found = re.search(r"SHA-256 is ([0-9a-f]{64})", line)
        if found and curl:
            return curl, found[1]
    raise SystemExit(f"the demo ended with {process.wait()}")


def _wait_ready(port: int) -> None:
    """Wait until the server answers; curl does the waiting."""
    url = f"http://localhost:{port}/ready"
    command = ["curl", "-sSf", "-o", "/dev/null", "--retry", "100", "--retry-delay", "1", "--retry-all-errors", url]
    subprocess.run(command, check=True, timeout=PATIENCE, stderr=subprocess.DEVNULL)
