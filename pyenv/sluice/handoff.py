"""Work that this process leaves to a helper: what only an extractor that takes any host can do (any_host.py).

It may come up at once, for the client's own URL, or in the midst of an extraction, when a named extractor refers to
another page. What the helper needs to go on from there is the job's state: JSON, because only strings cross.
"""

import http.cookiejar
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yt_dlp import YoutubeDL

from sluice.limits import Meter

_COOKIE = (
    "version", "name", "value", "port", "port_specified", "domain", "domain_specified", "domain_initial_dot", "path",
    "path_specified", "secure", "expires", "discard", "comment", "comment_url", "rfc2109",
)  # fmt: skip
"""What a cookie is made of, but for the attributes that no client knows."""


class HandOff(BaseException):
    """The extraction can't go on here. Not an `Exception`: yt-dlp catches those, and goes on.

    `result` is what an extractor returned that refers to the page in question, as `YoutubeDL.process_ie_result` takes
    it with `extra_info`; without one it is the URL of the job.
    """

    def __init__(self) -> None:
        super().__init__()
        self.result: dict[str, Any] | None = None
        self.extra_info: dict[str, Any] = {}

    def keep(self, result: dict[str, Any], extra_info: dict[str, Any] | None) -> None:
        """Note where the extraction stopped: the innermost reference is the one, for it is what led to the page."""
        # Of anything else something is done already, and what is not may be lazy, and not for JSON.
        if self.result is None and result.get("_type") in ("url", "url_transparent"):
            self.result, self.extra_info = result, extra_info or {}

    def state(self, url: str, added: Iterable[http.cookiejar.Cookie], used: Mapping[str, int]) -> str:
        """Return the job's state as JSON.

        `url`: the job's; `added`: cookies that its sites have set; `used`: of its limits, which count on where the job
        goes on. Where it begins anew, so do they: a page that is well within them must be so in a helper, too.
        """
        cookies = [[getattr(one, name) for name in _COOKIE] for one in added]
        state: dict[str, Any] = {"url": url, "cookies": cookies, "used": {}}
        if self.result is not None:
            state["used"] = dict(used)
            # Lazy lists and whatever else JSON has no word for are made plain.
            plain = YoutubeDL.sanitize_info({"result": self.result, "extra_info": self.extra_info})
            state |= {key: plain[key] for key in ("result", "extra_info")}
        return json.dumps(state, separators=(",", ":"))


def resume(ydl: YoutubeDL, meter: Meter, state: dict[str, Any]) -> dict[str, Any] | None:
    """Go on where a `HandOff` has stopped; returns what `YoutubeDL.extract_info` would have."""
    meter.go_on(state["used"])
    for fields in state["cookies"]:
        ydl.cookiejar.set_cookie(http.cookiejar.Cookie(**dict(zip(_COOKIE, fields, strict=True)), rest={}))
    info: dict[str, Any] | None
    if "result" in state:
        info = ydl.process_ie_result(state["result"], download=False, extra_info=state["extra_info"])
    else:
        info = ydl.extract_info(state["url"], download=False)
    return info


def added(
    jar: Iterable[http.cookiejar.Cookie], given: Sequence[http.cookiejar.Cookie]
) -> Iterable[http.cookiejar.Cookie]:
    """Yield what is in a job's jar beyond the cookies that it was given."""
    known = {(one.domain, one.path, one.name, one.value) for one in given}
    return (one for one in jar if (one.domain, one.path, one.name, one.value) not in known)
