"""From an exception of yt-dlp to one of CONTRACT's codes and a sentence for people.

By class, HTTP status and the extractor's own raise_* calls; then by one table of whole sentences (sentences.py).
Never by looking for digits or words in a message.
"""

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import curl_cffi.requests.exceptions
import requests.exceptions
import urllib3.exceptions
from yt_dlp.networking.exceptions import HTTPError, ProxyError, SSLError, TransportError
from yt_dlp.utils import (
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
    YoutubeDLError,
)

from sluice import extractors
from sluice.limits import LimitError, OutOfMemoryError
from sluice.messages import clean
from sluice.sentences import kind_of
from sluice.transfer import OverdueError

Error = dict[str, Any]

RETRY_AFTER = 60
"""Seconds to wait after a site has refused this address."""

_DEPTH = 8  # of a chain of causes

_FAILED = "The extractor failed on this page"

_TIMEOUTS = (
    TimeoutError,
    requests.exceptions.Timeout,
    urllib3.exceptions.TimeoutError,
    curl_cffi.requests.exceptions.Timeout,
)

# urllib3 derives this one, "connection refused", from its ConnectTimeoutError.
_NOT_TIMEOUTS = (urllib3.exceptions.NewConnectionError,)

# What the network does, wrapped by yt-dlp or as the libraries raise it; not every OSError is one.
_NETWORK = (TransportError, ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror)

_STATUS = {
    401: "login_required",
    403: "upstream_blocked",
    404: "not_found",
    410: "not_found",
    429: "upstream_blocked",
    451: "geo_restricted",
}

_CLEAR = (404, 410, 429, 451)  # of these, the ones that mean the same on every site


def failure(kind: str, message: str) -> Error:
    """Return {"kind", "message"}, and `retry_after` (seconds) where waiting helps."""
    error: Error = {"kind": kind, "message": message}
    if kind == "upstream_blocked":
        error["retry_after"] = RETRY_AFTER
    return error


def classify(error: BaseException) -> Error:
    """Return the `failure` that an exception from within yt-dlp stands for; with a `limit`, if one is exceeded."""
    error = _unwrap(error)
    if isinstance(error, OverdueError):
        return failure("extraction_timeout", "The extraction took too long")
    if isinstance(error, MemoryError | OutOfMemoryError):
        # Only helpers have a bound of their own.
        said = "The extraction ran out of memory" + (" (GENERIC_MEMORY)" if extractors.takes_any_host() else "")
        return {**failure("limit_exceeded", said), "limit": "memory"}
    if isinstance(error, LimitError):
        return {**failure("limit_exceeded", str(error)), "limit": error.limit}
    # An UnsupportedError's text is the URL.
    said = (
        "No extractor takes this URL"
        if isinstance(error, UnsupportedError)
        else clean(getattr(error, "orig_msg", None) or getattr(error, "msg", None) or "")
    )
    if kind := _by_class(error):
        return failure(kind, said or _FAILED)
    # Only what yt-dlp itself names as the cause.
    cause = next((item for item in _causes(error) if isinstance(item, (HTTPError, *_NETWORK))), None)
    if isinstance(cause, HTTPError):
        return _http(cause)
    if isinstance(cause, _NETWORK):
        return _transport(cause)
    if isinstance(error, ExtractorError) and (kind := kind_of(str(error.ie), str(error.orig_msg))):
        return failure(kind, said or _FAILED)
    if isinstance(error, ExtractorError) and (kind := _reworded(error)):
        return failure(kind, said or _FAILED)
    if isinstance(error, YoutubeDLError):
        return failure("extraction_failed", said or _FAILED)
    if isinstance(error, Exception):
        # A bug of an extractor, or a page that it doesn't expect: its text is for its authors.
        return failure("extraction_failed", f"The extractor failed on this page ({type(error).__name__})")
    return failure("internal", f"The extraction was broken off ({type(error).__name__})")


def _unwrap(error: BaseException) -> BaseException:
    """The exception that yt-dlp reported by a DownloadError.

    Not its `exc_info`: yt-dlp fills that with what the extractor was handling when it raised its own, so a "log in"
    raised because of a 403 would be taken for the 403.
    """
    for _ in range(_DEPTH):
        if not isinstance(error, DownloadError):
            break
        inner = error.__context__ or (error.exc_info[1] if error.exc_info else None)
        if inner is None or inner is error:
            break
        error = inner
    return error


def _by_class(error: BaseException) -> str | None:
    if isinstance(error, UnsupportedError):
        return "unsupported_url"
    # An extractor may wrap what another one raised, naming it as the cause.
    for item in _causes(error):
        # Set where the extractor called raise_login_required (engine.py).
        marked = getattr(item, "sluice_kind", None)
        if isinstance(marked, str):
            return marked
        if isinstance(item, GeoRestrictedError):
            return "geo_restricted"
        if isinstance(item, UserNotLive):
            return "not_live"
    return None


def _reworded(error: ExtractorError) -> str | None:
    """The code for an error that an extractor put in words of its own while it handled one of the network.

    Not for 401, 403 and 5xx: an extractor that words these has read in the answer what they mean on its site.
    """
    seen = error.exc_info[1] if error.exc_info else None
    if isinstance(seen, HTTPError):
        return _STATUS[seen.status] if seen.status in _CLEAR else None
    return _transport(seen)["kind"] if isinstance(seen, _NETWORK) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: Any = error
    for _ in range(_DEPTH):
        if not isinstance(current, BaseException):
            return
        yield current
        current = getattr(current, "cause", None)


def _http(error: HTTPError) -> Error:
    said = f"The site answered HTTP {error.status}"
    if error.status in _STATUS:
        return failure(_STATUS[error.status], said)
    return failure("upstream_error" if error.status >= 500 else "extraction_failed", said)


def _transport(error: BaseException) -> Error:
    """The libraries' own texts hold addresses and whole URLs, so each class gets a sentence of ours."""
    if any(isinstance(item, _TIMEOUTS) and not isinstance(item, _NOT_TIMEOUTS) for item in _deep(error)):
        return failure("upstream_timeout", "The site did not answer in time")
    if isinstance(error, ProxyError):
        return failure("upstream_error", "The way out to the site failed")
    if isinstance(error, SSLError | ssl.SSLError):
        return failure("upstream_error", "No trusted TLS connection to the site could be made")
    return failure("upstream_error", "The connection to the site failed")


def _deep(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it wraps, by whichever attribute its library keeps that in."""
    current: Any = error
    for _ in range(_DEPTH):
        if not isinstance(current, BaseException):
            return
        yield current
        inner = getattr(current, "cause", None) or getattr(current, "reason", None) or current.__cause__
        current = (
            inner
            if isinstance(inner, BaseException)
            else next((item for item in current.args if isinstance(item, BaseException)), None)
        )
