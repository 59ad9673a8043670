"""A yt-dlp plugin for any_host.py: a host whose pages are for the generic extractor, and yet no stranger's."""

from yt_dlp.extractor.generic import GenericIE


class InsideIE(GenericIE):
    """The generic extractor as a named one, which runs where all named ones do."""

    _VALID_URL = r"https?://iframe-open\.harmless\.example\.net/"
