"""yt-dlp as this server runs it: its options, its extractors, and what it may not do."""

import functools
import io
import logging
import os
import sys
import warnings
from dataclasses import dataclass
from typing import Any

from yt_dlp import YoutubeDL, plugins, version
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.extractor.common import InfoExtractor, UnsupportedURLIE
from yt_dlp.globals import plugin_dirs
from yt_dlp.utils import ExtractorError, UnsupportedError

from sluice import handlers
from sluice.cookies import ReadOnlyJar
from sluice.messages import clean

YT_DLP_VERSION: str = version.__version__

MAX_ENTRIES = 200
"""Entries of a playlist that are listed."""

_MAX_RECORDS = 200
_MAX_SERIOUS = 20
_MAX_RECORD = 500  # characters

LOGIN_HINT = "The server needs the cookies of an account that may see it"
"""Instead of yt-dlp's advice, which names options of its command line."""


@dataclass(frozen=True)
class Settings:
    """What `start` was told. `proxy`: http://[user:pass@]host:port, or None for none; `socket_timeout`: seconds."""

    proxy: str | None
    socket_timeout: float


class Log:
    """Takes what yt-dlp would print, as (level, text): debug, info, warning or error, and cleaned text.

    Keeps at most 20 warnings and errors, and 200 records in all, of 500 characters; debug and info only if `verbose`.
    """

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.records: list[tuple[str, str]] = []
        self._serious = 0

    def debug(self, message: object, *_: Any, **__: Any) -> None:
        """Keep what yt-dlp says on its way: it sends its ordinary output here, too, and marks what is for debugging."""
        if self.verbose and len(self.records) < _MAX_RECORDS - _MAX_SERIOUS + self._serious:
            self._keep("debug" if str(message).startswith("[debug] ") else "info", message)

    def info(self, message: object, *_: Any, **__: Any) -> None:
        """Keep as `debug` does: yt-dlp itself does not use it."""
        self.debug(message)

    def warning(self, message: object, *_: Any, **__: Any) -> None:
        """Keep a warning."""
        self._keep_serious("warning", message)

    def error(self, message: object, *_: Any, **__: Any) -> None:
        """Keep an error; what ends the extraction comes as an exception, too."""
        self._keep_serious("error", message)

    def _keep_serious(self, level: str, message: object) -> None:
        if self._serious < _MAX_SERIOUS:
            self._serious += 1
            self._keep(level, message)

    def _keep(self, level: str, message: object) -> None:
        if text := clean(message, _MAX_RECORD):
            self.records.append((level, text))


class Ydl(YoutubeDL):
    """A `YoutubeDL` that extracts and does nothing else: no files, no output, no format chosen, one proxy."""

    def __init__(self, settings: Settings, jar: ReadOnlyJar, log: Log) -> None:
        # In place of a cached property, which would read `cookiefile` and write it back at the end.
        self.cookiejar = jar
        super().__init__(
            {
                "cachedir": False,
                # Otherwise a format that yt-dlp is not sure of is downloaded to a temporary file.
                "check_formats": False,
                "color": "no_color",
                "extract_flat": "in_playlist",
                "extractor_retries": 1,
                "format": _no_choice,
                "ignoreerrors": False,
                # None: by default yt-dlp looks for one on PATH and starts it, as a child with our environment.
                "js_runtimes": {},
                "logger": log,
                "noplaylist": True,
                "playlistend": MAX_ENTRIES,
                # None would mean the environment's proxies.
                "proxy": settings.proxy or "",
                "quiet": True,
                # Spares a warning, with every instance, where the locale is C.
                "restrictfilenames": True,
                "retries": 1,
                "simulate": True,
                "skip_download": True,
                "socket_timeout": settings.socket_timeout,
                "verbose": log.verbose,
            },
            # Not the header with versions, paths and proxies.
            auto_init="no_verbose_header",
        )

    def add_default_info_extractors(self) -> None:
        """Take every extractor but the generic one: a page that only it would take is not for this process."""
        for extractor in _extractors():
            self.add_info_extractor(extractor)
        self.add_info_extractor(UnsupportedURLIE())

    def extract_info(self, url: str, download: bool = True, ie_key: str | None = None, *rest: Any, **kw: Any) -> Any:
        """As yt-dlp's, but a hand-off to an extractor that is not there says so by class (UnsupportedError)."""
        if ie_key and ie_key not in self._ies:
            raise UnsupportedError(url)
        return super().extract_info(url, download, ie_key, *rest, **kw)

    def build_request_director(self, _handlers: Any, preferences: Any = None) -> Any:
        """Offer our handlers only."""
        return super().build_request_director(handlers.HANDLERS, preferences)

    def close(self) -> None:
        """Close connections, and let go of the extractors: the circle would keep all this until a full collection."""
        super().close()
        self._ies.clear()
        self._ies_instances.clear()

    def save_cookies(self) -> None:
        """Do nothing: cookies are read only."""

    def _forceprint(self, _key: str, info_dict: dict[str, Any]) -> dict[str, Any]:
        # yt-dlp renders its tables of formats here, for output that nobody asked for: a third of an extraction.
        return info_dict


def _no_choice(_context: dict[str, Any]) -> list[dict[str, Any]]:
    # Formats are chosen later, from the stored list. One empty choice is the cheapest that yt-dlp accepts, and it
    # leaves the result as the extractor made it.
    return [{}]


@functools.cache
def _extractors() -> tuple[type[InfoExtractor], ...]:
    return tuple(ie for ie in gen_extractor_classes() if ie._ENABLED and ie.ie_key() != "Generic")


def prepare() -> int:
    """Set up what is global in yt-dlp and in Python's library; returns the number of extractors."""
    plugin_dirs.value = []
    # yt-dlp and libcurl would write the keys of every connection to the file that it names.
    os.environ.pop("SSLKEYLOGFILE", None)
    plugins.load_all_plugins()
    # Nothing here prints: the libraries' loggers and warnings would, on the server's own output.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = io.TextIOWrapper(_Nowhere(), "utf-8", "replace", write_through=True)
    if not hasattr(InfoExtractor.raise_login_required, "__wrapped__"):
        InfoExtractor.raise_login_required = _marked(InfoExtractor.raise_login_required)
        InfoExtractor._login_hint = lambda *_args, **_kwargs: LOGIN_HINT
    return len(_extractors())


class _Nowhere(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def _marked(raise_login_required: Any) -> Any:
    """Mark the exception, because its class is the same as that of any other failure."""

    @functools.wraps(raise_login_required)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            raise_login_required(*args, **kwargs)
        except ExtractorError as error:
            error.sluice_kind = "login_required"
            raise

    return wrapper
