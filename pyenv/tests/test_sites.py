"""The sites that may be asked: before anything of theirs is, and wherever a page leads."""

import json

import pytest
from conftest import VIDEO, tiktok_item, tiktok_page
from yt_dlp.utils import UnsupportedError

from sluice import sites


@pytest.fixture(autouse=True)
def everywhere():
    yield
    sites.install(None)


def kind(session, url):
    answer = json.loads(session.extract(url, "{}"))
    return "ok" if "ok" in answer else answer["error"]["kind"] if "error" in answer else "hand_off"


def test_a_site_that_is_not_listed_is_not_asked(start, stage):
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    for listed, expected in [
        ({"extractors": ["vimeo"], "hosts": ["example.org"]}, "unsupported_url"),
        ({"extractors": ["tiktok"], "hosts": []}, "ok"),
        ({"extractors": [], "hosts": ["tiktok.com"]}, "ok"),
        ({"extractors": [], "hosts": ["www.tiktok.com"]}, "ok"),
        ({"extractors": [], "hosts": ["ktok.com"]}, "unsupported_url"),
        (None, "ok"),
    ]:
        before = len(stage.seen)
        assert kind(start(sites=listed), VIDEO) == expected, listed
        assert (len(stage.seen) > before) == (expected == "ok")


def test_what_leads_to_a_listed_extractor_may_be_asked(start, stage):
    stage.page("https://vm.tiktok.com/ZSabc/", "", "302 Found", f"Location: {VIDEO}")
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    assert kind(start(sites={"extractors": ["tiktok"], "hosts": []}), "https://vm.tiktok.com/ZSabc/") == "ok"
    # Not where the host is listed alone from which it leads away.
    only_short = {"extractors": [], "hosts": ["vm.tiktok.com"]}
    assert kind(start(sites=only_short), "https://vm.tiktok.com/ZSabc/") == "unsupported_url"


def test_pages_of_any_host_are_listed_by_host_or_as_generic(start):
    page = "https://media.example.org/film"
    for listed, expected in [
        ({"extractors": ["tiktok"], "hosts": []}, "unsupported_url"),
        ({"extractors": ["generic"], "hosts": []}, "hand_off"),
        ({"extractors": [], "hosts": ["example.org"]}, "hand_off"),
    ]:
        assert kind(start(sites=listed), page) == expected, listed


def test_kinds_of_an_extractor_are_meant_by_its_name():
    sites.install({"extractors": ["vimeo"], "hosts": []})
    sites.check("VimeoAlbum", "https://vimeo.com/album/1")
    with pytest.raises(UnsupportedError):
        sites.check("Youtube", "https://www.youtube.com/watch?v=BaW_jenozKc")
