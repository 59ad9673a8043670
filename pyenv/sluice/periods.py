"""What yt-dlp passes over in an MPD (ISO/IEC 23009-1): ranges of bytes, and that it is of a broadcast.

The ranges of a SegmentList are written into the addresses before `InfoExtractor._parse_mpd_periods` reads them, and
taken out of what it makes.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

Json = dict[str, Any]

_MARK = "#sluice-bytes="
_DIGITS = 19  # of a place in a file


def completing(parse: Any) -> Any:
    """Wrap `_parse_mpd_periods`: fragments get yt-dlp's `byte_range`, all of a `dynamic` MPD `is_live`.

    A list of an initialization fragment alone becomes empty.
    """

    @functools.wraps(parse)
    def wrapper(self: Any, mpd: Any, *args: Any, **kwargs: Any) -> Any:
        if not ElementTree.iselement(mpd):
            return parse(self, mpd, *args, **kwargs)
        listed = _mark(mpd)
        return _completed(parse(self, mpd, *args, **kwargs), listed, mpd.get("type") == "dynamic")

    return wrapper


def _mark(mpd: Any) -> set[str]:
    """Move ranges into addresses, once and for all, and return all addresses of SegmentLists."""
    listed = set()
    for source in mpd.iter():
        if _name(source) not in ("SegmentList", "SegmentTemplate"):
            continue
        for element in source:
            if _name(element) == "SegmentURL":
                _move(element, "media", "mediaRange")
                listed.add(element.get("media"))
            elif _name(element) == "Initialization":
                _move(element, "sourceURL", "range")
    return listed


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _move(element: Any, address: str, attribute: str) -> None:
    if (given := element.attrib.pop(attribute, None)) is not None:
        element.set(address, f"{element.get(address, '')}{_MARK}{given}")


def _completed(periods: Iterable[Json], listed: set[str], is_dynamic: bool) -> Iterator[Json]:
    for period in periods:
        for form in (*period["formats"], *(form for several in period["subtitles"].values() for form in several)):
            if is_dynamic:
                form["is_live"] = True
            if "fragments" in form:
                _complete(form, listed)
        yield period


def _complete(form: Json, listed: set[str]) -> None:
    fragments = form["fragments"]
    # yt-dlp gives those that a template makes a duration; of an initialization fragment there is none.
    if len(fragments) == 1 and "duration" not in fragments[0] and not listed.intersection(fragments[0].values()):
        fragments.clear()
    for fragment in fragments:
        key = "url" if "url" in fragment else "path"
        address, mark, bytes_ = fragment[key].partition(_MARK)
        if not mark:
            continue
        del fragment[key]
        # Without an address of its own it is a part of the Representation's file.
        fragment[key if address else "url"] = address or form["fragment_base_url"]
        fragment["byte_range"] = _byte_range(bytes_)
    form["url"] = form["url"].partition(_MARK)[0]


def _byte_range(written: str) -> Json:
    """Return yt-dlp's range, which ends before `end`; what is none has neither."""
    first, _, last = written.partition("-")
    if not all(text.isascii() and text.isdigit() and len(text) <= _DIGITS for text in (first, last)):
        return {"start": None, "end": None}
    return {"start": int(first), "end": int(last) + 1}
