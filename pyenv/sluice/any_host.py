"""Which extractors take pages of any host: their patterns run over what any stranger wrote.

Derived from yt-dlp's own test URLs, so that a new release can't slip one in: who still takes one of them when its host
is another's is on the list. Build-time help, as class_state.py.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

REFUSING = frozenset({"KnownDRM", "KnownLiability", "KnownPiracy"})
"""Those that take any host but fetch nothing: they only say why yt-dlp does not support a site."""


def find(classes: Iterable[Any]) -> list[str]:
    """List the keys (`ie_key()`) of the extractors among `classes` that a page of anybody's reaches."""
    return [key for cls in classes if (key := cls.ie_key()) not in REFUSING and _takes_strangers(cls)]


def _takes_strangers(cls: Any) -> bool:
    return cls.ie_key() == "Generic" or any(
        _takes(cls, url) for case in cls.get_testcases(include_onlymatching=True) for url in moved(case["url"])
    )


def _takes(cls: Any, url: str) -> bool:
    try:
        return bool(cls.suitable(url))
    # Of a `suitable` of its own that trips over the URL.
    except Exception:
        return False


def moved(url: str) -> Iterator[str]:
    """Yield `url` on hosts that somebody else may own: another one, and those that only look like the site's."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return
    if parts.scheme not in ("http", "https") or "." not in host:
        return
    site = ".".join(host.split(".")[-2:])
    name, _, _ = site.partition(".")
    for other in (
        "stranger.example.net",
        "192.0.2.1:8080",
        f"{host}.stranger.net",
        f"{site}.stranger.net",
        f"{host.rpartition('.')[0]}.stranger.net",
        f"{name}.stranger",
        f"stranger{site}",
        f"stranger-{site}",
        f"www.stranger{site}",
    ):
        yield parts._replace(netloc=other).geturl()
