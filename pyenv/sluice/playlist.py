"""How many entries a playlist has, without fetching pages of it that nobody asked for."""

from yt_dlp.utils import PagedList, PlaylistEntries

_full_count = PlaylistEntries.get_full_count


def install() -> None:
    """Make yt-dlp count as `_count` does."""
    PlaylistEntries.get_full_count = _count


def _count(entries: PlaylistEntries) -> int | None:
    """As yt-dlp's, but of a paged list whose end was seen: yt-dlp fetches all pages before it, to count them."""
    pages = entries._entries
    if not entries.is_exhausted or not isinstance(pages, PagedList):
        return _full_count(entries)
    # Every page but the last is full: otherwise yt-dlp could not have found the place of an entry.
    last = max((number for number, page in pages._cache.items() if page), default=None)
    if last is None:
        return 0 if 0 in pages._cache else None
    return last * pages._pagesize + len(pages._cache[last])
