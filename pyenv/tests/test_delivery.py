"""How formats are had: what each protocol and its fields make, and what is no delivery."""

import random
from itertools import groupby
from urllib.parse import parse_qs, urljoin

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.downloader.dash import DashSegmentsFD
from yt_dlp.utils import LazyList, update_url_query

from sluice.delivery import deliver, may_be_delivered
from sluice.limits import LimitError, Limits, Meter

BASE = "https://h.org/v/"
KEY = "00112233445566778899aabbccddeeff"


def how(meter=None, **item):
    return deliver(meter or Meter(), {"url": f"{BASE}a.mp4", "protocol": "https", **item})


def dash(fragments, meter=None, **item):
    changes = {"url": f"{BASE}a.mpd", "fragment_base_url": BASE, "protocol": "http_dash_segments", **item}
    return how(meter, fragments=fragments, **changes)


def paths(*names):
    return [{"path": name} for name in names]


def opened(delivery):
    """The addresses as the server makes them again, with their ranges."""
    packed = delivery.more["fragments"]
    for line in packed["lines"].split("\n"):
        text, _, bytes_ = line.partition("\t")
        assert text
        yield urljoin(packed["base"], packed["prefix"] + text + packed["suffix"]), bytes_


def addresses(delivery):
    return [url for url, _ in opened(delivery)]


def listing():
    raise AssertionError("nobody asked for it")
    yield


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"protocol": "http", "url": "http://h.org/a"},
        {"protocol": None},
        {"protocol": "http_dash_segments"},
        {"fragments": None},
        {"downloader_options": {"ffmpeg_args": ["-seekable", "0"], "http_chunk_size": 5}},
        {"downloader_options": {"ffmpeg_args": "-ss", "ffmpeg_args_out": None}},
        {"downloader_options": "-ss"},
    ],
)
def test_files(item):
    found = how(**item)
    assert (found.by, found.more, found.addresses) == ("file", {}, ())
    assert found.url == item.get("url", f"{BASE}a.mp4")


@pytest.mark.parametrize("item", [{"is_live": True}, {"no_resume": True}])
def test_files_that_are_not_had_in_parts(item):
    found = how(**item)
    assert (found.by, found.more) == ("file", {"no_resume": True})
    assert how(protocol="m3u8", url=f"{BASE}a.m3u8", **item).more == {}


@pytest.mark.parametrize("protocol", ["m3u8", "m3u8_native", None])
def test_playlists(protocol):
    found = how(protocol=protocol, url=f"{BASE}a.m3u8", is_live=True)
    assert (found.by, found.url, found.more) == ("hls", f"{BASE}a.m3u8", {})


ENDLESS = [listing(), LazyList(listing()), lambda _context: listing(), "<generator>", {"url": "https://h.org/1"}]


@pytest.mark.parametrize(
    "item",
    [
        *({"protocol": p} for p in ("mhtml", "ism", "f4m", "rtmp", "websocket_frag", "bunnycdn", "youtube_live_chat")),
        *({"protocol": p, "fragments": paths("a")} for p in ("mhtml", "ism", "https", "http_dash_segments_generator")),
        *({"protocol": "http_dash_segments", "fragments": given} for given in ENDLESS),
        {"protocol": "http_dash_segments", "fragments": paths("a"), "fragment_base_url": BASE, "is_from_start": True},
        {"protocol": "http_dash_segments", "fragments": paths("a"), "fragment_base_url": BASE, "is_live": True},
        {"protocol": "http_dash_segments", "url": f"{BASE}a.mpd"},
        {"protocol": "http_dash_segments", "url": f"{BASE}a.MPD?x"},
        {"protocol": "m3u8_native", "url": "ftp://h.org/a.m3u8"},
        {"protocol": "m3u8_native", "url": "data:application/x-mpegurl,x"},
        {"protocol": "m3u8_native", "is_from_start": True},
        {"request_data": b"x"},
        {"downloader_options": {"ffmpeg_args": ["-ss", "5"]}},
        {"protocol": "m3u8", "downloader_options": {"ffmpeg_args_out": ["-c", "copy", "-vf", "crop=1:1"]}},
        {"protocol": "m3u8_native", "url": BASE + "x" * (8_001 - len(BASE))},
        {"url": "ftp://h.org/a", "protocol": None},
        {"url": "https://[bad", "protocol": None},
        {"url": None},
        {"url": 5},
    ],
)
def test_what_can_not_be_streamed(item):
    assert how(**item) is None


def test_what_may_be_delivered_is_told_without_a_look_at_its_fragments():
    for item in ({}, {"protocol": "m3u8"}, {"protocol": "http_dash_segments", "fragments": listing()}):
        assert may_be_delivered({"url": f"{BASE}a", **item})
    for item in ({"protocol": "mhtml"}, {"protocol": "youtube_live_chat_replay"}, {"url": "ftp://h.org/a"}, {"url": 5}):
        assert not may_be_delivered({"url": f"{BASE}a", **item})
    assert not may_be_delivered({"data": "1"})


def test_fragments_are_packed():
    found = dash([{"path": "init.mp4"}, *paths(*(f"seg-{number}.m4s" for number in range(1, 4)))])
    assert (found.by, found.url) == ("fragments", f"{BASE}a.mpd")
    assert found.addresses == (f"{BASE}init.mp4", f"{BASE}seg-3.m4s")
    assert addresses(found) == [f"{BASE}{name}" for name in ("init.mp4", "seg-1.m4s", "seg-2.m4s", "seg-3.m4s")]
    found = dash(paths(*(f"x/seg-{number}.m4s?token=abc" for number in (9, 10, 11))))
    assert found.more["fragments"] == {
        "base": BASE,
        "prefix": "x/seg-",
        "suffix": ".m4s?token=abc",
        "lines": "9\n10\n11",
    }


LISTS = {
    "one": paths("a.mp4"),
    "one character": paths("a"),
    "one comes again": paths("abc", "x", "abc", "x"),
    "one begins another": paths("ab", "abc", "abcd"),
    "one ends another": paths("dc", "bdc", "abdc"),
    "both ends overlap": paths("aa", "aaa", "aaaa"),
    "nothing shared": paths("a", "b", "c"),
    "parents": paths("../a/1", "../a/2", "/b/3"),
    "whole addresses": [{"url": f"https://cdn.org/{number}?a=b"} for number in range(12)],
    "both": [{"url": "https://cdn.org/init"}, *paths("a", "b")],
    "a whole path": [{"path": "https://cdn.org/init"}, {"path": "//cdn.org/x"}],
    "letters": paths("\u00fc/1", "\u00fc/2", "\u65e5"),
    "spaces": paths("a b/1", "a b/2"),
}


@pytest.mark.parametrize("name", LISTS)
def test_packing_loses_nothing(name):
    given = LISTS[name]
    expected = [urljoin(BASE, fragment.get("url") or fragment["path"]) for fragment in given]
    assert addresses(dash(given)) == expected


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query", [None, "a=b", "a=1&b=%2F"])
def test_the_addresses_are_those_of_yt_dlps_downloader(name, query):
    form = {"url": f"{BASE}a.mpd", "fragment_base_url": BASE, "fragments": LISTS[name]}
    with YoutubeDL({"quiet": True}, auto_init=False) as ydl:
        downloader = DashSegmentsFD(ydl, {})
        listed = list(downloader._get_fragments(form, {"fragment_index": 0}, parse_qs(query or "") or None))
    # An address without a scheme is left to whoever opens it.
    expected = [urljoin(BASE, fragment["url"]) for fragment in listed]
    assert addresses(dash(LISTS[name], extra_param_to_segment_url=query)) == expected


def test_packing_loses_nothing_of_anything():
    chosen = random.Random(9)
    for _ in range(500):
        names = ["".join(chosen.choices("ab/", k=chosen.randint(1, 6))) for _ in range(chosen.randint(1, 5))]
        # Two slashes would begin another host, and nothing after them is none.
        names = [name for name, _ in groupby(name.lstrip("/") or "x" for name in names)]
        assert addresses(dash(paths(*names))) == [urljoin(BASE, name) for name in names]


def test_ranges():
    given = [{"url": f"{BASE}a.mp4", "byte_range": {"start": at, "end": at + 100}} for at in (0, 100)]
    found = dash([*given, {"url": f"{BASE}a.mp4"}])
    assert list(opened(found)) == [(f"{BASE}a.mp4", "0-99"), (f"{BASE}a.mp4", "100-199"), (f"{BASE}a.mp4", "")]
    assert dash([*given, given[1]]) is None


BAD = [
    [], [None], [5], [{}], [{"url": ""}], [{"path": ""}], [{"path": None}], [{"url": 5}], paths("a", ""), paths("a\nb"),
    paths("a", "b\tc"), paths("a", "b\r"), paths("a", "\x00"), paths("\ud800a", "b"),
    paths("a", "b", "b"), paths("init", "init"),
    [*paths("a"), None],
    [{"path": "a", "byte_range": given} for given in ({"start": 5, "end": 5},)],
    [{"path": "a", "byte_range": {"start": -1, "end": 5}}], [{"path": "a", "byte_range": {"start": 1}}],
    [{"path": "a", "byte_range": "0-5"}], [{"path": "a", "byte_range": {"start": 0, "end": float("inf")}}],
    [{"url": "ftp://h.org/a"}], [{"url": "https://[bad"}], [*paths("a"), {"url": "rtmp://h.org/a"}],
    paths("data:video/mp4,x"),
]  # fmt: skip


@pytest.mark.parametrize("given", BAD, ids=repr)
def test_bad_fragments(given):
    assert dash(given) is None


def test_what_paths_are_relative_to():
    given = [{"url": "https://cdn.org/1"}, {"url": "https://cdn.org/2"}]
    # yt_dlp/extractor/ustream.py has no manifest.
    found = dash(given, url="data:text/xml;base64,PE1QRC8+", fragment_base_url=None)
    assert (found.url, addresses(found)) == ("https://cdn.org/1", ["https://cdn.org/1", "https://cdn.org/2"])
    assert dash(paths("1"), fragment_base_url=f"\n  {BASE}\n").more["fragments"]["base"] == BASE
    for base in (None, "", "relative/", "ftp://h.org/", 5, "https://[bad", BASE + "x" * 8_000):
        assert dash(paths("1"), fragment_base_url=base) is None
        assert dash(given, fragment_base_url=base) is not None


@pytest.mark.parametrize("query", ["a=b", "a=b&c=%20d&a=e", "token=a%2Fb%3D"])
def test_a_query_for_each_fragment(query):
    given = paths("1", "2?x=1", "3?a=z", "4#part")
    found = dash(given, extra_param_to_segment_url=query)
    assert addresses(found) == [update_url_query(urljoin(BASE, f["path"]), parse_qs(query)) for f in given]
    plain = dash(paths("1", "2"), extra_param_to_segment_url=query).more["fragments"]
    assert plain["lines"] == "1\n2"


def test_the_longest_addresses():
    longest = paths("a" * 8_000, "b" * 8_000)
    assert len(addresses(dash(longest))) == 2
    for long in ("x" * 8_001, "\u00fc" * 4_001):
        assert dash(paths("a", long)) is None
    assert dash(longest, extra_param_to_segment_url="a=b") is None
    playlist = BASE + "x" * (8_000 - len(BASE))
    assert how(protocol="m3u8_native", url=playlist).url == playlist
    # None in its place: it is there, and no server takes it.
    data = {"protocol": "m3u8_native", "url": playlist + "x"}
    assert how(**data, hls_media_playlist_data="#EXTM3U\n#EXTINF:1,\nhttps://cdn.org/1.ts\n") is None


def test_what_a_playlist_needs_may_have_cookies_of_its_own():
    item = {"protocol": "m3u8", "webpage_url": "https://page.org/1", "hls_aes": {"uri": "https://k.org/key"}}
    assert how(**item).addresses == ("https://k.org/key", "https://page.org/1")
    assert how(**item | {"hls_aes": {"key": KEY}, "webpage_url": "file:///x"}).addresses == ()
    assert how(**item | {"protocol": "https"}).addresses == ()


def test_odd_queries():
    assert addresses(dash(paths("1"), extra_param_to_segment_url="")) == [f"{BASE}1"]
    assert addresses(dash(paths("1"), extra_param_to_segment_url="nothing")) == [f"{BASE}1"]
    assert dash(paths("1"), extra_param_to_segment_url={"a": "b"}) is None
    assert dash(paths("1", "//[bad?x"), extra_param_to_segment_url="a=b") is None


def over(limit, call, **limits):
    with pytest.raises(LimitError) as error:
        call(Meter(Limits(**limits)))
    assert error.value.limit == limit


def test_limits_hold_before_anything_is_built():
    over("fragments", lambda meter: dash([None] * 11, meter), fragments=10)
    many = paths(*(f"{number:05}" for number in range(100)))
    over("result_bytes", lambda meter: dash(many, meter), result_bytes=200)
    over("job_bytes", lambda meter: dash(many, meter, extra_param_to_segment_url="a=" + "b" * 100), job_bytes=10_000)
    # What all share is counted once.
    shared = [{"url": f"https://cdn.org/{'x' * 1000}/{number:05}"} for number in range(100)]
    meter = Meter(Limits(result_bytes=2_000))
    assert len(addresses(dash(shared, meter))) == 100
    assert meter.used()["result_bytes"] < 1_500


def test_the_longest_list_that_is_allowed():
    given = [{"url": f"https://cdn.org/{'x' * 100}/{at}.m4s?{'y' * 100}"} for at in range(50_000)]
    found = dash(given)
    assert len(found.more["fragments"]["lines"]) < 300_000
    assert addresses(found)[49_999] == given[49_999]["url"]


def test_what_yt_dlp_knows_of_a_playlist():
    playlist = "#EXTM3U\n#EXTINF:1,\na.ts\n\ud800"
    found = how(
        protocol="m3u8_native",
        extra_param_to_segment_url="a=b",
        extra_param_to_key_url="c=d",
        hls_aes={"uri": "https://k.org/key", "key": "0x" + KEY.upper(), "iv": "0x1"},
        hls_media_playlist_data=playlist,
    )
    assert found.more["hls"] == {
        "segment_query": "a=b",
        "key_query": "c=d",
        "aes": {"uri": "https://k.org/key", "key": KEY, "iv": "1".zfill(32)},
        "playlist": playlist.replace("\ud800", "?"),
    }
    empty = {"extra_param_to_segment_url": "", "hls_aes": {}, "hls_media_playlist_data": None}
    assert how(protocol="m3u8", **empty).more == {}
    # The same of a single file is for nobody.
    assert how(hls_aes={"key": KEY}).more == {}


@pytest.mark.parametrize(
    "item",
    [
        {"extra_param_to_segment_url": {"a": "b"}},
        {"extra_param_to_segment_url": "a=b\nc"},
        {"extra_param_to_key_url": "x" * 16_385},
        {"hls_aes": "key"},
        {"hls_aes": {"key": b"x" * 16}},
        {"hls_aes": {"key": KEY[2:]}},
        {"hls_aes": {"key": KEY + KEY}},
        {"hls_aes": {"key": "x" * 32}},
        {"hls_aes": {"iv": KEY + "0"}},
        {"hls_aes": {"iv": "\u0661"}},
        {"hls_aes": {"uri": "file:///etc/passwd"}},
        {"hls_aes": {"uri": f"https://k.org/{'x' * 8_000}"}},
        {"hls_media_playlist_data": b"#EXTM3U"},
    ],
)
def test_what_no_downloader_could_use(item):
    assert how(protocol="m3u8_native", **item) is None


def test_a_playlist_without_an_address():
    data = {"protocol": "m3u8_native", "url": "data:application/x-mpegurl;base64,I0VYVE0zVQ=="}
    playlist = "#EXTM3U\n\n#EXTINF:1,\n  \nhttps://cdn.org/1.ts \n#EXTINF:1,\nhttps://cdn.org/2.ts\n"
    found = how(**data, hls_media_playlist_data=playlist)
    assert (found.url, found.more["hls"]["playlist"]) == ("https://cdn.org/1.ts", playlist)
    for bare in ("#EXTM3U\n1.ts\n", "#EXTM3U\nftp://h.org/1.ts\n", "#EXTM3U\n", ""):
        assert how(**data, hls_media_playlist_data=bare) is None


def test_the_sizes_of_extras_count():
    item = {"protocol": "m3u8_native", "hls_media_playlist_data": "#" * 1_000}
    over("result_bytes", lambda meter: how(meter, **item), result_bytes=999)
    item = {"protocol": "m3u8_native", "extra_param_to_segment_url": "a" * 1_000}
    over("result_bytes", lambda meter: how(meter, **item), result_bytes=999)
