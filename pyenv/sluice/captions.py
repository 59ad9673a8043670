"""Automatic captions, of which a page may have a dozen files for each of many languages: one of each is kept.

Before yt-dlp works on them. YouTube alone lists some 160 translations of its own captions, in seven kinds of file.
"""

from collections.abc import Iterable
from typing import Any

from yt_dlp.utils import determine_ext

from sluice.delivery import may_be_delivered

Json = dict[str, Any]

MAX_LANGUAGES = 200
"""Languages of a page that are kept, the first ones: YouTube has as many for each track that people wrote."""

_BEST = ("vtt", "srt")


def keep_one_each(captions: Any, most: int) -> dict[str, list[Json]]:
    """Return {language: [file]} with the best file of the first languages, `most` at most, in the given order."""
    kept: dict[str, list[Json]] = {}
    if not isinstance(captions, dict):
        return kept
    most = min(most, MAX_LANGUAGES)
    for language, files in captions.items():
        if len(kept) >= most:
            break
        best = _best(files) if isinstance(files, list | tuple) else None
        if best is not None:
            kept[language] = [best]
    return kept


def _best(files: Iterable[Any]) -> Json | None:
    # A page has a thousand of them: all are ranked, few are looked at.
    ranked = sorted((item for item in files if isinstance(item, dict)), key=_rank)
    return next((item for item in ranked if may_be_delivered(item)), None)


def _rank(item: Json) -> int:
    ext = item.get("ext") or determine_ext(str(item.get("url")))
    return _BEST.index(ext) if ext in _BEST else len(_BEST)
