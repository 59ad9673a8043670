"""A list of fragments (yt_dlp/downloader/dash.py) as one text: what their addresses share is written once.

The addresses of a list differ by a number, mostly, and there may be 50,000 of them for each format.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin

from yt_dlp.utils import update_url_query

from sluice.limits import Meter
from sluice.values import address, count, is_short, web_url

Json = dict[str, Any]


@dataclass(frozen=True)
class Packed:
    r"""Fragment i is at prefix + line i + suffix, resolved against `base`; there is at least one.

    `lines`: separated by "\n", none of them empty; one may end in a tab and `first-last`, a range of bytes, both
    inclusive.
    """

    base: str
    prefix: str
    suffix: str
    lines: str

    def json(self) -> Json:
        """Return it as it crosses to Rust."""
        return {"base": self.base, "prefix": self.prefix, "suffix": self.suffix, "lines": self.lines}

    def ends(self) -> tuple[str, ...]:
        """Return the addresses of the first fragment and of the last one; none if one of them is not on the web."""
        lines = (self.lines.partition("\n")[0], self.lines.rpartition("\n")[2])
        found = [self._address(line.partition("\t")[0]) for line in lines]
        return tuple(dict.fromkeys(url for url in found if url)) if all(found) else ()

    def _address(self, line: str) -> str | None:
        try:
            return web_url(urljoin(self.base, self.prefix + line + self.suffix))
        except ValueError:
            return None


def pack(meter: Meter, item: Mapping[str, Any]) -> Packed | None:
    """Return the fragments of a format in yt-dlp's order, or None for what is no list of addresses on the web.

    Nor is one that has the same twice in a row: what tells the two apart was lost.

    Of them all only the first and the last are looked at closely: the server looks at each before it is fetched. Takes
    time in proportion to the characters of all addresses. Raises LimitError before anything large is built.
    """
    given = item.get("fragments")
    # Anything else (generators, LazyList, functions) goes on without an end, or asks the site for more.
    if not isinstance(given, list) or not given:
        return None
    meter.check("fragments", len(given))
    base = _base(item, given)
    texts = [_text(fragment) for fragment in given]
    ranges = [_range(fragment) for fragment in given]
    if base is None or None in ranges or not all(text and is_short(text) for text in texts):
        return None
    # One after the other: an initialization fragment may come again with each period (ISO/IEC 23009-1, 5.3.2).
    pairs = list(zip(texts, ranges, strict=True))
    if any(one == other for one, other in itertools.pairwise(pairs)):
        return None
    if query := item.get("extra_param_to_segment_url"):
        if not isinstance(query, str):
            return None
        try:
            texts = _with_query(meter, texts, query)
        # Of an address that can't be read.
        except ValueError:
            return None
        if not all(map(is_short, texts)):
            return None
    packed = _packed(meter, base, texts, [found or "" for found in ranges])
    return packed if packed and packed.ends() else None


def _base(item: Mapping[str, Any], given: Sequence[Any]) -> str | None:
    base = item.get("fragment_base_url")
    # From an element's text, with its line breaks.
    found = address(base.strip()) if isinstance(base, str) else None
    if found is None and all(isinstance(fragment, dict) and fragment.get("url") for fragment in given):
        found = address(item.get("url")) or address(_text(given[0]))
    return found


def _text(fragment: Any) -> str:
    if not isinstance(fragment, dict):
        return ""
    found = fragment.get("url") or fragment.get("path")
    return found if isinstance(found, str) else ""


def _range(fragment: Any) -> str | None:
    r"""Return "\tfirst-last", "" for the whole, None for what is no range (yt_dlp/downloader/fragment.py)."""
    given = fragment.get("byte_range") if isinstance(fragment, dict) else None
    if not given:
        return ""
    if not isinstance(given, dict):
        return None
    start, end = count(given.get("start")), count(given.get("end"))
    return f"\t{start}-{end - 1}" if start is not None and end is not None and start < end else None


def _with_query(meter: Meter, texts: list[str], query: str) -> list[str]:
    """As `update_url_query` of each; most have no query of their own, so that nothing need be parsed."""
    added = parse_qs(query)
    if not added:
        return texts
    tail = f"?{urlencode(added, True)}"
    # Most of this will be in the suffix, but that is known only when it is built.
    meter.add("job_bytes", len(tail) * len(texts))
    return [update_url_query(text, added) if "?" in text or "#" in text else text + tail for text in texts]


def _packed(meter: Meter, base: str, texts: list[str], ranges: list[str]) -> Packed | None:
    # One character is left to each line: an empty one would be hard to tell from none.
    room = min(map(len, texts)) - 1
    prefix = _common_prefix(texts)[:room]
    suffix = _common_suffix(texts)
    suffix = suffix[max(len(suffix) - (room - len(prefix)), 0) :]
    shared = len(prefix) + len(suffix)
    size = sum(map(len, texts)) - shared * len(texts) + sum(map(len, ranges)) + len(texts)
    meter.add("result_bytes", len(base) + shared + size)
    bare = [text[len(prefix) : len(text) - len(suffix)] for text in texts]
    # Neither a line break, a tab nor another control character, and nothing that UTF-8 can't hold.
    if not all(text.isprintable() for text in (prefix, suffix, *bare)):
        return None
    return Packed(base, prefix, suffix, "\n".join(_joined(bare, ranges)))


def _joined(bare: list[str], ranges: list[str]) -> Iterator[str]:
    return (text + found for text, found in zip(bare, ranges, strict=True))


def _common_prefix(texts: Sequence[str]) -> str:
    # What these two share, all share.
    first, last = min(texts), max(texts)
    return first[
        : next((at for at, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first))
    ]


def _common_suffix(texts: Sequence[str]) -> str:
    found = texts[0]
    for text in texts:
        if not text.endswith(found):
            found = _common_prefix([found[::-1], text[::-1]])[::-1]
    return found
