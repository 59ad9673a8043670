"""The Python packages of the runtime, and of the JavaScript runtime where there is one."""

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from bundle import debian
from bundle.parts import Part, Text

_TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense|authors)", re.IGNORECASE)
_DOCUMENTED = {
    "BoringSSL": ["android-libboringssl"],
    "brotli": ["libbrotli1"],
    "libcurl": ["libcurl4"],
    "libidn2": ["libidn2-0", "libunistring2"],
    "nghttp2": ["libnghttp2-14"],
    "nghttp3": ["libnghttp3-3"],
    "ngtcp2": ["libngtcp2-9"],
    "zlib": ["zlib1g"],
    "zstd": ["libzstd1"],
}
"""Debian's packages of the works that are compiled into curl_cffi, whose wheel brings none of their licences."""


def documents() -> list[str]:
    """Return the packages of Debian whose texts are needed."""
    return sorted(package for packages in _DOCUMENTED.values() for package in packages)


def installed(folder: Path, only: Iterable[str] = ()) -> list[Part]:
    """The distributions in a folder; of these names, if any are given."""
    wanted = frozenset(only)
    found = distributions(path=[str(folder)])
    parts = (_part(each) for each in found if not wanted or each.metadata["Name"] in wanted)
    return sorted(parts, key=lambda part: part.name)


def _part(distribution: Distribution) -> Part:
    metadata = distribution.metadata
    name = metadata["Name"]
    stated = (metadata[field] for field in ("License-Expression", "License") if field in metadata)
    license_ = next(stated, "")
    files = [file for file in distribution.files or [] if ".dist-info/" in str(file) and _TEXT.match(file.name)]
    texts: dict[str, Text] = {file.name: Path(str(distribution.locate_file(file))) for file in files}
    if not texts:
        raise SystemExit(f"the package {name} brings no licence text")
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{distribution.version}"
    inside = tuple(_compiled_in()) if name == "curl_cffi" else ()
    return Part("python", name, distribution.version, purl, license_, texts, inside=inside)


def _compiled_in() -> Iterable[Part]:
    """What libcurl says that it is made of: `libcurl/8.21.0-IMPERSONATE BoringSSL zlib/1.2.13 nghttp2/1.63.0`."""
    from curl_cffi import __curl_version__

    for word in __curl_version__.split():
        name, _, version = word.partition("/")
        if name not in _DOCUMENTED:
            raise SystemExit(f"curl_cffi has {name} in it, and bundle/wheels.py does not know where its licence is")
        texts = {
            f"{package}-{text}": file for package in _DOCUMENTED[name] for text, file in debian.texts(package).items()
        }
        purl = f"pkg:generic/{name.lower()}{f'@{version}' if version else ''}"
        yield Part("curl_cffi", name, version or "unknown", purl, "", texts)
