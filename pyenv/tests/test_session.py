"""The real TikTok extractor over real TLS through a real proxy: what comes out, and what goes wrong."""

import json
import os
import sys

import pytest
from conftest import VIDEO, tiktok_item, tiktok_page

import sluice
from sluice import engine
from sluice.handlers import HANDLERS
from sluice.transfer import OverdueError


def extract(session, url=VIDEO):
    return json.loads(session.extract(url, "{}"))


def test_start_tells_versions(start, stage):
    config = {"guard": None, "jobs_only": True, "ca_file": None, "cookies_path": None, "socket_timeout": 5}
    told = json.loads(sluice.start(json.dumps(config)))
    assert told["python"].startswith("3.11.")
    assert told["yt_dlp"] >= "2026.10"
    assert told["extractors"] > 1700


def test_start_refuses_a_file_without_certificates(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    config = {
        "guard": None,
        "jobs_only": True,
        "ca_file": str(tmp_path / "empty.pem"),
        "cookies_path": None,
        "socket_timeout": 5,
    }
    with pytest.raises(ValueError, match="CA_FILE"):
        sluice.start(json.dumps(config))


def test_extracts_a_post(start, stage):
    stage.page(
        VIDEO,
        tiktok_page(tiktok_item()),
        "200 OK",
        "Set-Cookie: tt_chain_token=abc; Domain=.tiktok.com; Path=/; Secure",
        "Set-Cookie: here_only=1; Path=/",
    )
    got = extract(start())
    assert "error" not in got
    assert got["extractor"] == "TikTok"
    ok = got["ok"]
    assert ok["kind"] == "video"
    assert ok["id"] == "7000000000000000001"
    assert ok["title"] == "A cat ?"  # half of a surrogate pair is not a character
    assert (ok["uploader"], ok["channel"], ok["uploader_id"]) == ("someone", "Some One", "42")
    assert ok["artists"] == ["A", "B"]
    assert (ok["duration"], ok["timestamp"], ok["view_count"], ok["like_count"]) == (12, 1700000000, 10, 5)
    assert ok["extractor"] == "TikTok"
    assert [form["format_id"] for form in ok["formats"]] == [
        "bytevc1_720p_700000",
        "h264_540p_500000",
        "play",
        "download",
        "bytevc2_1080p_900000",
        "audio",
    ]
    assert ok["default"] == "h264_540p_500000"
    by_id = {form["format_id"]: form for form in ok["formats"]}
    assert by_id["download"]["watermarked"]
    assert by_id["download"]["untested"]
    assert by_id["audio"]["vcodec"] == "none"
    for form in ok["formats"]:
        assert form["by"] == "file"
        assert form["http_headers"]["Referer"] == VIDEO
        assert "Cookie" not in form["http_headers"]
        assert form["cookies"] == [
            {"name": "tt_chain_token", "value": "abc", "domain": ".tiktok.com", "path": "/", "secure": True}
        ]
    assert ok["thumbnail"]["url"] == "https://p16.tiktok.com/cover.jpg"
    assert ok["thumbnail"]["http_headers"]["Referer"] == VIDEO
    # The page came through the impersonating handler: its User-Agent is a browser's, with that browser's hints.
    _, _, headers = stage.seen[0]
    assert "sec-ch-ua" in headers or "Safari" in headers["user-agent"]


@pytest.mark.parametrize(
    ("page", "status", "kind"),
    [
        (tiktok_page(status=10204), "200 OK", "upstream_blocked"),
        (tiktok_page(status=10216), "200 OK", "login_required"),
        (tiktok_page(status=10222), "200 OK", "login_required"),
        (tiktok_page({"isContentClassified": True}), "200 OK", "login_required"),
        (tiktok_page(status=10101), "200 OK", "extraction_failed"),
        (tiktok_page({"video": {"playAddr": 5}, "id": []}), "200 OK", "extraction_failed"),
        ("<html>nothing</html>", "200 OK", "extraction_failed"),
        ("", "404 Not Found", "not_found"),
        ("", "410 Gone", "not_found"),
        ("", "403 Forbidden", "upstream_blocked"),
        ("", "429 Too Many Requests", "upstream_blocked"),
        ("", "451 Unavailable", "geo_restricted"),
        ("", "503 Service Unavailable", "upstream_error"),
    ],
)
def test_errors_of_a_page(start, stage, page, status, kind):
    stage.page(VIDEO, page, status)
    error = extract(start())["error"]
    assert error["kind"] == kind, error
    assert error.get("retry_after") == (60 if kind == "upstream_blocked" else None)
    said = error["message"]
    assert said
    assert len(said) <= 300
    for secret in ("secret", "127.0.0.1", "/proc", "yt-dlp/issues", "--cookies", "caused by", "TikTok]"):
        assert secret not in said


def test_a_redirect_is_followed_and_a_stranger_is_not(start, stage):
    stage.page("https://vm.tiktok.com/ZTR45GpSF", "", "301 Moved", f"Location: {VIDEO}")
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    session = start()
    assert extract(session, "https://vm.tiktok.com/ZTR45GpSF")["ok"]["id"] == "7000000000000000001"
    stage.page("https://vm.tiktok.com/ZTR45GpSF", "", "301 Moved", "Location: https://www.example.org/")
    stage.page("https://www.example.org/", "<video src=https://www.example.org/a.mp4>")
    handed = extract(session, "https://vm.tiktok.com/ZTR45GpSF")
    assert handed["extractor"] == "Generic"
    state = json.loads(handed["hand_off"])
    assert state["result"]["url"] == "https://www.example.org/"
    assert "extractor" not in extract(session, "https://user@www.example.org/")


def test_untrusted_site(start, stage):
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    error = extract(start(ca_file=None))["error"]
    assert error == {"kind": "upstream_error", "message": "No trusted TLS connection to the site could be made"}
    assert not stage.seen


def test_no_way_out(start, stage):
    stage.close()
    error = extract(start(proxy="socks5h://user:secret@127.0.0.1:1"))["error"]
    assert error["kind"] == "upstream_error"
    assert "secret" not in json.dumps(error)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("ytsearch:cats", "unsupported_url"),
        ("ftp://example.org/a.mp4", "unsupported_url"),
        ("file:///etc/passwd", "unsupported_url"),
        ("", "unsupported_url"),
        ("http://", "bad_request"),
        ("http://[::1", "bad_request"),
        ("https://user@www.tiktok.com/@a/video/1", "bad_request"),
        ("https://www.tiktok.com/@a/video/1#__youtubedl_smuggle=%7B%7D", "bad_request"),
        ("https://www.tiktok.com/@a/video/1\r\nHost: x", "bad_request"),
        ("https://www.tiktok.com/" + "a" * 9000, "bad_request"),
    ],
)
def test_refused_urls_fetch_nothing(start, stage, url, kind):
    assert extract(start(), url)["error"]["kind"] == kind
    assert not stage.seen


def test_any_exception_is_an_answer(start, monkeypatch):
    session = start()
    for exception, kind in (
        (SystemExit(1), "internal"),
        (KeyboardInterrupt(), "internal"),
        (MemoryError(), "limit_exceeded"),
    ):

        def broken(*_args, _exception=exception, **_kwargs):
            raise _exception

        monkeypatch.setattr("yt_dlp.extractor.tiktok.TikTokIE._real_extract", broken)
        assert extract(session)["error"]["kind"] == kind

    def bug(*_args, **_kwargs):
        raise TypeError("a secret at /home/someone/x.py")

    monkeypatch.setattr("yt_dlp.extractor.tiktok.TikTokIE._real_extract", bug)
    error = extract(session)["error"]
    assert error == {"kind": "extraction_failed", "message": "The extractor failed on this page (TypeError)"}


def test_nothing_is_printed_and_nothing_written(start, stage, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    session = start()
    session.warm()
    extract(session)
    extract(session, "https://www.tiktok.com/@a/video/2")
    sys.stderr.write("kept out")
    session.close()
    assert set(tmp_path.rglob("*")) == before
    assert capfd.readouterr() == ("", "")
    assert sys.stdout.write("x") == 1


def test_no_child_processes_and_no_key_log(start, monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    session = start()
    assert "SSLKEYLOGFILE" not in os.environ
    session.warm()
    assert session._ydl.params["js_runtimes"] == {}


def test_a_bug_tells_its_place_to_the_log_alone(start, monkeypatch):
    session = start()
    monkeypatch.setattr(engine.Ydl, "extract_info", lambda *_args, **_kwargs: {"id": "1", "formats": "secret"})
    error = extract(session)["error"]
    assert error["kind"] == "internal"
    assert "project.py" in error["trace"]
    assert "secret" not in error["message"] + error["trace"]


def test_a_session_starts_anew_every_so_often(start, stage, monkeypatch):
    monkeypatch.setattr("sluice.session.RENEW_AFTER", 3)
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    session = start()
    closed = set()
    for handler in HANDLERS:

        def close(self, _close=handler.close):
            closed.add(self)
            _close(self)

        monkeypatch.setattr(handler, "close", close)
    used = []
    for _ in range(7):
        assert "ok" in extract(session)
        used.append(session._ydl)
    first, second, third = used[0], used[3], used[6]
    assert used == [first] * 3 + [second] * 3 + [third]
    assert len({id(ydl) for ydl in used}) == 3
    assert len(closed) == 2 * len(HANDLERS)
    session.close()
    assert len(closed) == 3 * len(HANDLERS)


def test_what_was_broken_off_is_not_used_again(start, stage, monkeypatch):
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    session = start()
    extract(session)
    first = session._ydl

    def stopped(*_args, **_kwargs):
        raise OverdueError

    with monkeypatch.context() as patch:
        patch.setattr("yt_dlp.extractor.tiktok.TikTokIE._real_extract", stopped)
        assert extract(session)["error"]["kind"] == "extraction_timeout"
    assert session._ydl is first, "nothing is tidied up while the thread may be told to stop"
    session.settle()
    assert session._ydl is None
    assert not first.__dict__.get("_request_director")
    assert "ok" in extract(session)
    # An error of the page is none of the session's.
    kept = session._ydl
    assert extract(session, "https://www.tiktok.com/@a/video/2")["error"]["kind"] == "not_found"
    session.settle()
    assert session._ydl is kept
