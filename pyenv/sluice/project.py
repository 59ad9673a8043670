"""From yt-dlp's info dict to the `Extraction` that Rust stores: field by field, each with its expected type.

yt-dlp's dicts hold lazy objects, cycles, NaN and whatever else an extractor put there, so nothing is passed through:
what is not listed here, or has another type, is absent. Absent means unknown; nothing is ever null.
"""

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sluice.choose import choose, is_unplayable
from sluice.cookies import cookies_for
from sluice.engine import Ydl
from sluice.expiry import expiry
from sluice.values import count, integer, number, text, texts, web_url

Json = dict[str, Any]
Convert = Callable[[Any], Any]

_MAX_HEADERS = 32
_MAX_KEY = 200  # characters of a format's id or a language: they go into tokens

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, section 5.1
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,8000}")


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
_FORMAT: Mapping[str, Convert] = {
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


def project(ydl: Ydl, info: Json) -> Json:
    """Return the `Extraction` of a processed info dict.

    A playlist has `entries`, those of them that have a page, and `playlist_count` where yt-dlp knows how many there are
    in all; anything else has `formats`, best first, of those with http and https URLs, and `default` when one of them
    plays everywhere.
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
    links = [*result.get("formats", ()), *result.get("images", ()), *([thumbnail] if thumbnail else ())]
    links += result.get("avatars", {}).values()
    links += [link for several in result.get("subtitles", {}).values() for link in several]
    times = [found for link in links if (found := expiry(link["url"])) is not None]
    if times:
        result["expires_at"] = min(times)
    return result


def _add_post(ydl: Ydl, info: Json, result: Json) -> None:
    """Add what our plugin found (plugins/sluice/yt_dlp_plugins/extractor/tiktok.py)."""
    post = info.get("sluice")
    if not isinstance(post, dict):
        return

    def link(url: str) -> Json:
        return _link(ydl, url, _computed_headers(ydl, url, None, info))

    images = [
        {**link(url), **_fields(image, {"width": count, "height": count})}
        for image in (post.get("images") or ())
        if (url := web_url(image.get("url")))
    ]
    avatars = {size: link(url) for size, given in (post.get("avatars") or {}).items() if (url := web_url(given))}
    result.update({key: value for key, value in (("images", images), ("avatars", avatars)) if value})
    result.update(_fields(post, {"signature": text, "music_duration": count}))


def _add_media(ydl: Ydl, info: Json, result: Json) -> None:
    given = info.get("formats") or ([info] if info.get("url") else [])
    # yt-dlp keeps those that "may" be protected; a stream of one would not play either.
    free = [form for form in given if not form.get("has_drm")]
    if given and not free:
        raise NoFormatsError("This video is DRM protected")
    # What is not on the web (rtmp, ftp) is never streamed.
    free = [form for form in free if len(str(form.get("format_id"))) <= _MAX_KEY and web_url(form["url"])]
    if not free and "images" not in result:
        raise NoFormatsError("No video formats found")
    family = str(info.get("extractor_key") or "").startswith(("TikTok", "Douyin"))
    # yt-dlp sorts from worst to best.
    formats = [_format(ydl, form, family) for form in reversed(free)]
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
    subtitles = _subtitles(ydl, info)
    if subtitles:
        result["subtitles"] = subtitles


def _fields(source: Mapping[str, Any], table: Mapping[str, Convert]) -> Json:
    return {key: value for key, convert in table.items() if (value := convert(source.get(key))) is not None}


def _link(ydl: Ydl, url: str, headers: Mapping[str, Any] | None) -> Json:
    link: Json = {"url": url, "http_headers": _headers(headers or {}), "cookies": cookies_for(ydl.cookiejar, url)}
    # Before it is written: one cookie may be that of a thousand links.
    ydl.meter.add(
        "result_bytes",
        len(url) + sum(map(len, link["http_headers"].values())) + sum(len(item["value"]) for item in link["cookies"]),
    )
    return link


def _headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """Keep what can be sent. Cookies are apart, because they belong to hosts and these go with any redirect."""
    return {
        name: value
        for name, value in list(headers.items())[:_MAX_HEADERS]
        if isinstance(name, str)
        and isinstance(value, str)
        and name.lower() not in ("cookie", "ytdl-request-proxy")
        and _HEADER_NAME.fullmatch(name)
        and _HEADER_VALUE.fullmatch(value)
    }


def _format(ydl: Ydl, form: Json, family: bool) -> Json:
    url = str(form["url"]).encode("utf-8", "replace").decode()
    result = _link(ydl, url, form.get("http_headers"))
    about = _fields(form, _FORMAT)
    ydl.meter.add("result_bytes", sum(len(value) for value in about.values() if isinstance(value, str)))
    result.update(about)
    result["single"] = form.get("protocol") in ("http", "https") and not form.get("fragments")
    if family:
        # yt_dlp/extractor/tiktok.py: 'watermarked', or 'Download video, watermarked' from the app's API.
        result["watermarked"] = "watermarked" in str(form.get("format_note") or "")
    if is_unplayable(form):
        result["unplayable"] = True
    if form.get("__needs_testing"):
        result["untested"] = True
    chunk = count((form.get("downloader_options") or {}).get("http_chunk_size"))
    if chunk:
        result["chunk_size"] = chunk
    return result


def _computed_headers(ydl: Ydl, url: str, own: Any, info: Json) -> Any:
    # A map of its own in front, because yt-dlp writes into the first one.
    return ydl._calc_headers(ChainMap({"url": url, "http_headers": own or info.get("http_headers") or {}}, info))


def _thumbnail(ydl: Ydl, info: Json) -> Json | None:
    url = web_url(info.get("thumbnail"))
    if url is None:
        return None
    own = next((item.get("http_headers") for item in info.get("thumbnails") or () if item.get("url") == url), None)
    return _link(ydl, url, _computed_headers(ydl, url, own, info))


def _subtitles(ydl: Ydl, info: Json) -> dict[str, list[Json]]:
    """Return manual subtitles that are one file each; automatic ones are left out."""
    result: dict[str, list[Json]] = {}
    for language, several in (info.get("subtitles") or {}).items():
        links = list(_subtitle_links(ydl, info, several))
        key = text(language)
        if links and key and len(key) <= _MAX_KEY:
            result[key] = links
    return result


def _subtitle_links(ydl: Ydl, info: Json, several: Iterable[Json]) -> Iterable[Json]:
    for item in several or ():
        url = web_url(item.get("url"))
        if url is None or item.get("protocol") not in (None, "http", "https") or item.get("fragments"):
            continue
        about = _fields(item, {"ext": text, "name": text})
        if "ext" in about:
            yield {**_link(ydl, url, _computed_headers(ydl, url, item.get("http_headers"), info)), **about}


def _entry(entry: Mapping[str, Any]) -> Json:
    result = _fields(entry, {"id": text, "title": text})
    url = web_url(entry.get("webpage_url")) or web_url(entry.get("url"))
    if url:
        result["url"] = _plain(url)
    return result


def _plain(url: str) -> str:
    """Leave out what extractors tell each other in a URL: not for clients, nor taken from them (session.py)."""
    return url.partition("#__youtubedl_smuggle")[0]
