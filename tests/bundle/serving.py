"""A bundle that is unpacked in a root, serves there, and streams a film of the stage as it is."""

import hashlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import roots
from common import ROOT, WrongError, expect, run

NOBODY = 65534
READY = 60  # seconds from the start until it is ready
END = 20  # seconds from SIGTERM until it has ended
ANSWER = 60  # seconds for a page, or a film
DENO = "JavaScript runtime: deno"
"""What the log says where there is one."""
STRANGE = "https://drip.example.net/slowly"
"""A film of the stage at an address that yt-dlp does not know by name, so that a helper is needed."""


@dataclass(frozen=True)
class Stage:
    """A stand-in internet. `proxy`: the way to it; `page`: of its film; `sha256`: of that."""

    proxy: str
    page: str
    sha256: str


def unpacked(archive: Path) -> str | None:
    """Serve in a root with glibc alone, with the bundle unpacked for it."""
    with roots.of_glibc() as root:
        run("tar", "-C", root / "srv", "-xzf", archive)
        folder = f"/srv/{archive.name.removesuffix('.tar.gz')}"
        return _serve(root, f"{folder}/bin/sluice")


def installed(archive: Path, suite: str) -> str | None:
    """Walk a new user's path in a Debian without Python: unpack, install, fetch."""
    with roots.of_debian(suite) as root:
        if root is None:
            return f"SKIPPED: {suite} could not be had, see {roots.CACHE / suite}.log"
        python = [*root.glob("usr/bin/python*"), *root.glob("usr/lib/*/libpython*")]
        expect(not python, f"there is Python in it: {python}")
        shutil.copy(archive, root / "root")
        roots.obey(root, "tar", "-C", "/root", "-xzf", f"/root/{archive.name}")
        folder = f"/root/{archive.name.removesuffix('.tar.gz')}"
        told = roots.obey(root, f"{folder}/install")
        expect("curl -OJ" in told, told)
        # As it is without systemd: what was unpacked may go.
        shutil.rmtree(root / folder[1:])
        remark = _serve(root, "/opt/sluice/current/bin/sluice")
        roots.obey(root, "/opt/sluice/current/install", "--uninstall")
        return remark


def _serve(root: Path, program: str) -> str:
    """Serve in a root, as nobody."""
    state = root / "srv/state"
    state.mkdir()
    shutil.chown(state, NOBODY, NOBODY)
    # As the unit has it.
    own = {"STATE_DIR": "/srv/state", "PATH": f"{Path(program).parent}:/usr/bin:/bin"}

    def start(settings: dict[str, str], log: IO[str]) -> subprocess.Popen[str]:
        return roots.inside(root, program, user=NOBODY, env={**settings, **own}, output=log)

    told, log = serve(start, root / "srv/ca.pem", "/srv/ca.pem")
    deno = DENO in log
    expect(deno == (root / program[1:]).with_name("deno").exists(), "Deno is there and does not run")
    return f"{told}{' and Deno' if deno else ''}"


Start = Callable[[dict[str, str], IO[str]], subprocess.Popen[str]]
"""Starts a server with these settings, which logs to that file."""


def serve(start: Start, authority: Path, inside: str, meanwhile: Callable[[], None] = lambda: None) -> tuple[str, str]:
    """Have a server fetch from the stage, and end; return a remark, and its log.

    The stage's certificate is written to `authority`, which the server knows as `inside`.
    """
    port = _free_port()
    with _stage(authority) as stage, tempfile.TemporaryFile("w+") as log:
        settings = {"HOST": "127.0.0.1", "PORT": str(port), "PROXY": stage.proxy, "CA_FILE": inside}
        begun = time.monotonic()
        server = start(settings, log)
        try:
            _wait_ready(server, port)
            ready = time.monotonic() - begun
            _fetch(port, stage)
            meanwhile()
            server.send_signal(signal.SIGTERM)
            expect(server.wait(END) == 0, f"it ended with {server.returncode}")
        except (WrongError, OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
            log.seek(0)
            raise WrongError(f"{error}\n{log.read()}") from error
        finally:
            server.kill()
            server.wait()
        log.seek(0)
        return f"ready in {ready:.1f} s, byte-exact, with a helper", log.read()


@contextmanager
def _stage(authority: Path) -> Iterator[Stage]:
    """Play the demo's stage, which writes its certificate there."""
    command: list[str | Path] = [ROOT / "target/release/examples/stage", "--ca", authority, "--any-id", "--drip"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Stage(told["proxy"], told["page"], told["sha256"][told["default"]])
    finally:
        process.terminate()
        process.wait(END)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_ready(server: subprocess.Popen[str], port: int) -> None:
    last: object = None
    end = time.monotonic() + READY
    while time.monotonic() < end:
        expect(server.poll() is None, f"it ended with {server.returncode}")
        try:
            last, _ = _get(port, "/ready")
        except OSError as error:
            last = error
        if last == http.client.OK:
            return
        # Nothing tells when it listens but to try.
        time.sleep(0.1)
    raise WrongError(f"not ready after {READY} s: {last}")


def _fetch(port: int, stage: Stage) -> None:
    """Extract and stream the film, and a page that only a helper may read."""
    status, body = _get(port, f"/extract?{urllib.parse.urlencode({'url': stage.page})}")
    expect(status == http.client.OK and json.loads(body)["formats"], f"/extract: {status} {body!r}")
    status, body = _get(port, f"/stream?{urllib.parse.urlencode({'url': stage.page})}")
    expect(status == http.client.OK, f"/stream: {status} {body[:1000]!r}")
    expect(hashlib.sha256(body).hexdigest() == stage.sha256, f"/stream: {len(body)} other bytes")
    status, body = _get(port, f"/extract?{urllib.parse.urlencode({'url': STRANGE})}")
    expect(status == http.client.OK and json.loads(body)["formats"], f"/extract by a helper: {status} {body!r}")


def _get(port: int, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
