"""The operator's cookies (COOKIES_PATH): read, never written, and read again when the file changes."""

import http.cookiejar
import io
import os
import re
import threading
from collections.abc import Iterable, Iterator
from stat import S_ISREG
from typing import Any

from yt_dlp.cookies import YoutubeDLCookieJar

MAX_FILE = 4 << 20
"""Bytes of a cookie file; a larger one is not read. Each job takes a copy of all cookies."""

_HEADER = "# Netscape HTTP Cookie File\n"
_FIELDS = 7
_EXPIRY = re.compile(r"[0-9]{0,15}(?:\.[0-9]{0,9})?")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?=[/?#]|$)")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f;]")


class ReadOnlyJar(YoutubeDLCookieJar):
    """A session's jar: yt-dlp's `close` would otherwise write it back to its file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._known: dict[str, list[http.cookiejar.Cookie]] = {}
        self._rooted: bool | None = None
        super().__init__(*args, **kwargs)

    def save(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing."""

    def set_cookie(self, cookie: http.cookiejar.Cookie) -> None:
        """Store a cookie."""
        self._changed()
        super().set_cookie(cookie)

    def clear(self, *args: str | None, **kwargs: str | None) -> None:
        """Drop all cookies, or those of a domain, a path, a name."""
        self._changed()
        super().clear(*args, **kwargs)

    def get_cookies_for_url(self, url: str) -> list[http.cookiejar.Cookie]:
        """As yt-dlp's, which takes a tenth of a millisecond, and is asked twice for each format of a page."""
        if self._rooted is None:
            self._rooted = all(cookie.path == "/" for cookie in self)
        # Where every cookie goes to every path, the origin decides (RFC 6265, section 5.4).
        origin = _ORIGIN.match(url) if self._rooted else None
        key = origin.group() if origin else url
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = super().get_cookies_for_url(url)
        return found[:]

    def _cookies_for_request(self, request: Any) -> list[http.cookiejar.Cookie]:
        """As http.cookiejar's, which asks its policy about every domain of the jar: 10 us each, of thousands."""
        with self._cookies_lock:
            hosts = dict.fromkeys(http.cookiejar.eff_request_host(request))  # type: ignore[attr-defined]
            names = [f"{dot}{host[at:]}" for host in hosts for at in _labels(host) for dot in ("", ".")]
            found = [self._cookies_for_domain(name, request) for name in dict.fromkeys(names) if name in self._cookies]
        return [cookie for cookies in found for cookie in cookies]

    def _changed(self) -> None:
        self._known.clear()
        self._rooted = None

    def restore(self, cookies: Iterable[http.cookiejar.Cookie]) -> None:
        """Hold exactly copies of `cookies` from here on."""
        self.clear()
        for cookie in cookies:
            self.set_cookie(_copied(cookie))


def _labels(host: str) -> list[int]:
    """Where the labels of a host name begin."""
    return [0, *(dot.end() for dot in re.finditer(r"\.", host))]


def _copied(cookie: http.cookiejar.Cookie) -> http.cookiejar.Cookie:
    # Five times as quick as copy.copy, and an operator's file may hold thousands.
    copied = object.__new__(type(cookie))
    copied.__dict__.update(cookie.__dict__)
    return copied


class CookieFile:
    """A file in Netscape's format, shared by all sessions."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._cookies: tuple[http.cookiejar.Cookie, ...] = ()

    def cookies(self) -> tuple[http.cookiejar.Cookie, ...]:
        """Return the file's cookies as it is now; without a readable file, the last that were read, or none."""
        with self._lock:
            self._refresh()
            return self._cookies

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            stat = os.stat(self._path)
            # To open a pipe would be to wait for whoever writes to it.
            if not S_ISREG(stat.st_mode) or stat.st_size > MAX_FILE:
                return
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen == self._seen:
                return
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
            jar = ReadOnlyJar()
            # From memory and with only good lines: yt-dlp prints the bad ones, secrets and all.
            jar.load(io.StringIO(_HEADER + "".join(line for line in lines if _is_cookie(line))))
        except (OSError, http.cookiejar.LoadError):
            return
        self._cookies, self._seen = tuple(jar), seen


def _is_cookie(line: str) -> bool:
    fields = line.removeprefix("#HttpOnly_").rstrip("\n").split("\t")
    return not fields[0].startswith("#") and len(fields) == _FIELDS and bool(_EXPIRY.fullmatch(fields[4]))


def cookies_for(jar: YoutubeDLCookieJar, url: str) -> Iterator[dict[str, Any]]:
    """Yield the cookies of `jar` that a request for `url` carries.

    Each is {"name", "value", "domain", "path", "secure"}, as http.cookiejar holds them: a domain with a leading dot
    includes subdomains (RFC 6265, section 5.1.3), one without is that host alone. A cookie that can't be sent (no
    value, or a control character or semicolon in it) is left out.
    """
    for cookie in jar.get_cookies_for_url(url):
        if cookie.value is not None and not _UNSAFE.search(f"{cookie.name}{cookie.value}"):
            yield {
                "name": cookie.name,
                "value": cookie.value,
                "domain": cookie.domain,
                "path": cookie.path,
                "secure": bool(cookie.secure),
            }
