"""yt-dlp's format selectors, evaluated by yt-dlp itself on the stored formats.

A selector comes from a stranger and runs with the interpreter's lock held, so what could take long is refused first:
regular expressions, deep nesting, and products of many alternatives.
"""

import re
from typing import Any

from yt_dlp import YoutubeDL

from sluice.choose import choose
from sluice.messages import clean
from sluice.project import FORMAT

Json = dict[str, Any]

MAX_SELECTOR = 1_000  # characters
_MAX_DEPTH = 10  # brackets within brackets
_MAX_OPERATORS = 50  # of , and /
# Each + multiplies the alternatives on its sides: with 50 operators shared among four sides, some 20,000 pairs.
_MAX_JOINS = 3
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

        The empty selector picks the default of these (choose.py). What is `too_large` is not picked, but tells what
        kind of page this is. Joins and what can't be streamed are left out. Raises BadSelectorError, or
        UnavailableError when nothing matches, or nothing is left.
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
            picked = self._pick(formats, evaluate)
        # [ext<5] and [height^=7], which yt-dlp notices only now, and an index beyond any list.
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise BadSelectorError("The format selector compares a field with a value of another kind") from error
        if not picked:
            raise UnavailableError("No format of this page matches the selector")
        by_id = {form["format_id"]: form for form in formats}
        single = [form["format_id"] for form in picked if not form.get("requested_formats")]
        # The order of yt-dlp, without repeats.
        ids = list(dict.fromkeys(name for name in single if "by" in by_id[name]))
        if not ids:
            raise UnavailableError(_unavailable(single, picked, formats))
        return ids

    def _pick(self, formats: list[Json], evaluate: Any) -> list[Json]:
        # yt-dlp's order is from worst to best. A filter may ask about any field, so what clients must not know is not
        # there to be asked.
        asked = [{key: form[key] for key in FORMAT if key in form} for form in formats[::-1]]
        large = {form["format_id"] for form in formats if form.get("too_large")}

        def among_the_small(context: Json) -> Any:
            small = [form for form in context["formats"] if form["format_id"] not in large]
            return evaluate({**context, "formats": small})

        # yt-dlp asks all formats whether a page lacks picture or sound, and takes others for `b` where one does.
        picked: list[Json] = self._ydl._select_formats(asked, among_the_small)
        return picked


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


def _unavailable(single: list[str], picked: list[Json], formats: list[Json]) -> str:
    chosen = choose(formats)
    by = next((form["by"] for form in formats if form["format_id"] == chosen), None)
    best = f"the best single {'file' if by == 'file' else 'format'} is {chosen}" if chosen else "no format has both"
    if single:
        return f"Format {single[0]} can't be streamed; {best}"
    parts = next(form["requested_formats"] for form in picked)
    names = " and ".join(str(part["format_id"]) for part in parts)
    return f"The selector needs a join of {names}, which is not supported; {best}"
