"""By class and status, however deep yt-dlp has wrapped it."""

import socket
import ssl

import pytest
from yt_dlp.cookies import CookieLoadError
from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    IncompleteRead,
    ProxyError,
    RequestError,
    TransportError,
)
from yt_dlp.utils import (
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    ReExtractInfo,
    RegexNotFoundError,
    UnsupportedError,
    UserNotLive,
)

from sluice.errors import classify


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
        (MemoryError(), "limit_exceeded"),
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


def reported(error):
    """As yt-dlp reports an error: from an except clause, and with what the extractor was handling in `exc_info`."""
    try:
        try:
            raise error
        except ExtractorError as caught:
            given = caught.exc_info if caught.exc_info and caught.exc_info[0] else (type(caught), caught, None)
            raise DownloadError(f"ERROR: {caught}", given)  # noqa: B904  as yt-dlp does
    except DownloadError as told:
        return told


def handling(seen, make):
    """An error that was made in an except clause for `seen`."""
    try:
        raise seen
    except type(seen):
        return make()


FORBIDDEN = HTTPError(Answer(403))


@pytest.mark.parametrize(
    ("seen", "made", "kind"),
    [
        # The words of the extractor, not what it was handling.
        (FORBIDDEN, lambda: GeoRestrictedError("Not here"), "geo_restricted"),
        (FORBIDDEN, lambda: UserNotLive(), "not_live"),
        (FORBIDDEN, lambda: ExtractorError("This VOD is private", ie="soop"), "private"),
        (HTTPError(Answer(404)), lambda: ExtractorError("Log in", cause=marked()), "login_required"),
        # In words that say nothing to us: statuses that mean the same everywhere, and the network.
        (HTTPError(Answer(404)), lambda: ExtractorError("Nothing here"), "not_found"),
        (HTTPError(Answer(429)), lambda: ExtractorError("Too fast"), "upstream_blocked"),
        (HTTPError(Answer(451)), lambda: ExtractorError("Not here"), "geo_restricted"),
        (TransportError(cause=TimeoutError()), lambda: ExtractorError("Unable"), "upstream_timeout"),
        (FORBIDDEN, lambda: ExtractorError("Subscribers only"), "extraction_failed"),
        (HTTPError(Answer(401)), lambda: ExtractorError("Wrong key"), "extraction_failed"),
        (HTTPError(Answer(500)), lambda: ExtractorError("App only"), "extraction_failed"),
        (KeyError("x"), lambda: ExtractorError("Nothing here"), "extraction_failed"),
    ],
)
def test_put_in_words_of_its_own(seen, made, kind):
    assert classify(reported(handling(seen, made)))["kind"] == kind


def marked():
    error = ExtractorError("Only for members")
    error.sluice_kind = "login_required"
    return error


def test_other_classes_say_nothing_of_their_own():
    for error in (
        RegexNotFoundError("Unable to extract x"),
        ReExtractInfo("x"),
        ExtractorError("DRM"),
        CookieLoadError(),
    ):
        assert classify(error)["kind"] == "extraction_failed"
