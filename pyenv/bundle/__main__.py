"""Complete the folder of a bundle: libraries, `licenses/`, `sbom.cdx.json`.

pyenv/python -m bundle FOLDER VERSION SECONDS

SECONDS: since 1970, the time that the bundle bears.
"""

import json
import shutil
import sys
from pathlib import Path

from bundle import crates, libraries, sbom, wheels
from bundle.parts import Part, Text, flat

_ROOT = Path(__file__).resolve().parents[2]
_SITE_PACKAGES = "pyenv/runtime/lib/python3.11/site-packages"


def main(folder: str, version: str, made: str) -> None:
    """Do it."""
    bundle = Path(folder)
    parts = [*libraries.gather(bundle), *wheels.installed(bundle / _SITE_PACKAGES), *crates.shipped(_ROOT)]
    if (bundle / "bin/deno").is_file():
        parts += wheels.installed(_ROOT / "pyenv/dev", ["deno"])
    _write_licenses(bundle / "licenses", parts)
    text = json.dumps(sbom.document(version, int(made), parts), indent=1, ensure_ascii=False)
    (bundle / "sbom.cdx.json").write_text(text + "\n")


def _write_licenses(folder: Path, parts: list[Part]) -> None:
    for name in ("LICENSE-APACHE", "LICENSE-MIT"):
        _write(_ROOT / name, folder / name)
    for part in flat(parts):
        for name, text in part.texts.items():
            _write(text, folder / part.folder / name)


def _write(text: Text, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, Path):
        shutil.copyfile(text, place)
    else:
        place.write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
