"""A stand-in internet of the smallest kind: one TLS server behind one CONNECT proxy, on loopback."""

import contextlib
import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

import sluice
from sluice import javascript, trust
from sluice.limits import Limits

Fault = Callable[[ssl.SSLSocket], None]

NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Stage:
    """Answers for any host, with a certificate of a throwaway CA.

    `pages` maps (host, path) to a raw response, or to what is done with the connection instead; a path without a query
    answers for any query.
    """

    def __init__(self, ca_file: Path) -> None:
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(str(ca_file))
        self.ca_file = str(ca_file)
        self.pages: dict[tuple[str, str], bytes | Fault] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.handshakes_refused = 0
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._context = self._certified("localhost", "127.0.0.1")
        self._context.sni_callback = self._named
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def proxy(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.port}"

    def page(self, url: str, body: str | bytes, status: str = "200 OK", *headers: str) -> None:
        host, _, path = url.removeprefix("https://").partition("/")
        data = body.encode() if isinstance(body, str) else body
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close", *headers, "", ""]
        self.pages[host, f"/{path}"] = "\r\n".join(head).encode() + data

    def close(self) -> None:
        self._listener.close()

    def _certified(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context

    def _named(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name and name != "localhost":
            if name not in self._contexts:
                self._contexts[name] = self._certified(name)
            connection.context = self._contexts[name]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(5)
            with contextlib.suppress(OSError):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        host = "localhost"
        # A TLS handshake begins with 0x16; anything else is CONNECT.
        if client.recv(1, socket.MSG_PEEK) != b"\x16":
            target, _, headers = self._request(client)
            host = target.split(":")[0]
            assert headers["proxy-authorization"] == "Basic dXNlcjpzZWNyZXQ="
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            secure = self._context.wrap_socket(client, server_side=True)
        except ssl.SSLError:
            self.handshakes_refused += 1
            return
        with secure:
            path, method, headers = self._request(secure)
            self.seen.append((host, path, headers))
            answer = self.pages.get((host, path)) or self.pages.get((host, path.partition("?")[0]), NOTHING)
            if callable(answer):
                answer(secure)
                return
            secure.sendall(answer.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else answer)

    @staticmethod
    def _request(client: socket.socket) -> tuple[str, str, dict[str, str]]:
        data = b""
        while b"\r\n\r\n" not in data:
            part = client.recv(4096)
            if not part:
                raise OSError("closed")
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        # A body left unread would make the close a reset.
        missing = int(headers.get("content-length", 0)) - len(body)
        while missing > 0 and (part := client.recv(4096)):
            missing -= len(part)
        return target, method, headers


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "ca.pem")
    yield stage
    stage.close()
    trust.install(None)
    javascript.PROCESSES.allow()


@pytest.fixture
def start(stage: Stage) -> Callable[..., sluice.Session]:
    """Start the package with the stage as its internet; arguments replace settings."""

    def start(**changes: object) -> sluice.Session:
        config = {"proxy": stage.proxy, "ca_file": stage.ca_file, "cookies_path": None, "socket_timeout": 5.0}
        sluice.start(json.dumps(config | changes))
        return sluice.Session()

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
