"""The seed's design, as the thing that `scripts/bench` compares Sluice with.

FastAPI and uvicorn (h11, one process), `ThreadPoolExecutor(20)`, `with YoutubeDL(...)` and `gc.collect()` for every
request, and for `/stream` a thread that puts `iter_content(8192)` of `requests` into a `Queue(maxsize=20)`, which an
async generator drains. It runs on the same Python runtime as Sluice, with yt-dlp's own handlers (stock.py) and the same
trust roots, and nothing in it is slower than the design asks for: no access log, no format tests, and tokens that are
only encoded.
The collection, which the seed did have, takes more than half of the CPU of an extraction.

    pyenv/python tests/bench/baseline.py --port 0 --proxy http://127.0.0.1:8080 --ca-file ca.pem

`POST /tiktok {"url"}`, `GET /stream?data=TOKEN`, `GET /stream?url=PAGE`, `GET /health`. For benchmarks on loopback
only: anybody can make a token, and it fetches whatever a token says.
"""

import argparse
import asyncio
import base64
import gc
import json
import queue
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import requests
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sluice import trust
from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

# pyenv/python leaves a script's own folder off the path.
sys.path.append(str(Path(__file__).parent))
from stock import HANDLERS

WORKERS = 20
QUEUE = 20  # chunks
CHUNK = 8192  # bytes
CHUNK_TIMEOUT = 30  # seconds, of silence on either side
CONNECT_TIMEOUT = 10  # seconds


class PostUrl(BaseModel):
    """Body of `POST /tiktok`."""

    url: str


class SeedYdl(YoutubeDL):  # type: ignore[misc]  # yt-dlp is untyped
    """Stock yt-dlp, with its own handlers, which only have to trust the stage's CA."""

    def build_request_director(self, _handlers: Any, preferences: Any = None) -> Any:
        """Offer the kinds of handlers that Sluice offers."""
        return super().build_request_director(HANDLERS, preferences)


class Seed:
    """The server's state: a thread pool and the way out."""

    def __init__(self, proxy: str | None) -> None:
        self.pool = ThreadPoolExecutor(max_workers=WORKERS)
        self.proxies = {"http": proxy, "https": proxy} if proxy else None
        self.options = {
            "quiet": True,
            "no_warnings": True,
            "proxy": proxy or "",
            "socket_timeout": CHUNK_TIMEOUT,
            "cachedir": False,
            "check_formats": False,
        }

    async def extract(self, url: str) -> dict[str, Any]:
        """Extract a page on the pool."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, self._extract, url)

    def _extract(self, url: str) -> dict[str, Any]:
        try:
            with SeedYdl(self.options) as ydl:
                info: dict[str, Any] = ydl.extract_info(url, download=False)
                return info
        except YoutubeDLError as error:
            raise HTTPException(500, str(error)) from error
        finally:
            gc.collect()

    def stream(self, link: dict[str, Any]) -> StreamingResponse:
        """Answer 200 at once, as the seed did, and let the bytes follow."""
        chunks: queue.Queue[bytes | Exception | None] = queue.Queue(maxsize=QUEUE)
        gone = threading.Event()
        threading.Thread(target=self._fetch, args=(link, chunks, gone), daemon=True).start()
        return StreamingResponse(drain(chunks, gone), media_type="video/mp4")

    def _fetch(
        self, link: dict[str, Any], chunks: queue.Queue[bytes | Exception | None], gone: threading.Event
    ) -> None:
        def put(item: bytes | Exception | None) -> None:
            for _ in range(CHUNK_TIMEOUT):
                if gone.is_set():
                    raise TimeoutError("the client left")
                try:
                    return chunks.put(item, timeout=1)
                except queue.Full:
                    continue
            raise TimeoutError("the client does not read")

        try:
            with requests.get(
                link["url"],
                headers=link["headers"],
                cookies=link["cookies"],
                proxies=self.proxies,
                verify=trust.where(),
                stream=True,
                timeout=(CONNECT_TIMEOUT, CHUNK_TIMEOUT),
            ) as response:
                response.raise_for_status()
                for chunk in response.iter_content(CHUNK):
                    put(chunk)
            put(None)
        except TimeoutError:
            gone.set()
        except requests.RequestException as error:
            if not gone.is_set():
                put(error)


async def drain(chunks: queue.Queue[bytes | Exception | None], gone: threading.Event) -> AsyncIterator[bytes]:
    """Yield what the thread fetched; break the connection when the thread reports an error."""
    try:
        while True:
            try:
                item = chunks.get_nowait()
            except queue.Empty:
                # Only a wait costs a thread: one for every chunk would make the design look worse than it is.
                item = await asyncio.to_thread(chunks.get, True, CHUNK_TIMEOUT)
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        gone.set()


def link_of(form: dict[str, Any]) -> dict[str, Any]:
    """Take from a yt-dlp format what fetching it needs."""
    cookies = {name: morsel.value for name, morsel in SimpleCookie(form.get("cookies") or "").items()}
    return {"url": form["url"], "headers": form.get("http_headers") or {}, "cookies": cookies}


def seal(link: dict[str, Any]) -> str:
    """Make a token; without the seed's XOR, which would only cost it time."""
    return base64.urlsafe_b64encode(json.dumps(link).encode()).decode()


def unseal(token: str) -> dict[str, Any]:
    """Read a token; raises HTTPException with 400."""
    try:
        link = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise HTTPException(400, "invalid data") from error
    if not isinstance(link, dict) or not {"url", "headers", "cookies"} <= link.keys():
        raise HTTPException(400, "invalid data")
    return link


def best(info: dict[str, Any]) -> dict[str, Any]:
    """Choose the best h264 file with sound; raises HTTPException with 404."""
    form: dict[str, Any]
    for form in reversed(info.get("formats") or []):
        if (form.get("vcodec") or "").startswith("h264") and form.get("acodec") != "none":
            return form
    raise HTTPException(404, "no video")


def described(info: dict[str, Any], base: str) -> dict[str, Any]:
    """Shape an extraction as the seed's `/tiktok` does."""
    entries = []
    for form in reversed(info.get("formats") or []):
        token = seal(link_of(form))
        height, sound = form.get("height"), form.get("vcodec") == "none"
        entry = {
            "url": f"{base}/stream?data={token}",
            "format": "audio-mp3" if sound else f"video-{height}p",
            "format_id": form.get("format_id"),
            "quality": f"{height}p",
            "extension": form.get("ext"),
            "filesize": form.get("filesize"),
            "streamData": token,
        }
        entries.append(entry)
    counts = {"play_count": "view", "digg_count": "like", "comment_count": "comment", "repost_count": "repost"}
    return {
        "code": 0,
        "message": "Success",
        "status": "tunnel",
        "data": {"video_data": entries},
        "title": info.get("title"),
        "description": info.get("description"),
        "statistics": {name: info.get(f"{key}_count") for name, key in counts.items()},
        "artist": info.get("artist"),
        "duration": round((info.get("duration") or 0) * 1000),
        "author": {"nickname": info.get("channel"), "uniqueId": info.get("uploader")},
    }


def create(seed: Seed) -> FastAPI:
    """Lay out the routes."""
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/tiktok")
    async def tiktok(body: PostUrl) -> dict[str, Any]:
        return described(await seed.extract(body.url), "http://127.0.0.1")

    @app.get("/stream")
    async def stream(data: str | None = None, url: str | None = None) -> StreamingResponse:
        if data:
            return seed.stream(unseal(data))
        if url:
            return seed.stream(link_of(best(await seed.extract(url))))
        raise HTTPException(422, "data is missing")

    return app


def main() -> None:
    """Serve on loopback until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The seed's design, to compare Sluice with")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and logs it")
    parser.add_argument("--proxy", help="http://host:port, for pages and streams")
    parser.add_argument("--ca-file", help="PEM roots trusted in addition")
    arguments = parser.parse_args()
    trust.install(arguments.ca_file)
    uvicorn.run(create(Seed(arguments.proxy)), host="127.0.0.1", port=arguments.port, access_log=False)


if __name__ == "__main__":
    main()
