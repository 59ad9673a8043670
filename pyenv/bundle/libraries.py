"""Shared libraries: copied from the system into the bundle, and found there.

Only glibc's are left to the machine that runs it: they belong to its kernel and name service, and newer ones run what
was linked with older ones. All others are looked for where the one that needs them is (`$ORIGIN`), never on the
machine.
"""

import functools
import os
import re
import shutil
from pathlib import Path

from bundle import debian, run
from bundle.parts import Part

GLIBC = frozenset(
    f"{name}.so.{version}"
    for name, version in {
        "ld-linux-x86-64": 2,
        "libc": 6,
        "libdl": 2,
        "libm": 6,
        "libpthread": 0,
        "libresolv": 2,
        "librt": 1,
        "libutil": 1,
    }.items()
)
"""What is not shipped."""

LIBRARIES = "pyenv/runtime/lib"
"""Where the others lie in a bundle."""


def gather(bundle: Path) -> list[Part]:
    """Copy what the bundle's programs and modules need, have it found, and tell whose work it is."""
    home = bundle / LIBRARIES
    waiting = [file for file in bundle.rglob("*") if is_elf(file)]
    own = {file.name for file in waiting}
    origins: dict[str, Path] = {}
    while waiting:
        file = waiting.pop()
        needed = [name for name in run.lines("patchelf", "--print-needed", file) if name not in GLIBC | own]
        for name in needed:
            if name not in origins:
                origins[name] = _on_this_system(name)
                shutil.copyfile(origins[name], home / name)
                waiting.append(home / name)
        if needed:
            place = os.path.relpath(home, file.parent)
            run.lines("patchelf", "--set-rpath", "$ORIGIN" if place == "." else f"$ORIGIN/{place}", file)
    # Two libraries of one package are one part.
    parts = {part.purl: part for part in map(debian.part, origins.values())}
    return [debian.cpython(), *sorted(parts.values(), key=lambda part: part.name)]


def is_elf(file: Path) -> bool:
    """Whether the linker has something to do with it."""
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def _on_this_system(name: str) -> Path:
    # The linker's own list. What somebody has put into /usr/local is of unknown origin.
    for found in _known().get(name, []):
        if not str(found).startswith("/usr/local/"):
            return found
    raise SystemExit(f"the library {name} is not on this machine")


@functools.cache
def _known() -> dict[str, list[Path]]:
    known: dict[str, list[Path]] = {}
    for line in run.lines("/sbin/ldconfig", "-p"):
        found = re.match(r"\s*(\S+) \(.*x86-64.*\) => (\S+)", line)
        if found:
            known.setdefault(found[1], []).append(Path(found[2]))
    return known
