"""The Rust crates that are compiled into the program."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from bundle import run
from bundle.parts import Part, Text

_TARGET = "x86_64-unknown-linux-gnu"
_TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense|patents)", re.IGNORECASE)
_COPYRIGHT = re.compile("^Copyright .*$", re.MULTILINE)
_CODE = frozenset({".c", ".h", ".rs", ".py", ".sh", ".html"})
_DEPTH = 2
"""How far below a crate's folder texts are looked for: a C library that it brings is one below."""


def shipped(root: Path) -> list[Part]:
    """Every crate that the program depends on; not what only builds or tests it."""
    manifest = ("--manifest-path", root / "Cargo.toml")
    command = ("cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", _TARGET, *manifest)
    told = json.loads("".join(run.lines(*command)))
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    own = told["resolve"]["root"]
    wanted: set[str] = set()
    waiting = [own]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            # No kind: an ordinary dependency.
            ordinary = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if ordinary and dependency["pkg"] not in wanted:
                wanted.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    sums = _sums(root / "Cargo.lock")
    found = (_crate(packages[each], sums, root) for each in wanted)
    return sorted([*found, _standard_library(root)], key=lambda part: (part.name, part.version))


def _sums(lock: Path) -> dict[tuple[str, str], str]:
    packages = tomllib.loads(lock.read_text())["package"]
    return {(it["name"], it["version"]): it.get("checksum", "") for it in packages}


def _crate(package: dict[str, Any], sums: dict[tuple[str, str], str], root: Path) -> Part:
    name, version = package["name"], package["version"]
    # An older way to write OR.
    license_ = re.sub(r"\s*/\s*", " OR ", package["license"] or "")
    texts = _texts(Path(package["manifest_path"]).parent)
    texts = texts or _standard_texts(name, license_, package["authors"], root)
    if not texts:
        raise SystemExit(f"the crate {name} {version} ({license_}) brings no licence text")
    return Part("rust", name, version, f"pkg:cargo/{name}@{version}", license_, texts, sums.get((name, version), ""))


def _texts(folder: Path) -> dict[str, Text]:
    files = (file for depth in range(_DEPTH) for file in folder.glob("*/" * depth + "*"))
    texts = (file for file in files if file.is_file() and file.suffix not in _CODE)
    named = {str(file.relative_to(folder)): file for file in sorted(texts)}
    return {name.replace("/", "-"): file for name, file in named.items() if _TEXT.match(name.rpartition("/")[2])}


def _standard_texts(name: str, license_: str, authors: list[str], root: Path) -> dict[str, Text]:
    """Return the text of a licence that this project has, too, for a crate that only names it."""
    if re.search(r"\bApache-2\.0\b", license_):
        return {"LICENSE-APACHE": root / "LICENSE-APACHE"}
    if not re.search(r"\bMIT\b", license_):
        return {}
    # Under the names of its own authors.
    theirs = f"Copyright (c) {', '.join(authors) or f'the authors of {name}'}"
    return {"LICENSE-MIT": _COPYRIGHT.sub(lambda _: theirs, (root / "LICENSE-MIT").read_text())}


def _standard_library(root: Path) -> Part:
    version = run.lines("rustc", "--version")[0].split()[1]
    license_ = "MIT OR Apache-2.0"
    texts = _standard_texts("std", license_, [], root)
    return Part("rust", "std", version, f"pkg:generic/rust-std@{version}", license_, texts)
