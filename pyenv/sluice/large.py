"""Large pages of named sites are for a helper: most of what makes yt-dlp slow, or take memory, does so by size.

Breaking off what holds the lock (breaking.py) does not do for these. A pattern looks for a signal every few thousand
steps, and a step may be a search through the rest of the page: on 4 MB, minutes have been seen between two looks.
"""

import functools
from typing import Any

from yt_dlp.extractor.common import InfoExtractor

from sluice.handoff import HandOff

_AS_THEY_ARE = ("Youtube",)
"""Beginnings of the keys of extractors whose pages are large, and nobody's but the site's: its player is 3 MB of
JavaScript, for every video."""


def install(most: int | None) -> None:
    """Hand off jobs that read a page of more than `most` characters; None for no such bound. Once per process."""
    if most is None or hasattr(InfoExtractor._webpage_read_content, "__wrapped__"):
        return
    read = InfoExtractor._webpage_read_content

    @functools.wraps(read)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        content = read(self, *args, **kwargs)
        if content and len(content) > most and not self.ie_key().startswith(_AS_THEY_ARE):
            raise HandOff
        return content

    InfoExtractor._webpage_read_content = wrapper
