"""What is in an archive, and what is not."""

import json
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path

from common import ROOT, expect, run

MOST = 60_000_000  # bytes, packed
MOST_FULL = 110_000_000  # the same, with Deno, which alone takes 42 MB
UNWANTED = {"pytest", "_pytest", "ruff", "fastapi", "starlette", "uvicorn", "mypy", "pip", "ensurepip", "idlelib"}
UNWANTED |= {"test", "tests", "selftest", ".git", "libpython3"}
"""Names of files and folders, without their endings, that nobody needs to serve."""
ENTRIES = {
    "bin",
    "pyenv",
    "systemd",
    "licenses",
    "install",
    "sluice.env.example",
    "sbom.cdx.json",
    "SHA256SUMS",
    "VERSION",
}
SBOM = {
    "yt-dlp",
    "libcurl",
    "BoringSSL",
    "hyper",
    "cpython",
    "openssl",
    "curl_cffi",
    "ring",
    "tikv-jemalloc-sys",
    "expat",
    "sqlite3",
    "std",
}
"""Some of what the list must name."""


def packed(archive: Path, most: int) -> str:
    """Look at the archive itself: its size, and that nothing of the machine that made it shows."""
    size = archive.stat().st_size
    expect(size <= most, f"{archive.name} has {size} bytes, and may have {most}")
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    top = archive.name.removesuffix(".tar.gz")
    expect(names == sorted(names, key=lambda name: name.split("/")), "the names are not sorted")
    expect(all(name == top or name.startswith(f"{top}/") for name in names), f"not all is in {top}")
    expect(len({member.mtime for member in members}) == 1, "the times differ")
    expect({(member.uid, member.gid) for member in members} == {(0, 0)}, "somebody owns it")
    expect(not any(member.mode & 0o7022 for member in members), "others may write to it")
    expect(not any(member.islnk() or member.issym() for member in members), "there are links in it")
    return f"{size / 1e6:.1f} MB packed, {sum(member.size for member in members) / 1e6:.0f} MB unpacked"


def unpacked(folder: Path) -> str:
    """Look at what came out of it."""
    expect({entry.name for entry in folder.iterdir()} == ENTRIES, f"in it are {sorted(folder.iterdir())}")
    files = [file for file in folder.rglob("*") if file.is_file()]
    found = {str(file) for file in files if UNWANTED & _stems(file.relative_to(folder))}
    expect(not found, f"nobody needs {sorted(found)}")
    marks = [
        file
        for file in files
        if file.suffix in {".py", ".pyc", ".json", ""} and str(ROOT).encode() in file.read_bytes()
    ]
    expect(not marks, f"these hold the path of the clone: {marks}")
    run("sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS", cwd=folder)
    listed = {line.split("  ", 1)[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    expect(listed == {str(file.relative_to(folder)) for file in files} - {"SHA256SUMS"}, "SHA256SUMS lists other files")
    return f"{len(files)} files"


def _stems(path: Path) -> set[str]:
    return {re.split(r"[-.]", part)[0].lower() or part.lower() for part in path.parts}


def listed(folder: Path) -> str:
    """Look at the list of parts, and whether each has its licence."""
    sbom = json.loads((folder / "sbom.cdx.json").read_text())
    expect((sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5"), "the list is of another kind")
    components = [part for each in sbom["components"] for part in (each, *each.get("components", []))]
    names = {component["name"] for component in components}
    expect(names >= SBOM, f"the list lacks {SBOM - names}")
    refs = [component["bom-ref"] for component in components]
    expect(len(set(refs)) == len(refs), "two parts have one name")
    licensed = {file.parent.name for file in (folder / "licenses").rglob("*") if file.is_file()}
    bare = [ref for ref, name in _folders(components) if name not in licensed]
    expect(not bare, f"no licence text of {bare}")
    libraries = {file.name for file in (folder / "pyenv/runtime/lib").glob("*.so*")}
    expect("libssl.so.3" in libraries, f"the libraries are {libraries}")
    return f"{len(components)} parts"


def _folders(components: Iterable[dict[str, str]]) -> Iterable[tuple[str, str]]:
    return ((each["bom-ref"], f"{each['name']}-{each['version']}") for each in components)


def settings(folder: Path) -> str:
    """Hold the example of settings to those that there are."""
    example = (folder / "sluice.env.example").read_text()
    names = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    known = set(re.findall(r"\[env: ([A-Z_]+)\]", run(folder / "bin/sluice", "--help")))
    expect(names <= known, f"there are no settings {names - known}")
    return f"{len(names)} settings"


def errors() -> str:
    """Hold the operator's table of errors to the one in the code."""
    code = (ROOT / "src/api/error.rs").read_text()
    known = set(re.findall(r'^    \w+ = "(\w+)", (\d+), "', code, re.MULTILINE))
    told = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    expect(known and known == set(told), f"one has, and the other lacks {known ^ set(told)}")
    expect(len(told) == len(set(told)), "an error is told twice")
    return f"{len(told)} errors"


def units(folder: Path) -> str:
    """Hold the units to what systemd itself finds in them."""
    service, socket = folder / "systemd/sluice.service", folder / "systemd/sluice.socket"
    told = run("systemd-analyze", "security", "--offline=true", "--threshold=15", service)
    exposure = re.search(r"exposure level.*: ([\d.]+)", told)
    expect(exposure, told)
    # The one thing that it may miss: the program, which is not installed here.
    told = run("sh", "-c", 'systemd-analyze verify --man=no "$@" || true', "sh", service, socket)
    complaints = [line for line in told.splitlines() if "/opt/sluice/current/bin/sluice" not in line]
    expect(not complaints, "\n".join(complaints))
    return f"exposure {exposure[1] if exposure else ''}"
