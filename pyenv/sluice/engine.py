"""yt-dlp as this server runs it: its options, its handlers, and what it may not do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http.cookiejar import Cookie
from typing import Any

from yt_dlp import YoutubeDL, version
from yt_dlp.extractor import get_info_extractor
from yt_dlp.extractor.common import InfoExtractor, UnsupportedURLIE
from yt_dlp.utils import UnsupportedError

from sluice import extractors, handlers, javascript, sites
from sluice.captions import keep_one_each
from sluice.cookies import ReadOnlyJar
from sluice.handoff import HandOff
from sluice.limits import Limits, Meter, files_of
from sluice.log import Log
from sluice.state import Keeper

YT_DLP_VERSION: str = version.__version__


@dataclass(frozen=True)
class Settings:
    """What `start` was told. `socket_timeout`: seconds."""

    socket_timeout: float
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Job:
    """One extraction.

    `deadline`: as time.monotonic() tells it; `offset`, `limit`: of a playlist's entries; `proxy`: its way out,
    socks5h://user:password@host:port, without which it gets nowhere.
    """

    cookies: Sequence[Cookie]
    log: Log
    deadline: float | None = None
    offset: int = 0
    limit: int = Limits.entries
    proxy: str | None = None


class Ydl(YoutubeDL):
    """A `YoutubeDL` that extracts and does nothing else: no files, no output, no format chosen.

    It is kept for many jobs: `begin` makes it what it was when it was new, but for its connections.
    """

    def __init__(self, settings: Settings) -> None:
        # In place of a cached property, which would read `cookiefile` and write it back at the end.
        self.cookiejar = ReadOnlyJar()
        self._keeper = Keeper(extractors.index().stateful, extractors.index().changed)
        self._deadline: float | None = None
        self.meter = Meter(settings.limits)
        """What the present job has used of its limits."""
        self.extractor: str | None = None
        """Key of the extractor that the present job has come to, for the server's counts."""
        super().__init__(
            {
                "cachedir": False,
                # Otherwise a format that yt-dlp is not sure of is downloaded to a temporary file.
                "check_formats": False,
                "color": "no_color",
                "extract_flat": "in_playlist",
                "extractor_retries": 1,
                "format": _no_choice,
                "ignoreerrors": False,
                # By default yt-dlp looks for one on PATH and starts it, as a child with our environment.
                "js_runtimes": javascript.runtimes(),
                "logger": Log(),
                "noplaylist": True,
                # Each job brings its own. None would mean the environment's.
                "proxy": "",
                "quiet": True,
                # Spares a warning, with every instance, where the locale is C.
                "restrictfilenames": True,
                "retries": 1,
                "simulate": True,
                "skip_download": True,
                "socket_timeout": settings.socket_timeout,
            },
            # Not the header with versions, paths and proxies.
            auto_init="no_verbose_header",
        )
        for handler in self._request_director.handlers.values():
            handler.begin(None, self.meter, None)
        self._new = {name: _copied(value) for name, value in vars(self).items() if name not in _KEPT}

    def begin(self, job: Job) -> None:
        """Take a new job: nothing that an earlier one set, stored or changed is left."""
        for name in vars(self).keys() - self._new.keys() - _KEPT:
            del self.__dict__[name]
        for name, value in self._new.items():
            self.__dict__[name] = _copied(value)
        self.params |= {
            "logger": job.log,
            "verbose": job.log.verbose,
            "playliststart": job.offset + 1,
            "playlistend": job.offset + job.limit,
        }
        self._deadline = job.deadline
        self.meter = Meter(self.meter.limits)
        self.cookiejar.restore(job.cookies)
        for handler in self._request_director.handlers.values():
            handler.begin(job.deadline, self.meter, job.proxy)

    def end(self) -> None:
        """End the job: let others have what only one may."""
        self._keeper.over()
        self._ies_instances.clear()
        for handler in self._request_director.handlers.values():
            handler.end()

    def add_default_info_extractors(self) -> None:
        """Take every extractor that this process may run."""
        self._ies = extractors.catalog()

    def get_info_extractor(self, ie_key: str) -> InfoExtractor:
        """Return this job's instance of an extractor."""
        extractor = self._ies_instances.get(ie_key)
        if extractor is None:
            extractor = _class(ie_key)()
            javascript.patch()
            self._keeper.made(extractor, self._deadline)
            extractor.set_downloader(self)
            self._ies_instances[ie_key] = extractor
        return extractor

    def extract_info(self, url: str, download: bool = True, ie_key: str | None = None, *rest: Any, **kw: Any) -> Any:
        """As yt-dlp's, but what this process may not do raises HandOff, and what nobody can, UnsupportedError."""
        self.meter.enter()
        # yt-dlp would ask all of them in order, and compile 1,750 patterns for it.
        ie_key = ie_key or extractors.index().find(url).ie_key()
        if ie_key == "UnsupportedURL" and extractors.needs_quarantine("Generic"):
            ie_key = "Generic"
        if ie_key != "UnsupportedURL":
            sites.check(ie_key, url)
            self.extractor = ie_key
        if extractors.needs_quarantine(ie_key) and url.startswith(("http://", "https://")):
            raise HandOff
        if ie_key not in self._ies:
            raise UnsupportedError(url)
        return super().extract_info(url, download, ie_key, *rest, **kw)

    def process_ie_result(self, ie_result: Any, download: bool = True, extra_info: Any = None) -> Any:
        """As yt-dlp's; a HandOff takes along what led to it."""
        try:
            return super().process_ie_result(ie_result, download, extra_info)
        except HandOff as off:
            off.keep(ie_result, extra_info)
            raise

    def process_video_result(self, info_dict: dict[str, Any], download: bool = True) -> Any:
        """As yt-dlp's, which takes long to sort and complete what there is too much of."""
        self.meter.check_video(info_dict)
        left = self.meter.limits.subtitles - files_of(info_dict)
        info_dict["automatic_captions"] = keep_one_each(info_dict.get("automatic_captions"), left)
        return super().process_video_result(info_dict, download)

    def build_request_director(self, _handlers: Any, preferences: Any = None) -> Any:
        """Offer our handlers only."""
        return super().build_request_director(handlers.HANDLERS, preferences)

    def close(self) -> None:
        """Close connections, and let go of the extractors: the circle would keep all this until a full collection."""
        self.end()
        super().close()
        self.__dict__.pop("_new", None)

    def raise_no_formats(self, info: dict[str, Any], *rest: Any, **kw: Any) -> None:
        """As yt-dlp's, but a post of photos needs no sound."""
        if not (info.get("sluice") or {}).get("images"):
            super().raise_no_formats(info, *rest, **kw)

    def save_cookies(self) -> None:
        """Do nothing: cookies are read only."""

    def _forceprint(self, _key: str, info_dict: dict[str, Any]) -> dict[str, Any]:
        # yt-dlp renders its tables of formats here, for output that nobody asked for: a third of an extraction.
        return info_dict


_KEPT = {"cookiejar", "_deadline", "_keeper", "_new", "meter", "_request_director"}
"""What `Ydl.begin` does not make anew."""


def _class(ie_key: str) -> Any:
    if ie_key == "UnsupportedURL":
        return UnsupportedURLIE
    # Named extractors may ask for one to look for embedded players in their page, or for its name.
    return extractors.stand_in(ie_key) if extractors.needs_quarantine(ie_key) else get_info_extractor(ie_key)


def _copied(value: Any) -> Any:
    """Copy containers, and those in them; what else a YoutubeDL holds is not changed by jobs."""
    if isinstance(value, dict):
        copied = value.copy()
        copied.update({key: item.copy() for key, item in value.items() if isinstance(item, dict | list | set)})
        return copied
    return value.copy() if isinstance(value, list | set) else value


def _no_choice(_context: dict[str, Any]) -> list[dict[str, Any]]:
    # Formats are chosen later, from the stored list. One empty choice is the cheapest that yt-dlp accepts, and it
    # leaves the result as the extractor made it.
    return [{}]
