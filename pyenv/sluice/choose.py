"""The format that a client gets who asks for none: picture and sound in one stream, which plays everywhere."""

from collections.abc import Mapping, Sequence
from typing import Any

_UNPLAYABLE = ("bytevc2", "vvc", "h266", "x266")  # ByteDance's own codec and its relatives: no player has them
_H264 = ("h264", "x264", "avc")
_HEVC = ("h265", "x265", "hevc", "hev1", "hvc1", "bytevc1", "dvh1", "dvhe")
_AAC = ("aac", "mp4a")
_WEBM = ("vp8", "vp08", "vp9", "vp09")
_MARKS = str.maketrans("", "", ".- ")  # H.264, h-264 and h264 are one
_TALL = 1080  # pixels of the shorter side: portrait videos count like landscape ones


def choose(formats: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the `format_id` of the default among `formats` (projected, best first), or None when none will do.

    Who counts: what can be streamed and is not `too_large` for the client, has a codec that players have, and picture
    and sound in one; without sound only on a page that has none in any format, and never HEVC. On a page without any
    picture: what has sound.

    In order of weight:
    1. no watermark;
    2. tested by the extractor; of HLS this counts at 8 alone, as YouTube's tests none of a new video's;
    3. the language that the extractor prefers (of dubbed videos the original);
    4. not called worse than usual by the extractor (previews, samples);
    5. codecs (`_players`): H.264 and AAC in MP4 or HLS, or nothing that speaks against them, as nobody names those of
       many playlists and files; H.264 otherwise; VP8 and VP9; others; HEVC last;
    6. at most 1080p, else the least above it;
    7. the tallest of these;
    8. of HLS: tested by the extractor;
    9. a single file before segments;
    10. codecs that are named;
    11. the given order.
    For sound alone all but 5, 6 and 7 count.
    """
    sound_only = all(form.get("vcodec") == "none" for form in formats)
    silent = all(form.get("acodec") == "none" for form in formats)
    pool = [form for form in formats if _fits(form, sound_only, silent)]
    if not pool:
        return None
    # min() takes the first of equals, so the given order decides last.
    return str(min(pool, key=_weigh_sound if sound_only else _weigh)["format_id"])


def is_unplayable(form: Mapping[str, Any]) -> bool:
    """Tell whether no player is known to play a format."""
    return _codec(form, "vcodec").startswith(_UNPLAYABLE)


def _fits(form: Mapping[str, Any], sound_only: bool, silent: bool) -> bool:
    if "by" not in form or form.get("too_large") or is_unplayable(form):
        return False
    if form.get("acodec") == "none" and (not silent or sound_only or _codec(form, "vcodec").startswith(_HEVC)):
        return False
    return (_codec(form, "vcodec") == "none") == sound_only


def _codec(form: Mapping[str, Any], key: str) -> str:
    return str(form.get(key) or "").lower().translate(_MARKS)


def _weigh_sound(form: Mapping[str, Any]) -> tuple[float, ...]:
    return (*_weigh_first(form), *_weigh_last(form), not form.get("acodec"))


def _weigh(form: Mapping[str, Any]) -> tuple[float, ...]:
    side = _side(form)
    return (
        *_weigh_first(form),
        _players(form),
        side > _TALL,
        side if side > _TALL else -side,
        *_weigh_last(form),
        not (form.get("vcodec") and form.get("acodec")),
    )


def _weigh_first(form: Mapping[str, Any]) -> tuple[float, ...]:
    language = form.get("language_preference")
    return (
        bool(form.get("watermarked")),
        bool(form.get("untested")) and form["by"] != "hls",
        -(-1 if language is None else language),
        # yt_dlp/extractor/common.py: -1 is the default, -2 or smaller is less than that.
        (form.get("preference") or -1) < -1,
    )


def _weigh_last(form: Mapping[str, Any]) -> tuple[float, ...]:
    return bool(form.get("untested")), form["by"] != "file"


def _side(form: Mapping[str, Any]) -> float:
    """Return the pixels of the shorter side; of a width alone, those of the usual shape; 0 for none known."""
    width, height = form.get("width") or 0, form.get("height") or 0
    return min(width, height) if width and height else height or width * 9 / 16


def _players(form: Mapping[str, Any]) -> int:
    """Rank what a format needs by how few players have it."""
    video, audio = _codec(form, "vcodec"), _codec(form, "acodec")
    common = form.get("ext") == "mp4" or form["by"] == "hls"
    # Where this is asked of one without sound, none on the page has any.
    audio = "" if audio == "none" else audio
    if common and (not video or video.startswith(_H264)) and (not audio or audio.startswith(_AAC)):
        return 0
    if video.startswith(_H264):
        return 1
    if video.startswith(_WEBM):
        return 2
    return 4 if video.startswith(_HEVC) else 3
