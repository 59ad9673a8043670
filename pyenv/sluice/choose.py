"""The format that a client gets who asks for none: picture and sound in one stream, which plays everywhere."""

from collections.abc import Mapping, Sequence
from typing import Any

_UNPLAYABLE = ("bytevc2", "vvc", "h266")  # ByteDance's own codec and its relatives: no player has them
_H264 = ("h264", "avc")
_HEVC = ("h265", "hevc", "hev1", "hvc1", "bytevc1", "dvh1", "dvhe")
_AAC = ("aac", "mp4a")
_WEBM = ("vp8", "vp08", "vp9", "vp09")
_TALL = 1080  # pixels of the shorter side: portrait videos count like landscape ones


def choose(formats: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the `format_id` of the default among `formats` (projected, best first), or None when none will do.

    Who counts: what can be streamed, has a codec that players have, and picture and sound in one; without sound only
    on a page that has none in any format, and never HEVC. On a page without any picture: what has sound.

    In order of weight:
    1. no watermark;
    2. tested by the extractor;
    3. the language that the extractor prefers (of dubbed videos the original);
    4. codecs (`_players`): H.264 and AAC in MP4 or HLS; then those that nothing speaks against, but nobody names, as in
       many playlists; H.264 otherwise; VP8 and VP9; others; HEVC last, and within each the known ones first;
    5. not called worse than usual by the extractor (previews, samples);
    6. at most 1080p, else the least above it;
    7. the tallest of these;
    8. a single file before segments;
    9. the given order.
    For sound alone only 1, 2, 3, whether its codec is known, and 9 count.
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
    if "by" not in form or is_unplayable(form):
        return False
    if form.get("acodec") == "none" and (not silent or sound_only or _codec(form, "vcodec").startswith(_HEVC)):
        return False
    return (_codec(form, "vcodec") == "none") == sound_only


def _codec(form: Mapping[str, Any], key: str) -> str:
    return str(form.get(key) or "").lower()


def _weigh_sound(form: Mapping[str, Any]) -> tuple[float, ...]:
    return (*_weigh_first(form), not form.get("acodec"))


def _weigh(form: Mapping[str, Any]) -> tuple[float, ...]:
    sides = [side for side in (form.get("width"), form.get("height")) if side]
    side = min(sides, default=0)
    return (
        *_weigh_first(form),
        _players(form),
        not (form.get("vcodec") and form.get("acodec")),
        # yt_dlp/extractor/common.py: -1 is the default, -2 or smaller is less than that.
        (form.get("preference") or -1) < -1,
        side > _TALL,
        side if side > _TALL else -side,
        form["by"] != "file",
    )


def _weigh_first(form: Mapping[str, Any]) -> tuple[float, ...]:
    language = form.get("language_preference")
    return bool(form.get("watermarked")), bool(form.get("untested")), -(-1 if language is None else language)


def _players(form: Mapping[str, Any]) -> int:
    """Rank what a format needs by how few players have it."""
    video, audio = _codec(form, "vcodec"), _codec(form, "acodec")
    common = form.get("ext") == "mp4" or form["by"] == "hls"
    # Where this is asked of one without sound, none on the page has any.
    audio = "" if audio == "none" else audio
    if common and video.startswith(_H264) and (audio.startswith(_AAC) or form.get("acodec") == "none"):
        return 0
    if common and (not video or video.startswith(_H264)) and (not audio or audio.startswith(_AAC)):
        return 1
    if video.startswith(_H264):
        return 2
    if video.startswith(_WEBM):
        return 3
    return 5 if video.startswith(_HEVC) else 4
