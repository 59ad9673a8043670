"""What yt-dlp knows of an HLS stream beside its playlist's URL (yt_dlp/downloader/hls.py has their meaning)."""

import re
from collections.abc import Mapping
from typing import Any

from sluice.limits import Meter
from sluice.values import MAX_URL, address

Json = dict[str, Any]

_HEX = re.compile(r"[0-9a-f]+")
_DIGITS = 32  # of a key and of an initialization vector of AES-128


class _UnusableError(Exception):
    """A field that is there, but has not the type or size that the downloader takes."""


def extras(meter: Meter, item: Mapping[str, Any]) -> Json | None:
    """Return {"segment_query"?, "key_query"?, "aes"?, "playlist"?} of an HLS format; None where one is unusable.

    `segment_query`, `key_query`: query strings that go over those of segments and keys. `aes`: {"uri"?: http(s) URL,
    "key"?, "iv"?: 32 lower-case hexadecimal digits}, in place of the playlist's. `playlist`: the text of the media
    playlist, in place of what is at the URL. Sizes count as `result_bytes`. Raises LimitError.
    """
    try:
        found: Json = {
            "segment_query": _query(item.get("extra_param_to_segment_url")),
            "key_query": _query(item.get("extra_param_to_key_url")),
            "aes": _aes(item.get("hls_aes")),
            "playlist": _playlist(meter, item.get("hls_media_playlist_data")),
        }
    except _UnusableError:
        return None
    found = {key: value for key, value in found.items() if value}
    meter.add("result_bytes", sum(len(value) for key, value in found.items() if key.endswith("_query")))
    return found


def first_segment(playlist: str) -> str | None:
    """Return the address of a playlist's first segment, or None for none on the web."""
    # `finditer`, not `splitlines`: the text may be long, and this is near its beginning.
    found = re.search(r"^[^#\s].*", playlist, re.MULTILINE)
    return address(found[0].strip()) if found else None


def _query(given: Any) -> str | None:
    if not given:
        return None
    if not isinstance(given, str) or len(given) > MAX_URL or not given.isprintable():
        raise _UnusableError
    return given


def _aes(given: Any) -> Json | None:
    if not given:
        return None
    if not isinstance(given, dict):
        raise _UnusableError
    aes: Json = {}
    if given.get("uri"):
        aes["uri"] = address(given["uri"])
    if given.get("key"):
        aes["key"] = _hex(given["key"])
    if given.get("iv"):
        # As the downloader fills it up.
        aes["iv"] = _hex(given["iv"], filled=True)
    if None in aes.values():
        raise _UnusableError
    return aes


def _hex(given: Any, filled: bool = False) -> str | None:
    if not isinstance(given, str):
        return None
    digits = given.removeprefix("0x").lower()
    if filled and len(digits) < _DIGITS:
        digits = digits.zfill(_DIGITS)
    return digits if len(digits) == _DIGITS and _HEX.fullmatch(digits) else None


def _playlist(meter: Meter, given: Any) -> str | None:
    if not given:
        return None
    if not isinstance(given, str):
        raise _UnusableError
    meter.add("result_bytes", len(given))
    return given.encode("utf-8", "replace").decode()
