"""Manifests are counted before yt-dlp builds formats of them: a few hundred bytes can stand for a gigabyte.

Each check follows what the function of the same name in yt_dlp/extractor/common.py makes of the same elements. A
manifest that is malformed is left to yt-dlp, which says so.
"""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from yt_dlp.compat import compat_etree_fromstring
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import int_or_none

from sluice.dash import count_mpd
from sluice.limits import Limits, Meter
from sluice.periods import completing

_AMPLIFIED = 100
"""How much more than a document entities of entities may stand for, to expat (its "billion laughs" protection)."""

_ATTRIBUTE = 100
"""Bytes that an attribute takes in memory beside its name and value."""


def install(limits: Limits) -> None:
    """Have yt-dlp's extractors count first. Safe to call again."""
    # The name by which the one function that parses XML for all of yt-dlp finds its parser.
    compat_etree_fromstring.__globals__["etree"] = _Parser(limits)
    for name, check in _CHECKS.items():
        parse = getattr(InfoExtractor, name)
        if not hasattr(parse, "__wrapped__"):
            parse = completing(parse) if name == _MPD else parse
            setattr(InfoExtractor, name, _checked(parse, check))


def _checked(parse: Any, check: Callable[[Meter, Any, str], None]) -> Any:
    @functools.wraps(parse)
    def wrapper(self: Any, manifest: Any, *args: Any, **kwargs: Any) -> Any:
        meter = getattr(self._downloader, "meter", None)
        # Not every caller makes sure that there is one.
        if meter is not None and manifest is not None and not isinstance(manifest, bool):
            check(meter, manifest, str(args[0]) if args else "")
        return parse(self, manifest, *args, **kwargs)

    return wrapper


class _Parser:
    """In place of xml.etree.ElementTree: takes no document that makes more of itself than a page may be."""

    XMLParser = ElementTree.XMLParser

    def __init__(self, limits: Limits) -> None:
        self._meter = Meter(limits)

    def XML(self, text: str | bytes, parser: Any) -> Any:  # noqa: N802  as it is called there
        self._meter.check("page_bytes", len(text) + _declared(text))
        return ElementTree.XML(text, parser)


def _declared(text: str | bytes) -> int:
    """Return how much may come of what a document declares, at most: entities, and attributes that it need not write.

    Asked of the parser itself, up to the first element: a text may hide from any search by its encoding.
    """
    entities, attributes = [0], [0]
    nested = False

    def entity(_name: str, parameter: bool, value: str | None, *_: Any) -> None:
        nonlocal nested
        nested = nested or parameter or "&" in (value or "")
        entities.append(len(value or ""))

    def attribute(_element: str, name: str, _type: str, default: str | None, _required: bool) -> None:
        attributes.append(0 if default is None else _ATTRIBUTE + len(name) + len(default))

    def element(*_: Any) -> None:
        raise _PrologEnd

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = entity
    parser.AttlistDeclHandler = attribute
    parser.StartElementHandler = element
    # One that is malformed is left to yt-dlp.
    with contextlib.suppress(_PrologEnd, expat.ExpatError, ValueError, LookupError):
        parser.Parse(text, True)
    # `&a;` and `<a/>` are the shortest that call for one, and for all.
    unfolded = len(text) * _AMPLIFIED if nested else len(text) // 3 * max(entities)
    return unfolded + len(text) // 4 * sum(attributes)


class _PrologEnd(Exception):  # noqa: N818  what comes after it is not looked at
    pass


def _check_mpd(meter: Meter, mpd: Any, _: str) -> None:
    for formats, fragments, unfolded in count_mpd(mpd):
        _add(meter, formats, fragments, unfolded)


def _check_ism(meter: Meter, ism: Any, url: str) -> None:
    for formats, fragments, unfolded in _count_ism(ism, len(url)):
        _add(meter, formats, fragments, unfolded)


def _add(meter: Meter, formats: int, fragments: int, unfolded: int) -> None:
    meter.check("formats", formats)
    meter.check("fragments", fragments)
    # A format without any takes as much.
    meter.add("job_fragments", max(fragments, 1))
    meter.add("job_bytes", unfolded)


def _count_ism(ism: Any, base: int) -> Iterator[tuple[int, int, int]]:
    """Yield for each track: tracks up to it, its fragments, and the bytes of their URLs."""
    tracks = 0
    for stream in ism.findall("StreamIndex"):
        pieces = stream.findall("c")
        fragments = sum(max(int_or_none(piece.get("r")) or 1, 0) for piece in pieces)
        pattern = stream.get("Url") or ""
        widest = max((len(piece.get("t") or "") + len(piece.get("d") or "") for piece in pieces), default=0) + 20
        for track in stream.findall("QualityLevel"):
            tracks += 1
            rates = len(re.findall("{[Bb]itrate}", pattern)) * len(track.get("Bitrate") or "")
            length = base + len(pattern) + rates + len(re.findall("{start[ _]time}", pattern)) * widest
            yield tracks, fragments, fragments * length


def _check_f4m(meter: Meter, f4m: Any, _: str) -> None:
    meter.check("formats", max(len(f4m.findall(f"{{http://ns.adobe.com/f4m/{at}}}media")) for at in ("1.0", "2.0")))


def _check_smil(meter: Meter, smil: Any, _: str) -> None:
    names = [str(element.tag).rpartition("}")[2] for element in smil.iter()]
    meter.check("formats", sum(name in ("video", "audio", "media", "imagestream") for name in names))
    meter.check("subtitles", names.count("textstream"))


def _check_m3u8(meter: Meter, m3u8: str, _: str) -> None:
    # One with this tag is one format, whatever else it holds.
    if "#EXT-X-TARGETDURATION" in m3u8:
        return
    formats = files = 0
    for line in m3u8.splitlines():
        if line.startswith("#EXT-X-MEDIA:"):
            subtitle = "TYPE=SUBTITLES" in line
            files, formats = files + subtitle, formats + ("URI=" in line and not subtitle)
        elif line and not line.startswith("#"):
            formats += not line.isspace()
    meter.check("formats", formats)
    meter.check("subtitles", files)


_MPD = "_parse_mpd_periods"

_CHECKS: dict[str, Callable[[Meter, Any, str], None]] = {
    _MPD: _check_mpd,
    "_parse_ism_formats_and_subtitles": _check_ism,
    "_parse_f4m_formats": _check_f4m,
    "_parse_smil_formats_and_subtitles": _check_smil,
    "_parse_m3u8_formats_and_subtitles": _check_m3u8,
}
