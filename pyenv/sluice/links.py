"""What a request for a file needs: its URL, headers, and the cookies that go with it."""

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from typing import Any

from sluice.cookies import cookies_for
from sluice.engine import Ydl

Json = dict[str, Any]

MAX_COOKIES = 200
"""Cookies of a link. Browsers keep some 180 of a site."""

_COOKIE = 60  # bytes of a cookie in JSON, beside its texts
_MAX_HEADERS = 32

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, section 5.1
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,8000}")


def link(ydl: Ydl, url: str, headers: Mapping[str, Any] | None, others: Iterable[str] = ()) -> Json:
    """Return {"url", "http_headers", "cookies"}; `others`: URLs that are fetched with it, for their cookies.

    Of cookies the first MAX_COOKIES. What is built counts as `result_bytes`. Raises LimitError.
    """
    kept = _headers(headers or {})
    # Before it is written: one header may be that of a thousand links.
    ydl.meter.add("result_bytes", len(url) + sum(len(name) + len(value) for name, value in kept.items()))
    return {"url": url, "http_headers": kept, "cookies": _cookies(ydl, (url, *others))}


def _cookies(ydl: Ydl, urls: Iterable[str]) -> list[Json]:
    # RFC 6265, section 5.3: what a cookie is known by.
    found: dict[tuple[str, str, str], Json] = {}
    for url in urls:
        for cookie in cookies_for(ydl.cookiejar, url):
            key = cookie["name"], cookie["domain"], cookie["path"]
            if key in found:
                continue
            if len(found) == MAX_COOKIES:
                return list(found.values())
            ydl.meter.add("result_bytes", sum(map(len, key)) + len(cookie["value"]) + _COOKIE)
            found[key] = cookie
    return list(found.values())


def computed_headers(ydl: Ydl, url: str, own: Any, info: Json) -> Any:
    """Return the headers that yt-dlp would fetch `url` with, of a page whose info dict this is."""
    # A map of its own in front, because yt-dlp writes into the first one.
    return ydl._calc_headers(ChainMap({"url": url, "http_headers": own or info.get("http_headers") or {}}, info))


def _headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """Keep what can be sent. Cookies are apart, because they belong to hosts and these go with any redirect."""
    return {
        name: value
        for name, value in list(headers.items())[:_MAX_HEADERS]
        if isinstance(name, str)
        and isinstance(value, str)
        and name.lower() not in ("cookie", "ytdl-request-proxy")
        and _HEADER_NAME.fullmatch(name)
        and _HEADER_VALUE.fullmatch(value)
    }
