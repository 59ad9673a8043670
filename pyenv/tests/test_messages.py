"""What is left of yt-dlp's own texts, and how long that takes."""

import time

import pytest
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import ExtractorError, bug_reports_message

from sluice.log import Log
from sluice.messages import clean


class Answer:
    reason = "Forbidden"
    status = 403


# The release's own, taken before any test has `prepare` replace it.
HINT = InfoExtractor._login_hint


class ImdbIE(InfoExtractor):
    _NETRC_MACHINE = "imdb"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[0;31mERROR:\x1b[0m [TikTok] 123: Unable to extract x", "Unable to extract x"),
        ("\x1b]0;title\x07No x", "No x"),
        ("[tiktok:live] Unable to extract x", "Unable to extract x"),
        ("[debug] [TikTok] Loaded 3", "Loaded 3"),
        ("WARNING: [youtube] dQw4w9WgXcQ: Slow", "Slow"),
        (f"No x{bug_reports_message()}", "No x"),
        (f"No x.{bug_reports_message(' ')}", "No x"),
        (f"No x{bug_reports_message('. ')}", "No x"),
        (f"Seen in a browser{bug_reports_message(',')}", "Seen in a browser"),
        (str(ExtractorError("No x", video_id="a1", ie="X", cause=KeyError("y"))), "No x"),
        (str(ExtractorError("No x", cause=HTTPError(Answer()), expected=True)), "No x"),
        (f"Unable to download webpage: {HTTPError(Answer())}", "Unable to download webpage: HTTP Error 403: Forbidden"),
        ("Failed: NewConnectionError('host', 5)", "Failed"),
        ("Failed: ('[Errno 2] Not allowed', Socks5Error(2, 'Not allowed'))", "Failed: [Errno 2] Not allowed"),
        ("Unable: ('Unable to connect to proxy', OSError('Tunnel failed'))", "Unable: Unable to connect to proxy"),
        # Advice on the command line goes; what was said before it stays.
        (
            "Only for users. Use --cookies, --cookies-from-browser, --username and --password, --netrc-cmd, or --netrc "
            "(x) to provide account credentials. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies "
            " for how to manually pass cookies",
            "Only for users.",
        ),
        (
            "Not here\nThis video is available in Germany.\nYou might want to use a VPN or a proxy server "
            "(with --proxy) to workaround.",
            "Not here This video is available in Germany.",
        ),
        (
            "This video is protected by a password, use the --video-password option",
            "This video is protected by a password",
        ),
        ("Invalid username/password; use --netrc", "Invalid username/password"),
        ("Video 1 is for users, use --username and --password options to log in.", "Video 1 is for users"),
        ("No target. Use --list-impersonate-targets to view available targets.", "No target."),
        ("Sign in. Hint. Also see  https://github.com/yt-dlp/yt-dlp/wiki/Extractors#x  for tips", "Sign in. Hint."),
        ("Blocked. Confirm you are on the latest version using  yt-dlp -U", "Blocked."),
        ("Use --cookies", ""),
        ("A well--known - and - dashed title", "A well--known - and - dashed title"),
        # Secrets and places.
        ("see https://h.org/a/b?token=1#f now", "see https://h.org/a/b now"),
        ("see wss://h.org/a?token=1 now", "see wss://h.org/a now"),
        ("by http://user:secret@proxy.example:90/ it", "by http://proxy.example:90/ it"),
        ("Set-Cookie: a=secret; b=c", "Set-Cookie"),
        ("{'Cookie': 'a=secret'}", "{'Cookie"),
        ("Authorization: Bearer secret", "Authorization"),
        ("sent Bearer abcdefgh12345 to it", "sent Bearer to it"),
        ("in /home/someone/x.py and /tmp/y/z", "in (path) and (path)"),
        ("in ~/.cache/x and file:///etc/passwd", "in ~(path) and (path)"),
        ("to 10.0.0.1:80 and [::1]:8080, v1.2.3", "to (address) and (address), v1.2.3"),
        (
            "to 2001:db8::1 port 443, fe80::1, ::1 at 12:34:56",
            "to (address) port 443, (address), (address) at 12:34:56",
        ),
        ("to 2001:db8:0:0:0:0:0:1", "to (address)"),
        ("<Thing object at 0x7f0012ab>", "<Thing object>"),
        ("two\r\nlines", "two lines"),
        ("half \ud83d of one", "half ? of one"),
    ],
)
def test_clean(text, expected):
    assert clean(text) == expected


@pytest.mark.parametrize("method", ["any", "password", "cookies", "session_cookies", None])
def test_no_login_hint_of_yt_dlp_is_left(method):
    assert clean("Only for users. " + HINT(ImdbIE(), method)) == "Only for users."


def test_clean_is_bounded():
    assert len(clean("x" * 10_000)) == 300
    assert clean("x" * 10_000, 10) == "xxxxxxx..."


UNITS = """
/ /a a/ : a: :: 1: 1. [ [: (' a, --a a:// a://a@ Error Error( aError (caused please Cookie bearer 0x https://a? ? - a-1
\x1b[ \x1b] \x1b[0;
"""


@pytest.mark.parametrize(
    "unit", [*UNITS.split(), " (caused by", " please report", " bearer a", " at 0x0", ". ", " ", ", "]
)
def test_cleaning_is_linear(unit):
    began = time.perf_counter()
    clean(unit * (4_000 // len(unit)) + "!")
    # It takes about a millisecond; quadratic in 4,000 would be seconds.
    assert time.perf_counter() - began < 0.25


def test_the_log_keeps_levels():
    log = Log(verbose=True)
    log.debug("[TikTok] 7: Downloading webpage")
    log.debug("[debug] Loaded 3 extractors")
    log.info("said")
    log.warning("[TikTok] slow")
    log.error("\x1b[0;31mERROR:\x1b[0m [TikTok] 7: No x (caused by <HTTPError 404: Not Found>)")
    assert log.records == [
        ("info", "Downloading webpage"),
        ("debug", "Loaded 3 extractors"),
        ("info", "said"),
        ("warning", "slow"),
        ("error", "No x"),
    ]


def test_without_verbose_only_what_is_serious():
    log = Log()
    log.debug("[debug] x")
    log.info("x")
    log.warning("w")
    assert log.records == [("warning", "w")]


def test_the_log_is_cleaned_and_bounded():
    log = Log(verbose=True)
    text = "[TikTok] 7: see /home/someone/.config/x?a=1 at https://u:p@h.org/p?token=1 from 10.0.0.1 " + "x" * 1000
    for _ in range(300):
        log.debug("[debug] " + text)
    # Warnings have room of their own, whatever was said before them.
    for _ in range(15):
        log.warning(text)
        log.error(text)
    for _ in range(300):
        log.info(text)
    levels = [level for level, _ in log.records]
    assert len(levels) == 200
    assert (levels.count("warning"), levels.count("error")) == (10, 10)
    for _, said in log.records:
        assert len(said) <= 500
        assert said.startswith("see (path)")
        assert not any(secret in said for secret in ("token", "u:p", "10.0.0.1", "someone"))
