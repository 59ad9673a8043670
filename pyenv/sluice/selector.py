"""yt-dlp's format selectors, evaluated by yt-dlp itself on the stored formats.

A selector comes from a stranger and runs with the interpreter's lock held, so what could take long is refused first:
regular expressions, deep nesting, and products of many alternatives.
"""

import re
from typing import Any

from yt_dlp import YoutubeDL

from sluice.choose import choose
from sluice.messages import clean

Json = dict[str, Any]

MAX_SELECTOR = 1_000  # characters
_MAX_DEPTH = 10  # brackets within brackets
_MAX_OPERATORS = 50  # of , and /
# Each + multiplies the alternatives on its sides: with 50 operators shared among four sides, some 20,000 pairs.
_MAX_JOINS = 3
_HIDDEN = {"url", "http_headers", "cookies", "by", "hls", "fragments"}
_ALL = re.compile(r"(?<![\w.-])all(?![\w.-])")


class BadSelectorError(Exception):
    """A selector that is malformed or asks for too much; the text is for the client."""


class UnavailableError(Exception):
    """A selector that no stored format answers; the text is for the client."""


class _Evaluator(YoutubeDL):
    """Never opens a connection; holds no state between calls."""

    def __init__(self) -> None:
        super().__init__({"quiet": True, "check_formats": False, "color": "no_color"}, auto_init=False)

    def _build_format_filter(self, filter_spec: str) -> Any:
        if "~=" in filter_spec:
            raise BadSelectorError("Regular expressions (~=) are not allowed here; use *=, ^= or $=")
        return super()._build_format_filter(filter_spec)


class Selector:
    """Answers selectors; one per thread."""

    def __init__(self) -> None:
        self._ydl = _Evaluator()

    def select(self, formats: list[Json], selector: str) -> list[str]:
        """Return the ids that `selector` picks from `formats` (as `project` made them, best first), at least one.

        The empty selector picks the default of these (choose.py). Raises BadSelectorError, or UnavailableError when
        nothing matches or what matches is a join of several.
        """
        if not selector:
            return [_default(formats)]
        _check(selector)
        try:
            evaluate = self._ydl.build_format_selector(selector)
        # SyntaxError and ValueError say what is wrong; the rest is a tokenizer's or parser's way to give up.
        except (SyntaxError, ValueError) as error:
            raise BadSelectorError(clean(str(error).partition("\n")[0])) from error
        except (ArithmeticError, LookupError, RecursionError, TypeError) as error:
            raise BadSelectorError("Invalid format specification") from error
        try:
            # yt-dlp's order is from worst to best. A filter may ask about any field, so what clients must not know
            # is not there to be asked.
            asked = [{key: value for key, value in form.items() if key not in _HIDDEN} for form in formats[::-1]]
            picked = self._ydl._select_formats(asked, evaluate)
        # [ext<5] and [height^=7], which yt-dlp notices only now, and an index beyond any list.
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise BadSelectorError("The format selector compares a field with a value of another kind") from error
        if not picked:
            raise UnavailableError("No format of this page matches the selector")
        for form in picked:
            if parts := form.get("requested_formats"):
                raise UnavailableError(_join_message(parts, formats))
        # The order of yt-dlp, without repeats.
        return list(dict.fromkeys(form["format_id"] for form in picked))


def _check(selector: str) -> None:
    if not selector.strip():
        raise BadSelectorError("The format selector is empty")
    if len(selector) > MAX_SELECTOR:
        raise BadSelectorError(f"The format selector is longer than {MAX_SELECTOR} characters")
    if not selector.isprintable():
        raise BadSelectorError("The format selector holds a control character")
    depth = deepest = 0
    for character in selector:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH:
        raise BadSelectorError(f"The format selector nests deeper than {_MAX_DEPTH}")
    # yt-dlp glues what white space parts: "a ll" is "all".
    selector = selector.replace(" ", "")
    joins = selector.count("+")
    if selector.count(",") + selector.count("/") > _MAX_OPERATORS or joins > _MAX_JOINS:
        raise BadSelectorError(f"The format selector has more than {_MAX_OPERATORS} alternatives or {_MAX_JOINS} joins")
    # One pair for each two formats: the only selectors whose cost is not bounded by their own length.
    if joins and _ALL.search(selector):
        raise BadSelectorError('"all" can\'t be joined with +')
    if "mergeall" in selector:
        raise BadSelectorError('"mergeall" is not allowed here')


def _default(formats: list[Json]) -> str:
    chosen = choose(formats)
    if chosen is None:
        raise UnavailableError("No format of this page has picture and sound in one and can be streamed")
    return chosen


def _join_message(parts: list[Json], formats: list[Json]) -> str:
    names = " and ".join(str(part["format_id"]) for part in parts)
    chosen = choose(formats)
    by = next((form["by"] for form in formats if form["format_id"] == chosen), None)
    best = f"the best single {'file' if by == 'file' else 'format'} is {chosen}" if chosen else "no format has both"
    return f"The selector needs a join of {names}, which is not supported; {best}"
