"""What a bundle is made of."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Text = Path | str
"""A file, or what would be in one."""


@dataclass(frozen=True)
class Part:
    """Somebody's work that is shipped.

    `kind`: rust, python, debian or curl_cffi, the folder of its texts. `purl`: its package URL. `license`: what it says
    of itself, an SPDX expression where it can, empty where only its texts tell. `texts`: its licences, by the name that
    each gets. `sha256`: of its package, where that is known. `inside`: what is compiled into it.
    """

    kind: str
    name: str
    version: str
    purl: str
    license: str
    texts: dict[str, Text] = field(default_factory=dict)
    sha256: str = ""
    inside: tuple["Part", ...] = ()

    @property
    def folder(self) -> str:
        """Where its texts are kept, below the folder of all licences."""
        return f"{self.kind}/{self.name}-{self.version}"


def flat(parts: list[Part]) -> Iterator[Part]:
    """All of them, and what is inside."""
    for part in parts:
        yield part
        yield from part.inside
