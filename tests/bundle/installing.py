"""The `install` of a bundle, in a folder (`--root`): first, again, over an older one, back, away, and when it can't."""

import re
import tempfile
from pathlib import Path

from common import ROOT, expect, run

FILE_BLOCKS = 2000  # of 1 KiB: no file of a disk this full may be larger


class Place:
    """A folder that it is installed in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opt, self.etc = root / "opt/sluice", root / "etc/sluice"

    def install(self, bundle: Path, *arguments: str, fails: bool = False) -> str:
        """Run the bundle's own."""
        return run(bundle / "install", "--root", self.root, *arguments, fails=fails)

    def linked(self, name: str) -> str | None:
        """Return what a link leads to."""
        link = self.opt / name
        return str(link.readlink()) if link.is_symlink() else None

    def links(self) -> tuple[str | None, str | None]:
        """Return the version that runs, and the one before."""
        return self.linked("current"), self.linked("previous")

    def command(self) -> Path:
        """Return where the command is that an operator has."""
        return self.root / "usr/local/bin/sluice"

    def versions(self) -> set[str]:
        """Return all that lies there, half made or whole."""
        return {entry.name for entry in self.opt.iterdir() if not entry.is_symlink()}


def check(bundle: Path) -> str:
    """Walk through it all."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        place = Place(work / "root")
        version = (bundle / "VERSION").read_text().strip()
        second, third = _other(bundle, work / "second", "8.0.0"), _other(bundle, work / "third", "9.0.0")
        rebuilt = _other(bundle, work / "rebuilt", version, "# another build\n")
        Place(work / "nowhere").install(bundle, "--uninstall", fails=True)
        expect(not (work / "nowhere").exists(), "what removes made a folder")
        _first(place, _closed(bundle, work / "closed"), version)
        _again(place, bundle, version)
        _upgrade(place, second, third, version)
        _back(place)
        _builds(place, bundle, rebuilt, version)
        _broken(place, bundle, work)
        _away(place, third)
        _others(place, bundle)
    return "first, again, upgrade, rollback, damaged, full disk, uninstall"


def _closed(bundle: Path, folder: Path) -> Path:
    """Return the same as somebody has it who shows others nothing, and who fetched a film there."""
    run("sh", "-c", 'umask 077 && cp -R "$@"', "sh", bundle, folder)
    expect(not (folder / "bin/sluice").stat().st_mode & 0o077, "others may read it")
    (folder / "film.mp4").write_text("film")
    return folder


def _other(bundle: Path, folder: Path, version: str, settings: str = "") -> Path:
    """Return a bundle of another version: links to the same files, but for those that tell it."""
    run("cp", "-al", bundle, folder)
    for name, text in {"VERSION": f"{version}\n", "sluice.env.example": settings}.items():
        (folder / name).unlink()
        (folder / name).write_text(text or (bundle / name).read_text())
    files = "find . -type f ! -name SHA256SUMS -printf '%P\\0'"
    run("sh", "-c", f"{files} | sort -z | xargs -0 sha256sum > ../sums && mv ../sums SHA256SUMS", cwd=folder)
    return folder


def _first(place: Place, bundle: Path, version: str) -> None:
    told = place.install(bundle)
    expect("curl -OJ 'http://localhost:3021/stream?url=" in told, f"no line to try in:\n{told}")
    expect(place.links() == (version, None), f"the links are {place.links()}")
    run("sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS", cwd=place.opt / "current")
    _is_open(place)
    expect(not (place.opt / "current/film.mp4").exists(), "it took what is not its own")
    expect(version in run(place.command(), "--version"), "the command is of another version")
    key = place.etc / "encryption_key"
    expect(key.stat().st_mode & 0o777 == 0o600, "the key is not for its owner alone")
    expect(re.fullmatch(r"[\w+/]{43}=\n", key.read_text()), "the key is not 32 bytes")
    expect((place.etc / "sluice.env").stat().st_mode & 0o777 == 0o640, "others may read the settings")
    for unit in ("sluice.service", "sluice.socket"):
        installed = place.root / "etc/systemd/system" / unit
        expect(installed.read_bytes() == (bundle / "systemd" / unit).read_bytes(), f"{unit} is another")


def _is_open(place: Place) -> None:
    wanted = {True: 0o755, False: 0o644}
    folder = place.opt / "current"
    shut = [file for file in (folder, *folder.rglob("*")) if ~file.stat().st_mode & wanted[file.is_dir()]]
    expect(not shut, f"others may not read {shut}")


def _again(place: Place, bundle: Path, version: str) -> None:
    key, settings = place.etc / "encryption_key", place.etc / "sluice.env"
    settings.write_text("LOG=debug\n")
    before = key.read_text()
    inode = (place.opt / version).stat().st_ino
    run("chmod", "-R", "go=", place.opt / version)
    place.install(bundle)
    _is_open(place)
    expect((key.read_text(), settings.read_text()) == (before, "LOG=debug\n"), "key or settings are others")
    expect((place.opt / version).stat().st_ino == inode, "it was copied again")
    expect((place.links(), place.versions()) == ((version, None), {version}), f"the links are {place.links()}")


def _upgrade(place: Place, second: Path, third: Path, version: str) -> None:
    (place.opt / "current/bin/deno").touch()
    told = place.install(second)
    expect("no Deno" in told, f"Deno went without a word:\n{told}")
    expect((place.links(), place.versions()) == (("8.0.0", version), {"8.0.0", version}), f"{place.links()}")
    # What a try left that was cut off.
    (place.opt / ".new.abcdef").mkdir()
    told = place.install(third)
    expect("no Deno" not in told, told)
    expect((place.links(), place.versions()) == (("9.0.0", "8.0.0"), {"9.0.0", "8.0.0"}), f"{place.versions()}")


def _back(place: Place) -> None:
    for links in (("8.0.0", "9.0.0"), ("9.0.0", "8.0.0")):
        place.install(place.opt / "current", "--rollback")
        expect(place.links() == links, f"after a rollback the links are {place.links()}")
    # As after a newer version that did not start, and this one again.
    previous = place.opt / "previous"
    previous.unlink()
    previous.symlink_to("9.0.0")
    told = place.install(place.opt / "current", "--rollback", fails=True)
    expect("nothing was changed" in told, told)
    expect(place.links() == ("9.0.0", "9.0.0"), f"the links are {place.links()}")


def _builds(place: Place, bundle: Path, rebuilt: Path, version: str) -> None:
    place.install(bundle)
    place.install(rebuilt)
    current, previous = place.links()
    expect(previous == version and re.fullmatch(rf"{version}-[0-9a-f]{{8}}", current or ""), f"{place.links()}")
    place.install(rebuilt)
    expect(place.links() == (current, previous), "the same build was installed twice")


def _broken(place: Place, bundle: Path, work: Path) -> None:
    links, versions = place.links(), place.versions()
    damaged = _other(bundle, work / "damaged", "10.0.0")
    sample = damaged / "pyenv/sluice/session.py"
    text = sample.read_text()
    sample.unlink()
    sample.write_text(text + "\n")
    expect("damaged" in place.install(damaged, fails=True), "it does not say what is wrong")
    expect((place.links(), place.versions()) == (links, versions), "a damaged bundle left something")
    full = _other(bundle, work / "full", "11.0.0")
    limited = 'ulimit -f "$1"; shift; exec "$@"'
    command: list[str | Path] = [
        "bash",
        "-c",
        limited,
        "bash",
        str(FILE_BLOCKS),
        full / "install",
        "--root",
        place.root,
    ]
    told = run(*command, fails=True)
    expect("nothing was changed" in told, told)
    expect((place.links(), place.versions()) == (links, versions), "a full disk left something")


def _away(place: Place, bundle: Path) -> None:
    place.install(bundle, "--uninstall")
    expect(not place.opt.exists(), "something is left in /opt")
    expect(not place.command().is_symlink(), "the command is left")
    expect(not list((place.root / "etc/systemd/system").iterdir()), "the units are left")
    expect({file.name for file in place.etc.iterdir()} == {"encryption_key", "sluice.env"}, "the settings are gone")
    place.install(bundle, "--rollback", fails=True)
    place.install(bundle, "--nonsense", fails=True)


def _others(place: Place, bundle: Path) -> None:
    """Leave alone what is another's: a command of that name, and a unit that is masked."""
    place.command().write_text("another's")
    unit = place.root / "etc/systemd/system/sluice.socket"
    unit.symlink_to("/dev/null")
    place.install(bundle)
    expect(unit.is_symlink(), "the socket is masked no longer")
    place.install(bundle, "--uninstall")
    expect(place.command().read_text() == "another's", "the command is another's no longer")


def from_a_clone(archive: Path, binary: Path) -> str:
    """Run `scripts/install`, which makes the archive once more: the same, byte for byte."""
    with tempfile.TemporaryDirectory() as folder:
        run(ROOT / "scripts/install", "--binary", binary, "--root", folder)
        expect((Path(folder) / "opt/sluice/current/bin/sluice").is_file(), "nothing is installed")
    again = ROOT / "dist" / archive.name
    expect(again.read_bytes() == archive.read_bytes(), f"{again} is not {archive}")
    return "made twice, the same archive"
