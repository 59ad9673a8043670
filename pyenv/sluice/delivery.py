"""How the bytes of a format, or of a file of subtitles, are had: as one file, by a playlist, or fragment by fragment.

What yt-dlp has a downloader for that is none of these (mhtml, ism, f4m, rtmp, websockets, whatever runs code between
the fragments) can't be streamed, and has no delivery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.utils import determine_protocol

from sluice.fragments import pack
from sluice.limits import Meter
from sluice.segments import extras, first_segment
from sluice.values import address, web_url

Json = dict[str, Any]

# yt_dlp/downloader/__init__.py: PROTOCOL_MAP.
_FILE = ("http", "https")
_HLS = ("m3u8", "m3u8_native")
_DASH = "http_dash_segments"

# What ffmpeg would do to the stream, so that it is another one without: begin later (yt_dlp/extractor/radiko.py), crop
# the picture (zan.py).
_CHANGES = (("ffmpeg_args", "-ss"), ("ffmpeg_args_out", "-vf"))


@dataclass(frozen=True)
class Delivery:
    """`by`: "file", "hls" or "fragments".

    `url`: http or https, of the file, the playlist, or what the fragments' addresses are relative to. `more`: the
    fields that go with it, {"no_resume": True} of a file that can't be had in parts, {"hls": ...} (segments.py) or
    {"fragments": ...} (fragments.py). `addresses`: of what may have cookies of its own: the first fragment and the last
    one; an HLS stream's key, and its page, for the segments may be anywhere.
    """

    by: str
    url: str
    more: Json = field(default_factory=dict)
    addresses: tuple[str, ...] = ()


def protocol_of(item: Mapping[str, Any]) -> str | None:
    """Return yt-dlp's protocol of something that has a URL, or None for what has none that can be read."""
    if not isinstance(item.get("url"), str):
        return None
    try:
        return str(determine_protocol(item))
    except ValueError:
        return None


def may_be_delivered(item: Mapping[str, Any]) -> bool:
    """Tell from its protocol and URL alone whether `deliver` may find a way: nothing is counted or built."""
    return protocol_of(item) in (*_FILE, *_HLS, _DASH) and web_url(item["url"]) is not None


def deliver(meter: Meter, item: Mapping[str, Any]) -> Delivery | None:
    """Return how `item` is had, or None where it can't be streamed.

    `item`: a format over its page's own fields, as yt-dlp merges them before a download (YoutubeDL.process_info's
    `new_info`), or a file of subtitles. What is built counts as `result_bytes`. Raises LimitError.
    """
    # To be sent by POST (yt_dlp/downloader/http.py); or of a broadcast from its beginning, which code goes on listing.
    if item.get("request_data") or item.get("is_from_start") or _is_changed(item):
        return None
    protocol = protocol_of(item)
    if protocol in _HLS:
        return _hls(meter, item)
    if item.get("fragments") is not None:
        return _fragments(meter, item) if protocol == _DASH else None
    url = web_url(item.get("url"))
    if url is None or not (protocol in _FILE or (protocol == _DASH and not _is_manifest(url))):
        return None
    # What is being written grows, and has no end to ask for.
    is_growing = item.get("is_live") or item.get("no_resume")
    return Delivery("file", url, {"no_resume": True} if is_growing else {})


def _hls(meter: Meter, item: Mapping[str, Any]) -> Delivery | None:
    found = extras(meter, item)
    if found is None:
        return None
    # A playlist that comes with the page may have an address that is itself, as data (yt_dlp/extractor/tenplay.py).
    url = address(item.get("url"))
    if web_url(item.get("url")) is None:
        url = first_segment(found.get("playlist", ""))
    if url is None:
        return None
    others = (found.get("aes", {}).get("uri"), web_url(item.get("webpage_url")))
    return Delivery("hls", url, {"hls": found} if found else {}, tuple(other for other in others if other))


def _fragments(meter: Meter, item: Mapping[str, Any]) -> Delivery | None:
    # Of a broadcast the manifest lists a few seconds; yt_dlp/downloader/dash.py refuses these, too.
    if item.get("is_live"):
        return None
    packed = pack(meter, item)
    if packed is None:
        return None
    url = web_url(item.get("url")) or packed.base
    return Delivery("fragments", url, {"fragments": packed.json()}, packed.ends())


def _is_changed(item: Mapping[str, Any]) -> bool:
    options = item.get("downloader_options")
    given = options if isinstance(options, dict) else {}
    return any(isinstance(args := given.get(key), list | tuple) and option in args for key, option in _CHANGES)


def _is_manifest(url: str) -> bool:
    return urlsplit(url).path.lower().endswith(".mpd")
