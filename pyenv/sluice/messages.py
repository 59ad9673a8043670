"""Makes yt-dlp's sentences fit for strangers: no paths, addresses, queries, secrets or advice on its command line."""

import re

MAX_MESSAGE = 300
"""Characters of an error's message."""

_MAX_INPUT = 4_000  # characters that are looked at

_Rewrites = tuple[tuple[re.Pattern[str], str], ...]

# Both are applied in their order, `_BOILERPLATE` before advice is cut and `_SECRETS` after it. Each pattern is linear
# in its input: what repeats is bounded, or can't begin again where it has failed.
_BOILERPLATE: _Rewrites = (
    (re.compile(r"\x1b\[[0-9;]{0,40}[A-Za-z]"), ""),  # terminal colours
    (re.compile(r"\x1b\][^\x07]*\x07?"), ""),  # terminal titles
    (re.compile(r"[\x00-\x1f\x7f\s]+"), " "),
    (re.compile(r"^ ?(?:ERROR|WARNING|\[debug\]):? "), ""),
    (re.compile(r"^\[[\w:+.-]{1,60}\] (?:[\w-]*[0-9][\w-]*: )?"), ""),  # "[TikTok] 123: "
    # yt-dlp's bug_reports_message() and the tail of ExtractorError's text.
    (re.compile(r"[;,.]? ?please report this issue on .*", re.IGNORECASE), ""),
    (re.compile(r" \(caused by .*", re.IGNORECASE), ""),
    (re.compile(r"[ ,:(']{0,5}\b\w{1,60}Error\(.*"), ""),  # the repr of an exception
    (re.compile(r"\(['\"]([^'\"]*)['\"]?$"), r"\1"),  # what is left of a tuple with one in it
)

_SECRETS: _Rewrites = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s/@]+@"), r"\1"),  # user:password@
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s?#'\"<>]+)(?:[?#][^\s'\"<>]*)?"), r"\1"),  # a query
    (re.compile(r"(?i)\bfile:/[^\s'\"<>]*"), "(path)"),
    (re.compile(r"(?i)\b((?:set-)?cookie|(?:proxy-)?authorization)['\"]?: .*"), r"\1"),
    (re.compile(r"(?i)\b(bearer|basic) [\w.~+/=-]{8,}"), r"\1"),
    (re.compile(r" at 0x[0-9a-fA-F]+"), ""),
    (re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?(?!\.?\w)"), "(address)"),
    (re.compile(r"\[[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]{1,45}\](?::[0-9]{1,5})?"), "(address)"),
    # Without brackets: "::" in it, or so many groups that it is no time of day.
    (re.compile(r"(?<![\w:.])(?:(?:[0-9a-fA-F]{1,4}:){1,7}|:):(?:[0-9a-fA-F]{1,4}:?){1,7}(?![\w:])"), "(address)"),
    (re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}(?![\w:])"), "(address)"),
    (re.compile(r"(?<![\w:/.)])/(?:[\w.@+-]+/)+[\w.@+-]*"), "(path)"),
)

_SENTENCE_END = re.compile(r"(?<=[.!?;]) +")
_CLAUSE_END = re.compile(r"(?<=[,;:]) ")
# Options of yt-dlp's command line, itself, and its pages.
_ADVICE = re.compile(r"(?<![\w-])--[a-z]|`-|\byt-dlp -|//github\.com/yt-dlp/")


def clean(message: object, limit: int = MAX_MESSAGE) -> str:
    """Return `message` as one line of at most `limit` characters; may be empty."""
    text = _rewrite(str(message)[:_MAX_INPUT], _BOILERPLATE)
    if _ADVICE.search(text):
        text = " ".join(filter(None, map(_without_advice, _SENTENCE_END.split(text)))).rstrip(",;: ")
    text = _rewrite(text, _SECRETS).encode("utf-8", "replace").decode().strip()
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."


def _rewrite(text: str, rewrites: _Rewrites) -> str:
    for pattern, replacement in rewrites:
        text = pattern.sub(replacement, text)
    return text


def _without_advice(sentence: str) -> str:
    """A sentence up to the clause that names what only yt-dlp's own command line has."""
    if not _ADVICE.search(sentence):
        return sentence
    kept = []
    for clause in _CLAUSE_END.split(sentence):
        if _ADVICE.search(clause):
            break
        kept.append(clause)
    return " ".join(kept).rstrip(",")
