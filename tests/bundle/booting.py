"""A Debian that is booted (systemd-nspawn, with a network of its own), and the bundle as a service of its systemd."""

import os
import shutil
import subprocess
from pathlib import Path

import roots
from common import ROOT, WrongError, expect

PACKAGES = ("systemd", "systemd-sysv", "dbus")
BOOT = 180  # seconds from the start until it has switched itself off
DRIVER = """
[Unit]
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/root/booted.sh
"""


def check(bundle: Path, suite: str) -> str:
    """Boot it, and judge what it told."""
    with roots.of_debian(suite, *PACKAGES) as root:
        if root is None:
            return f"SKIPPED: {suite} with systemd could not be had"
        _prepare(root, bundle)
        printed = _boot(root)
        expect((root / "root/told").exists(), f"it did not boot: {printed}")
        told = dict(line.split(": ", 1) for line in (root / "root/told").read_text().splitlines())
        logs = [root / "root" / name for name in ("installed", "log")]
        log = "".join(file.read_text() for file in logs if file.exists())
        wrong = _wrong(told)
        expect(not wrong, "\n".join([*wrong, log]))
    return f"exposure {told['exposure']}, ready after {told['start']} ms"


def _prepare(root: Path, bundle: Path) -> None:
    home, units = root / "root", root / "etc/systemd/system"
    shutil.copytree(bundle, home / "bundle")
    shutil.copy(ROOT / "target/release/examples/stage", home)
    shutil.copy(Path(__file__).with_name("booted.sh"), home)
    (units / "booted.service").write_text(DRIVER)
    wants = units / "default.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "booted.service").symlink_to("../booted.service")


def _boot(root: Path) -> str:
    """Boot until it switches itself off; return what was printed meanwhile."""
    own = ("--register=no", "--keep-unit", "--private-network", "--console=pipe", f"--machine=sluice-{os.getpid()}")
    command: list[str | Path] = ["systemd-nspawn", "--boot", "--quiet", *own, "--directory", root]
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BOOT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise WrongError(f"it did not switch itself off within {BOOT} s:\n{late.stdout!r}") from late
    return ended.stdout


def _wrong(told: dict[str, str]) -> list[str]:
    """Return what is not as it should be."""
    fine = {
        "install": "0",
        "ready": "200",
        "script": "1",
        "film": told.get("expected"),
        "helper": "200",
        "user": "sluice",
        "privileges": "0" * 16,
        "key": "0",
        "state": "0",
        "restart": "0",
        "closed": "inactive active",
        "reopened": "0 active 200",
        "woken": "active 200",
        "broken": "200 1 inactive",
        "again": "0",
        "upgrade": "0 9.0.0 active",
        "rollback": "0 9.0.0 active",
        "tries": "1",
        "enough": "service-start-limit-hit failed",
        "mended": "0 active active 200",
        "before": "started",
        "uninstall": "0",
        "left": "0",
        # Nobody is refused while it restarts, for systemd holds the socket; and a start that fails is known to have.
        "asked": "200",
        "refused": "1 1 10.0.0",
    }
    return [
        f"{name}: {told.get(name)}, not {value}" for name, value in fine.items() if told.get(name, "").strip() != value
    ]
