"""What a request for a file needs: its URL, headers, and the cookies that go with it."""

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from typing import Any

from sluice.cookies import cookies_for
from sluice.engine import Ydl

Json = dict[str, Any]

_MAX_HEADERS = 32

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, section 5.1
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,8000}")


def link(ydl: Ydl, url: str, headers: Mapping[str, Any] | None, others: Iterable[str] = ()) -> Json:
    """Return {"url", "http_headers", "cookies"}; `others`: URLs that are fetched with it, for their cookies."""
    cookies = cookies_for(ydl.cookiejar, url)
    for other in others:
        cookies += [cookie for cookie in cookies_for(ydl.cookiejar, other) if cookie not in cookies]
    made: Json = {"url": url, "http_headers": _headers(headers or {}), "cookies": cookies}
    # Before it is written: one cookie may be that of a thousand links.
    ydl.meter.add(
        "result_bytes",
        len(url) + sum(map(len, made["http_headers"].values())) + sum(len(item["value"]) for item in cookies),
    )
    return made


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
