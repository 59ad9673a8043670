"""What becomes of an info dict: types, bounds, and what may not get out."""

import json
import math
import time
from types import SimpleNamespace

import pytest
from yt_dlp.utils import smuggle_url

from sluice import engine
from sluice.links import MAX_COOKIES
from sluice.project import MAX_WAIT, NoFormatsError, project


@pytest.fixture
def ydl(start):
    start()
    with engine.Ydl(engine.Settings(5)) as ydl:
        yield ydl


def result(ydl, late=None, **changes):
    """Process an info dict and project it; `late` are fields that yt-dlp itself would trip over."""
    form = {"format_id": "a", "url": "https://h.org/a.mp4", "ext": "mp4", "vcodec": "h264", "acodec": "aac"}
    info = {"id": "1", "title": "t", "extractor": "X", "extractor_key": "X", "formats": [form]} | changes
    made = project(ydl, ydl.process_ie_result(info, download=False) | (late or {}))
    return json.loads(json.dumps(made, allow_nan=False))


def forms(*several):
    return [{"format_id": str(i), "url": f"https://h.org/{i}", "ext": "mp4", **form} for i, form in enumerate(several)]


def test_nothing_is_null_and_wrong_types_are_absent(ydl):
    got = result(
        ydl,
        late={"description": b"bytes", "duration": 10**400, "artists": ["A", None, 5, ""]},
        view_count=-1,
        repost_count=math.nan,
        like_count=10**30,
        comment_count=math.inf,
        timestamp=1.5,
        uploader=42,
        uploader_url="javascript:alert(1)",
        thumbnail="file:///etc/passwd",
        is_live="yes",
        extra=object(),
    )
    assert got["timestamp"] == 1
    assert got["uploader"] == "42"
    assert got["artists"] == ["A", "5"]
    assert not {"description", "duration", "uploader_url", "thumbnail", "is_live", "extra"} & got.keys()
    assert not {"view_count", "repost_count", "like_count", "comment_count"} & got.keys()
    assert not {"expires_at", "subtitles", "entries"} & got.keys()
    assert "null" not in json.dumps(got)


def test_formats_are_best_first_without_protected_ones(ydl):
    got = result(
        ydl,
        formats=forms(
            {"height": 360, "vcodec": "h264", "acodec": "aac"},
            {"height": 720, "vcodec": "h264", "acodec": "aac", "fps": math.inf, "tbr": math.nan},
            {"height": 4320, "has_drm": True},
            {"height": 2160, "has_drm": "maybe"},
        ),
    )
    assert [form["format_id"] for form in got["formats"]] == ["1", "0"]
    assert not {"fps", "tbr", "watermarked", "untested", "chunk_size"} & got["formats"][0].keys()


def test_deliveries_and_chunks(ydl):
    dash = {
        "protocol": "http_dash_segments",
        "fragments": [{"url": "https://h.org/1"}],
        "manifest_url": "https://h.org/m",
    }
    got = result(
        ydl,
        formats=forms(
            {"protocol": "https", "downloader_options": {"http_chunk_size": 10485760}},
            dash,
            {"protocol": "m3u8_native", "extra_param_to_segment_url": "a=b"},
            {"protocol": "https", "fragments": [{"url": "https://h.org/1"}]},
            {"protocol": "m3u8", "ext": "m3u8"},
        ),
    )
    by_id = {form["format_id"]: form for form in got["formats"]}
    assert [by_id[str(i)].get("by") for i in range(5)] == ["file", "fragments", "hls", None, "hls"]
    assert by_id["0"]["chunk_size"] == 10485760
    assert by_id["1"]["fragments"] == {
        "base": "https://h.org/1",
        "prefix": "https://h.org/",
        "suffix": "",
        "lines": "1",
    }
    assert by_id["2"]["hls"] == {"segment_query": "a=b"}
    assert [by_id[name]["ext"] for name in ("2", "4")] == ["mp4", "mp4"]
    assert [name for name in by_id if "fragments" in by_id[name]] == ["1"]
    assert [name for name in by_id if "hls" in by_id[name]] == ["2"]
    assert not any({"single", "manifest_url"} & form.keys() for form in got["formats"])


def test_fields_of_the_page_are_those_of_its_formats(ydl):
    key = {"key": "00" * 16}
    several = forms({"protocol": "m3u8"}, {"protocol": "m3u8", "hls_aes": None}, {"protocol": "https"})
    several += [
        {**forms({})[0], "format_id": "3", "protocol": "http_dash_segments", "fragments": [{"url": "https://h.org/1"}]}
    ]
    got = result(ydl, formats=several, hls_aes=key, is_live=True)
    by_id = {form["format_id"]: form for form in got["formats"]}
    assert by_id["0"]["hls"] == {"aes": key}
    # A format's own come before the page's, as in yt-dlp.
    assert "hls" not in by_id["1"]
    assert [by_id[str(i)].get("by") for i in range(4)] == ["hls", "hls", "file", None]


def test_a_list_of_fragments_brings_the_cookies_of_its_hosts(ydl):
    for host in ("h.org", "cdn.org"):
        ydl.get_info_extractor("TikTok")._set_cookie(host, "at", host)
    fragments = [{"url": "https://cdn.org/1"}, {"url": "https://cdn.org/2"}]
    (form,) = result(ydl, formats=forms({"protocol": "http_dash_segments", "fragments": fragments}))["formats"]
    assert sorted(cookie["value"] for cookie in form["cookies"]) == ["cdn.org", "h.org"]


def test_a_playlist_brings_the_cookies_of_its_page_and_its_key(ydl):
    for host in ("h.org", "page.org", "k.org", "other.org"):
        ydl.get_info_extractor("TikTok")._set_cookie(host, "at", host)
    item = {"protocol": "m3u8_native", "hls_aes": {"uri": "https://k.org/key"}}
    several = forms(item, {"protocol": "https"})
    got = result(
        ydl, formats=several, webpage_url="https://page.org/", subtitles={"en": [{**several[0], "ext": "vtt"}]}
    )
    found = [[cookie["value"] for cookie in form["cookies"]] for form in (*got["formats"], *got["subtitles"]["en"])]
    assert sorted(found) == [["h.org"], ["h.org", "k.org", "page.org"], ["h.org", "k.org", "page.org"]]
    assert got["formats"][0]["cookies"][0]["domain"] == "h.org"


def test_of_many_cookies_a_link_has_the_first(ydl):
    for number in range(3_000):
        ydl.get_info_extractor("TikTok")._set_cookie("h.org", f"n{number}", "v", path=f"/{number % 3}")
    fragments = [{"url": f"https://h.org/{number}/x"} for number in range(3)]
    item = {"protocol": "http_dash_segments", "fragments": fragments}
    (form,) = result(ydl, formats=forms({"url": "https://h.org/1/x", **item}))["formats"]
    assert len(form["cookies"]) == MAX_COOKIES
    assert {cookie["path"] for cookie in form["cookies"]} == {"/1"}
    assert len({cookie["name"] for cookie in form["cookies"]}) == MAX_COOKIES


def test_a_cookie_is_known_by_its_path_and_host_too(ydl):
    for host, path in (("h.org", "/"), ("h.org", "/a"), ("cdn.org", "/")):
        ydl.get_info_extractor("TikTok")._set_cookie(host, "same", f"{host}{path}", path=path)
    fragments = [{"url": "https://cdn.org/1"}, {"url": "https://h.org/a/2"}]
    item = {"url": "https://h.org/a/m", "protocol": "http_dash_segments", "fragments": fragments}
    (form,) = result(ydl, formats=forms(item))["formats"]
    assert sorted(cookie["value"] for cookie in form["cookies"]) == ["cdn.org/", "h.org/", "h.org/a"]


@pytest.mark.parametrize("short", [{"name": "n" * 500}, {"value": "v" * 500}, {"path": "/" + "p" * 500}, {}])
def test_all_that_is_written_of_a_cookie_counts(ydl, short):
    given = {"name": "n", "value": "v", "path": "/", **short}
    ydl.get_info_extractor("TikTok")._set_cookie("h.org", **given)
    several = forms({"url": f"https://h.org{given['path']}/x"}) * 2
    before = ydl.meter.used().get("result_bytes", 0)
    made = result(ydl, formats=several)["formats"]
    counted = ydl.meter.used()["result_bytes"] - before
    written = sum(
        len(json.dumps(form[key], separators=(",", ":"))) for form in made for key in ("cookies", "http_headers")
    )
    assert all(form["cookies"] for form in made)
    assert written <= counted * 1.2


def test_names_of_headers_count(ydl):
    before = ydl.meter.used().get("result_bytes", 0)
    result(ydl, formats=forms({"http_headers": {f"x-{'n' * 60}{at}": "v" for at in range(10)}}))
    assert ydl.meter.used()["result_bytes"] - before > 600


@pytest.mark.parametrize(("ahead", "expected"), [(30, 30), (30.5, 31), (1e9, MAX_WAIT), (0, None), (-5, None)])
def test_when_a_format_can_be_had(ydl, monkeypatch, ahead, expected):
    monkeypatch.setattr("sluice.project.time", SimpleNamespace(time=lambda: 1_800_000_000))
    (form,) = result(ydl, formats=forms({"available_at": 1_800_000_000 + ahead}))["formats"]
    assert form.get("available_at") == (expected and 1_800_000_000 + expected)


def test_files_that_are_not_had_in_parts(ydl):
    got = result(ydl, formats=forms({"protocol": "https"}, {"protocol": "m3u8"}), is_live=True)
    assert {form["by"]: form.get("no_resume") for form in got["formats"]} == {"file": True, "hls": None}
    (form,) = result(ydl, formats=forms({"no_resume": True}))["formats"]
    assert form["no_resume"] is True


ELSEWHERE = [
    "ftp://h.org/a.mp4",
    "javascript:alert(1)",
    "data:video/mp4;base64,AAAA",
    "file:///etc/passwd",
    "mms://h.org/a",
    "rtmp://h.org/live",
    "wss://h.org/live",
    "https:///a.mp4",
]


def test_formats_that_are_not_on_the_web_are_left_out(ydl):
    web = [{"url": "HTTPS://h.org/a.mp4"}, {"url": "http://h.org/a.m3u8", "protocol": "m3u8_native"}]
    web += [{"url": "//h.org/a.mpd", "protocol": "http_dash_segments", "fragments": [{"url": "https://h.org/1"}]}]
    got = result(ydl, formats=forms(*web, *({"url": url, "vcodec": "h264"} for url in ELSEWHERE)))
    assert {form["format_id"] for form in got["formats"]} == {"0", "1", "2"}


@pytest.mark.parametrize("url", ELSEWHERE)
def test_nothing_on_the_web(ydl, url):
    with pytest.raises(NoFormatsError, match="No video formats found"):
        result(ydl, formats=forms({"url": url}))
    with pytest.raises(NoFormatsError, match="No video formats found"):
        result(ydl, formats=None, url=url, ext="mp4")
    # Photos need no sound.
    got = result(ydl, formats=forms({"url": url}), sluice={"images": [{"url": "https://h.org/a.jpg"}]})
    assert (got["kind"], got["formats"]) == ("photos", [])


@pytest.mark.parametrize(
    ("several", "kind"),
    [
        ([{"vcodec": "h264", "acodec": "aac"}, {"vcodec": "none", "acodec": "aac"}], "video"),
        ([{}], "video"),
        ([{"vcodec": "none", "acodec": "mp3"}], "audio"),
        ([{"vcodec": "none", "acodec": "none", "ext": "jpg"}], "photos"),
    ],
)
def test_kind(ydl, several, kind):
    assert result(ydl, formats=forms(*several))["kind"] == kind


def test_one_link_without_formats(ydl):
    got = result(ydl, formats=None, url="https://h.org/only.mp4", ext="mp4")
    assert [form["url"] for form in got["formats"]] == ["https://h.org/only.mp4"]
    assert got["default"] == got["formats"][0]["format_id"]


def test_only_protected(ydl):
    with pytest.raises(NoFormatsError, match="DRM"):
        result(ydl, formats=forms({"has_drm": "maybe"}))


def test_headers_that_can_not_be_sent_are_left_out(ydl):
    headers = {
        "Referer": "https://h.org/",
        "X-Bad": "a\r\nB: c",
        "Bad Name": "x",
        "Cookie": "a=b",
        "X-Long": "x" * 9000,
    }
    sent = result(ydl, formats=forms({"http_headers": headers}))["formats"][0]["http_headers"]
    assert sent["Referer"] == "https://h.org/"
    assert not {"X-Bad", "Bad Name", "Cookie", "X-Long"} & sent.keys()


def test_cookies_of_a_format_go_to_its_host_only(ydl):
    cookies = "a=1; Domain=.h.org; Path=/; Secure; b=2; Domain=other.org; Path=/"
    form = result(ydl, formats=forms({"cookies": cookies}))["formats"][0]
    assert form["cookies"] == [{"name": "a", "value": "1", "domain": ".h.org", "path": "/", "secure": True}]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_other_link_leaves_the_web(ydl, url):
    def links(url):
        return result(
            ydl,
            thumbnail=url,
            subtitles={"en": [{"url": url, "ext": "vtt"}]},
            sluice={"images": [{"url": url}], "avatars": {"small": url}},
        )

    fields = {"thumbnail", "subtitles", "images", "avatars"}
    assert fields <= links("https://h.org/a").keys()
    assert not fields & links(url).keys()


def test_earliest_expiry_of_all_links(ydl):
    soon = int(time.time()) + 1000
    several = forms({"url": f"https://h.org/a?expire={soon + 10}"}, {"url": f"https://h.org/b?expire={soon + 20}"})
    assert result(ydl, formats=several)["expires_at"] == soon + 10
    assert result(ydl, formats=several, thumbnail=f"https://h.org/t?x-expires={soon}")["expires_at"] == soon
    # A playlist's is the playlist's; a list of fragments has one for all.
    playlist = {"url": f"https://h.org/a.m3u8?exp={soon}", "protocol": "m3u8_native"}
    assert result(ydl, formats=forms(playlist))["expires_at"] == soon
    fragments = [{"path": f"{name}?expires={soon}"} for name in "abc"]
    dash = {"protocol": "http_dash_segments", "fragment_base_url": "https://h.org/", "fragments": fragments}
    assert result(ydl, formats=forms(dash))["expires_at"] == soon


def test_playlist(ydl):
    entries = [{"_type": "url", "id": str(i), "title": f"t{i}", "url": f"https://h.org/{i}"} for i in range(300)]
    entries[1] = {"_type": "url", "url": "other:thing"}
    # Headers and the like, for another extractor: not for clients, and not taken from them.
    entries[2]["url"] = smuggle_url("https://h.org/2", {"http_headers": {"Cookie": "secret"}})
    got = result(ydl, _type="playlist", entries=entries, formats=None, playlist_count=300)
    assert got["kind"] == "playlist"
    # 200 are listed, of which one has no page that could be extracted.
    assert len(got["entries"]) == 199
    assert got["entries"][0] == {"id": "0", "title": "t0", "url": "https://h.org/0"}
    assert got["entries"][1] == {"id": "2", "title": "t2", "url": "https://h.org/2"}
    assert got["playlist_count"] == 300
    assert "formats" not in got


def test_ids_that_no_token_could_hold_are_left_out(ydl):
    long = "x" * 201
    got = result(ydl, formats=forms({"format_id": long}, {"format_id": "short"}))
    assert [form["format_id"] for form in got["formats"]] == ["short"]
    with pytest.raises(NoFormatsError, match="No video formats found"):
        result(ydl, formats=forms({"format_id": long}))


def test_a_link_that_no_request_could_be_made_to_is_left_out(ydl):
    # yt-dlp itself does not stop at these: a thumbnail is only a text to it.
    for host in ("127.0.0.1..", "2130706433..", f"{'a' * 64}.org"):
        assert "thumbnail" not in result(ydl, thumbnail=f"https://{host}/a.jpg")
    assert result(ydl, thumbnail="https://h\u00f6h.org/a.jpg")["thumbnail"]
