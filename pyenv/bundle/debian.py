"""What is taken from Debian: whose it is, and under which licence."""

import re
from pathlib import Path

from bundle import run
from bundle.parts import Part, Text

_DOCUMENTS = Path("/usr/share/doc")
_COMMON = Path("/usr/share/common-licenses")
_NAMED = re.compile(r"/usr/share/common-licenses/([\w.-]*\w)")
_STANDARD_LIBRARY = Path("/usr/lib/python3.11/os.py")
"""A file of Debian's CPython, from which the runtime is made."""


def part(file: Path) -> Part:
    """Return whose work a file of this system is. Its name is the work's, not that of one of its packages."""
    package = _owner(file)
    told = run.lines("dpkg-query", "--show", "--showformat=${Version}\t${source:Package}\n", package)
    version, _, source = told[0].partition("\t")
    plain = package.partition(":")[0]
    purl = f"pkg:deb/debian/{plain}@{version.replace('+', '%2B').replace(':', '%3A')}?arch=amd64"
    return Part("debian", source, version, purl, "", texts(plain))


def cpython() -> Part:
    """Return the interpreter and its standard library."""
    found = part(_STANDARD_LIBRARY)
    return Part(found.kind, "cpython", found.version, found.purl, "Python-2.0.1", found.texts)


def texts(package: str) -> dict[str, Text]:
    """Return the licences of a package, with the texts that all packages share and this one names."""
    file = _DOCUMENTS / package / "copyright"
    named = sorted(set(_NAMED.findall(file.read_text(errors="replace"))))
    return {"copyright": file, **{name: _COMMON / name for name in named if (_COMMON / name).is_file()}}


def _owner(file: Path) -> str:
    # /lib is a link to /usr/lib, and packages know their files by either name.
    real = str(file.resolve())
    for name in (str(file), real, real.removeprefix("/usr"), f"/usr{real}"):
        told = run.asked("dpkg-query", "--search", name)
        if told:
            return told[0].split(": ")[0].split(",")[0]
    raise SystemExit(f"{file} is of no Debian package, so nobody can tell its licence")
