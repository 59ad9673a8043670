"""What the network does, and every way of yt-dlp to raise, each through real extractors and handlers."""

import contextlib
import socket
import struct
import threading
import time

import pytest
from conftest import CLIP, CLIP_API, VIDEO, assert_clean, failed
from curl_cffi import Curl
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

from sluice import engine
from sluice.log import Log
from sluice.transfer import may_break_off


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket(fileno=connection.detach()).close()


def cut(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<html>")


def garbage(connection):
    connection.sendall(b"\x00\xff not HTTP at all\r\n\r\n")


def nothing(connection):
    connection.recv(0)


def silent(_connection):
    time.sleep(4)


@pytest.mark.parametrize(("url", "page"), [(VIDEO, VIDEO), (CLIP, CLIP_API)])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (reset, "upstream_error"),
        (cut, "upstream_error"),
        (garbage, "upstream_error"),
        (nothing, "upstream_error"),
        (silent, "upstream_timeout"),
    ],
)
def test_faults_of_the_network(start, stage, url, page, fault, kind):
    stage.page(page, "")
    stage.pages[next(iter(stage.pages))] = fault
    assert failed(start(socket_timeout=0.3), url)["kind"] == kind


@pytest.mark.parametrize("url", [VIDEO, CLIP])
def test_no_way_there(start, stage, url):
    error = failed(start(ca_file=None), url)
    assert error == {"kind": "upstream_error", "message": "No trusted TLS connection to the site could be made"}
    assert (
        failed(start(proxy="socks5h://user:secret@127.0.0.1:1", guard="127.0.0.1:1"), url)["kind"] == "upstream_error"
    )
    assert not stage.seen


def raising(error):
    def call(_ie):
        raise error

    return call


def rewrapping(ie):
    try:
        ie.raise_login_required("Only for members")
    except ExtractorError as error:
        raise ExtractorError("Nothing else worked", cause=error) from error


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda ie: ie.raise_login_required(), "login_required", None),
        (lambda ie: ie.raise_login_required("Members only", metadata_available=True), "login_required", None),
        (lambda ie: ie.raise_login_required("Members only", method=None), "login_required", None),
        (lambda ie: ie.raise_geo_restricted(countries=["DE"], metadata_available=True), "geo_restricted", None),
        (lambda ie: ie.raise_no_formats("No video here", expected=True), "extraction_failed", "No video here"),
        (lambda ie: ie.raise_no_formats("No video here"), "extraction_failed", "No video here"),
        (lambda ie: ie.raise_no_formats(GeoRestrictedError("Not here")), "geo_restricted", "Not here"),
        (lambda ie: ie.raise_no_formats(UserNotLive()), "not_live", "The channel is not currently live"),
        (lambda ie: ie.report_drm("1"), "extraction_failed", "This video is DRM protected"),
        (rewrapping, "login_required", "Nothing else worked"),
        (raising(UnsupportedError("https://h.org/?secret")), "unsupported_url", "No extractor takes this URL"),
        (lambda ie: ie._search_regex("a", "b", "thing"), "extraction_failed", "Unable to extract thing"),
        (lambda ie: ie._parse_json("<", "1"), "extraction_failed", None),
        (lambda ie: {}["secret"], "extraction_failed", "An extractor error has occurred."),
        (lambda ie: {"id": "1", "title": "x"}, "extraction_failed", "No video formats found!"),
        (lambda ie: None, "extraction_failed", "The extractor found nothing on this page"),
    ],
)
def test_helpers_and_classes_of_yt_dlp(start, monkeypatch, call, kind, message):
    session = start()
    monkeypatch.setattr("yt_dlp.extractor.tiktok.TikTokIE._real_extract", lambda ie, _url: call(ie))
    error = failed(session, VIDEO)
    assert error["kind"] == kind, error
    assert message is None or error["message"] == message


def test_the_whole_log_is_clean_and_has_levels(start, stage):
    stage.page("https://vm.tiktok.com/ZTR45GpSF", "", "301 Moved", f"Location: {VIDEO}?token=secret")
    stage.page(VIDEO, "<html></html>")
    start()
    log = Log(verbose=True)
    ydl = engine.Ydl(engine.Settings(5))
    ydl.begin(engine.Job((), log, proxy=stage.proxy))
    with ydl, pytest.raises(Exception, match="Unexpected"):
        ydl.extract_info("https://vm.tiktok.com/ZTR45GpSF?token=secret", download=False)
    assert {"debug", "info", "error"} <= {level for level, _ in log.records}
    for _, text in log.records:
        assert_clean(text)


def test_nobody_breaks_off_what_libcurl_frees(monkeypatch):
    me = threading.get_ident()
    asked = []
    clean = Curl.clean_handles_and_buffers

    def cleaning(self, *args):
        asked.append(may_break_off(me))
        # A second handle whose end comes within that of the first.
        if len(asked) == 1:
            Curl().close()
        asked.append(may_break_off(me))
        clean(self, *args)

    monkeypatch.setattr(Curl, "clean_handles_and_buffers", cleaning)
    assert may_break_off(me)
    Curl().close()
    assert len(asked) >= 4
    assert not any(asked)
    assert may_break_off(me)


@pytest.mark.parametrize("target", ["ftp://www.example.org/a", "file:///etc/passwd", "gopher://www.example.org/"])
def test_no_redirect_leaves_http(start, stage, target):
    stage.page(VIDEO, "", "302 Found", f"Location: {target}")
    error = failed(start(), VIDEO)
    assert error["kind"] in ("upstream_error", "extraction_failed")
    assert [path for _, path, _ in stage.seen] == ["/@someone/video/7000000000000000001"]
    # Where an http one leads, it is followed.
    stage.page(VIDEO, "", "302 Found", "Location: https://www.tiktok.com/@other/video/7000000000000000001")
    failed(start(), VIDEO)
    assert stage.seen[-1][1].startswith("/@other/")


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH\r\n", b"hello world\r\n\r\n", b" \r\n\r\n", b"HTTP/9 x\r\n y\r\n\r\n"]
)
@pytest.mark.parametrize("url", [VIDEO, CLIP])
def test_a_way_out_that_speaks_something_else(start, garbage, url):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(4096)
                        client.sendall(garbage)

        threading.Thread(target=serve, daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        error = failed(start(proxy=f"socks5h://user:secret@{address}", guard=address), url)
    assert error["kind"] == "upstream_error", error
