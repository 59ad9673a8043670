"""From yt-dlp's info dict to the `Extraction` that Rust stores: field by field, each with its expected type.

yt-dlp's dicts hold lazy objects, cycles, NaN and whatever else an extractor put there, so nothing is passed through:
what is not listed here, or has another type, is absent. Absent means unknown; nothing is ever null.
"""

import math
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sluice.choose import choose, is_unplayable
from sluice.delivery import deliver
from sluice.engine import Ydl
from sluice.expiry import expiry
from sluice.fragments import Packed
from sluice.links import computed_headers, link
from sluice.subtitles import subtitles
from sluice.values import MAX_KEY, count, integer, number, text, texts, web_url

Json = dict[str, Any]
Convert = Callable[[Any], Any]


class NoFormatsError(Exception):
    """A page that holds nothing that may be streamed; the text says why."""


_INFO: Mapping[str, Convert] = {
    "id": text,
    "title": text,
    "description": text,
    "uploader": text,
    "uploader_id": text,
    "uploader_url": web_url,
    "channel": text,
    "channel_id": text,
    "duration": number,
    "timestamp": integer,
    "view_count": count,
    "like_count": count,
    "comment_count": count,
    "repost_count": count,
    "track": text,
    "artists": texts,
    "album": text,
    "webpage_url": web_url,
    "extractor": text,
}

# Some of these are not shown to anyone: they are here so that a selector gives the same answer on the stored formats
# as it does in yt-dlp ("Filtering Formats" in its README; `resolution`, `format` and `aspect_ratio` are yt-dlp's own).
# A selector sees no others.
FORMAT: Mapping[str, Convert] = {
    "format_id": text,
    "ext": text,
    "protocol": text,
    "width": count,
    "height": count,
    "fps": number,
    "vcodec": text,
    "acodec": text,
    "tbr": number,
    "vbr": number,
    "abr": number,
    "filesize": count,
    "filesize_approx": count,
    "language": text,
    "format_note": text,
    "format": text,
    "container": text,
    "dynamic_range": text,
    "resolution": text,
    "aspect_ratio": number,
    "stretched_ratio": number,
    "audio_channels": count,
    "asr": count,
    "quality": number,
    "preference": number,
    "source_preference": number,
    "language_preference": number,
}


MAX_WAIT = 60
"""Seconds until a format can be had, at most: YouTube's lasts as long as an advertisement before the video."""

# What yt-dlp makes of a playlist's URL where the extractor does not say more.
_PLAYLIST_EXTS = (None, "m3u8", "unknown_video")


def project(ydl: Ydl, info: Json) -> Json:
    """Return the `Extraction` of a processed info dict.

    A playlist has `entries`, those of them that have a page, and `playlist_count` where yt-dlp knows how many there are
    in all; anything else has `formats`, best first, of those with http and https URLs, and `default` when one of them
    will do (choose.py). A format has `by` where it can be streamed (delivery.py), and `available_at`, in Unix seconds,
    where that is not yet so (yt_dlp/downloader/common.py waits until then).
    A photo post has `images`, and in `formats` its sound, if there is one.
    `expires_at` is the earliest expiry that its links show, in Unix seconds. Raises NoFormatsError and LimitError.
    """
    result = _fields(info, _INFO)
    if "webpage_url" in result:
        result["webpage_url"] = _plain(result["webpage_url"])
    if info.get("_type") in ("playlist", "multi_video"):
        result["kind"] = "playlist"
        entries = (_entry(entry) for entry in (info.get("entries") or ())[: ydl.meter.limits.entries] if entry)
        result["entries"] = [entry for entry in entries if "url" in entry]
        result.update(_fields(info, {"playlist_count": count}))
    else:
        _add_post(ydl, info, result)
        _add_media(ydl, info, result)
    thumbnail = _thumbnail(ydl, info)
    if thumbnail:
        result["thumbnail"] = thumbnail
    if isinstance(info.get("is_live"), bool):
        result["is_live"] = info["is_live"]
    times = [found for url in _addresses(result) if (found := expiry(url)) is not None]
    if times:
        result["expires_at"] = min(times)
    return result


def _addresses(result: Json) -> Iterator[str]:
    """Yield what a client of this page may make the server fetch; one of many fragments stands for all."""
    links = [*result.get("formats", ()), *result.get("images", ()), *result.get("avatars", {}).values()]
    links += [file for several in result.get("subtitles", {}).values() for file in several]
    if "thumbnail" in result:
        links.append(result["thumbnail"])
    for made in links:
        yield made["url"]
        if "fragments" in made:
            yield from Packed(**made["fragments"]).ends()


def _add_post(ydl: Ydl, info: Json, result: Json) -> None:
    """Add what our plugin found (plugins/sluice/yt_dlp_plugins/extractor/tiktok.py)."""
    post = info.get("sluice")
    if not isinstance(post, dict):
        return

    def at(url: str) -> Json:
        return link(ydl, url, computed_headers(ydl, url, None, info))

    images = [
        {**at(url), **_fields(image, {"width": count, "height": count})}
        for image in (post.get("images") or ())
        if (url := web_url(image.get("url")))
    ]
    avatars = {size: at(url) for size, given in (post.get("avatars") or {}).items() if (url := web_url(given))}
    result.update({key: value for key, value in (("images", images), ("avatars", avatars)) if value})
    result.update(_fields(post, {"signature": text, "music_duration": count}))


def _add_media(ydl: Ydl, info: Json, result: Json) -> None:
    given = info.get("formats") or ([info] if info.get("url") else [])
    # yt-dlp keeps those that "may" be protected; a stream of one would not play either.
    free = [form for form in given if not form.get("has_drm")]
    if given and not free:
        raise NoFormatsError("This video is DRM protected")
    # yt-dlp sorts from worst to best.
    kept = reversed([form for form in free if len(str(form.get("format_id"))) <= MAX_KEY])
    formats = [made for form in kept if (made := _format(ydl, form, info)) is not None]
    if not formats and "images" not in result:
        raise NoFormatsError("No video formats found")
    result["formats"] = formats
    if "images" in result:
        result["kind"] = "photos"
    elif all(form.get("vcodec") == "none" for form in formats):
        images = all(form.get("acodec") == "none" for form in formats)
        result["kind"] = "photos" if images else "audio"
    else:
        result["kind"] = "video"
    default = choose(formats)
    if default is not None:
        result["default"] = default
    files = subtitles(ydl, info)
    if files:
        result["subtitles"] = files


def _fields(source: Mapping[str, Any], table: Mapping[str, Convert]) -> Json:
    return {key: value for key, convert in table.items() if (value := convert(source.get(key))) is not None}


def _format(ydl: Ydl, form: Json, info: Json) -> Json | None:
    """Return a format; None for one that is not on the web (rtmp, ftp). Without `by` it is there to be seen only."""
    how = deliver(ydl.meter, ChainMap(form, info))
    url = how.url if how else web_url(form["url"])
    if url is None:
        return None
    result = link(ydl, url, form.get("http_headers"), how.addresses if how else ())
    about = _fields(form, FORMAT)
    ydl.meter.add("result_bytes", sum(len(value) for value in about.values() if isinstance(value, str)))
    result.update(about)
    if how:
        result.update({"by": how.by, **how.more})
    if how and how.by == "hls" and result.get("ext") in _PLAYLIST_EXTS:
        result["ext"] = "mp4"
    if str(info.get("extractor_key") or "").startswith(("TikTok", "Douyin")):
        # yt_dlp/extractor/tiktok.py: 'watermarked', or 'Download video, watermarked' from the app's API.
        result["watermarked"] = "watermarked" in str(form.get("format_note") or "")
    if is_unplayable(form):
        result["unplayable"] = True
    if form.get("__needs_testing"):
        result["untested"] = True
    waits = number(form.get("available_at"))
    now = time.time()
    if waits is not None and waits > now:
        result["available_at"] = math.ceil(min(waits, now + MAX_WAIT))
    chunk = count((form.get("downloader_options") or {}).get("http_chunk_size"))
    if chunk:
        result["chunk_size"] = chunk
    return result


def _thumbnail(ydl: Ydl, info: Json) -> Json | None:
    url = web_url(info.get("thumbnail"))
    if url is None:
        return None
    own = next((item.get("http_headers") for item in info.get("thumbnails") or () if item.get("url") == url), None)
    return link(ydl, url, computed_headers(ydl, url, own, info))


def _entry(entry: Mapping[str, Any]) -> Json:
    result = _fields(entry, {"id": text, "title": text})
    url = web_url(entry.get("webpage_url")) or web_url(entry.get("url"))
    if url:
        result["url"] = _plain(url)
    return result


def _plain(url: str) -> str:
    """Leave out what extractors tell each other in a URL: not for clients, nor taken from them (session.py)."""
    return url.partition("#__youtubedl_smuggle")[0]
