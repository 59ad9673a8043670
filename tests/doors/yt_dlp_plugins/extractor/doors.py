"""A yt-dlp plugin for ../../../doors.rs: a site whose pages fetch what their address says, and link to it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from yt_dlp.extractor.common import InfoExtractor


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
        # Nobody there speaks WebSocket; that it came there is what matters.
        accepted = (lambda _status: True) if handler == "websockets" else None
        impersonate = True if handler == "curl" else None
        self._request_webpage(url, "doors", impersonate=impersonate, expected_status=accepted).close()
