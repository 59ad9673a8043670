"""The package as the tests start it, with a stand-in internet; and pages of the sites that they read."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from internet import Stage

import sluice
from sluice import trust, walls
from sluice.limits import Limits


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "ca.pem")
    yield stage
    stage.close()
    trust.install(None)
    walls.install(None, everywhere=False)


class Session(sluice.Session):
    """One whose jobs leave by the stage, if they say nothing else."""

    def __init__(self, proxy: str | None) -> None:
        super().__init__()
        self._proxy = proxy

    def extract(self, url: str, options_json: str) -> str:
        return super().extract(url, self._leaving(options_json))

    def resume(self, state_json: str, options_json: str) -> str:
        return super().resume(state_json, self._leaving(options_json))

    def _leaving(self, options_json: str) -> str:
        return json.dumps({"proxy": self._proxy} | json.loads(options_json))


@pytest.fixture
def start(stage: Stage) -> Callable[..., sluice.Session]:
    """Start the package with the stage as its internet; arguments replace settings, and the proxy of the jobs."""

    def start(proxy: str | None = stage.proxy, **changes: object) -> sluice.Session:
        config = {"guard": stage.guard, "ca_file": stage.ca_file, "cookies_path": None, "socket_timeout": 5.0}
        # This process has servers, too.
        sluice.start(json.dumps({**config, "jobs_only": True, **changes}))
        return Session(proxy)

    return start


VIDEO = "https://www.tiktok.com/@someone/video/7000000000000000001"


def tiktok_page(item: dict[str, object] | None = None, status: int = 0) -> str:
    """The part of TikTok's page that yt-dlp reads."""
    scope = {"webapp.video-detail": {"statusCode": status, "itemInfo": {"itemStruct": item or {}}}}
    data = json.dumps({"__DEFAULT_SCOPE__": scope})
    return f'<html><script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">{data}</script></html>'


def tiktok_item() -> dict[str, object]:
    """One post: H.264 and ByteDance's own codec, the watermarked download, and the music."""

    def bitrate(codec: str, res: str, rate: int, size: int) -> dict[str, object]:
        url = f"https://v16.tiktok.com/{codec}-{res}.mp4?x-expires=1&expire=1"
        key = f"v_7000_{codec}_{res}_{rate}"
        return {"PlayAddr": {"UrlKey": key.replace("v_7000_", "v7000_"), "UrlList": [url], "DataSize": size}}

    return {
        "id": "7000000000000000001",
        "desc": "A cat \ud83d",
        "createTime": "1700000000",
        "author": {"uniqueId": "someone", "nickname": "Some One", "id": "42", "secUid": "MS4"},
        "stats": {"playCount": 10, "diggCount": 5, "commentCount": 2, "shareCount": 1},
        "music": {
            "title": "song",
            "authorName": "A, B",
            "playUrl": "https://sf16.tiktok.com/a.mp3?mime_type=audio_mpeg",
        },
        "video": {
            "width": 576,
            "height": 1024,
            "duration": 12,
            "cover": "https://p16.tiktok.com/cover.jpg",
            "playAddr": "https://v16.tiktok.com/play.mp4",
            "downloadAddr": "https://v16.tiktok.com/download.mp4",
            "bitrateInfo": [
                bitrate("h264", "540p", 500_000, 1000),
                bitrate("bytevc1", "720p", 700_000, 900),
                bitrate("bytevc2", "1080p", 900_000, 800),
            ],
        },
    }


CLIP = "https://streamable.com/dnd1"
CLIP_API = "https://ajax.streamable.com/videos/dnd1"

# What no message may hold: terminal colours, addresses, reprs, secrets, options, boilerplate, paths.
DIRT = re.compile(
    r"\x1b|127\.0\.0\.1|\[::1\]|Error\(|<HTTPError|caused by|secret|://\S+[?#]|--[a-z]|yt-dlp|report this|https://github"
    r"|(?<![\w:/.])/(?:home|tmp|proc|work|usr)/|Traceback|^\[|^ERROR",
    re.IGNORECASE,
)


def assert_clean(text: str) -> None:
    assert not DIRT.search(text), text


def failed(session: sluice.Session, url: str) -> dict[str, object]:
    """The error that an extraction ends with, after a look at everything that it says."""
    answer = json.loads(session.extract(url, "{}"))
    assert "error" in answer, answer
    error = answer["error"]
    assert 0 < len(error["message"]) <= 300
    for text in (error["message"], *(text for _, text in answer["log"])):
        assert_clean(text)
    assert error.get("retry_after") == (60 if error["kind"] == "upstream_blocked" else None)
    return error


SITE = "https://www.example.org/"


@pytest.fixture
def ran(start, monkeypatch):
    """Run something in the place of an extractor, under limits; gives the whole answer."""

    def ran(call, **limits):
        session = start(limits=limits)
        monkeypatch.setattr("yt_dlp.extractor.tiktok.TikTokIE._real_extract", lambda ie, _url: call(ie))
        return json.loads(session.extract(VIDEO, "{}"))

    yield ran
    sys.setrecursionlimit(Limits.depth)


def exceeded(answer, limit, value):
    error = answer["error"]
    assert (error["kind"], error["limit"]) == ("limit_exceeded", limit), error
    assert str(value) in error["message"]
    assert f"(MAX_{limit.upper()})" in error["message"]
    assert_clean(error["message"])


def found(**more):
    formats = [{"format_id": "a", "url": f"{SITE}a.mp4", "ext": "mp4"}]
    return {"id": "1", "title": "x", "formats": formats, **more}
