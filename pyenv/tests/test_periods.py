"""What yt-dlp passes over in an MPD: ranges of bytes, and that it is of a broadcast."""

from xml.etree import ElementTree

import pytest
from conftest import SITE, found
from yt_dlp.extractor.common import InfoExtractor

NS = "urn:mpeg:dash:schema:mpd:2011"
FILE = "<BaseURL>v/file.mp4</BaseURL>"


def mpd(*representations, more='mediaPresentationDuration="PT12S"'):
    each = "".join(
        f'<Representation id="{at}" bandwidth="{at + 1}000" codecs="avc1.4d401f,mp4a.40.2">{inside}</Representation>'
        for at, inside in enumerate(representations)
    )
    return f'<MPD xmlns="{NS}" {more}><Period><AdaptationSet mimeType="video/mp4">{each}</AdaptationSet></Period></MPD>'


def listed(*segments, initialization="", rest=""):
    urls = "".join(f"<SegmentURL {segment}/>" for segment in segments)
    return f"<SegmentList {rest}>{initialization}{urls}</SegmentList>"


@pytest.fixture
def formats(ran):
    """Formats of the page, by id, of an MPD that is read as often as extractors may do."""

    def formats(text, times=1):
        def extract(ie):
            document = ie._parse_xml(text, "1")
            for _ in range(times):
                several = ie._parse_mpd_formats(document, mpd_base_url=SITE, mpd_url=f"{SITE}a.mpd")
            return found(formats=several)

        return {form["format_id"]: form for form in ran(extract)["ok"]["formats"]}

    return formats


def lines(form):
    packed = form["fragments"]
    for line in packed["lines"].split("\n"):
        text, tab, bytes_ = line.partition("\t")
        yield packed["prefix"] + text + packed["suffix"] + tab + bytes_


TWO = ('media="s.mp4" mediaRange="100-199"', 'media="s.mp4" mediaRange="200-4000000000"')
TIMELINE = '<SegmentTimeline><S d="2" r="1"/></SegmentTimeline>'


@pytest.mark.parametrize("times", [1, 3])
def test_ranges_of_a_list(formats, times):
    initialization = '<Initialization sourceURL="s.mp4" range="0-99"/>'
    for inside in (listed(*TWO, initialization=initialization), listed(*TWO, initialization=initialization + TIMELINE)):
        form = formats(mpd(inside), times)["0"]
        assert form["by"] == "fragments"
        assert list(lines(form)) == ["s.mp4\t0-99", "s.mp4\t100-199", "s.mp4\t200-4000000000"]
        assert form["url"] == f"{SITE}a.mpd"


def test_ranges_of_the_representations_own_file(formats):
    inside = listed('mediaRange="100-199"', 'mediaRange="200-299"', initialization='<Initialization range="0-99"/>')
    form = formats(mpd(FILE + inside))["0"]
    assert list(lines(form)) == [f"{SITE}v/file.mp4\t{bytes_}" for bytes_ in ("0-99", "100-199", "200-299")]


def test_addresses_of_their_own_and_whole_ones(formats):
    given = ('media="https://cdn.org/1.mp4?a=b#c" mediaRange="5-6"', 'media="2.mp4"', 'media="3.mp4"')
    form = formats(mpd(listed(*given)))["0"]
    assert list(lines(form)) == ["https://cdn.org/1.mp4?a=b#c\t5-6", "2.mp4", "3.mp4"]


def test_a_range_from_a_template(formats):
    template = '<SegmentTemplate media="$Number$.m4s" duration="6"><Initialization sourceURL="i" range="0-9"/>'
    form = formats(mpd(f"{template}</SegmentTemplate>"))["0"]
    assert list(lines(form)) == ["i\t0-9", "1.m4s", "2.m4s"]


@pytest.mark.parametrize("bytes_", ["", "5", "5-", "-5", "9-5", "a-b", "1-2-3", "\u0661-\u0662", f"0-{'9' * 5000}"])
def test_ranges_that_are_none(formats, bytes_):
    good, bad = (listed(f'media="s.mp4" mediaRange="{given}"') for given in ("0-5", bytes_))
    got = formats(mpd(good, bad))
    assert (got["0"]["by"], got["1"].get("by")) == ("fragments", None)


def test_the_same_again(formats):
    got = formats(mpd(listed('media="s.mp4"', 'media="s.mp4"'), listed('media="s.mp4"', 'media="t.mp4"')))
    assert (got["0"].get("by"), got["1"]["by"]) == (None, "fragments")


TEMPLATE = '<SegmentTemplate media="$Number$.m4s" initialization="init.mp4" duration="6"/>'


def test_a_broadcast_that_nobody_calls_one(formats):
    text = mpd(TEMPLATE, listed('media="1"', 'media="2"'))
    assert {form["by"] for form in formats(text).values()} == {"fragments"}
    dynamic = formats(text.replace("<MPD ", '<MPD type="dynamic" '))
    assert len(dynamic) == 2
    assert not any("by" in form for form in dynamic.values())


def test_an_initialization_fragment_alone(formats):
    initialization = '<Initialization sourceURL="init.mp4"/>'
    one = listed('media="1.mp4"')
    got = formats(mpd(TEMPLATE, one, listed(initialization=initialization, rest='duration="4"'), more=""))
    assert {name: form.get("by") for name, form in got.items()}["0"] is None
    assert got["1"]["by"] == "fragments"
    assert list(lines(formats(mpd(TEMPLATE))["0"])) == ["init.mp4", "1.m4s", "2.m4s"]


def test_what_is_no_document(start):
    start()
    with pytest.raises(AttributeError):
        list(InfoExtractor(None)._parse_mpd_periods(None))
    assert ElementTree.iselement(ElementTree.fromstring(mpd(TEMPLATE)))
