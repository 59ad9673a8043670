"""The files of subtitles that can be streamed; text that comes with the page itself, without a URL, is left out."""

from collections import ChainMap
from collections.abc import Iterable
from typing import Any

from sluice.delivery import deliver
from sluice.engine import Ydl
from sluice.links import computed_headers, link
from sluice.values import MAX_KEY, text

Json = dict[str, Any]


def subtitles(ydl: Ydl, info: Json) -> dict[str, list[Json]]:
    """Return {language: [file, ...]}: {"ext", "name"?, "automatic"?: True, "by"} with what goes with it, and its link.

    As a format has them (delivery.py). People's come first, in the page's order; then, marked, the automatic ones that
    were kept (captions.py). Raises LimitError.
    """
    result: dict[str, list[Json]] = {}
    for field, marks in (("subtitles", {}), ("automatic_captions", {"automatic": True})):
        for language, several in (info.get(field) or {}).items():
            files = [file | marks for file in _files(ydl, info, several)]
            key = text(language)
            if files and key and len(key) <= MAX_KEY:
                result.setdefault(key, []).extend(files)
    return result


def _files(ydl: Ydl, info: Json, several: Iterable[Json]) -> Iterable[Json]:
    for item in several or ():
        # Not over all of the page's fields: yt-dlp lends subtitles none but its headers (`_write_subtitles`).
        page = {key: info.get(key) for key in ("is_live", "webpage_url")}
        how = deliver(ydl.meter, ChainMap(item, page))
        ext = text(item.get("ext"))
        if how is None or ext is None:
            continue
        # A playlist of subtitles lists WebVTT, whatever it is called (RFC 8216, section 3.1).
        about = {"ext": "vtt" if how.by == "hls" and ext == "m3u8" else ext, "name": text(item.get("name"))}
        headers = computed_headers(ydl, how.url, item.get("http_headers"), info)
        made = link(ydl, how.url, headers, how.addresses)
        yield {**made, **{key: value for key, value in about.items() if value}, "by": how.by, **how.more}
