"""No memory, wherever it runs out within a request: told as that, and not as another fault."""

import curl_cffi
import pytest
from conftest import CLIP, CLIP_API, VIDEO, failed, tiktok_item, tiktok_page
from curl_cffi import Curl, CurlECode

from sluice import engine, transfer
from sluice.limits import Meter, Page


@pytest.fixture
def full(monkeypatch):
    """Let there be no memory at some place."""

    def full(owner, name):
        def refuse(*_args, **_kwargs):
            raise MemoryError

        monkeypatch.setattr(owner, name, refuse)

    return full


@pytest.mark.parametrize("url", [VIDEO, CLIP], ids=["curl_cffi", "requests"])
@pytest.mark.parametrize(("owner", "name"), [(Meter, "page"), (Page, "add"), (Meter, "add")])
def test_no_memory_for_an_answer(start, stage, full, url, owner, name):
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    stage.page(CLIP_API, "{}")
    full(owner, name)
    error = failed(start(), url)
    assert (error["kind"], error["limit"]) == ("limit_exceeded", "memory"), error


@pytest.mark.parametrize(
    ("owner", "name"),
    [(transfer.Session, "_parse_response"), (Curl, "duphandle"), (transfer.Transfer, "add")],
)
def test_no_memory_for_libcurl(start, stage, full, owner, name):
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    full(owner, name)
    assert failed(start(), VIDEO)["limit"] == "memory"


@pytest.mark.parametrize("code", [CurlECode.OUT_OF_MEMORY, None])
def test_libcurl_says_that_there_is_no_memory(start, stage, monkeypatch, code):
    if code:
        finish = transfer.Transfer.finish
        monkeypatch.setattr(transfer.Transfer, "finish", lambda self, _: finish(self, code))
        stage.page(VIDEO, "")
    else:
        monkeypatch.setattr(transfer, "lib", Libcurl())
    assert failed(start(), VIDEO)["limit"] == "memory"


class Libcurl:
    """The library, with no memory for a transfer."""

    def __getattr__(self, name):
        return getattr(curl_cffi.lib, name)

    def curl_multi_perform(self, *_):
        return 3  # CURLM_OUT_OF_MEMORY, curl/multi.h


def test_whose_memory_it_is(start, full):
    full(engine.Ydl, "extract_info")
    assert failed(start(), VIDEO)["message"] == "The extraction ran out of memory"
    helper = failed(start(any_host=True), VIDEO)
    assert helper["message"] == "The extraction ran out of memory (GENERIC_MEMORY)"
