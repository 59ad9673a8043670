"""Folders to run a bundle in as if they were machines: with glibc alone, or a Debian without Python."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from common import PATIENCE, ROOT, WrongError, expect, run

CACHE = ROOT / "target/roots"
GLIBC = tuple(
    f"lib{name}.so.{version}"
    for name, version in {"c": 6, "dl": 2, "m": 6, "pthread": 0, "resolv": 2, "rt": 1, "util": 1, "nss_dns": 2}.items()
)
LINKER = "lib64/ld-linux-x86-64.so.2"
MAY_LACK = ("trixie",)  # suites that a mirror for Debian 12 need not have
FOLDERS = ("dev", "etc", "proc", "run", "srv", "tmp", "lib64", "lib/x86_64-linux-gnu")
DEBOOTSTRAP = 900  # seconds
PREPARE = """
mount -t proc -o subset=pid proc "$1/proc" && mount --rbind /dev "$1/dev" || exit
exec /usr/sbin/chroot --userspec="$2:$2" "$1" "${@:3}"
"""


@contextmanager
def of_glibc() -> Iterator[Path]:
    """Make a root that holds glibc and nothing else: no shell, no library, no file of settings."""
    with _folder() as root:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name in GLIBC:
            shutil.copy(Path("/lib/x86_64-linux-gnu", name), root / "lib/x86_64-linux-gnu")
        shutil.copy(Path("/", LINKER), root / LINKER)
        yield root


@contextmanager
def of_debian(suite: str, *packages: str) -> Iterator[Path | None]:
    """Make a root of a Debian as small as there is, with these packages; none if it may be lacking, and is."""
    made = bootstrapped(suite, *packages)
    if not made:
        expect(suite in MAY_LACK, f"{suite} could not be had, see {CACHE}")
        yield None
        return
    with _folder() as root:
        run("cp", "-a", f"{made}/.", root)
        yield root


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def bootstrapped(suite: str, *packages: str) -> Path | None:
    """Return a root that is kept, and made if there is none yet."""
    kept = CACHE / "-".join([suite, *packages])
    if kept.is_dir():
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that a break leaves nothing half made.
    aside = Path(tempfile.mkdtemp(prefix=".new.", dir=CACHE))
    try:
        aside.chmod(0o755)
        command: list[str | Path] = ["debootstrap", "--variant=minbase", suite, aside, _mirror()]
        if packages:
            command.insert(1, f"--include={','.join(packages)}")
        log = CACHE / f"{kept.name}.log"
        with log.open("w") as output:
            ended = subprocess.run(
                command, env=_environment(), stdout=output, stderr=output, timeout=DEBOOTSTRAP, check=False
            )
        if ended.returncode != 0:
            return None
        for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(aside / folder)
        return aside.rename(kept)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _mirror() -> str:
    """Return where this machine has its own packages from."""
    form = "$(REPO_URI)\t$(CODENAME)"
    lines = run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    # Not the archives of updates.
    return next(uri for uri, _, suite in (line.partition("\t") for line in lines) if suite.isalpha())


def _environment() -> dict[str, str]:
    """Return an environment in which debootstrap's downloads go where apt's do."""
    proxy = re.search(r"='(.*)'", run("apt-config", "shell", "proxy", "Acquire::http::Proxy"))
    return {**os.environ, **({"http_proxy": proxy[1]} if proxy and proxy[1] else {})}


def inside(
    root: Path, *command: str | Path, user: int = 0, env: dict[str, str] | None = None, output: IO[str] | None = None
) -> subprocess.Popen[str]:
    """Start a program in a root, with /proc and /dev in it, which go when it does.

    Of /proc it sees what the unit's ProcSubset= leaves: processes.
    """
    return subprocess.Popen(
        ["unshare", "--mount", "bash", "-c", PREPARE, "bash", root, str(user), *command],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})},
        stdout=output or subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def obey(root: Path, *command: str | Path) -> str:
    """Run a program in a root to its end, which must be a good one."""
    process = inside(root, *command)
    told, _ = process.communicate(timeout=PATIENCE)
    if process.returncode != 0:
        raise WrongError(f"{' '.join(map(str, command))} in {root}: exit code {process.returncode}\n{told}")
    return told
