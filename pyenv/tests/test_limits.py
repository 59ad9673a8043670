"""Every limit, at n and beyond, on real sockets where the network has a part in it, for both handlers."""

import gzip
import json
import tracemalloc
import zlib

import brotli
import pytest
from conftest import SITE, VIDEO, exceeded, found, tiktok_item, tiktok_page
from yt_dlp.networking import HEADRequest, Request
from yt_dlp.networking.impersonate import ImpersonateTarget

from sluice import engine
from sluice.limits import LimitError, Limits
from sluice.log import Log

MIB = 1 << 20

HANDLERS = pytest.mark.parametrize("browser", [False, True], ids=["requests", "curl_cffi"])


def ask(url, browser, headers=None, method=Request):
    extensions = {"impersonate": ImpersonateTarget("chrome")} if browser else {}
    return method(url, headers=headers or {}, extensions=extensions)


@pytest.fixture
def opened(start, stage):
    """Make a yt-dlp with limits of its own, as a job finds it."""
    start()
    made = []

    def opened(**limits):
        ydl = engine.Ydl(engine.Settings(5, Limits(**limits)))
        made.append(ydl)
        ydl.begin(engine.Job((), Log(), proxy=stage.proxy))
        return ydl

    yield opened
    for ydl in made:
        ydl.close()


@HANDLERS
@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate", "br", "gzip, gzip"])
def test_bytes_of_a_page(opened, stage, browser, coding):
    for size in (100_000, 100_001):
        stage.page(f"{SITE}{size}", encoded(b"x" * size, coding), "200 OK", f"Content-Encoding: {coding}")
    ydl = opened(page_bytes=100_000)
    assert len(ydl.urlopen(ask(f"{SITE}100000", browser)).read()) == 100_000
    with pytest.raises(LimitError, match=r"larger than 100000 bytes \(MAX_PAGE_BYTES\)"):
        ydl.urlopen(ask(f"{SITE}100001", browser)).read()


def encoded(data, coding):
    ways = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
    for name in coding.split(", "):
        data = ways[name](data)
    return data


@HANDLERS
def test_bytes_of_a_job(opened, stage, browser):
    stage.page(f"{SITE}a", "x" * 50_000)
    stage.page(f"{SITE}b", "x")
    ydl = opened(job_bytes=100_000)
    for _ in range(2):
        ydl.urlopen(ask(f"{SITE}a", browser)).read()
    with pytest.raises(LimitError, match="MAX_JOB_BYTES"):
        ydl.urlopen(ask(f"{SITE}b", browser)).read()
    ydl.begin(engine.Job((), Log(), proxy=stage.proxy))
    ydl.urlopen(ask(f"{SITE}a", browser)).read()


@HANDLERS
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_bomb_takes_no_more_memory_than_a_page(opened, stage, browser, coding):
    packed = zeros(256 * MIB, coding)
    stage.page(f"{SITE}bomb", packed, "200 OK", f"Content-Encoding: {coding}")
    # The same as the body of a redirect, which requests reads by itself.
    stage.page(f"{SITE}moved", packed, "302 Found", f"Content-Encoding: {coding}", "Location: /small")
    stage.page(f"{SITE}small", "small")
    ydl = opened(page_bytes=4 * MIB)
    del packed
    tracemalloc.start()
    try:
        with pytest.raises(LimitError, match="MAX_PAGE_BYTES"):
            ydl.urlopen(ask(f"{SITE}bomb", browser)).read()
        if browser:
            # libcurl throws it away.
            assert ydl.urlopen(ask(f"{SITE}moved", browser)).read() == b"small"
        else:
            with pytest.raises(LimitError, match="MAX_PAGE_BYTES"):
                ydl.urlopen(ask(f"{SITE}moved", browser))
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()


def zeros(size, coding):
    """Zeros packed, without ever being in memory."""
    if coding == "br":
        packer = brotli.Compressor(quality=1)
        return b"".join(packer.process(bytes(MIB)) for _ in range(size // MIB)) + packer.finish()
    packer = zlib.compressobj(wbits=15 if coding == "deflate" else 31)
    data = b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    return gzip.compress(data) if "," in coding else data


@HANDLERS
def test_what_is_not_read_does_not_count(opened, stage, browser):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
        for _ in range(100):
            connection.sendall(bytes(MIB))

    stage.pages["www.example.org", "/film.mp4"] = endless
    stage.page(f"{SITE}head", "x" * 500_000)
    stage.page(f"{SITE}next", "x" * 900_000)
    ydl = opened(page_bytes=MIB, job_bytes=4 * MIB)
    film = ydl.urlopen(ask(f"{SITE}film.mp4", browser))
    assert len(film.read(512)) == 512
    ydl.urlopen(ask(f"{SITE}head", browser, method=HEADRequest)).read()
    # While the other is open, and would go on coming.
    assert len(ydl.urlopen(ask(f"{SITE}next", browser)).read()) == 900_000
    # It does when it is asked for.
    assert len(film.read(400_000)) == 400_000
    with pytest.raises(LimitError, match="MAX_PAGE_BYTES"):
        film.read()


@HANDLERS
def test_redirects(opened, stage, browser):
    for number in range(5):
        stage.page(f"{SITE}{number}", "", "302 Found", f"Location: /{number - 1}")
    stage.page(f"{SITE}0", "here")
    ydl = opened(redirects=3)
    assert ydl.urlopen(ask(f"{SITE}3", browser)).read() == b"here"
    with pytest.raises(LimitError, match=r"redirects more than 3 times in a row \(MAX_REDIRECTS\)"):
        ydl.urlopen(ask(f"{SITE}4", browser))
    stage.page(f"{SITE}circle", "", "302 Found", "Location: /circle")
    ydl.begin(engine.Job((), Log(), proxy=stage.proxy))
    with pytest.raises(LimitError):
        ydl.urlopen(ask(f"{SITE}circle", browser))


@HANDLERS
def test_requests_and_redirects_count_alike(opened, stage, browser):
    stage.page(f"{SITE}moved", "", "302 Found", "Location: /here")
    stage.page(f"{SITE}here", "here")
    ydl = opened(requests=4)
    ydl.urlopen(ask(f"{SITE}moved", browser)).read()
    for _ in range(2):
        ydl.urlopen(ask(f"{SITE}here", browser)).read()
    with pytest.raises(LimitError, match=r"needs more than 4 requests \(MAX_REQUESTS\)"):
        ydl.urlopen(ask(f"{SITE}here", browser))
    assert len(stage.seen) == 4


def test_a_session_goes_on_after_a_limit(start, stage):
    session = start(limits={"page_bytes": 100_000})
    stage.page(VIDEO, "x" * 100_001)
    exceeded(json.loads(session.extract(VIDEO, "{}")), "page_bytes", 100_000)
    stage.page(VIDEO, tiktok_page(tiktok_item()))
    session.settle()
    assert "ok" in json.loads(session.extract(VIDEO, "{}"))


@pytest.mark.parametrize(
    ("limit", "made"),
    [
        ("formats", lambda n: found(formats=[{"format_id": str(i), "url": f"{SITE}{i}"} for i in range(n)])),
        ("images", lambda n: found(thumbnails=[{"url": f"{SITE}{i}.jpg"} for i in range(n)])),
        ("images", lambda n: found(sluice={"images": [{"url": f"{SITE}{i}.jpg"} for i in range(n)]})),
        ("subtitles", lambda n: found(subtitles={"en": [{"url": f"{SITE}{i}.vtt"} for i in range(n)]})),
        ("subtitles", lambda n: found(subtitles={f"l{i}": [{"url": f"{SITE}{i}.vtt"}] for i in range(n)})),
        ("fragments", lambda n: found(formats=[{"url": SITE, "fragments": [{"url": SITE}] * n}])),
        ("job_fragments", lambda n: found(formats=[{"url": SITE, "fragments": [{"url": SITE}]}] * n)),
    ],
)
def test_what_an_extractor_finds(ran, limit, made):
    assert "ok" in ran(lambda ie: made(20), **{limit: 20})
    exceeded(ran(lambda ie: made(21), **{limit: 20}), limit, 20)


def test_many_formats_are_refused_before_they_are_sorted(ran):
    tracked = ran(lambda ie: found(formats=[{"format_id": str(i), "url": SITE} for i in range(100_000)]))
    exceeded(tracked, "formats", 1000)


def test_all_that_is_allowed_is_given_back(ran):
    links = [{"url": f"{SITE}{i}.vtt"} for i in range(900)]
    formats = [{"format_id": str(i), "url": f"{SITE}{i}.mp4"} for i in range(900)]
    ok = ran(lambda ie: found(formats=formats, subtitles={"en": links}))["ok"]
    assert (len(ok["formats"]), len(ok["subtitles"]["en"])) == (900, 900)


def test_automatic_captions_are_cut(ran):
    captions = {f"l{i}": [{"url": f"{SITE}{i}.vtt"}] for i in range(100_000)}
    ok = ran(lambda ie: found(automatic_captions=captions))["ok"]
    assert list(ok["subtitles"]) == [f"l{i}" for i in range(200)]
    # People's come first.
    people = {"en": [{"url": f"{SITE}{i}.vtt"} for i in range(7)]}
    ok = ran(lambda ie: found(automatic_captions=captions, subtitles=people), subtitles=10)["ok"]
    assert list(ok["subtitles"]) == ["en", "l0", "l1", "l2"]


def test_lazy_fragments_stay_lazy(ran):
    def broadcast():
        raise AssertionError("nobody asked for it")
        yield

    assert "ok" in ran(lambda ie: found(formats=[{"url": SITE, "fragments": broadcast(), "ext": "mp4"}]))


def test_entries_are_cut(ran):
    def listed(ie):
        return ie.playlist_result([ie.url_result(f"{SITE}{i}") for i in range(30)], "1", "x")

    for entries, expected in ((20, 20), (30, 30), (40, 30)):
        assert len(ran(listed, entries=entries)["ok"]["entries"]) == expected


def test_handoffs(ran):
    calls = []

    def on(ie, times):
        calls.append(1)
        return found() if len(calls) > times else ie.url_result(VIDEO)

    assert "ok" in ran(lambda ie: on(ie, 3), handoffs=3)
    calls.clear()
    exceeded(ran(lambda ie: on(ie, 4), handoffs=3), "handoffs", 3)
    calls.clear()
    exceeded(ran(lambda ie: on(ie, 10**9)), "handoffs", 10)


def test_bytes_that_go_back(ran):
    def described(n, letter):
        return ran(lambda ie: found(description=letter * n), result_bytes=4000)

    least = len(json.dumps(described(1, "x"), ensure_ascii=False, separators=(",", ":"))) - 1
    assert "ok" in described(4000 - least, "x")
    exceeded(described(4001 - least, "x"), "result_bytes", 4000)
    # Two bytes each.
    assert "ok" in described((4000 - least) // 2, "é")
    exceeded(described((4000 - least) // 2 + 1, "é"), "result_bytes", 4000)


def test_what_a_thousand_links_share_is_counted_before_it_is_written(ran):
    headers = {f"X-{i}": "y" * 8000 for i in range(30)}
    formats = [{"format_id": str(i), "url": SITE, "http_headers": headers} for i in range(1000)]
    exceeded(ran(lambda ie: found(formats=formats)), "result_bytes", 8 * MIB)


def test_depth(ran):
    def nested(depth):
        return lambda ie: found(title=str(len(ie._parse_json("[" * depth + "]" * depth, "1"))))

    assert "ok" in ran(nested(600))
    exceeded(ran(nested(1000)), "depth", 1000)
    exceeded(ran(nested(600), depth=600), "depth", 600)
    assert "ok" in ran(nested(5000), depth=6000)
    exceeded(ran(nested(100_000), depth=10_000), "depth", 10_000)
