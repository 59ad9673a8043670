"""Which sites may be asked: those that the operator lists, by extractor or host; without a list, all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.extractor import get_info_extractor
from yt_dlp.utils import UnsupportedError


@dataclass(frozen=True)
class _Allowed:
    extractors: frozenset[str]
    hosts: tuple[str, ...]


_allowed: _Allowed | None = None


def install(sites: dict[str, Sequence[str]] | None) -> None:
    """Take {"extractors": names in lower case, "hosts": each with all below it}; None: all sites."""
    global _allowed
    _allowed = (sites and _Allowed(frozenset(sites["extractors"]), tuple(sites["hosts"]))) or None


def check(ie_key: str, url: str) -> None:
    """Let an extractor take a page, at first or where another hands it on. Raises UnsupportedError.

    By name an extractor brings those of its module along, which lead to it: vm.tiktok to tiktok. Whose answer it is in
    the end is judged once more, by the server.
    """
    if _allowed is None or _has_host(_allowed, url):
        return
    if ie_key == "Generic":
        names = {"generic"}
    else:
        found: Any = get_info_extractor(ie_key)
        # Of a class that is not loaded yet, `__module__` is that of all of them.
        module = getattr(found, "_module", found.__module__)
        names = {ie_key.lower(), found.IE_NAME.lower().partition(":")[0], module.rpartition(".")[2]}
    if not names & _allowed.extractors:
        raise UnsupportedError(url)


def _has_host(allowed: _Allowed, url: str) -> bool:
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    return any(host == listed or host.endswith(f".{listed}") for listed in allowed.hosts)
