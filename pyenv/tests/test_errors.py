"""By class and status, however deep yt-dlp has wrapped it; and what is left of its messages."""

import socket
import ssl

import pytest
from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    IncompleteRead,
    ProxyError,
    RequestError,
    TransportError,
)
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

from sluice.errors import classify
from sluice.messages import clean


class Answer:
    reason = "Because"

    def __init__(self, status):
        self.status = status


def http(status):
    return ExtractorError("Unable to download webpage", cause=HTTPError(Answer(status)), ie="TikTok", video_id="1")


def wrapped(error):
    return DownloadError("ERROR: x", (type(error), error, None))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnsupportedError("https://h.org/?secret"), "unsupported_url"),
        (GeoRestrictedError("Not in your country", countries=["DE"]), "geo_restricted"),
        (UserNotLive(), "not_live"),
        (http(404), "not_found"),
        (http(410), "not_found"),
        (http(401), "login_required"),
        (http(403), "upstream_blocked"),
        (http(429), "upstream_blocked"),
        (http(451), "geo_restricted"),
        (http(500), "upstream_error"),
        (http(418), "extraction_failed"),
        (HTTPError(Answer(404)), "not_found"),
        (ExtractorError("x", cause=TransportError(cause=TimeoutError())), "upstream_timeout"),
        (ExtractorError("x", cause=TransportError(cause=socket.gaierror(-2, "unknown"))), "upstream_error"),
        (ExtractorError("x", cause=CertificateVerifyError(cause=ssl.SSLError())), "upstream_error"),
        (ExtractorError("x", cause=ProxyError("Tunnel failed: 403")), "upstream_error"),
        (ExtractorError("A network error has occurred.", cause=IncompleteRead(1)), "upstream_error"),
        (ConnectionResetError(), "upstream_error"),
        (TimeoutError(), "upstream_timeout"),
        (RequestError("Unable to handle request"), "extraction_failed"),
        (ExtractorError("HTTP Error 404: private login required"), "extraction_failed"),
        (ExtractorError("x", cause=KeyError("404")), "extraction_failed"),
        (FileNotFoundError("/home/x"), "extraction_failed"),
        (RecursionError(), "extraction_failed"),
        (MemoryError(), "internal"),
        (DownloadError("ERROR: words"), "extraction_failed"),
    ],
)
def test_classify(error, kind):
    for given in (error, wrapped(error), wrapped(wrapped(error))):
        got = classify(given)
        assert got["kind"] == kind
        assert got["message"]
        assert ("retry_after" in got) == (kind == "upstream_blocked")
        assert "secret" not in got["message"]


def test_a_failure_seen_on_the_way_is_not_the_cause():
    error = ExtractorError("Something else", ie="X")
    error.__context__ = HTTPError(Answer(404))
    assert classify(error) == {"kind": "extraction_failed", "message": "Something else"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[0;31mERROR:\x1b[0m [TikTok] 123: Unable to extract x", "Unable to extract x"),
        ("[tiktok:live] Unable to extract x", "Unable to extract x"),
        ("No x; please report this issue on  https://github.com/yt-dlp/yt-dlp/issues?q= , filling", "No x"),
        ("No x (caused by <HTTPError 404: Not Found>)", "No x"),
        ("see https://h.org/a/b?token=1#f now", "see https://h.org/a/b now"),
        ("by http://user:secret@proxy.example:90/ it", "by http://proxy.example:90/ it"),
        ("in /home/someone/x.py and /tmp/y/z", "in (path) and (path)"),
        ("to 10.0.0.1:80 and [::1]:8080, v1.2.3", "to (address) and (address), v1.2.3"),
        ("<Thing object at 0x7f0012ab>", "<Thing object>"),
        ("Failed: NewConnectionError('host', 5)", "Failed"),
        ("two\r\nlines", "two lines"),
        ("half \ud83d of one", "half ? of one"),
        ("Unable: ('Unable to connect to proxy', OSError('Tunnel failed'))", "Unable: Unable to connect to proxy"),
    ],
)
def test_clean(text, expected):
    assert clean(text) == expected


def test_clean_is_bounded():
    assert len(clean("x" * 10_000)) == 300
