"""A yt-dlp plugin for ../../../doors.rs: a site whose pages fetch what their address says, and link to it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import HTTPError


class DoorsIE(InfoExtractor):
    """Take `?handler=requests|curl|websockets&to=URL`, `format=URL` and `thumbnail=URL`."""

    _VALID_URL = r"https?://doors\.example\.net/"

    def _real_extract(self, url: str) -> dict[str, Any]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if "to" in query:
            self._fetch(query["handler"], query["to"])
        return {
            "id": "doors",
            "title": "Doors",
            "url": query.get("format", "https://media.example.net/film.mp4"),
            "ext": "mp4",
            "thumbnail": query.get("thumbnail"),
        }

    def _fetch(self, handler: str, url: str) -> None:
        try:
            response = self._downloader.urlopen(
                Request(url, extensions={"impersonate": self._parse_impersonate_target(handler == "curl")}),
            )
            response.close()
        except HTTPError:
            # It came there, which is what matters: nobody there speaks WebSocket.
            if handler != "websockets":
                raise
