"""What one job may take in, build and give back: named limits, and the meter that counts against them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Limits:
    """The most of everything. The setting of a field is its name in capitals after `MAX_`.

    `page_bytes`: of one answer, decoded; `job_bytes`: of all answers of a job, decoded, and of what a manifest's
    templates unfold to. `formats`, `images` (thumbnails, and photos of a post), `subtitles` (files; automatic ones are
    cut at what is left of it): of one page.
    `fragments`: of one format; `job_fragments`: of all formats of a job. `entries`: of a playlist, which is cut there;
    everything else ends the job. `requests`: of a job, redirects included; `redirects`: of one request;
    `handoffs`: from extractor to extractor. `result_bytes`: of the JSON that goes back; `depth`: calls within calls,
    which is what nested data takes to read.
    """

    page_bytes: int = 16 << 20
    job_bytes: int = 64 << 20
    formats: int = 1000
    fragments: int = 50_000
    job_fragments: int = 200_000
    images: int = 1000
    subtitles: int = 2000
    entries: int = 200
    requests: int = 40
    redirects: int = 10
    handoffs: int = 10
    result_bytes: int = 8 << 20
    depth: int = 1000

    @classmethod
    def from_json(cls, given: Mapping[str, Any] | None) -> "Limits":
        """Take {"page_bytes": n, ...}; what is absent has its default."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: int(value) for name, value in (given or {}).items() if name in names})


_SAID = {
    "page_bytes": "The page is larger than {} bytes",
    "job_bytes": "The page and what it needs are larger than {} bytes",
    "formats": "The page has more than {} formats",
    "fragments": "A format of the page has more than {} fragments",
    "job_fragments": "The formats of the page have more than {} fragments in all",
    "images": "The page has more than {} images",
    "subtitles": "The page has more than {} files of subtitles",
    "requests": "The page needs more than {} requests",
    "redirects": "The site redirects more than {} times in a row",
    "handoffs": "The page is handed on from extractor to extractor more than {} times",
    "result_bytes": "What the page holds takes more than {} bytes",
    "depth": "The page is nested too deep, more than {} calls",
}
"""By limit; `entries` is never exceeded."""


class LimitError(BaseException):
    """A limit is exceeded. Not an `Exception`: yt-dlp catches those, and goes on. `limit`: a name from `Limits`."""

    def __init__(self, limit: str, limits: Limits) -> None:
        super().__init__(f"{_SAID[limit].format(getattr(limits, limit))} (MAX_{limit.upper()})")
        self.limit = limit


class OutOfMemoryError(BaseException):
    """A MemoryError of a request. Not an `Exception`: yt-dlp takes any of these for a fault of its handler."""


class Meter:
    """What one job has used of its limits. Its methods raise LimitError."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._used: dict[str, int] = {}

    def add(self, limit: str, number: int = 1) -> None:
        """Count `number` more of something that is limited per job."""
        used = self._used[limit] = self._used.get(limit, 0) + number
        self.check(limit, used)

    def check(self, limit: str, number: int) -> None:
        """Compare `number` with what is limited per page or format."""
        if number > getattr(self.limits, limit):
            self.raise_over(limit)

    def raise_over(self, limit: str) -> None:
        """Say that a limit is exceeded."""
        raise LimitError(limit, self.limits)

    def used(self) -> dict[str, int]:
        """Return what is used so far, by limit, for another process to `go_on` from."""
        return self._used.copy()

    def go_on(self, used: Any) -> None:
        """Take over what the job has used elsewhere. Raises ValueError for anything but counts by limit."""
        if not isinstance(used, dict) or not all(_is_count(*item) for item in used.items()):
            raise ValueError("not what a job can have used")
        self._used = used.copy()
        # The extractor that goes on was counted there, and will be again.
        if "handoffs" in used:
            self._used["handoffs"] -= 1

    def enter(self) -> None:
        """Count an extractor's beginning: all but a job's first are hand-offs."""
        if "handoffs" in self._used:
            self.add("handoffs")
        else:
            self._used["handoffs"] = 0

    def check_video(self, info: Mapping[str, Any]) -> None:
        """Look at what an extractor found, before anything is made of it."""
        formats = info.get("formats") or ()
        self.check("formats", len(formats))
        fragments = 0
        for form in formats:
            # Others are lazy: those of a broadcast have no end.
            if isinstance(listed := form.get("fragments"), list):
                self.check("fragments", len(listed))
                fragments += len(listed)
        self.check("job_fragments", fragments)
        self.check("images", len(info.get("thumbnails") or ()))
        self.check("images", len((info.get("sluice") or {}).get("images") or ()))
        self.check("subtitles", files_of(info))

    def page(self) -> "Page":
        """Begin to count an answer."""
        return Page(self)


def files_of(info: Mapping[str, Any]) -> int:
    """Return how many files of subtitles an extractor found; of the automatic ones what is left of them is kept."""
    return sum(len(files) for files in (info.get("subtitles") or {}).values())


def _is_count(limit: object, number: object) -> bool:
    return limit in _SAID and type(number) is int and number >= 0


class Page:
    """Bytes of one answer, as they come and as they are decoded."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._decoded = 0
        self._raw = 0

    def add(self, decoded: int) -> None:
        """Count bytes that were decoded, for the page and for the job."""
        self._decoded += decoded
        self._meter.check("page_bytes", self._decoded)
        self._meter.add("job_bytes", decoded)

    def add_raw(self, received: int) -> None:
        """Count bytes as they came: some encodings take many to say nothing."""
        self._raw += received
        self._meter.check("page_bytes", self._raw)
