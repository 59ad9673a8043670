"""Makes yt-dlp's sentences fit for strangers: no paths, addresses, queries, secrets or advice on its command line."""

import re

MAX_MESSAGE = 300
"""Characters of an error's message."""

_MAX_INPUT = 4_000  # characters that are looked at

# Applied in this order. Each is linear in its input.
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),  # terminal colours
    (re.compile(r"[\x00-\x1f\x7f\s]+"), " "),
    (re.compile(r"^ ?(?:ERROR|WARNING): "), ""),
    (re.compile(r"^\[[\w:+.-]{1,60}\] (?:[\w-]*[0-9][\w-]*: )?"), ""),  # "[TikTok] 123: "
    # yt-dlp's bug_reports_message() and the tail of ExtractorError's text.
    (re.compile(r"[;,.]? ?please report this issue on .*", re.IGNORECASE), ""),
    (re.compile(r" \(caused by .*", re.IGNORECASE), ""),
    (re.compile(r"[ ,:(']{0,5}\b[A-Za-z]{1,60}Error\(.*"), ""),  # the repr of an exception
    (re.compile(r"\(['\"]([^'\"]*)['\"]?$"), r"\1"),  # what is left of a tuple with one in it
    (re.compile(r"[.,]? ?Also see https?://github\.com/yt-dlp/.*"), ""),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s/@]+@"), r"\1"),  # user:password@
    (re.compile(r"(?i)(https?://[^\s?#'\"<>]+)[?#][^\s'\"<>]*"), r"\1"),
    (re.compile(r"(?i)\b(cookie|authorization|set-cookie): .*"), r"\1"),
    (re.compile(r" at 0x[0-9a-fA-F]+"), ""),
    (re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?(?!\.?\w)"), "(address)"),
    (re.compile(r"\[[0-9a-fA-F]*:[0-9a-fA-F:.]+\](?::[0-9]{1,5})?"), "(address)"),
    (re.compile(r"(?<![\w:/.)])/(?:[\w.@+-]+/)+[\w.@+-]*"), "(path)"),
)


def clean(message: object, limit: int = MAX_MESSAGE) -> str:
    """Return `message` as one line of at most `limit` characters; may be empty."""
    text = str(message)[:_MAX_INPUT]
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = text.encode("utf-8", "replace").decode().strip()
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."
