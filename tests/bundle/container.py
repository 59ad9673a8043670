"""The container of the Containerfile: what is in it, and that it serves with nothing to write to.

Built by buildah and run by podman, for no registry: its base is a debootstrap root. On a machine of its own these need
no options; the ones here let them run where there is no systemd, and where root may not raise its own limits.
"""

import json
import re
import resource
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import roots
import serving
from common import ROOT, expect, run

SUITE = "bookworm"
USER = 65532
PROGRAM = "/opt/sluice/bin/sluice"
HEALTHCHECK = ["CMD", PROGRAM, "check", "--health"]
CONTEXT = ("Containerfile", ".dockerignore", "bundle/image")
BUILD = 600  # seconds
PROCESSES = 4096  # of a container, at most
CONFINED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")
FOREIGN = re.compile(r"(ba|da|z|k|a)?sh|busybox|pip[\d.]*|python[\d.]*|perl|apt(-get)?|dpkg|su|mount|curl|wget|env")
"""Programs that are of use to somebody who has broken in."""


class Store:
    """A place for images of its own, which goes with the folder that it is in."""

    def __init__(self, folder: Path) -> None:
        self._options = (f"--root={folder}/store", f"--runroot={folder}/run", "--storage-driver=overlay")

    def podman(self, *arguments: str | Path, fails: bool = False) -> str:
        """Run podman."""
        return run(*self._podman(), *arguments, fails=fails)

    def run(self, *arguments: str | Path, output: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a container that is removed when it ends."""
        limits = (f"--ulimit={name}={most}:{most}" for name, most in _limits().items())
        command = [*self._podman(), "run", "--rm", "--no-healthcheck", "--network=host", *limits, *CONFINED, *arguments]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)

    def _podman(self) -> list[str]:
        # crun of Debian 12 does not know machines with both kinds of control groups.
        return ["podman", *self._options, "--cgroup-manager=cgroupfs", "--runtime=runc"]

    def build(self, context: Path, image: str, **arguments: str) -> None:
        """Build an image."""
        told = (f"--build-arg={name}={value}" for name, value in arguments.items())
        command = ("buildah", *self._options, "build", "--isolation=chroot", "--format=docker", f"--tag={image}")
        run(*command, *told, context, timeout=BUILD)

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """Show the files of an image."""
        place = self.podman("image", "mount", image).strip()
        try:
            yield Path(place)
        finally:
            self.podman("image", "unmount", image)


def _limits() -> dict[str, int]:
    # Without these podman wants more than root may have where it can't raise its own.
    return {"nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1], "nproc": PROCESSES}


def check(archive: Path) -> str | None:
    """Build it, look at it, and use it."""
    with _base() as (store, context, base):
        (context / "dist").mkdir()
        shutil.copy(archive, context / "dist")
        store.build(context, "sluice", BASE=base)
        _configured(json.loads(store.podman("image", "inspect", "sluice"))[0])
        with store.mounted("sluice") as root:
            programs = _holds_nothing_foreign(root)
            expect(programs == {PROGRAM}, f"the programs in it are {programs}")
            size = sum(file.lstat().st_size for file in root.rglob("*"))
        _starts_nothing_else(store)
        told, _ = _serves(store, context)
    return f"{size / 1e6:.0f} MB, {told}"


def with_all(archive: Path) -> str:
    """Build it with ffmpeg, which makes a film, and of the full bundle, whose Deno runs a script."""
    with _base("ffmpeg") as (store, context, base):
        (context / "dist").mkdir()
        shutil.copy(archive, context / "dist")
        store.build(context, "sluice", BASE=base, FFMPEG="on", BUNDLE="dist/sluice-*-x86_64-linux-full.tar.gz")
        with store.mounted("sluice") as root:
            programs = _holds_nothing_foreign(root)
            wanted = {PROGRAM, "/opt/sluice/bin/deno", "/usr/bin/ffmpeg", "/usr/bin/ffprobe"}
            expect(programs == wanted, f"the programs in it are {programs}")
            expect((root / "usr/share/doc/ffmpeg/copyright").is_file(), "no licence of ffmpeg")
        film = ("-v", "error", "-f", "lavfi", "-i", "testsrc=duration=1", "-c:v", "libx264", "-f", "md5", "-")
        made = _end(store.run("--entrypoint=ffmpeg", "sluice", *film))
        expect(made.startswith("MD5="), made)
        version = _end(store.run("--entrypoint=ffprobe", "sluice", "-version")).split()[2]
        told, log = _serves(store, context)
        expect(serving.DENO in log, f"Deno does not run\n{log}")
    return f"{told} and Deno, ffmpeg {version}"


@contextmanager
def _base(*packages: str) -> Iterator[tuple[Store, Path, str]]:
    """Make a store with a Debian in it, and a context to build in."""
    made = roots.bootstrapped(SUITE, *packages)
    expect(made, f"{SUITE} could not be had, see {roots.CACHE}")
    # Beside the roots: what a temporary file system holds may not be mounted as overlays.
    with tempfile.TemporaryDirectory(dir=roots.CACHE) as folder:
        work = Path(folder)
        work.chmod(0o755)
        store = Store(work)
        run("tar", "-C", str(made), "-cf", work / "base.tar", ".")
        store.podman("import", work / "base.tar", "localhost/base")
        context = work / "context"
        for name in CONTEXT:
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, context / name)
        yield store, context, "localhost/base"


def _configured(image: dict[str, Any]) -> None:
    config, health = image["Config"], image.get("Healthcheck", {})
    user, group = config["User"].split(":")
    expect((int(user), int(group)) == (USER, USER), f"its user is {config['User']}")
    expect(config["Entrypoint"] == [PROGRAM], f"it starts {config['Entrypoint']}")
    expect(health.get("Test") == HEALTHCHECK, f"its health is told by {health}")


def _holds_nothing_foreign(root: Path) -> set[str]:
    """Return the programs in it, none of which may help somebody who has broken in."""
    files = {f"/{file.relative_to(root)}": file.lstat() for file in root.rglob("*")}
    foreign = {name for name in files if FOREIGN.fullmatch(name.rpartition("/")[2]) and "/bin/" in name}
    packages = {name for name in files if re.search(r"/(site|dist)-packages/pip\b|/ensurepip\b|/var/lib/dpkg\b", name)}
    expect(not foreign | packages, f"in it are {foreign | packages}")
    plain = {name: told for name, told in files.items() if not stat.S_ISLNK(told.st_mode)}
    privileged = {name for name, told in plain.items() if told.st_mode & (stat.S_ISUID | stat.S_ISGID)}
    expect(not privileged, f"with privileges: {privileged}")
    # Others may write to /tmp, where one is mounted; its user to its state; and nobody to anything else.
    writable = {name for name, told in plain.items() if told.st_mode & 0o002} - {"/tmp"}  # noqa: S108
    owned = {name for name, told in plain.items() if told.st_uid} - {"/var/lib/sluice"}
    expect(not writable | owned, f"not for root alone: {writable | owned}")
    programs = {name for name, told in plain.items() if stat.S_ISREG(told.st_mode) and told.st_mode & 0o111}
    return {name for name in programs if ".so" not in name and _is_elf(root / name[1:])}


def _is_elf(file: Path) -> bool:
    # Scripts have nothing to run them.
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def _starts_nothing_else(store: Store) -> None:
    expect(_end(store.run("sluice", "--version")).startswith("sluice "), "it does not start")
    for shell in ("/bin/sh", "/bin/bash", "/usr/bin/env"):
        process = store.run(f"--entrypoint={shell}", "sluice", "-c", "true")
        told, _ = process.communicate(timeout=BUILD)
        expect(process.returncode == 127 and "no such file" in told.lower(), f"{shell}: {told}")


def _serves(store: Store, folder: Path) -> tuple[str, str]:
    """Serve with a root that is read only, and a volume for the state; return a remark, and the log."""
    authority = folder / "ca.pem"

    def start(settings: dict[str, str], log: IO[str]) -> subprocess.Popen[str]:
        shown = (f"--env={name}={value}" for name, value in settings.items())
        volumes = (f"--volume={authority}:/srv/ca.pem:ro", "--volume=state:/var/lib/sluice")
        return store.run("--name=served", *shown, *volumes, "sluice", output=log)

    def meanwhile() -> None:
        # As the image itself asks; podman's own timer for it needs systemd.
        store.podman("exec", "served", *HEALTHCHECK[1:])
        pid = store.podman("inspect", "--format={{.State.Pid}}", "served").strip()
        status = Path("/proc", pid, "status").read_text()
        expect(f"\nUid:\t{USER}\t" in status and "\nCapBnd:\t0000000000000000\n" in status, status)
        mounts = Path("/proc", pid, "mountinfo").read_text()
        expect(re.search(r"^\S+ \S+ \S+ \S+ / ro,", mounts, re.MULTILINE), f"its root may be written to:\n{mounts}")

    told = serving.serve(start, authority, "/srv/ca.pem", meanwhile)
    state = Path(store.podman("volume", "inspect", "--format={{.Mountpoint}}", "state").strip())
    kept = [file for file in state.iterdir() if file.stat().st_uid == USER]
    expect(kept, "it has no key of its own in its volume")
    return told


def _end(process: subprocess.Popen[str]) -> str:
    told, _ = process.communicate(timeout=BUILD)
    expect(process.returncode == 0, f"exit code {process.returncode}\n{told}")
    return told
