"""yt-dlp's extractors in this process: which there are, what is added to them, and which one takes a URL."""

import functools
import io
import logging
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from yt_dlp import plugins
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.extractor.common import InfoExtractor, UnsupportedURLIE
from yt_dlp.globals import all_plugins_loaded, plugin_dirs
from yt_dlp.utils import ExtractorError

from sluice import playlist
from sluice.index import Index, load

PLUGINS = Path(__file__).parent.parent / "plugins"
"""The only folder whose plugins are loaded. yt-dlp would also look in the user's, the system's and `sys.path`."""

LOGIN_HINT = "The server needs the cookies of an account that may see it"
"""Instead of yt-dlp's advice, which names options of its command line."""


@functools.cache
def catalog() -> Mapping[str, type[InfoExtractor]]:
    """Return the extractors by key, in yt-dlp's order; one for all sessions, so read only."""
    return MappingProxyType({ie.ie_key(): ie for ie in (*_extractors(), UnsupportedURLIE)})


@functools.cache
def _extractors() -> tuple[type[InfoExtractor], ...]:
    return tuple(ie for ie in gen_extractor_classes() if ie._ENABLED and ie.ie_key() != "Generic")


@functools.cache
def index() -> Index:
    """Say which extractor takes a URL; for what nobody takes, UnsupportedURLIE. Only after `prepare`."""
    return Index((*_extractors(), UnsupportedURLIE), load())


def prepare() -> int:
    """Set up what is global in yt-dlp and in Python's library; returns the number of extractors."""
    plugin_dirs.value = [str(PLUGINS)]
    # yt-dlp and libcurl would write the keys of every connection to the file that it names.
    os.environ.pop("SSLKEYLOGFILE", None)
    os.environ.pop("YTDLP_NO_PLUGINS", None)
    # Once: a plugin that is loaded again overrides itself.
    if not all_plugins_loaded.value:
        plugins.load_all_plugins()
    # Nothing here prints: the libraries' loggers and warnings would, on the server's own output.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = io.TextIOWrapper(_Nowhere(), "utf-8", "replace", write_through=True)
    if not hasattr(InfoExtractor.raise_login_required, "__wrapped__"):
        InfoExtractor.raise_login_required = _marked(InfoExtractor.raise_login_required)
        InfoExtractor._login_hint = lambda *_args, **_kwargs: LOGIN_HINT
    playlist.install()
    index()
    return len(_extractors())


class _Nowhere(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def _marked(raise_login_required: Any) -> Any:
    """Mark the exception, because its class is the same as that of any other failure."""

    @functools.wraps(raise_login_required)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            raise_login_required(*args, **kwargs)
        except ExtractorError as error:
            error.sluice_kind = "login_required"
            raise

    return wrapper
