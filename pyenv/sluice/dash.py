"""How many fragments an MPD stands for (ISO/IEC 23009-1), found without making any of them."""

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from yt_dlp.utils import parse_duration

_NUMBERED = re.compile(r"\$(Number|Bandwidth|Time)(?:%[^$]+)?\$")
_PLAIN = re.compile(r"\$(Number|Bandwidth|Time)\$")
_CONVERTED = re.compile(r"\$(Number|Bandwidth|Time)%([^$]+)\$")
_DIRECTIVE = re.compile(r"%%|%(?:\(\w*\))?[-+ #0]*(\d*)(?:\.(\d*))?")

_ROOT = re.compile(r"(?i)^{([^}]+)?}MPD$")  # as yt-dlp reads the namespace, and from no other tag
_LONG = 1 << 14  # characters of a template that nobody means well with

_MISTAKES = (ValueError, KeyError, TypeError, ArithmeticError)
"""What a malformed attribute raises, in yt-dlp as here."""


@dataclass
class _Segments:
    """What SegmentTemplate, SegmentList and SegmentTimeline say, each level over the one above it."""

    timescale: int = 1
    length: float | None = None
    """Of a segment, in units of `timescale`."""
    timeline: int | None = None
    """Segments of the timeline."""
    timeline_length: int = 0
    urls: int | None = None
    """Segments of the list."""
    media: str | None = None
    initialization: str | None = None
    number_digits: int = 1
    time_digits: int = 1

    def read(self, element: Any, ns: str) -> "_Segments":
        """Return what holds at `element`, below this."""
        found = replace(self)
        source = element.find(ns + "SegmentList")
        if source is not None:
            found._common(source, ns)
            found.urls = len(source.findall(ns + "SegmentURL")) or found.urls
            return found
        source = element.find(ns + "SegmentTemplate")
        if source is not None:
            found._common(source, ns)
            found.media = source.get("media") or found.media
            found.initialization = source.get("initialization") or found.initialization
        return found

    def _common(self, source: Any, ns: str) -> None:
        timeline = source.find(ns + "SegmentTimeline")
        entries = timeline.findall(ns + "S") if timeline is not None else ()
        if entries:
            self.timeline = self.timeline_length = 0
            for entry in entries:
                times = 1 + max(int(entry.get("r", 0)), 0)
                self.timeline += times
                self.timeline_length += times * int(entry.attrib["d"])
                self.time_digits = max(self.time_digits, len(entry.get("t", "")), _digits(self.timeline_length) + 1)
        if start := source.get("startNumber"):
            self.number_digits = _digits(int(start)) + 1
        if timescale := source.get("timescale"):
            self.timescale = int(timescale)
        if duration := source.get("duration"):
            self.length = float(duration)


def _digits(number: int) -> int:
    """Decimal digits of a number, roughly; Python refuses to write the longest down."""
    return number.bit_length() // 3 + 1


def count_mpd(mpd: Any) -> Iterator[tuple[int, int, int]]:
    """Yield for each Representation: those of its Period so far, its fragments, and the characters that it unfolds to.

    Follows `InfoExtractor._parse_mpd_periods`, mistakes included: where that would stop, this does.
    """
    found = _ROOT.match(mpd.tag)
    ns = f"{{{found[1]}}}" if found and found[1] else ""
    duration = parse_duration(mpd.get("mediaPresentationDuration"))
    with contextlib.suppress(*_MISTAKES):
        for period in mpd.findall(ns + "Period"):
            yield from _count_period(period, parse_duration(period.get("duration")) or duration, mpd, ns)


def _count_period(period: Any, duration: float | None, mpd: Any, ns: str) -> Iterator[tuple[int, int, int]]:
    number = 0
    longest = 0.0
    at_period = _Segments().read(period, ns)
    for adaptation in period.findall(ns + "AdaptationSet"):
        at_adaptation = at_period.read(adaptation, ns)
        shared = sum(map(len, adaptation.attrib.values())) + _base(adaptation, period, mpd, ns=ns)
        for representation in adaptation.findall(ns + "Representation"):
            number += 1
            try:
                segments = at_adaptation.read(representation, ns)
                fragments = _fragments(segments, duration or longest)
            except _MISTAKES:
                # It may be one that yt-dlp passes over without a look.
                continue
            # yt-dlp takes that of the first one that it does not pass over.
            longest = max(longest, _length(segments, fragments) or 0)
            unfolded = shared + _base(representation, ns=ns)
            name, rate = (len(representation.get(key, "")) for key in ("id", "bandwidth"))
            if segments.media and segments.urls is None:
                unfolded += fragments * _widest(segments.media, representation, name, max(rate, 1), segments)
            if segments.initialization:
                unfolded += _widest(segments.initialization, representation, name, max(rate, 1), segments)
            yield number, fragments, unfolded


def _fragments(segments: _Segments, duration: float | None) -> int:
    if segments.urls is not None:
        return segments.urls if segments.timeline is None else min(segments.urls, segments.timeline)
    if segments.media is None:
        return 0
    if segments.timeline is not None:
        return segments.timeline
    if segments.length is None or not segments.length or not duration:
        return 0
    return max(math.ceil(duration / (segments.length / segments.timescale)), 0)


def _length(segments: _Segments, fragments: int) -> float | None:
    """Seconds that a period without a duration has by its first Representation."""
    units = (segments.length or 0) * fragments if segments.timeline is None else segments.timeline_length
    try:
        return units / segments.timescale
    except OverflowError:
        return math.inf
    except ZeroDivisionError:
        return None


def _base(*elements: Any, ns: str) -> int:
    found = (element.find(ns + "BaseURL") for element in elements)
    return sum(len(base.text or "") for base in found if base is not None)


def _widest(template: str, representation: Any, name: int, rate: int, segments: _Segments) -> int:
    """Characters that a template makes at most: `%0999999999d` in it makes a gigabyte."""
    if len(template) > _LONG:
        # More than any limit: it is not worth a look, and yt-dlp must not take one either.
        return 1 << 62
    named = template.count("$RepresentationID$")
    length = len(template) + named * name
    # The id may hold directives of its own; it is put in only where that can't be much.
    if named and length < 1 << 16:
        template = template.replace("$RepresentationID$", representation.get("id", "$RepresentationID$"))
    digits = max(segments.number_digits + 10, segments.time_digits + 1, rate)
    length += len(_NUMBERED.findall(template)) * digits
    return length + (_padding(template) if "%" in template and len(template) < 1 << 16 else 0)


def _padding(template: str) -> int:
    """Characters that the directives of a template fill up to, once it is what yt-dlp hands to Python's `%`."""
    parts = template.split("$")
    # Outside of $...$ a percent sign is itself.
    parts[::2] = [part.replace("%", "%%") for part in parts[::2]]
    converted = _CONVERTED.sub(r"%(\1)\2", _PLAIN.sub(r"%(\1)d", "$".join(parts)))
    widths = _DIRECTIVE.findall(converted)
    # A width of more digits than these is refused by Python.
    return sum(int(width[:19] or 0) + int(precision[:19] or 0) for width, precision in widths)
