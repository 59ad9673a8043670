"""A bundle: what is in it, that it runs where there is no Python, and how it is installed.

    pyenv/python tests/bundle [BINARY]

BINARY: the program, as built; target/release/sluice by default. Roots other than the test's own are kept in
target/roots. What runs in a root needs this user to be root.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import booting
import container
import contents
import installing
import libraries
import serving
from common import ROOT, WrongError, check, run

SUITES = ("bookworm", "trixie")


def main() -> bool:
    """Make the archives, check them, and tell whether all is well."""
    if os.getuid() != 0:
        raise WrongError("this needs root, who alone may make roots to run things in: sudo pyenv/python tests/bundle")
    binary = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/sluice").resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        archive, full = (_made(binary, work, *flags) for flags in ((), ("--full",)))
        for each in (archive, full):
            run("tar", "-C", work, "-xzf", each)
        bundle, full_bundle = (work / each.name.removesuffix(".tar.gz") for each in (archive, full))
        fine = [
            check("packed", lambda: contents.packed(archive, contents.MOST)),
            check("packed, full", lambda: contents.packed(full, contents.MOST_FULL)),
            check("unpacked", lambda: contents.unpacked(bundle)),
            check("its list of parts", lambda: contents.listed(bundle)),
            check("the full one's list of parts", lambda: contents.listed(full_bundle)),
            check("its settings", lambda: contents.settings(bundle)),
            check("the errors in docs/operations.md", contents.errors),
            check("its units", lambda: contents.units(bundle)),
            check("install", lambda: installing.check(bundle)),
            check("scripts/install", lambda: installing.from_a_clone(archive, binary)),
        ]
        fine += [
            check("its libraries", lambda: libraries.check(full_bundle)),
            check("in a root with glibc alone", lambda: serving.unpacked(archive)),
            check("the full one there", lambda: serving.unpacked(full)),
        ]
        for suite in SUITES:
            fine.append(check(f"installed in {suite}", partial(serving.installed, archive, suite)))
            fine.append(check(f"a service of {suite}", partial(booting.check, full_bundle, suite)))
        fine += [
            check("a container", lambda: container.check(archive)),
            check("a container with all that there is", lambda: container.with_all(full)),
        ]
    return all(fine)


def _made(binary: Path, folder: Path, *flags: str) -> Path:
    return Path(run(ROOT / "scripts/bundle", "--binary", binary, "--to", folder, *flags).splitlines()[-1])


if __name__ == "__main__":
    try:
        sys.exit(not main())
    except WrongError as wrong:
        sys.exit(f"bundle: FAILED\n{wrong}")
