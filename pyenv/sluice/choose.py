"""The format that a client gets who asks for none: one file, picture and sound, that plays everywhere."""

from collections.abc import Mapping, Sequence
from typing import Any

_UNPLAYABLE = ("bytevc2", "vvc", "h266")  # ByteDance's own codec and its relatives: no player has them
_H264 = ("h264", "avc")
_AAC = ("aac", "mp4a")
_TALL = 1080  # pixels of the shorter side: portrait videos count like landscape ones


def choose(formats: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the `format_id` of the default among `formats` (projected, best first), or None when none will do.

    Only single files count; on a page without any picture the best sound. In order of weight: no watermark, tested by
    the extractor, H.264 and AAC in MP4, codecs known, at most 1080p, the given order.
    """
    sound_only = all(form.get("vcodec") == "none" for form in formats)
    pool = [form for form in formats if _fits(form, sound_only)]
    if not pool:
        return None
    # min() takes the first of equals, so the given order decides last.
    return min(pool, key=_weight)["format_id"]


def is_unplayable(form: Mapping[str, Any]) -> bool:
    """Tell whether no player is known to play a format."""
    return _codec(form, "vcodec").startswith(_UNPLAYABLE)


def _fits(form: Mapping[str, Any], sound_only: bool) -> bool:
    if not form["single"] or form.get("acodec") == "none":
        return False
    return (_codec(form, "vcodec") == "none") == sound_only and not is_unplayable(form)


def _codec(form: Mapping[str, Any], key: str) -> str:
    return str(form.get(key) or "").lower()


def _weight(form: Mapping[str, Any]) -> tuple[bool, ...]:
    video, audio = _codec(form, "vcodec"), _codec(form, "acodec")
    everywhere = form.get("ext") == "mp4" and video.startswith(_H264) and audio.startswith(_AAC)
    sides = [side for side in (form.get("width"), form.get("height")) if side]
    return (
        bool(form.get("watermarked")),
        bool(form.get("untested")),
        not everywhere,
        not (video and audio),
        min(sides, default=0) > _TALL,
    )
