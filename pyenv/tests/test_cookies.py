import json
import os
from http.cookiejar import Cookie

import pytest
from conftest import VIDEO, tiktok_item, tiktok_page
from yt_dlp.cookies import YoutubeDLCookieJar
from yt_dlp.networking import Request
from yt_dlp.networking.impersonate import ImpersonateTarget

from sluice import engine
from sluice.cookies import MAX_FILE, CookieFile, ReadOnlyJar
from sluice.log import Log

HEAD = "# Netscape HTTP Cookie File\n"


def line(name, domain=".tiktok.com", expires="4000000000", prefix=""):
    return f"{prefix}{domain}\t{'TRUE' if domain[0] == '.' else 'FALSE'}\t/\tTRUE\t{expires}\t{name}\tvalue\n"


def names(file):
    return sorted(cookie.name for cookie in file.cookies())


def test_read_again_when_it_changes_and_never_written(tmp_path):
    path = tmp_path / "cookies.txt"
    path.write_text(HEAD + line("one"))
    path.chmod(0o400)
    file = CookieFile(str(path))
    jar = ReadOnlyJar()
    jar.restore(file.cookies())
    for cookie in jar:
        cookie.value = "changed"
    jar.clear()
    jar.save()
    assert [cookie.value for cookie in file.cookies()] == ["value"]
    assert names(file) == ["one"]
    before = path.read_bytes()
    path.chmod(0o600)
    path.write_text(HEAD + line("one") + line("two", prefix="#HttpOnly_") + line("session", expires="0"))
    os.utime(path, ns=(1, 1))
    assert names(file) == ["one", "session", "two"]
    assert before != path.read_bytes()
    path.unlink()
    assert names(file) == ["one", "session", "two"]


@pytest.mark.parametrize(
    "content",
    ["", "garbage", '[{"name": "json"}]', "\x00\x01", HEAD + "a\tb\n" + line("x", expires="soon"), "# comment\n\n"],
)
def test_bad_files_are_no_cookies_and_say_nothing(tmp_path, capfd, content):
    path = tmp_path / "cookies.txt"
    path.write_text(content)
    assert names(CookieFile(str(path))) == []
    assert capfd.readouterr() == ("", "")


def test_without_a_header_line_and_with_bad_lines(tmp_path):
    path = tmp_path / "cookies.txt"
    path.write_text("broken\n" + line("good") + "also\tbroken\n")
    assert names(CookieFile(str(path))) == ["good"]


def test_a_jar_answers_and_forgets_as_the_library_s_does():
    jar, library = ReadOnlyJar(), YoutubeDLCookieJar()
    for domain, path, secure, name in (
        (".tiktok.com", "/", True, "a"),
        (".tiktok.com", "/", False, "b"),
        ("www.tiktok.com", "/", False, "c"),
        ("www.tiktok.com", "/deep", False, "d"),
        (".example.org", "/", False, "e"),
    ):
        for each in (jar, library):
            dotted = domain.startswith(".")
            each.set_cookie(
                Cookie(0, name, "1", None, False, domain, True, dotted, path, True, secure, None, True, None, None, {})
            )

    def same():
        for url in (
            "https://www.tiktok.com/",
            "https://www.tiktok.com/deep/er",
            "http://www.tiktok.com/x",
            "https://WWW.TikTok.com/?a",
            "https://v16.tiktok.com:8443/a#b",
            "https://user@www.tiktok.com/",
            "https://www.tiktok.com\\@www.example.org/",
            "https://nottiktok.com/",
            "https://www.example.org",
        ):
            found = [sorted(cookie.name for cookie in each.get_cookies_for_url(url)) for each in (jar, library)]
            assert found[0] == found[1], url
        return jar.get_cookies_for_url("https://www.tiktok.com/")

    assert len(same()) == 3
    # As yt-dlp's TikTok calls it.
    for each in (jar, library):
        each.clear(domain="www.tiktok.com", path="/deep", name="d")
    assert len(same()) == 3
    for each in (jar, library):
        each.clear(domain=".tiktok.com", path="/", name="a")
        each.clear(domain="nowhere", path="/", name="a")
    assert len(same()) == 2
    for each in (jar, library):
        each.clear()
    assert same() == []


@pytest.mark.parametrize("handler", [{}, {"impersonate": ImpersonateTarget("chrome")}])
def test_what_comes_beside_a_header_of_ones_own_is_not_kept(start, stage, handler):
    start()
    stage.page("https://www.tiktok.com/", "hello", "200 OK", "Set-Cookie: secret=first; Path=/")
    with engine.Ydl(engine.Settings(5)) as ydl:
        for number in (1, 2):
            ydl.begin(engine.Job((), Log(), proxy=stage.proxy))
            headers = {"Cookie": f"own={number}"}
            ydl.urlopen(Request("https://www.tiktok.com/", headers=headers, extensions=handler)).read()
    assert "own=2" in stage.seen[1][2]["cookie"]
    assert "secret" not in stage.seen[1][2]["cookie"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "large"])
def test_what_can_not_be_read_is_left_alone_until_it_can(tmp_path, kind):
    path = tmp_path / "cookies.txt"
    file = CookieFile(str(path))
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text(HEAD + line("a") + "#" * MAX_FILE)
    assert names(file) == []
    path.rmdir() if kind == "folder" else path.unlink()
    path.write_text(HEAD + line("good"))
    assert names(file) == ["good"]


def test_no_file():
    assert names(CookieFile(None)) == []
    assert names(CookieFile("/nonexistent/cookies.txt")) == []


def test_sent_to_its_site_kept_apart_and_left_alone(start, stage, tmp_path):
    path = tmp_path / "cookies.txt"
    path.write_text(HEAD + line("login") + line("other", ".example.org") + line("host", "www.tiktok.com"))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    stage.page(VIDEO, tiktok_page(tiktok_item()), "200 OK", "Set-Cookie: fresh=1; Domain=.tiktok.com; Path=/")
    session = start(cookies_path=str(path))
    got = json.loads(session.extract(VIDEO, "{}"))["ok"]
    assert "login=value" in stage.seen[0][2]["cookie"]
    assert "host=value" in stage.seen[0][2]["cookie"]
    assert "other" not in stage.seen[0][2]["cookie"]
    # The media's host is another one than the page's.
    assert sorted(cookie["name"] for cookie in got["formats"][0]["cookies"]) == ["fresh", "login"]
    # Nothing of one extraction is left for the next.
    session.extract(VIDEO, "{}")
    assert "fresh" not in stage.seen[1][2]["cookie"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
