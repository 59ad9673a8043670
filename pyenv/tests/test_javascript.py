"""JavaScript: which solvers run, and what they are given."""

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from yt_dlp.extractor.youtube.jsc._builtin.ejs import ScriptSource, ScriptType
from yt_dlp.extractor.youtube.jsc.provider import JsChallengeProviderError

from sluice import engine, extractors, javascript
from sluice.log import Log

DENO = {"name": "deno", "path": "/opt/deno", "version": "2.9.8"}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    javascript.install(None, None)


def youtube(described: dict[str, Any] | None, run: Any = None) -> tuple[Any, engine.Ydl]:
    extractors.prepare()
    javascript.install(described, run)
    ydl = engine.Ydl(engine.Settings(5.0))
    ydl.begin(engine.Job((), Log(), time.monotonic() + 7))
    extractor = ydl.get_info_extractor("Youtube")
    extractor._real_initialize = lambda: None
    from yt_dlp.extractor.youtube.jsc._director import initialize_jsc_director

    return initialize_jsc_director(extractor), ydl


def available(director: Any) -> list[str]:
    return [provider.PROVIDER_NAME for provider in director.providers.values() if provider.is_available()]


def test_only_the_runtime_that_rust_found_is_used_and_is_not_asked_for_its_version() -> None:
    for name in ("deno", "node", "quickjs"):
        director, ydl = youtube({**DENO, "name": name}, lambda *_: (0, "", ""))
        assert available(director) == [name]
        assert ydl._js_runtimes[name].info.path == "/opt/deno"
        assert ydl._js_runtimes[name].info.version_tuple == (2, 9, 8)


def test_quickjs_ng_is_told_apart() -> None:
    _, ydl = youtube({**DENO, "name": "quickjs", "version": "0.12.0", "ng": True}, lambda *_: (0, "", ""))
    info = ydl._js_runtimes["quickjs"].info
    assert (info.name, info.supported) == ("quickjs-ng", True)


def test_without_a_runtime_a_job_that_wants_one_says_what_to_install() -> None:
    director, ydl = youtube(None)
    log = Log()
    failed = {"error": {"kind": "extraction_failed", "message": "No video formats found."}}
    assert javascript.advise(ydl, failed, log) == failed, "nobody has wanted one"
    assert available(director) == []
    told = javascript.advise(ydl, failed, log)["error"]
    assert told == {"kind": "extraction_failed", "message": f"No video formats found. {javascript.ADVICE}"}
    assert log.records == [("warning", javascript.ADVICE)]
    available(director)
    other = {"error": {"kind": "login_required", "message": "Sign in"}}
    assert javascript.advise(ydl, other, log) == other, "that is not why"
    available(director)
    ydl.begin(engine.Job((), Log()))
    assert javascript.advise(ydl, failed, Log()) == failed, "that was another job"


def test_scripts_come_from_the_package_alone() -> None:
    director, _ = youtube(DENO, lambda *_: (0, "", ""))
    for provider in director.providers.values():
        if provider.PROVIDER_NAME == "bun":
            continue
        assert [source for source, _ in provider._iter_script_sources()] == [ScriptSource.PYPACKAGE]
        for kind in ScriptType:
            assert provider._get_script(kind).source is ScriptSource.PYPACKAGE


def test_the_runner_is_given_the_script_and_what_is_left_of_the_jobs_time() -> None:
    calls = []

    def run(script: str, seconds: float) -> tuple[int, str, str]:
        calls.append((script, seconds))
        return 0, "solved", "a word of warning"

    director, _ = youtube(DENO, run)
    provider = director.providers["Deno"]
    request = SimpleNamespace(type=SimpleNamespace(value="n"), input=SimpleNamespace(challenges=["abc"]))
    script = provider._construct_stdin('the "player"', False, [request])
    assert provider._run_js_runtime(script) == "solved"
    [(given, seconds)] = calls
    assert given == script
    assert 5 < seconds <= 7
    assert '"output_preprocessed": false' in script
    assert json.dumps('the "player"') in script


def test_a_runner_that_fails_is_a_solver_that_fails() -> None:
    def killed(*_: Any) -> Any:
        raise RuntimeError("the script took longer than 2s")

    director, _ = youtube(DENO, killed)
    with pytest.raises(JsChallengeProviderError, match="took longer"):
        director.providers["Deno"]._run_js_runtime("")
    director, _ = youtube(DENO, lambda *_: (1, "", "Uncaught SyntaxError"))
    with pytest.raises(JsChallengeProviderError, match="ended with 1: Uncaught"):
        director.providers["Deno"]._run_js_runtime("")
