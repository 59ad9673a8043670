"""What Rust calls: `start` once, then a `Session` per worker thread."""

import functools
import gc
import json
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sluice import breaking, engine, extractors, handlers, handoff, javascript, large, manifests, sites, trust, walls
from sluice.breaking import LockHeldError, breakable
from sluice.cookies import CookieFile
from sluice.engine import Job, Settings, Ydl
from sluice.errors import Error, classify, failure
from sluice.handoff import HandOff
from sluice.limits import LimitError, Limits, Meter
from sluice.log import Log
from sluice.project import NoFormatsError, project
from sluice.selector import BadSelectorError, Selector, UnavailableError

MAX_URL = 8_192
"""Characters of a page's URL."""

RENEW_AFTER = 1_000
"""Jobs after which a session starts anew."""

_state: tuple[Settings, CookieFile] | None = None
_lock = threading.Lock()


def start(config_json: str, run_script: javascript.RunScript | None = None) -> str:
    """Prepare the process; call once, on the main thread, before any `Session`.

    Takes {"guard": "127.0.0.1:PORT"|null, to which alone Python may connect, "ca_file": str|null, "cookies_path":
    str|null, "socket_timeout": seconds, "any_host"?: whether extractors that take pages of any host may run here,
    "limits"?: {"page_bytes": n, ...} (see `Limits`), "javascript"?: what fields `javascript.Runtime` has, or null,
    "named_bytes"?: of the largest page of a named site that is for this process, "sites"?: those that may be asked
    (see `sites.install`), "jobs_only"?: whether what Python may do is narrowed within jobs alone (walls.py), for tests
    that share the process}, and what runs a script; returns {"python": "3.11.2", "yt_dlp": "2026.10.26", "extractors":
    n, "impersonations": how many browsers requests can look like}. Raises ValueError, with a sentence for the operator,
    when the CA file can't be used. Output streams of Python go nowhere afterwards.
    """
    global _state
    config = json.loads(config_json)
    trust.install(config.get("ca_file"))
    limits = Limits.from_json(config.get("limits"))
    settings = Settings(float(config["socket_timeout"]), limits)
    count = extractors.prepare(config.get("any_host", False))
    manifests.install(limits)
    breaking.install()
    large.install(config.get("named_bytes"))
    javascript.install(config.get("javascript"), run_script)
    sites.install(config.get("sites"))
    sys.setrecursionlimit(limits.depth)
    # The zygote of an `any_host` process is forked by Rust.
    walls.install(config.get("guard"), config.get("any_host", False), not config.get("jobs_only", False))
    with _lock:
        _state = (settings, CookieFile(config.get("cookies_path")))
    return _dump(
        {
            "python": platform.python_version(),
            "yt_dlp": engine.YT_DLP_VERSION,
            "extractors": count,
            "impersonations": handlers.IMPERSONATIONS,
        },
    )


class Session:
    """The worker's side of yt-dlp, kept for many jobs. Not for sharing between threads; its methods never raise."""

    def __init__(self) -> None:
        self._selector: Selector | None = None
        self._ydl: Ydl | None = None
        self._jobs = 0
        self._whole = True

    def warm(self) -> None:
        """Pay, without the network, what the first extraction would."""
        try:
            ydl = self._begin(Job((), Log()))
            extractors.index().find("https://www.tiktok.com/")
            ydl.get_info_extractor("TikTok")
            project(ydl, ydl.process_ie_result(_sample(), download=False))
            self.select('[{"format_id": "a", "ext": "mp4", "url": "", "by": "file"}]', "b[height<=?720]/w")
        except Exception:  # noqa: S110  only a saving; the first job would show what is wrong
            pass
        _freeze()

    def warm_embeds(self) -> None:
        """Pay for a helper's first page: who looks for players in it is imported, and its patterns compiled."""
        try:
            generic = self._begin(Job((), Log())).get_info_extractor("Generic")
            list(generic._extract_embeds("https://warm.invalid/", "<html></html>", info_dict={"id": "warm"}))
        except Exception:  # noqa: S110  as above
            pass
        # Forks must not share what it has open: the file by which libcurl wakes itself up.
        self._drop()
        extractors.forget_tests()
        gc.collect()
        gc.freeze()

    def extract(self, url: str, options_json: str) -> str:
        """Extract the page at `url` (http or https, as the client gave it).

        `options_json`: {"timeout": seconds, "proxy": the job's way out (see `Job`), "verbose"?: whether the log is to
        be whole, "offset"?, "limit"?: of a playlist's entries}. Returns {"ok": Extraction, "log": [[LEVEL, text], ...]}
        (see `project` and `Log`) or {"error": {"kind": CODE, "message": text, "retry_after"?: seconds, "limit"?:
        which}, "log": [...]}. An `internal` error has a `trace` for the log. {"hand_off": state, "held": bool, "log":
        [...]} where another process must go on: `state` is for `resume`. It is because the job has `held` Python's lock
        for too long, or because only an extractor can that takes any host. Each of them has an "extractor" beside it,
        the key of the last one of yt-dlp's that was asked, if one was.
        """
        refused = _refuse(url)
        if refused:
            return _dump({"error": refused, "log": []})
        return self._job(url, options_json, lambda ydl: ydl.extract_info(url, download=False))

    def resume(self, state_json: str, options_json: str) -> str:
        """Go on with an extraction that another process has handed off; otherwise as `extract`."""
        return self._job("", options_json, lambda ydl: handoff.resume(ydl, ydl.meter, json.loads(state_json)))

    def select(self, formats_json: str, selector: str) -> str:
        """Apply a format selector to an Extraction's `formats`, without the network; the empty one picks the default.

        They may come without `hls` and `fragments`. One with "too_large": true is more than a client takes: it is never
        picked, but still tells that the page has sound. Returns {"ok": {"format_ids": [...]}}, best or first asked for
        first, or {"error": ...} with `bad_request` for a malformed selector and `format_unavailable` when nothing
        matches, or what matches must be joined or can't be streamed.
        """
        return _answer(lambda: self._select(formats_json, selector))

    def settle(self) -> None:
        """Tidy up after a job: when it can't be told to stop any more, so that nothing of this is left half done.

        Others may wait for what the job held. What was broken off, in whatever state, is not used again; and every so
        often there is a new yt-dlp anyway, so that no leak lasts.
        """
        if not self._whole or self._jobs >= RENEW_AFTER:
            self._drop()
        elif self._ydl is not None:
            self._ydl.end()
        self._whole = True

    def close(self) -> None:
        """Let go of everything."""
        self._selector = None
        self._drop()

    def _begin(self, job: Job) -> Ydl:
        """Return the session's yt-dlp, as good as new."""
        # Where nobody has after the last job.
        self.settle()
        if self._ydl is None:
            self._ydl = Ydl(_started()[0])
        self._jobs += 1
        self._ydl.begin(job)
        return self._ydl

    def _drop(self) -> None:
        """Close the session's yt-dlp: one that is not closed costs a megabyte for ever."""
        ydl, self._ydl, self._jobs = self._ydl, None, 0
        if ydl is not None:
            ydl.close()

    def _job(self, url: str, options_json: str, work: Callable[[Ydl], Any]) -> str:
        options = json.loads(options_json)
        log = Log(options.get("verbose", False))
        return _answer(lambda: self._named(self._done(url, options, work, log)), log)

    @walls.at_work()
    def _done(self, url: str, options: dict[str, Any], work: Callable[[Ydl], Any], log: Log) -> dict[str, Any]:
        settings, file = _started()
        cookies = file.cookies()
        deadline = time.monotonic() + options["timeout"] if "timeout" in options else None
        limit = min(options.get("limit", settings.limits.entries), settings.limits.entries)
        ydl = self._begin(Job(cookies, log, deadline, options.get("offset", 0), limit, options.get("proxy")))
        self._whole = False
        answer: dict[str, Any]
        try:
            with breakable():
                info = work(ydl)
        except HandOff as off:
            # After a break nobody knows what was half done.
            held = isinstance(off, LockHeldError)
            self._whole = not held
            added = handoff.added(ydl.cookiejar, cookies)
            try:
                return {"hand_off": off.state(url, added, ydl.meter.used()), "held": held}
            except RecursionError:
                return {"error": classify(LimitError("depth", ydl.meter.limits))}
        except RecursionError:
            return {"error": classify(LimitError("depth", ydl.meter.limits))}
        except Exception as error:
            answer = javascript.advise(ydl, {"error": classify(error)}, log)
        # SystemExit, and what a deadline throws into a thread.
        except BaseException as error:
            return {"error": classify(error)}
        else:
            answer = javascript.advise(ydl, _projected(ydl, info), log)
        self._whole = True
        return answer

    def _named(self, answer: dict[str, Any]) -> dict[str, Any]:
        extractor = self._ydl and self._ydl.extractor
        return {"extractor": extractor, **answer} if extractor else answer

    def _select(self, formats_json: str, selector: str) -> dict[str, Any]:
        if self._selector is None:
            self._selector = Selector()
        try:
            return {"ok": {"format_ids": self._selector.select(json.loads(formats_json), selector)}}
        except BadSelectorError as error:
            return {"error": failure("bad_request", str(error))}
        except UnavailableError as error:
            return {"error": failure("format_unavailable", str(error))}


def _projected(ydl: Ydl, info: dict[str, Any] | None) -> dict[str, Any]:
    if not info:
        return {"error": failure("extraction_failed", "The extractor found nothing on this page")}
    try:
        return {"ok": project(ydl, info)}
    except NoFormatsError as error:
        return {"error": failure("extraction_failed", str(error))}
    except LimitError as error:
        return {"error": classify(error)}


@functools.cache
def _freeze() -> None:
    """Once: spare the garbage collector all that stays, which is half a million objects."""
    gc.collect()
    gc.freeze()


def _started() -> tuple[Settings, CookieFile]:
    if _state is None:
        raise RuntimeError("sluice.start was not called")
    return _state


def _answer(work: Callable[[], dict[str, Any]], log: Log | None = None) -> str:
    try:
        result = work()
        if log is not None:
            result["log"] = log.records
        return _crossing(_dump(result))
    except MemoryError as error:
        return _dump({"error": classify(error), "log": []})
    # Anything that gets here is a bug of this package; its text could hold anything, so only its class and place are
    # told, and the place to the log alone.
    except BaseException as error:
        failed = failure("internal", f"The extraction broke ({type(error).__name__})")
        return _dump({"error": {**failed, "trace": _trace(error)}, "log": []})


def _crossing(text: str) -> str:
    """Return what may go to Rust. Its size is in bytes, which are as many as characters in most languages."""
    meter = Meter(_started()[0].limits)
    try:
        meter.check("result_bytes", len(text) if text.isascii() else len(text.encode()))
    except LimitError as error:
        return _dump({"error": classify(error), "log": []})
    return text


def _trace(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{os.path.basename(at.filename)}:{at.lineno} {at.name}" for at in reversed(frames))


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _refuse(url: str) -> Error | None:
    """Rust has checked before; these are the inputs that would make yt-dlp do something else than fetch a page."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        return failure("bad_request", "The URL is too long or holds a space or a control character")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return failure("bad_request", "The URL is malformed")
    # Search prefixes (ytsearch:cats) are schemes, too.
    if parts.scheme not in ("http", "https"):
        return failure("unsupported_url", "Only http and https URLs are taken")
    if not host or "@" in parts.netloc:
        return failure("bad_request", "The URL has no host, or a user name in it")
    # yt-dlp takes instructions from this fragment: headers, ids, anything.
    if "__youtubedl_smuggle" in url:
        return failure("bad_request", "The URL holds a fragment that is not a page's")
    return None


def _sample() -> dict[str, Any]:
    """A result as an extractor gives it, to run the sorting and the projection once."""
    form = {"ext": "mp4", "vcodec": "h264", "acodec": "aac", "height": 720, "width": 1280}
    return {
        "id": "warm",
        "title": "warm",
        "extractor": "TikTok",
        "extractor_key": "TikTok",
        "webpage_url": "https://warm.invalid/",
        "thumbnail": "https://warm.invalid/a.jpg",
        "formats": [{**form, "format_id": name, "url": f"https://warm.invalid/{name}"} for name in "ab"],
    }
