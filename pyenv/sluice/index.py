"""Which extractor takes a URL: the answer of asking all of them in order, without asking most of them.

A pattern of an extractor can match only where the fixed text in it occurs. `pyenv/build` derives such a piece of text
(a needle) for nearly every extractor with `index_build`, and writes them down beside the packages; here they decide
who is worth asking. Who has no needle is asked always.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yt_dlp.extractor.extractors import _CLASS_LOOKUP
from yt_dlp.version import __version__

# Of the table: another number for another meaning of what is in it.
_FORMAT = "2"

GRAM = 4
"""Characters of each needle by which it is looked up."""

PATH = Path(sys.prefix, "extractors.json")
"""What `pyenv/build` wrote."""

# Beside the ASCII letters themselves, what re.IGNORECASE takes for one of them.
_FOLD = {0x130: "i", 0x131: "i", 0x17F: "s", 0x212A: "k"}


def fold(text: str) -> str:
    """In lower case, so that whatever a pattern takes for an ASCII character, in any mode, becomes that character."""
    return text.lower() if text.isascii() else text.translate(_FOLD).lower()


def stock() -> tuple[type, ...]:
    """List yt-dlp's own extractors in its order, as they are before any plugin takes the place of one."""
    return tuple(_CLASS_LOOKUP.values())


def digest(classes: Iterable[Any]) -> str:
    """What a table is derived from: the classes' names, their patterns, and whose `suitable` each one has."""
    facts: list[str] = [_FORMAT, __version__]
    for cls in classes:
        urls = cls._VALID_URL
        facts += (cls.__qualname__, cls.suitable.__func__.__qualname__)
        facts += map(str, urls if isinstance(urls, list | tuple) else (urls,))
    return hashlib.sha256("\0".join(facts).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Table:
    """What is known of yt-dlp's own extractors, which it names by their number in `stock()`.

    `always`: who has no needle. `never`: nobody needs to ask these. `grams`: GRAM characters of a needle, to lines of
    that needle, a tab, and the numbers of who has it. (Texts, not lists: thousands of lists would be work for the
    garbage collector.) `stateful` and `changed`: "module:Class.attribute" of what extractors keep for all later jobs,
    by assigning to a class, and by changing a dict or list of a class. `any_host`: keys of extractors that take pages
    of any host. `embeds`: who looks for players of its site in other sites' pages.
    """

    digest: str
    always: list[int]
    never: list[int]
    grams: dict[str, str]
    stateful: list[str]
    changed: list[str]
    any_host: list[str]
    embeds: list[int]


def load(path: Path = PATH) -> Table | None:
    """Read the table; None if there is none or it was made from something else than the yt-dlp that is loaded."""
    try:
        table = Table(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return table if table.digest == digest(stock()) else None


def load_or_derive(path: Path = PATH) -> Table:
    """Read the table, or, where it does not fit, derive it, which takes two seconds."""
    table = load(path)
    if table is None:
        # Here, not above: it imports parsers that nothing else needs.
        from sluice import index_build

        table = index_build.derive()
    return table


class Index:
    """Finds, among `extractors` (classes, in order), the first that takes a URL.

    A class that is not one of yt-dlp's own (a plugin's) is asked always, in its place.
    """

    def __init__(self, extractors: Sequence[type], table: Table) -> None:
        self._extractors = tuple(extractors)
        self._grams = table.grams
        self.stateful, self.changed = table.stateful, table.changed
        classes = stock()
        places = {cls: place for place, cls in enumerate(self._extractors)}
        # For each of yt-dlp's own its place here; -1 for one that is left out.
        self._places = [places.get(cls, -1) for cls in classes]
        strangers = places.keys() - set(classes)
        self._always = [*(self._places[number] for number in table.always), *(places[cls] for cls in strangers)]

    def candidates(self, url: str) -> list[Any]:
        """List, in order, who may take `url`: who is not in it does not."""
        text = fold(url)
        found = set(self._always)
        for gram in self._grams.keys() & {text[at : at + GRAM] for at in range(len(text) - GRAM + 1)}:
            for line in self._grams[gram].splitlines():
                needle, _, numbers = line.partition("\t")
                if needle in text:
                    found.update(self._places[int(number)] for number in numbers.split())
        found.discard(-1)
        return [self._extractors[place] for place in sorted(found)]

    def find(self, url: str) -> Any:
        """Return the first that takes `url`, or None; raises what asking may raise (for a malformed URL)."""
        return next((cls for cls in self.candidates(url) if cls.suitable(url)), None)
