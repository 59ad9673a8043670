"""The sites' JavaScript challenges: yt-dlp's solvers, with scripts from yt-dlp-ejs alone, run by Rust and nobody else.

yt-dlp would look for a runtime on PATH, start it with this process's environment, and fetch scripts that it lacks. Here
it is told of one runtime, or of none, and no process is started from Python at all (walls.py).
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from yt_dlp.globals import supported_js_runtimes
from yt_dlp.utils import version_tuple
from yt_dlp.utils._jsruntime import JsRuntime, JsRuntimeInfo

from sluice.log import Log

RunScript = Callable[[str, float], tuple[int, str, str]]
"""Runs a script for so many seconds at most: exit code, standard output, standard error; or raises RuntimeError with a
sentence. Gives the interpreter's lock up meanwhile."""

ADVICE = "Links of this site need a JavaScript runtime: install Deno 2.3 or newer and set JS_RUNTIME"
"""For the operator, and for whoever asks for a page that fails for want of one."""

_NO_DEADLINE = 600.0  # seconds; Rust allows less
_MAX_COMPLAINT = 500  # characters of what a runtime says when it fails
_SOLVERS = "yt_dlp.extractor.youtube.jsc._director"
_WANTED = "_sluice_wanted_javascript"


@dataclass(frozen=True)
class Runtime:
    """What Rust found. `name`: deno, node or quickjs; `ng`: whether that is QuickJS-ng."""

    name: str
    path: str
    version: str
    ng: bool = False


_runtime: Runtime | None = None
_run: RunScript | None = None
_patched = False
_patching = threading.Lock()


def install(described: dict[str, Any] | None, run: RunScript | None) -> None:
    """Have yt-dlp use this runtime only, or none, by `run` only. Call it once yt-dlp's extractors are loaded."""
    global _runtime, _run
    _runtime, _run = (Runtime(**described), run) if described and run else (None, None)
    supported_js_runtimes.value = {_runtime.name: _Told} if _runtime else {}


def patch() -> None:
    """Change yt-dlp's solvers, once they are loaded: to load them at start costs 17 ms, and most jobs need none."""
    global _patched
    if _patched or _SOLVERS not in sys.modules:
        return
    with _patching:
        if not _patched:
            _patch()
            _patched = True


def _patch() -> None:
    from yt_dlp.extractor.youtube.jsc._builtin.deno import DenoJCP
    from yt_dlp.extractor.youtube.jsc._builtin.ejs import EJSBaseJCP, ScriptSource
    from yt_dlp.extractor.youtube.jsc._builtin.node import NodeJCP
    from yt_dlp.extractor.youtube.jsc._builtin.quickjs import QuickJSJCP

    def package_only(self: Any) -> Iterator[tuple[Any, Any]]:
        yield ScriptSource.PYPACKAGE, self._pypackage_source

    # On each class, for some have their own.
    for provider in (EJSBaseJCP, DenoJCP, NodeJCP, QuickJSJCP):
        provider._iter_script_sources = package_only
        provider._run_js_runtime = _run_confined
    EJSBaseJCP.is_available = _noticed(EJSBaseJCP.is_available)
    EJSBaseJCP._construct_stdin = _small(EJSBaseJCP._construct_stdin)


def runtimes() -> dict[str, dict[str, str]]:
    """Return what yt-dlp's option `js_runtimes` takes: never its own default, which searches."""
    return {_runtime.name: {"path": _runtime.path}} if _runtime else {}


def advise(ydl: Any, answer: dict[str, Any], log: Log) -> dict[str, Any]:
    """Say what to install, in the log and in a failure's message, where a job wanted a runtime and there is none."""
    if not ydl.__dict__.pop(_WANTED, False):
        return answer
    log.warning(ADVICE)
    error = answer.get("error")
    if error and error["kind"] in ("extraction_failed", "format_unavailable"):
        answer = {"error": {**error, "message": f"{error['message'].rstrip('.')}. {ADVICE}"}}
    return answer


class _Told(JsRuntime):  # type: ignore[misc]
    """A runtime whose version Rust has asked for."""

    def _info(self) -> JsRuntimeInfo | None:
        if _runtime is None:
            return None
        name = "quickjs-ng" if _runtime.ng else _runtime.name
        return JsRuntimeInfo(name, _runtime.path, _runtime.version, version_tuple(_runtime.version, lenient=True))


def _noticed(is_available: Any) -> Any:
    def wrapper(self: Any) -> bool:
        if _runtime is None:
            # A `Ydl` forgets it with the job.
            setattr(self.ie._downloader, _WANTED, True)
        return bool(is_available(self))

    return wrapper


def _small(construct_stdin: Any) -> Any:
    def wrapper(self: Any, *args: Any) -> str:
        # The player would come back, three megabytes of it, for a cache that is off.
        before, _, after = construct_stdin(self, *args).rpartition('"output_preprocessed": true')
        return f'{before}"output_preprocessed": false{after}' if before else after

    return wrapper


def _run_confined(provider: Any, script: str, /) -> str:
    from yt_dlp.extractor.youtube.jsc.provider import JsChallengeProviderError

    if _run is None:
        raise JsChallengeProviderError(ADVICE, expected=True)
    deadline = getattr(provider.ie._downloader, "_deadline", None)
    left = _NO_DEADLINE if deadline is None else deadline - time.monotonic()
    try:
        code, output, complaint = _run(script, left)
    except RuntimeError as error:
        raise JsChallengeProviderError(str(error), expected=True) from error
    if code:
        raise JsChallengeProviderError(f"The script ended with {code}: {complaint.strip()[:_MAX_COMPLAINT]}")
    return output
