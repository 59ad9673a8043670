"""Pages that give HLS and DASH, through yt-dlp's own extractors: of two named sites, and bare playlists of any host."""

import json
import os
import subprocess
import sys

import pytest
import stream_pages as pages
from stream_pages import DASH_TYPE, HLS_TYPE, VARIANTS, master_playlist, media_playlist, mpd, numbered, whole

import sluice


@pytest.fixture
def extract(start):
    session = start()

    def extract(url):
        answer = json.loads(session.extract(url, "{}"))
        assert "ok" in answer, answer
        return answer["ok"]

    return extract


def by(result):
    return {form["format_id"]: form.get("by") for form in result["formats"]}


def fetched(stage):
    return [f"{host}{path.partition('?')[0]}" for host, path, _ in stage.seen]


APART = (
    numbered("video", pages.VIDEO_REPRESENTATION),
    numbered("audio", pages.AUDIO_REPRESENTATION),
)


def test_cloudflare_stream(extract, stage):
    stage.page(f"{pages.CLOUDFLARE_MANIFEST}.m3u8", master_playlist(VARIANTS), "200 OK", HLS_TYPE)
    stage.page(f"{pages.CLOUDFLARE_MANIFEST}.mpd", mpd(*APART), "200 OK", DASH_TYPE)
    got = extract(pages.CLOUDFLARE)
    assert by(got) == {
        "dash-video-720": "fragments",
        "hls-2500": "hls",
        "hls-800": "hls",
        "dash-audio": "fragments",
    }
    assert got["default"] == "hls-2500"
    forms = {form["format_id"]: form for form in got["formats"]}
    assert forms["hls-2500"]["url"] == f"https://cloudflarestream.com/{pages.CLOUDFLARE_ID}/manifest/720/stream.m3u8"
    assert forms["dash-video-720"]["fragments"] == {
        "base": f"https://cloudflarestream.com/{pages.CLOUDFLARE_ID}/manifest/",
        "prefix": "",
        "suffix": "",
        "lines": "init-video-720.mp4\nseg-video-720-1.m4s\nseg-video-720-2.m4s\nseg-video-720-3.m4s",
    }
    manifest = f"cloudflarestream.com/{pages.CLOUDFLARE_ID}/manifest/video"
    assert fetched(stage) == [f"{manifest}.m3u8", f"{manifest}.mpd"]


def test_picture_and_sound_apart_have_no_default(extract, stage):
    # As that site itself has them.
    variants = [(f'{attributes},AUDIO="group_audio"', uri) for attributes, uri in VARIANTS]
    audio = 'TYPE=AUDIO,GROUP-ID="group_audio",NAME="original",DEFAULT=YES,AUTOSELECT=YES,URI="audio/stream.m3u8"'
    stage.page(f"{pages.CLOUDFLARE_MANIFEST}.m3u8", master_playlist(variants, audio), "200 OK", HLS_TYPE)
    stage.page(f"{pages.CLOUDFLARE_MANIFEST}.mpd", mpd(*APART), "200 OK", DASH_TYPE)
    got = extract(pages.CLOUDFLARE)
    assert by(got)["hls-group_audio-original"] == "hls"
    assert "default" not in got


def test_picarto_live(extract, stage):
    stage.page(pages.PICARTO_API, pages.picarto_api())
    stage.page(pages.PICARTO_BALANCER, pages.picarto_balancer())
    stage.page(pages.PICARTO_HLS, master_playlist(VARIANTS), "200 OK", HLS_TYPE)
    got = extract(pages.PICARTO)
    assert got["is_live"]
    assert (by(got), got["default"]) == ({"hls-2500": "hls", "hls-800": "hls"}, "hls-2500")
    assert fetched(stage) == [
        url.partition("://")[2] for url in (pages.PICARTO_API, pages.PICARTO_BALANCER, pages.PICARTO_HLS)
    ]


def test_picarto_recording(extract, stage):
    stage.page(pages.PICARTO_API, pages.picarto_video_api())
    stage.page(pages.PICARTO_VIDEO_HLS, media_playlist(), "200 OK", HLS_TYPE)
    got = extract(pages.PICARTO_VIDEO)
    assert (by(got), got["default"]) == ({"hls": "hls"}, "hls")


def test_reddit(extract, stage):
    stage.page("https://old.reddit.com/", "", "200 OK", "Set-Cookie: loid=abc; Domain=.reddit.com; Path=/; Secure")
    stage.page(f"https://www.reddit.com/{pages.REDDIT_SLUG}/.json", pages.reddit_api())
    text = 'TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",URI="en.m3u8"'
    stage.page(f"{pages.REDDIT_VIDEO}/HLSPlaylist.m3u8", master_playlist(VARIANTS, text), "200 OK", HLS_TYPE)
    files = (
        whole("video", pages.VIDEO_REPRESENTATION, "DASH_720.mp4"),
        whole("audio", pages.AUDIO_REPRESENTATION, "DASH_AUDIO_128.mp4"),
    )
    stage.page(f"{pages.REDDIT_VIDEO}/DASHPlaylist.mpd", mpd(*files), "200 OK", DASH_TYPE)
    got = extract(pages.REDDIT)
    assert by(got) == {
        "dash-video-720": "file",
        "hls-2500": "hls",
        "fallback": "file",
        "hls-800": "hls",
        "dash-audio": "file",
    }
    assert got["default"] == "hls-2500"
    (file,) = got["subtitles"]["en"]
    assert (file["by"], file["ext"], file["url"]) == ("hls", "vtt", f"{pages.REDDIT_VIDEO}/en.m3u8")


ANY = "https://media.example.net/v/"


def helped(guard, ca_file, proxy, urls):
    """In a process of its own, as a helper has it: what pages of any host give."""
    config = {"guard": guard, "ca_file": ca_file, "cookies_path": None, "socket_timeout": 5, "any_host": True}
    sluice.start(json.dumps(config))
    session = sluice.Session()
    answers = [json.loads(session.extract(url, json.dumps({"proxy": proxy}))) for url in urls]
    sys.__stdout__.write(json.dumps(answers))
    sys.__stdout__.flush()


@pytest.fixture
def generic(stage):
    def generic(*names):
        call = f"helped({stage.guard!r}, {stage.ca_file!r}, {stage.proxy!r}, {[f'{ANY}{name}' for name in names]})"
        code = (
            f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_streams; test_streams.{call}"
        )
        run = subprocess.run([sys.executable, "-s", "-S", "-P", "-c", code], stdout=subprocess.PIPE, check=True)
        answers = json.loads(run.stdout)
        assert all("ok" in answer for answer in answers), answers
        return [answer["ok"] for answer in answers]

    return generic


def test_bare_playlists_of_any_host(generic, stage):
    stage.page(f"{ANY}vod.m3u8", media_playlist(), "200 OK", HLS_TYPE)
    stage.page(f"{ANY}live.m3u8", media_playlist(live=True, first=100), "200 OK", HLS_TYPE)
    stage.page(f"{ANY}master.m3u8", master_playlist(VARIANTS), "200 OK", "Content-Type: text/plain")
    stage.page(f"{ANY}360/stream.m3u8", media_playlist(), "200 OK", HLS_TYPE)
    vod, live, master = generic("vod.m3u8", "live.m3u8", "master.m3u8")
    assert (by(vod), vod["default"], vod["duration"]) == ({"0": "hls"}, "0", 12)
    assert vod["formats"][0]["url"] == f"{ANY}vod.m3u8"
    assert "is_live" not in vod or not vod["is_live"]
    assert (by(live), live["default"], live["is_live"]) == ({"0": "hls"}, "0", True)
    assert (by(master), master["default"]) == ({"2500": "hls", "800": "hls"}, "2500")
    assert len(stage.seen) == 9


def test_bare_mpds_of_any_host(generic, stage):
    muxed = pages.VIDEO_REPRESENTATION.replace("avc1.4d401f", "avc1.4d401f,mp4a.40.2")
    one_file = whole("video", muxed, "all.mp4")
    stage.page(f"{ANY}apart.mpd", mpd(*APART), "200 OK", DASH_TYPE)
    stage.page(f"{ANY}muxed.mpd", mpd(numbered("video", muxed)), "200 OK", DASH_TYPE)
    stage.page(f"{ANY}file.mpd", mpd(one_file), "200 OK", DASH_TYPE)
    stage.page(f"{ANY}live.mpd", mpd(*APART, kind="dynamic"), "200 OK", DASH_TYPE)
    apart, one, file, live = generic("apart.mpd", "muxed.mpd", "file.mpd", "live.mpd")
    assert by(apart) == {"video-720": "fragments", "audio": "fragments"}
    assert "default" not in apart
    assert (by(one), one["default"]) == ({"video-720": "fragments"}, "video-720")
    assert one["formats"][0]["fragments"]["base"] == ANY
    assert (by(file), file["default"], file["formats"][0]["url"]) == (
        {"video-720": "file"},
        "video-720",
        f"{ANY}all.mp4",
    )
    assert (by(live), live["is_live"]) == ({"video-720": None, "audio": None}, True)
    assert "default" not in live
