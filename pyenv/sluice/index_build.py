"""Derives from yt-dlp's code what `index` reads: `python -m sluice.index_build FILE`. Not needed while it fits."""

import ast
import collections
import dataclasses
import functools
import inspect
import json
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from yt_dlp.extractor import common

from sluice import any_host, class_state, index
from sluice.index import GRAM, Table, fold

Needles = frozenset[str]
"""Texts of which at least one occurs, after `fold`, wherever a pattern matches."""

_EVERYWHERE = "https://"


def requirements(pattern: str) -> list[Needles]:
    """List what must occur in any text that `pattern` matches: each of them must, by one of its needles.

    Only what is sure to be passed counts: what is optional, a class of characters or a look around says nothing.
    """
    return _Walk().run(_parser.parse(pattern))


class _Walk:
    """Goes along a parsed pattern. `_run` is the fixed text just passed, which the next piece would adjoin."""

    def __init__(self) -> None:
        self._run = ""
        self._found: list[Needles] = []

    def run(self, tree: Any) -> list[Needles]:
        self._walk(tree)
        self._end()
        return self._found

    def _end(self) -> None:
        if len(self._run) >= GRAM and self._run not in _EVERYWHERE:
            self._found.append(frozenset([self._run]))
        self._run = ""

    def _walk(self, tree: Any) -> None:
        for op, args in tree:
            if op is _constants.LITERAL and 32 <= args < 127:
                self._run += fold(chr(args))
            elif op is _constants.SUBPATTERN:
                self._walk(args[-1])
            elif op is _constants.ATOMIC_GROUP:
                self._walk(args)
            elif op in (_constants.AT, _constants.ASSERT, _constants.ASSERT_NOT):
                pass  # no width: what comes before adjoins what comes after
            elif op in _REPEATS and args[0] > 0:
                self._walk(args[2])
                if args[1] != 1:
                    self._end()
            else:
                self._end()
                if op is _constants.BRANCH:
                    self._branch(args[1])

    def _branch(self, ways: Iterable[Any]) -> None:
        each = [_Walk().run(way) for way in ways]
        if all(each):
            self._found.append(frozenset[str]().union(*(max(found, key=_length) for found in each)))


_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def _length(needles: Needles) -> int:
    return min(map(len, needles))


def derive() -> Table:
    """Make the table for the yt-dlp that is loaded."""
    classes: tuple[Any, ...] = index.stock()
    never, always = [], []
    wanted: dict[int, list[list[Needles]]] = {}
    for number, cls in enumerate(classes):
        urls = cls._VALID_URL
        if not _asks_pattern(cls):
            always.append(number)
        elif urls is False:
            never.append(number)
        else:
            patterns = urls if isinstance(urls, list | tuple) else [urls]
            found = [requirements(one) if isinstance(one, str) else [] for one in patterns]
            if all(found):
                wanted[number] = found
            else:
                always.append(number)
    kept = class_state.find()
    return Table(
        index.digest(classes),
        always,
        never,
        _grams(wanted),
        stateful=sorted(kept["assigned"]),
        changed=sorted(kept["changed"]),
        any_host=any_host.find(classes),
        embeds=[number for number, cls in enumerate(classes) if _embeds(cls)],
    )


def _grams(wanted: dict[int, list[list[Needles]]]) -> dict[str, str]:
    """Choose for each pattern of each class one of its requirements: the one that the others share least."""
    corpus = "\n".join(
        needle for found in wanted.values() for needs in found for needles in needs for needle in sorted(needles)
    )
    shared = functools.cache(corpus.count)
    parts = collections.Counter(corpus[at : at + GRAM] for at in range(len(corpus)))

    def cost(needles: Needles) -> tuple[int, bool, int, list[str]]:
        # A dot is in most names of hosts, which say more than a piece of a path.
        hosts = all("." in needle for needle in needles)
        return sum(map(shared, needles)), not hosts, -_length(needles), sorted(needles)

    owners: dict[str, list[int]] = collections.defaultdict(list)
    for number, found in wanted.items():
        for needle in frozenset[str]().union(*(min(needs, key=cost) for needs in found)):
            owners[needle].append(number)
    grams: dict[str, list[str]] = collections.defaultdict(list)
    for needle, numbers in sorted(owners.items()):
        pieces = {needle[at : at + GRAM] for at in range(len(needle) - GRAM + 1)}
        rarest = min(pieces, key=lambda piece: (parts[piece], piece))
        grams[rarest].append("\t".join([needle, " ".join(map(str, numbers))]))
    return {gram: "\n".join(lines) for gram, lines in grams.items()}


def _embeds(cls: Any) -> bool:
    """Tell whether `cls.extract_from_webpage` may find anything in a page."""
    real = getattr(cls, "real_class", cls)
    names = ("extract_from_webpage", "_extract_from_webpage", "_extract_embed_urls")
    return bool(real._EMBED_REGEX) or any(
        getattr(getattr(real, name), "__func__", None) is not getattr(common.InfoExtractor, name).__func__
        for name in names
    )


def _asks_pattern(cls: Any) -> bool:
    """Tell whether `cls.suitable(url)` can't be true, nor raise, unless the pattern of `cls` matches."""
    if cls._match_valid_url.__func__ not in _stock("_match_valid_url"):
        return False
    for base in cls.__mro__:
        if "suitable" in vars(base):
            function = vars(base)["suitable"].__func__
            if function in _stock("suitable"):
                return True
            if not _narrows(textwrap.dedent(inspect.getsource(function))):
                return False
    return False


@functools.cache
def _stock(name: str) -> tuple[Any, ...]:
    bases = [common.InfoExtractor]
    lazy = sys.modules.get("yt_dlp.extractor.lazy_extractors")
    if lazy:
        bases.append(lazy.LazyLoadExtractor)
    return tuple(getattr(base, name).__func__ for base in bases)


def _narrows(source: str) -> bool:
    """Tell whether a `suitable` only takes away from its base's: constants, then one `return` of a known form."""
    function = ast.parse(source).body[0]
    if not isinstance(function, ast.FunctionDef) or [arg.arg for arg in function.args.args] != ["cls", "url"]:
        return False
    *before, last = function.body
    return (
        not any(isinstance(node, ast.NamedExpr) for node in ast.walk(function))
        and all(isinstance(one, ast.Assign) and ast.unparse(one).startswith("EXCLUDE_IE = (") for one in before)
        and isinstance(last, ast.Return)
        and _false_without(last.value)
    )


def _false_without(value: ast.expr | None) -> bool:
    """Tell whether `value` is false if the base's answer is."""
    match value:
        case ast.Constant(value=False):
            return True
        case ast.IfExp(body=one, orelse=other):
            return _false_without(one) and _false_without(other)
        case ast.BoolOp(op=ast.And(), values=values):
            return any(map(_false_without, values))
        case ast.Call(func=ast.Attribute(attr="suitable", value=ast.Call(func=ast.Name(id="super")))):
            return ast.unparse(value).endswith(".suitable(url)")
        case ast.Call():
            return ast.unparse(value) == "cls._match_valid_url(url)"
    return False


def main(path: str) -> None:
    """Write the table to `path`."""
    Path(path).write_text(json.dumps(dataclasses.asdict(derive()), separators=(",", ":")))


if __name__ == "__main__":
    main(sys.argv[1])
