"""Subtitles: which files are listed, how they are had, and what is kept of automatic ones."""

import json

import pytest

from sluice import engine
from sluice.captions import keep_one_each
from sluice.project import project

PAGE = {"Referer": "https://h.org/"}


@pytest.fixture
def listed(start):
    """The subtitles of a page with these, without what is the same in all."""
    start()
    with engine.Ydl(engine.Settings(5)) as ydl:

        def listed(people=None, automatic=None, **page):
            form = {"format_id": "a", "url": "https://h.org/a.mp4", "ext": "mp4"}
            info = {"id": "1", "title": "t", "extractor": "X", "extractor_key": "X", "formats": [form], **page}
            info |= {"subtitles": people, "automatic_captions": automatic, "http_headers": PAGE}
            made = json.loads(json.dumps(project(ydl, ydl.process_ie_result(info, download=False))))
            for file in (file for files in made.get("subtitles", {}).values() for file in files):
                assert file.pop("http_headers")["Referer"] == PAGE["Referer"]
                assert file.pop("cookies") == []
            return made.get("subtitles", {})

        yield listed


def at(path, **more):
    return {"url": f"https://h.org/{path}", **more}


def test_files(listed):
    given = {
        "en": [at("en.vtt", name="English"), at("en", ext="srt"), {"url": "ftp://h.org/en", "ext": "vtt"}],
        "de": [{"data": "WEBVTT", "ext": "vtt"}],
        "": [at("x.vtt")],
        "x" * 201: [at("x.vtt")],
        "fr": [],
    }
    assert listed(given) == {
        "en": [
            at("en.vtt", ext="vtt", name="English", by="file"),
            at("en", ext="srt", by="file"),
        ]
    }


def test_playlists_and_fragments(listed):
    fragments = [{"path": "1.vtt"}, {"path": "2.vtt"}]
    dash = {"protocol": "http_dash_segments", "fragment_base_url": "https://h.org/s/", "fragments": fragments}
    given = {
        "en": [at("en.m3u8", ext="vtt", protocol="m3u8_native"), at("raw.m3u8"), at("a.mpd", ext="vtt", **dash)],
    }
    packed = {"base": "https://h.org/s/", "prefix": "", "suffix": ".vtt", "lines": "1\n2"}
    expected = [
        at("en.m3u8", ext="vtt", by="hls"),
        at("raw.m3u8", ext="vtt", by="hls"),
        at("a.mpd", ext="vtt", by="fragments", fragments=packed),
    ]
    assert listed(given) == {"en": expected}
    # The text of a broadcast is listed for a few seconds of it, as its pictures are.
    assert listed(given, is_live=True) == {"en": expected[:2]}


def test_chat_is_none(listed):
    chat = {"url": "https://h.org/watch", "video_id": "1", "ext": "json"}
    given = {
        "live_chat": [{**chat, "protocol": "youtube_live_chat_replay"}],
        "rechat": [at("chat.json", ext="json")],
        "ws": [{"url": "wss://h.org/chat", "ext": "json"}],
    }
    # A file is a file, whatever it holds.
    assert list(listed(given)) == ["rechat"]
    assert listed(None, {"live_chat": given["live_chat"]}) == {}


def test_an_automatic_caption_of_each_language_is_kept(listed):
    def captions(name):
        return [at(f"{name}.{ext}", ext=ext) for ext in ("json3", "srv1", "ttml", "srt", "vtt")]

    people = {"de": [at("de.srt", ext="srt"), at("de.vtt", ext="vtt")]}
    automatic = {"en-orig": captions("o"), "de": captions("d"), "fr": captions("f")[:4], "it": captions("i")[:1]}
    got = listed(people, automatic)
    # People's languages first, and then in the page's order.
    assert list(got) == ["de", "en-orig", "fr", "it"]
    assert got["de"] == [
        at("de.srt", ext="srt", by="file"),
        at("de.vtt", ext="vtt", by="file"),
        at("d.vtt", ext="vtt", by="file", automatic=True),
    ]
    assert [got[name][0]["url"][-5:] for name in ("en-orig", "fr", "it")] == ["o.vtt", "f.srt", "json3"]
    assert all(len(got[name]) == 1 and got[name][0]["automatic"] for name in ("en-orig", "fr", "it"))


def test_what_is_kept_can_be_streamed():
    stream = at("x", ext="vtt", protocol="youtube_live_chat")
    assert keep_one_each({"en": [{"data": "x", "ext": "vtt"}, stream, at("a.srt"), at("b.ttml")]}, 9) == {
        "en": [at("a.srt")]
    }
    assert keep_one_each({"en": [stream], "de": [at("a.ttml")], "fr": [at("f.vtt?x")]}, 9) == {
        "de": [at("a.ttml")],
        "fr": [at("f.vtt?x")],
    }


@pytest.mark.parametrize("given", [None, [], "x", {"en": None}, {"en": "x"}, {"en": [None, 5, {"url": 5}]}, {"en": {}}])
def test_odd_captions(given):
    assert keep_one_each(given, 9) == {}


def test_no_more_than_what_is_left():
    given = {f"l{number}": [at(f"{number}.vtt")] for number in range(300)}
    assert list(keep_one_each(given, 3)) == ["l0", "l1", "l2"]
    assert len(keep_one_each(given, 2000)) == 200
    assert keep_one_each(given, 0) == {}
