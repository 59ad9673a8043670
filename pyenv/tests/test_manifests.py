"""Manifests that stand for more than they hold: counted as yt-dlp unfolds them, and before it does."""

import json
import time
import tracemalloc
from xml.etree import ElementTree

import pytest
from conftest import SITE, exceeded, found
from yt_dlp import YoutubeDL
from yt_dlp.extractor.common import InfoExtractor

from sluice.dash import count_mpd
from sluice.log import Log

NS = "urn:mpeg:dash:schema:mpd:2011"


def mpd(inside, duration="PT60S", ns=NS, count=1):
    period = f'<Period><AdaptationSet mimeType="video/mp4">{inside}</AdaptationSet></Period>' * count
    return f'<MPD xmlns="{ns}" mediaPresentationDuration="{duration}">{period}</MPD>'


def representation(inside="", name="a"):
    return f'<Representation id="{name}" bandwidth="1000">{inside}</Representation>'


def template(rest, media="$Number$.m4s", inside=""):
    return f'<SegmentTemplate media="{media}" {rest}>{inside}</SegmentTemplate>'


def timeline(*segments):
    return f"<SegmentTimeline>{''.join(f'<S {segment}/>' for segment in segments)}</SegmentTimeline>"


def listed(n, rest="", inside=""):
    urls = "".join(f'<SegmentURL media="{i}.m4s"/>' for i in range(n))
    return f"<SegmentList {rest}>{inside}{urls}</SegmentList>"


def whole(text):
    """What yt-dlp makes of it."""
    # One that is not ours counts nothing.
    with YoutubeDL({"logger": Log()}) as ydl:
        periods = InfoExtractor(ydl)._parse_mpd_periods(ElementTree.fromstring(text), mpd_base_url=SITE)
        return [form for period in periods for form in period["formats"]]


ORDINARY = {
    "numbers": mpd(representation(template('duration="2000" timescale="1000"'))),
    "a number that does not divide": mpd(representation(template('duration="7"')), duration="PT60.5S"),
    "without a namespace": mpd(representation(template('duration="7"')), ns=""),
    "padded": mpd(representation(template('duration="7" startNumber="100"', "$RepresentationID$/$Number%05d$.m4s"))),
    "percent signs": mpd(representation(template('duration="7"', "a%20b/$Number%03d$%2F99999999999.m4s"))),
    "a timeline": mpd(representation(template("", "$Time$", timeline('t="5" d="2" r="9"', 'd="3"', 'd="4" r="-1"')))),
    "numbers and a timeline": mpd(representation(template("", "$Number$", timeline('d="2" r="4"')))),
    "a list": mpd(representation(listed(7, 'duration="2"'))),
    "a list and a timeline": mpd(representation(listed(7, inside=timeline('d="2" r="4"')))),
    "from above": mpd(template('duration="4"') + representation() + representation(template("", "x$Number$"), "b")),
    "no fragments": mpd(representation("<BaseURL>a.mp4</BaseURL>")),
    "no length": mpd(representation(template('duration="4"')), duration=""),
    "the length of the first": mpd(
        representation(template('timescale="10"', "$Time$", timeline('d="100" r="5"')))
        + representation(template('duration="4"'), "b"),
        duration="",
    ),
    "periods": mpd(representation(template('duration="2"')) * 2, count=3),
    "of time zero": mpd(representation(template('duration="2"')), duration="PT0S"),
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_counts_what_yt_dlp_makes(text):
    formats = whole(text)
    counted = list(count_mpd(ElementTree.fromstring(text)))
    assert [fragments for _, fragments, _ in counted] == [len(form.get("fragments") or ()) for form in formats]
    for form, (_, _, unfolded) in zip(formats, counted, strict=True):
        made = sum(len(fragment.get("url") or fragment.get("path")) for fragment in form.get("fragments") or ())
        listed = "$" not in text
        assert listed or made <= unfolded <= 40 * len(form.get("fragments") or ()) + 400


def through(text, kind="mpd"):
    """Return an extractor that has such a manifest."""

    def extract(ie):
        if kind == "mpd":
            formats, subtitles = ie._parse_mpd_formats_and_subtitles(ie._parse_xml(text, "1"), mpd_base_url=SITE)
        elif kind == "ism":
            formats, subtitles = ie._parse_ism_formats_and_subtitles(ie._parse_xml(text, "1"), SITE)
        elif kind == "f4m":
            formats, subtitles = ie._parse_f4m_formats(ie._parse_xml(text, "1"), SITE, "1"), {}
        elif kind == "smil":
            formats, subtitles = ie._parse_smil_formats_and_subtitles(ie._parse_xml(text, "1"), SITE, "1")
        else:
            formats, subtitles = ie._parse_m3u8_formats_and_subtitles(text, f"{SITE}a.m3u8", "mp4")
        return found(formats=formats, subtitles=subtitles)

    return extract


def ism(pieces, tracks=1, url="{bitrate}/{start time}"):
    levels = '<QualityLevel FourCC="H264" Bitrate="1000000"/>' * tracks
    return (
        f'<SmoothStreamingMedia Duration="100"><StreamIndex Type="video" Url="{url}">{levels}{pieces}</StreamIndex>'
        "</SmoothStreamingMedia>"
    )


def f4m(n):
    return '<manifest xmlns="http://ns.adobe.com/f4m/1.0">' + '<media url="a" bitrate="1"/>' * n + "</manifest>"


def smil(n, files=0):
    videos = "".join(f'<video src="rtmp://a/{i}" proto="rtmp" ext="flv"/>' for i in range(n))
    texts = "".join(f'<textstream src="{i}.vtt"/>' for i in range(files))
    return f"<smil><body>{videos}{texts}</body></smil>"


def m3u8(n, files=0):
    variants = "".join(f"#EXT-X-STREAM-INF:BANDWIDTH={i + 1}000\nv{i}.m3u8\n" for i in range(n - 1))
    subtitles = "".join(f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="{i}",URI="{i}.vtt"\n' for i in range(files))
    media = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="a.m3u8"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,NAME="c"\n'
    return f"#EXTM3U\n{media}{subtitles}{variants}"


AT_THE_LIMIT = [
    ("fragments", lambda n: through(mpd(representation(template('duration="1"')), f"PT{n}S"))),
    ("fragments", lambda n: through(mpd(representation(template("", "$Time$", timeline(f'd="1" r="{n - 1}"')))))),
    ("fragments", lambda n: through(mpd(representation(listed(n))))),
    ("fragments", lambda n: through(ism(f'<c d="1" r="{n}"/>'), "ism")),
    ("fragments", lambda n: through(ism('<c d="1"/>' * n), "ism")),
    ("job_fragments", lambda n: through(mpd(representation(template('duration="1"')) * 4, f"PT{n / 4}S"))),
    ("job_fragments", lambda n: through(ism('<c d="1" r="4"/>', n // 4), "ism")),
    ("formats", lambda n: through(mpd(representation("<BaseURL>a</BaseURL>") * n))),
    ("formats", lambda n: through(ism('<c d="1"/>', n), "ism")),
    ("formats", lambda n: through(f4m(n), "f4m")),
    ("formats", lambda n: through(smil(n), "smil")),
    ("formats", lambda n: through(m3u8(n), "m3u8")),
    ("subtitles", lambda n: through(smil(1, n), "smil")),
    ("subtitles", lambda n: through(m3u8(2, n), "m3u8")),
]


@pytest.mark.parametrize(("limit", "made"), AT_THE_LIMIT)
def test_manifests_at_the_limit(ran, limit, made):
    answer = ran(made(40), **{limit: 40})
    assert "ok" in answer, answer
    exceeded(ran(made(44), **{limit: 40}), limit, 40)


def test_periods_may_have_more_formats_in_all(ran):
    text = mpd(representation(template('duration="1"')) * 30, "PT6S", count=40)
    assert "ok" in ran(through(text), formats=30)
    exceeded(ran(through(text), formats=29), "formats", 29)


MANY = "999999999"
BOMBS = {
    "fragments": mpd(representation(template('duration="1"')), "PT1000000S"),
    "short segments": mpd(representation(template('duration="1e-300"')), "PT1S"),
    "a fine timescale": mpd(representation(template(f'duration="1" timescale="{MANY}"')), "PT1H"),
    "a timeline": mpd(representation(template("", "$Time$", timeline(f'd="1" r="{MANY}"')))),
    "a timeline above": mpd(template("", "$Number$", timeline(f'd="1" r="{MANY}"')) + representation()),
    "many timelines": mpd(representation(template("", "$Time$", timeline('d="1" r="49999"'))) * 100),
    "a length from the first": mpd(
        representation(template("", "$Time$", timeline(f'd="{MANY}"'))) + representation(template('duration="1"')), ""
    ),
    "an endless length": mpd(
        representation(template("", "$Time$", timeline(f'd="{"9" * 309}"')))
        + representation(template("", "$Time$", timeline(f'd="1" r="{MANY}"'))),
        "",
    ),
    "a malformed one first": mpd(
        '<Representation mimeType="a/b"><SegmentTemplate duration="x"/></Representation>'
        + representation(template('duration="1"')),
        "PT1000000S",
    ),
    "printf": mpd(representation(template('duration="1"', f"$Number%0{MANY}d$"))),
    "printf in an initialization": mpd(representation(template(f'initialization="$Bandwidth%0{MANY}d$"'))),
    "printf in any name": mpd(representation(template('duration="1"', f"$x%(Number)0{MANY}d$"))),
    "printf of a fraction": mpd(representation(template('duration="1"', f"$Number%.{MANY}f$"))),
    "printf in an id": mpd(representation(template('duration="1"', "$RepresentationID$"), f"$Number%0{MANY}d$")),
    "a long id": mpd(representation(template('duration="1"', "$RepresentationID$" * 9000), "x" * 90_000)),
    "a long template": mpd(representation(template('duration="1"', "$Number$" + "x" * 90_000)) * 20),
    "a long base": mpd(f"<BaseURL>{'x' * 900_000}</BaseURL>" + representation(template('duration="1"')) * 100),
    "a long number": mpd(representation(template(f'duration="1" startNumber="{"9" * 4000}"', "$Number$" * 4000))),
    "a long time": mpd(representation(template("", "$Time$" * 4000, timeline(f't="{"9" * 4000}" d="1" r="9"')))),
    "pieces": ism(f'<c d="1" r="{MANY}"/>'),
    "a long pattern": ism('<c d="1" r="40000"/>', url="{start time}" * 4000),
    "a long rate": ism('<c d="1"/>').replace("1000000", "9" * 4000).replace("{bitrate}", "{bitrate}" * 90_000),
}


@pytest.mark.parametrize(("name", "text"), BOMBS.items(), ids=BOMBS)
def test_bombs(ran, name, text):
    kind = "ism" if "Smooth" in text else "mpd"
    call, spent = through(text, kind), []

    def timed(ie):
        tracemalloc.start()
        at = time.process_time()
        try:
            return call(ie)
        finally:
            spent.extend((time.process_time() - at, tracemalloc.get_traced_memory()[1]))
            tracemalloc.stop()

    answer = ran(timed)
    assert answer.get("error", {}).get("kind") == "limit_exceeded", str(answer)[:500]
    assert answer["error"]["limit"] in ("fragments", "job_fragments", "job_bytes")
    seconds, memory = spent
    assert seconds < 1
    assert memory < 24 << 20


@pytest.mark.parametrize(
    "text",
    [
        mpd(representation(template('duration="nan"'))),
        mpd(representation(template('duration="inf"'))),
        mpd(representation(template('duration="-1"'))),
        mpd(representation(template('duration="0"'))),
        mpd(representation(template('duration="1" timescale="0"'))),
        mpd(representation(template('duration="1" startNumber="-5"'))),
        mpd(representation(template('duration="x"'))),
        mpd(representation(template("", "$Time$", "<SegmentTimeline><S/></SegmentTimeline>"))),
        mpd(representation(template('duration="1"')), "P99999999999999999999999999Y"),
        "<MPD/>",
        "<html/>",
    ],
)
def test_malformed_ones_are_for_yt_dlp_to_judge(ran, text):
    try:
        expected = whole(text)
    except Exception:
        expected = None
    answer = ran(through(text))
    if expected:
        assert len(answer["ok"]["formats"]) == len(expected)
    else:
        assert answer["error"]["kind"] in ("extraction_failed", "limit_exceeded"), answer


def laughing(levels, padding=0):
    """Entities of entities, ten times each."""
    entities = '<!ENTITY a "lololololololololololololololololololololol">'
    for above, name in zip("abcdefgh", "bcdefghi"[:levels], strict=False):
        entities += f'<!ENTITY {name} "{f"&{above};" * 10}">'
    return f"<?xml version='1.0'?><!DOCTYPE x [{entities}]><x><!--{' ' * padding}-->&{'abcdefghi'[levels]};</x>"


def test_entities(ran):
    def parsed(text):
        return lambda ie: found(title=str(len(ie._parse_xml(text, "1").text)))

    assert ran(parsed(laughing(2)))["ok"]["title"] == "4300"
    # expat itself has had enough.
    assert ran(parsed(laughing(8)))["error"]["kind"] == "extraction_failed"
    # It allows a long document more.
    exceeded(ran(parsed(laughing(6, 1_000_000))), "page_bytes", 16 << 20)
    assert ran(parsed(f"<x><!--{' ' * 1_000_000}-->a</x>"))["ok"]["title"] == "1"


def test_what_a_document_declares_is_read_in_any_encoding(ran):
    def parsed(text):
        return lambda ie: found(title=str(len("".join(ie._parse_xml(text, "1").itertext()))))

    def document(entity, times, padding=0):
        body = "&e;" * times + " " * padding
        return f'<!DOCTYPE x [<!ENTITY e "{entity}">]><x>{body}</x>'

    # Feeds declare the names that HTML has.
    assert ran(parsed(document("&#160;", 100, 1_000_000)))["ok"]["title"] == "1000100"
    exceeded(ran(parsed(document("x" * 5_000, 5_000))), "page_bytes", 16 << 20)
    hidden = document("x" * 5_000, 20_000).encode("utf-16-le").decode()
    exceeded(ran(parsed(hidden)), "page_bytes", 16 << 20)


def test_attributes_that_a_document_declares(ran):
    def document(number):
        declared = " ".join(f'a{at} CDATA "x"' for at in range(number))
        return f"<!DOCTYPE x [<!ATTLIST b {declared}>]><x>{'<b/>' * number}</x>"

    def counted(text):
        return lambda ie: found(title=str(sum(len(b.attrib) for b in ie._parse_xml(text, "1"))))

    assert ran(counted(document(20)))["ok"]["title"] == "400"
    exceeded(ran(counted(document(6_000))), "page_bytes", 16 << 20)


PASSED_OVER = '<Representation id="p" mimeType="x/y">' + template("", "x", timeline('d="1"')) + "</Representation>"
LONG = template("", "$Number$", timeline('d="1" r="59999"'))
EVASIVE = {
    "a length of too many digits": mpd(representation(LONG)).replace(
        "<AdaptationSet", template("", "x", timeline(f'd="{"9" * 4_200}" r="9"')) + "<AdaptationSet", 1
    ),
    "another root": mpd(representation(template('duration="1"')), "PT60000S", ns="")
    .replace('<MPD xmlns=""', '<a:Foo xmlns:a="urn:x"')
    .replace("</MPD>", "</a:Foo>"),
    "one that is passed over": mpd(
        PASSED_OVER + representation(LONG) + representation(template('duration="1"', "$Number$"), "b"), duration=""
    ),
}


@pytest.mark.parametrize("name", EVASIVE)
def test_no_count_is_evaded(name):
    assert max(fragments for _, fragments, _ in count_mpd(ElementTree.fromstring(EVASIVE[name]))) >= 60_000


def test_a_long_template_is_not_looked_at():
    media = "$Number" * 1_000_000
    text = mpd(template("", media) + representation() * 200)
    unfolded = [unfolded for *_, unfolded in count_mpd(ElementTree.fromstring(text))]
    assert len(unfolded) == 200
    assert max(unfolded) < 1_000
    timed = mpd(template('duration="7"', media) + representation())
    assert max(unfolded for *_, unfolded in count_mpd(ElementTree.fromstring(timed))) > 1 << 50


def test_deep_xml_is_no_trouble(ran):
    text = "<x>" * 100_000 + "</x>" * 100_000
    assert "ok" in ran(lambda ie: found(title=ie._parse_xml(text, "1").tag))


def test_other_manifests_pass(ran):
    # Media playlists, however long.
    long = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + "#EXTINF:1,\na.ts\n" * 5000
    assert len(ran(through(long, "m3u8"))["ok"]["formats"]) == 1
    assert json.dumps(ran(through("nothing", "m3u8")))
