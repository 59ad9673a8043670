"""Every program and module of a bundle finds its libraries, in a root that has glibc's alone."""

import re
import shutil
from pathlib import Path

import roots
from common import expect

NEWEST = 36  # of glibc 2: Debian 12 has it. Newer systems run what it runs.


def check(bundle: Path) -> str:
    """Have glibc's own linker look for them."""
    with roots.of_glibc() as root:
        place = root / "srv/bundle"
        shutil.copytree(bundle, place)
        files = [file for file in sorted(place.rglob("*")) if file.is_file() and _is_elf(file)]
        missing = [f"{file.relative_to(place)}: {line}" for file in files for line in _unresolved(root, file)]
        newest = max(_glibc(file) for file in files)
    expect(not missing, "\n".join(missing))
    expect(newest <= NEWEST, f"glibc 2.{newest} is needed")
    return f"{len(files)} programs and modules, glibc 2.{newest}"


def _is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def _glibc(file: Path) -> int:
    """Return the newest glibc whose functions a file names."""
    return max((int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)(?=[.\0])", file.read_bytes())), default=0)


_RESOLVED = re.compile(r"\s*(linux-vdso|statically linked|/lib64/ld-|\S+ => (/lib/x86_64-linux-gnu|/srv/bundle)/)")
"""Lines of the linker about what is fine."""


def _unresolved(root: Path, file: Path) -> list[str]:
    told = roots.obey(root, f"/{roots.LINKER}", "--list", f"/{file.relative_to(root)}")
    return [line.strip() for line in told.splitlines() if "not found" in line or not _RESOLVED.match(line)]
