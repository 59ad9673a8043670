"""yt-dlp's extractors in this process: which there are, what is added to them, and which one takes a URL."""

import functools
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, ValuesView
from pathlib import Path
from typing import Any, NoReturn

from yt_dlp import plugins
from yt_dlp.extractor import gen_extractor_classes, get_info_extractor
from yt_dlp.extractor.common import InfoExtractor, UnsupportedURLIE
from yt_dlp.globals import all_plugins_loaded, plugin_dirs
from yt_dlp.utils import ExtractorError

from sluice import playlist
from sluice.handoff import HandOff
from sluice.index import Index, Table, load_or_derive, stock

PLUGINS = Path(__file__).parent.parent / "plugins"
"""The only folder whose plugins are loaded. yt-dlp would also look in the user's, the system's and `sys.path`."""

LOGIN_HINT = "The server needs the cookies of an account that may see it"
"""Instead of yt-dlp's advice, which names options of its command line."""


_takes_any_host = False
"""Whether this process may run extractors that take pages of any host."""


class Catalog(Mapping[str, type[InfoExtractor]]):
    """Extractors by key, in yt-dlp's order; one for all sessions, so read only.

    Its `values` are those that may find something in other sites' pages: the generic extractor asks them all, which
    for most means to import them for nothing.
    """

    def __init__(self) -> None:
        self._all = {ie.ie_key(): ie for ie in (*_extractors(), UnsupportedURLIE)}
        classes = stock()
        blind = set(classes) - {classes[number] for number in _table().embeds}
        self._looking = {key: ie for key, ie in self._all.items() if ie not in blind}

    def __getitem__(self, key: str) -> type[InfoExtractor]:
        return self._all[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def values(self) -> ValuesView[type[InfoExtractor]]:
        """List those that look for players of their site in other sites' pages."""
        return self._looking.values()


@functools.cache
def catalog() -> Catalog:
    """Return the one catalog."""
    return Catalog()


@functools.cache
def _table() -> Table:
    return load_or_derive()


@functools.cache
def _extractors() -> tuple[type[InfoExtractor], ...]:
    return tuple(ie for ie in gen_extractor_classes() if ie._ENABLED and not needs_quarantine(ie.ie_key()))


def takes_any_host() -> bool:
    """Tell what `prepare` was told: it is so in helpers only."""
    return _takes_any_host


def needs_quarantine(ie_key: str) -> bool:
    """Tell whether an extractor takes pages of any host, and this process may not."""
    return not _takes_any_host and ie_key in _table().any_host


@functools.cache
def index() -> Index:
    """Say which extractor takes a URL; for what nobody takes, UnsupportedURLIE. Only after `prepare`."""
    return Index((*_extractors(), UnsupportedURLIE), _table())


@functools.cache
def stand_in(ie_key: str) -> type[InfoExtractor]:
    """Return the class of an extractor that this process may not run: one that is never more than asked its name."""
    cls = get_info_extractor(ie_key)
    return type(cls.__name__, (cls,), {"extract": _hand_off, "_extract_embeds": _hand_off})


def _hand_off(*_: Any, **__: Any) -> NoReturn:
    raise HandOff


def forget_tests() -> None:
    """Drop the tests that extractors which were imported come with: a tenth of what they take, and nobody runs them."""
    for ie in catalog().values():
        cls = vars(ie).get("_real_class", ie)
        for name in ("_TESTS", "_WEBPAGE_TESTS"):
            if name in vars(cls):
                delattr(cls, name)


def prepare(takes_any_host: bool = False) -> int:
    """Set up what is global in yt-dlp and in Python's library; returns the number of extractors.

    `takes_any_host`: also those that take pages of any host, which may hold Python's lock for as long as such a page
    likes.
    """
    global _takes_any_host
    _takes_any_host = takes_any_host
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
