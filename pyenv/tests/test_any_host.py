"""Extractors that take pages of any host: which they are, and that this process runs none of them."""

import json

import pytest
from conftest import SITE, VIDEO, exceeded, found, tiktok_item, tiktok_page
from yt_dlp.extractor.common import InfoExtractor

from sluice import any_host, extractors, handoff, index
from sluice.limits import Limits, Meter

# Of the pinned release. What a new one adds comes on the list by itself; whoever updates it should look at why.
KNOWN = {
    "BrightcoveLegacy", "Generic", "Mediasite", "MediasiteCatalog", "MediasiteNamedCatalog", "N1InfoI", "RadioDe",
    "SenateGov", "SimplecastPodcast", "Webcamerapl",
}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    table = index.load()
    assert table is not None, "run pyenv/build"
    return table


def test_the_list_is_derived_from_the_release(table):
    assert set(table.any_host) == set(any_host.find(index.stock())) == KNOWN


def test_nobody_in_this_process_takes_a_page_of_a_stranger(start):
    start()
    urls = {
        url
        for cls in index.stock()
        for case in cls.get_testcases(include_onlymatching=True)
        for url in any_host.moved(case["url"])
    }
    assert len(urls) > 10_000
    takers = {url: extractors.index().find(url).ie_key() for url in urls}
    assert {taker for taker in takers.values() if taker != "UnsupportedURL"} <= any_host.REFUSING
    assert KNOWN.isdisjoint(extractors.catalog())
    # The names are found where they belong.
    assert extractors.index().find("https://www.tiktok.com/@a/video/7000000000000000001").ie_key() == "TikTok"


@pytest.mark.parametrize("key", sorted(any_host.REFUSING))
def test_those_left_in_fetch_nothing(start, stage, key):
    session = start()
    cls = next(cls for cls in index.stock() if cls.ie_key() == key)
    case = next(iter(cls.get_testcases(include_onlymatching=True)))
    assert json.loads(session.extract(case["url"], "{}"))["error"]["kind"] in ("extraction_failed", "unsupported_url")
    assert not stage.seen


def test_who_is_not_asked_for_players_would_have_found_none(table):
    blind = set(range(len(index.stock()))) - set(table.embeds)
    assert len(blind) > 1_000
    for number in blind:
        cls = index.stock()[number]
        real_class = getattr(cls, "real_class", cls)
        assert not real_class._EMBED_REGEX
        for name in ("extract_from_webpage", "_extract_from_webpage", "_extract_embed_urls"):
            assert getattr(real_class, name).__func__ is getattr(InfoExtractor, name).__func__, cls


PAGE = "https://stranger.example.net/page"
MEDIASITE = "https://stranger.example.net/Mediasite/Play/2db6c271681e4f199af3c60d1f82869b1d"


def handed_off(session, url):
    answer = json.loads(session.extract(url, "{}"))
    assert answer.keys() == {"extractor", "hand_off", "held", "log"}, answer
    assert not answer["held"]
    return json.loads(answer["hand_off"])


@pytest.mark.parametrize("url", [PAGE, MEDIASITE])
def test_a_page_of_a_stranger_is_handed_off_untouched(start, stage, url):
    session = start()
    assert handed_off(session, url) == {"url": url, "cookies": [], "used": {}}
    assert not stage.seen
    # The session is as good as before.
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    assert "ok" in json.loads(session.extract(VIDEO, "{}"))


def test_a_reference_is_handed_off_with_what_led_to_it(start, stage):
    url = "https://t.co/abc"
    stage.page(url, "", "302 Found", f"Location: {PAGE}", "Set-Cookie: muid=1; Domain=t.co; Path=/; Secure")
    stage.page(PAGE, "<html></html>")
    state = handed_off(start(), url)
    assert state["url"] == url
    assert (state["result"]["_type"], state["result"]["url"]) == ("url", PAGE)
    assert state["result"]["original_url"] == url
    assert state["used"].items() >= {"handoffs": 1, "requests": 2}.items()
    cookie = dict(zip(handoff._COOKIE, state["cookies"][0], strict=True))
    assert (cookie["name"], cookie["value"], cookie["domain"]) == ("muid", "1", ".t.co")


def test_an_operators_cookies_are_not_sent_along(start, stage, tmp_path):
    cookies = tmp_path / "cookies.txt"
    lines = ["# Netscape HTTP Cookie File", ".t.co\tTRUE\t/\tTRUE\t0\tsid\toperator", ""]
    cookies.write_text("\n".join(lines))
    url = "https://t.co/abc"
    stage.page(url, "", "302 Found", f"Location: {PAGE}", "Set-Cookie: muid=1; Domain=t.co; Path=/; Secure")
    stage.page(PAGE, "<html></html>")
    state = handed_off(start(cookies_path=str(cookies)), url)
    assert stage.seen[0][2]["cookie"] == "sid=operator"
    assert [fields[1] for fields in state["cookies"]] == ["muid"]


def test_a_large_page_of_a_named_site_is_handed_off(start, stage, monkeypatch):
    monkeypatch.setattr(InfoExtractor, "_webpage_read_content", InfoExtractor._webpage_read_content)
    session = start(named_bytes=100_000)
    stage.page(VIDEO, tiktok_page(tiktok_item()).ljust(100_000))
    assert "ok" in json.loads(session.extract(VIDEO, "{}"))
    stage.page(VIDEO, tiktok_page(tiktok_item()).ljust(100_001))
    assert handed_off(session, VIDEO).keys() == {"url", "cookies", "used"}


def test_what_is_not_a_reference_is_begun_again(start, stage):
    off = handoff.HandOff()
    off.keep({"_type": "playlist", "entries": (number for number in range(3))}, {})
    off.keep({"_type": "video", "id": "1"}, {})
    assert json.loads(off.state(VIDEO, (), {})) == {"url": VIDEO, "cookies": [], "used": {}}
    off.keep({"_type": "url", "url": PAGE}, None)
    off.keep({"_type": "url", "url": VIDEO}, None)
    assert json.loads(off.state(VIDEO, (), {}))["result"] == {"_type": "url", "url": PAGE}


@pytest.fixture
def resumed(start, monkeypatch):
    """Go on with a job of `call`'s that has used something elsewhere; gives the whole answer."""

    def resumed(call, used, **limits):
        session = start(limits=limits)
        monkeypatch.setattr("yt_dlp.extractor.tiktok.TikTokIE._real_extract", lambda ie, _url: call(ie))
        state = {"url": VIDEO, "cookies": [], "used": used}
        return json.loads(session.resume(json.dumps(state), "{}"))

    return resumed


def test_limits_hold_over_the_whole_job(resumed, stage):
    def reading(ie):
        ie._download_webpage(f"{SITE}a", "1")
        return found()

    def referring(ie):
        return ie.url_result(VIDEO)

    stage.page(f"{SITE}a", "x" * 100)
    assert "ok" in resumed(reading, {"requests": 3, "job_bytes": 900}, requests=4, job_bytes=1000)
    exceeded(resumed(reading, {"requests": 4}, requests=4), "requests", 4)
    exceeded(resumed(reading, {"job_bytes": 901}, job_bytes=1000), "job_bytes", 1000)
    # The one that goes on is no other.
    assert "ok" in resumed(reading, {"handoffs": 3}, handoffs=3)
    exceeded(resumed(referring, {"handoffs": 3}, handoffs=3), "handoffs", 3)
    # Another job begins anew.
    assert "ok" in resumed(reading, {}, requests=1, job_bytes=100)


@pytest.mark.parametrize("used", [None, [], 1, {"requests": -1}, {"requests": True}, {"requests": 1.0}, {"nothing": 1}])
def test_what_no_job_can_have_used(resumed, used):
    assert "error" in resumed(lambda ie: found(), used)
    with pytest.raises(ValueError, match="not what a job can have used"):
        Meter().go_on(used)


def test_what_is_used_is_carried_over():
    meter = Meter(Limits(handoffs=2))
    for _ in range(2):
        meter.enter()
    meter.add("requests", 5)
    other = Meter(meter.limits)
    other.go_on(json.loads(json.dumps(meter.used())))
    other.enter()
    assert other.used() == meter.used() == {"handoffs": 1, "requests": 5}
