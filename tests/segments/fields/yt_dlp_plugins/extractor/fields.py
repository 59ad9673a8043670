"""A yt-dlp plugin for ../../../fields.rs: pages that say of a playlist what the query of their address says."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from yt_dlp.extractor.common import InfoExtractor


class FieldsIE(InfoExtractor):
    """Take `?playlist=URL`, yt-dlp's fields of queries, `uri=`, `key=` and `iv=` of `hls_aes`, and `read=1`."""

    _VALID_URL = r"https?://fields\.example\.net/"

    def _real_extract(self, url: str) -> dict[str, Any]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        playlist = query["playlist"]
        form: dict[str, Any] = {"format_id": "hls", "url": playlist, "protocol": "m3u8_native", "ext": "mp4"}
        for name in ("extra_param_to_segment_url", "extra_param_to_key_url"):
            if name in query:
                form[name] = query[name]
        if aes := {name: query[name] for name in ("uri", "key", "iv") if name in query}:
            form["hls_aes"] = aes
        if "read" in query:
            form["hls_media_playlist_data"] = self._download_webpage(playlist, "fields")
        return {"id": "fields", "title": "Fields", "formats": [form]}
