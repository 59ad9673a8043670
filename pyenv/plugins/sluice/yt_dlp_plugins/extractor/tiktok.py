"""A yt-dlp plugin: TikTok's photo posts, and what TikTok's pages say of the author.

Stock yt-dlp knows no `/photo/<id>` and reads only the sound of a photo post. This adds a field, `sluice`, to what it
returns for any post; what the page does not say, or says in another type, is absent:

    {"images": [{"url", "width", "height"}], "avatars": {"thumb", "medium", "larger": url}, "signature": text,
     "music_duration": seconds}
"""

from typing import Any

from yt_dlp.extractor import import_extractors
from yt_dlp.extractor.tiktok import TikTokIE
from yt_dlp.globals import extractors
from yt_dlp.utils import int_or_none, traverse_obj, url_or_none

MAX_IMAGES = 100
"""Images of a post that are read; the site's own limit is lower."""

_AUTHOR = ("authorInfo", "author")  # either; the second is what pages have today


class _PhotoTikTokIE(TikTokIE, plugin_name="sluice"):  # type: ignore[call-arg]  # yt-dlp has no types
    _VALID_URL = (
        TikTokIE._VALID_URL,
        # The page at /video/ holds the same; it is what the stock code asks for.
        r"https?://www\.tiktokv?\.com/(?:share|@(?P<user_id>[\w\.-]+)?)/photo/(?P<id>\d+)",
    )

    def _parse_aweme_video_web(self, aweme_detail: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        info = super()._parse_aweme_video_web(aweme_detail, *args, **kwargs)
        return {**info, "sluice": traverse_obj(aweme_detail, self._paths())}

    def _paths(self) -> dict[str, Any]:
        image = {
            # The addresses of one image lead to the same file.
            "url": ("imageURL", "urlList", {list}, slice(MAX_IMAGES), {self._url}, any),
            "width": ("imageWidth", {int_or_none}),
            "height": ("imageHeight", {int_or_none}),
        }
        return {
            "images": ("imagePost", "images", {list}, slice(MAX_IMAGES), image),
            "avatars": {
                size: (_AUTHOR, key, {self._url}, any)
                for size, key in (("thumb", "avatarThumb"), ("medium", "avatarMedium"), ("larger", "avatarLarger"))
            },
            "signature": (_AUTHOR, "signature", {str}, filter, any),
            "music_duration": ("music", "duration", {int_or_none}),
        }

    def _url(self, value: Any) -> str | None:
        url: str | None = self._proto_relative_url(url_or_none(value))
        return url


# yt-dlp adds the plugin's name; to clients, and to the tables of errors, this is the same extractor.
_PhotoTikTokIE.IE_NAME = TikTokIE.IE_NAME

# The list may hold stand-ins with the stock patterns (lazy_extractors.py). It has to be filled before this one takes
# the place of its stand-in, so that the order stays.
import_extractors()
extractors.value["TikTokIE"] = _PhotoTikTokIE
