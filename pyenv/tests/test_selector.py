"""The stored formats answer selectors as yt-dlp's own do; hostile ones are refused in no time."""

import json
import time

import pytest
from yt_dlp import YoutubeDL

from sluice import engine
from sluice.project import project

FORMATS = [
    {"format_id": "audio-low", "vcodec": "none", "acodec": "mp4a.40.5", "ext": "m4a", "abr": 48, "asr": 22050},
    {"format_id": "audio", "vcodec": "none", "acodec": "opus", "ext": "webm", "abr": 160, "language": "de"},
    {"format_id": "18", "vcodec": "avc1.42001E", "acodec": "mp4a.40.2", "ext": "mp4", "height": 360, "width": 640},
    {"format_id": "22", "vcodec": "avc1.64001F", "acodec": "mp4a.40.2", "ext": "mp4", "height": 720, "width": 1280},
    {"format_id": "hd", "vcodec": "vp9.2", "acodec": "none", "ext": "webm", "height": 1080, "fps": 60,
     "dynamic_range": "HDR10", "filesize": 90_000_000, "container": "webm_dash"},
    {"format_id": "hls-720", "vcodec": "avc1.4d401f", "acodec": "mp4a.40.2", "ext": "mp4", "height": 720,
     "protocol": "m3u8_native", "tbr": 2500, "source_preference": -1, "format_note": "Premium"},
]  # fmt: skip

SELECTORS = [
    "b", "w", "best", "worst", "b*", "w*", "bv", "bv*", "ba", "ba*", "wv", "wa", "bestaudio", "worstvideo",
    "b.2", "bv*.3", "18", "22/18", "nope/18", "nope", "mp4", "webm", "m4a", "all", "18,22", "(nope/22),18",
    "b[height<=480]", "b[height<=?480]", "bv*[height>720]", "b[ext=webm]/b[ext=mp4]", "bv*[vcodec^=avc1]",
    "ba[language=de]", "ba[asr<44100]", "bv[dynamic_range=HDR10]", "bv*[protocol^=m3u8]", "b*[protocol=https]",
    "bv[container*=dash]", "bv[filesize>50M]", "bv[fps=60]", "b[format_note*=Prem]", "b[format_note!*=Prem]",
    "bv*[resolution=1280x720]", "bv*[aspect_ratio>1]", "ba[abr>=100]", "b[tbr>2000]", "all[source_preference<0]",
    "b[height<100]/w", "[height=360]", "b[format_id!=22]", "bv*[width>1000]", "ba[acodec!=opus]",
]  # fmt: skip


@pytest.fixture
def stored(start):
    """The same formats twice: as yt-dlp holds them, and as projected."""
    session = start()
    given = [{"url": f"https://h.org/{form['format_id']}", **form} for form in FORMATS]
    info = {"id": "1", "title": "t", "extractor": "X", "extractor_key": "X", "formats": given}
    with engine.Ydl(engine.Settings(5)) as ydl:
        info = ydl.process_ie_result(info, download=False)
        return session, info["formats"], json.loads(json.dumps(project(ydl, info)["formats"]))


def select(session, formats, selector):
    return json.loads(session.select(json.dumps(formats), selector))


@pytest.mark.parametrize("selector", SELECTORS)
def test_same_answer_as_yt_dlp(stored, selector):
    session, original, projected = stored
    with YoutubeDL({"quiet": True, "check_formats": False}, auto_init=False) as ydl:
        expected = [f["format_id"] for f in ydl._select_formats(original, ydl.build_format_selector(selector))]
    got = select(session, projected, selector)
    if expected:
        assert got == {"ok": {"format_ids": expected}}
    else:
        assert got["error"]["kind"] == "format_unavailable"


def test_a_join_names_its_parts_and_the_single_file(stored):
    session, _, projected = stored
    for selector in ("bv+ba", "bv+ba/b", "hd+audio"):
        error = select(session, projected, selector)["error"]
        assert error["kind"] == "format_unavailable"
        assert "hd" in error["message"]
        assert "the best single file is 22" in error["message"]


def test_a_join_without_a_single_file(stored):
    session, _, projected = stored
    by_id = {form["format_id"]: form for form in projected}
    apart = [by_id["hd"], by_id["audio"]]
    said = select(session, [*apart, by_id["hls-720"]], "bv+ba")["error"]["message"]
    assert said.endswith("; the best single format is hls-720")
    error = select(session, apart, "bv+ba")["error"]
    assert (error["kind"], error["message"].partition("; ")[2]) == ("format_unavailable", "no format has both")


@pytest.mark.parametrize(
    ("selector", "left_out", "expected"),
    [
        # Nothing on the left: on to the right.
        ("bv+ba/b", "hd", "hls-720"),
        ("nope+ba/18", "", "18"),
        ("bv[height>2000]+ba/b[height<=360]", "", "18"),
        ("bv+nope/nope/w", "", "18"),
        # What has sound takes no other.
        ("bv*+ba/b", "hd", "hls-720"),
        ("b+ba", "", "hls-720"),
    ],
)
def test_what_is_no_join(stored, selector, left_out, expected):
    session, original, projected = stored
    formats = [form for form in projected if form["format_id"] != left_out]
    assert select(session, formats, selector) == {"ok": {"format_ids": [expected]}}
    with YoutubeDL({"quiet": True, "check_formats": False}, auto_init=False) as ydl:
        given = [form for form in original if form["format_id"] != left_out]
        assert [f["format_id"] for f in ydl._select_formats(given, ydl.build_format_selector(selector))] == [expected]


def test_the_best_sound_as_it_is(stored):
    session, _, projected = stored
    assert select(session, projected, "bestaudio") == {"ok": {"format_ids": ["audio"]}}


def test_of_joins_and_others_the_others_are_taken(stored):
    session, _, projected = stored
    for selector in ("b,bv+ba", "bv+ba,b", "bv+ba,b,hls-720"):
        assert select(session, projected, selector) == {"ok": {"format_ids": ["hls-720"]}}
    error = select(session, projected, "bv+ba,hd+audio-low")["error"]
    assert "a join of hd and audio," in error["message"]


def test_what_can_not_be_streamed_names_what_can(stored):
    session, _, projected = stored
    bare = [{key: value for key, value in form.items() if key != "by" or form["height"] != 720} for form in projected
            if form.get("height")]  # fmt: skip
    error = select(session, bare, "22")["error"]
    assert (error["kind"], error["message"]) == (
        "format_unavailable",
        "Format 22 can't be streamed; the best single file is 18",
    )
    assert select(session, bare, "22,18") == {"ok": {"format_ids": ["18"]}}
    nothing = [{key: value for key, value in form.items() if key != "by"} for form in projected]
    assert select(session, nothing, "b")["error"]["message"] == "Format hls-720 can't be streamed; no format has both"


def marked(formats, *large):
    return [form | {"too_large": True} if form["format_id"] in large else form for form in formats]


def test_what_is_too_large_is_not_picked(stored):
    session, _, projected = stored
    cut = marked(projected, "22", "hls-720")
    assert select(session, cut, "") == {"ok": {"format_ids": ["18"]}}
    assert select(session, cut, "b") == {"ok": {"format_ids": ["18"]}}
    assert "22" not in select(session, cut, "all")["ok"]["format_ids"]
    message = select(session, cut, "bv+ba")["error"]["message"]
    assert message.endswith("a join of hd and audio, which is not supported; the best single file is 18")
    assert "join of hd and audio-low," in select(session, marked(cut, "audio"), "bv+ba")["error"]["message"]


def test_what_is_too_large_tells_what_kind_of_page_it_is(stored):
    session, _, projected = stored
    apart = [form for form in projected if form["format_id"] in ("hd", "audio")]
    silent = apart[:1]
    assert select(session, silent, "b") == {"ok": {"format_ids": ["hd"]}}
    cut = marked(projected, "18", "22", "hls-720", "audio", "audio-low")
    assert [form["format_id"] for form in cut if not form.get("too_large")] == ["hd"]
    for selector in ("b", "b/w", "webm[acodec=none]", ""):
        assert select(session, cut, selector)["error"]["kind"] == "format_unavailable"
    # As all of it is small enough.
    assert select(session, apart, "b")["error"]["kind"] == "format_unavailable"
    sound = [form for form in projected if form["format_id"] in ("audio", "audio-low")]
    assert select(session, marked(sound, "audio"), "b") == {"ok": {"format_ids": ["audio-low"]}}


def test_no_selector_is_the_default_of_what_is_given(stored):
    session, _, projected = stored
    assert select(session, projected, "") == {"ok": {"format_ids": ["22"]}}
    small = [form for form in projected if form.get("height") != 720]
    assert select(session, small, "") == {"ok": {"format_ids": ["18"]}}
    # As the server keeps them.
    bare = [{key: value for key, value in form.items() if key not in ("hls", "fragments")} for form in projected]
    assert select(session, bare, "") == {"ok": {"format_ids": ["22"]}}
    for none in ([], [form for form in projected if form["format_id"] in ("hd", "audio")]):
        assert select(session, none, "")["error"]["kind"] == "format_unavailable"


@pytest.mark.parametrize(
    "selector",
    ["  ", "b[", "(b", "/b", ",b", "+b", "b+", "b[height<=]", "b[height<=x]", "b[?]", "b[a=b]c[", "b[ext<5]",
     "b[height^=7]", "b[format_id~=(a+)+$]", "b[format_id!~='(a+)+$']", "b[format_id ~ = x]", "b\n", "b\x00",
     "(" * 11 + "b" + ")" * 11, "(" * 500, "[" * 500, "b" * 1001, "/".join("b" * 60), ",".join("b" * 60), "b+b+b+b+b",
     "all+all", "(all)+b", "mergeall", "'''", "\u00a0", "b.99999999999999999999"],
)  # fmt: skip
def test_bad_selectors(stored, selector):
    session, _, projected = stored
    error = select(session, projected, selector)["error"]
    assert error["kind"] == "bad_request", error
    assert 0 < len(error["message"]) <= 300
    assert "\n" not in error["message"]


@pytest.mark.parametrize(
    "selector", ["b]", "b)x(", "b/,", "b\\", "#", "b[height<=9" + "9" * 900 + "]", "\u2603", "!", "b b"]
)
def test_odd_selectors_are_answered(stored, selector):
    session, _, projected = stored
    got = select(session, projected, selector)
    assert "ok" in got or got["error"]["kind"] != "internal"


def test_regular_expressions_are_named(stored):
    session, _, projected = stored
    error = select(session, projected, "b[format_id~='(a|a)+$']")["error"]
    assert error["kind"] == "bad_request"
    assert "~=" in error["message"]


def test_syntax_errors_are_yt_dlps_sentences(stored):
    session, _, projected = stored
    assert select(session, projected, "/b")["error"] == {
        "kind": "bad_request",
        "message": 'Invalid format specification: "/" must follow a format selector',
    }


def test_the_dearest_selector_that_is_allowed(stored):
    session, _, projected = stored
    many = [dict(projected[0], format_id=str(i)) for i in range(500)]
    side = "(" + ",".join(["b*[height>1]"] * 12) + ")"
    began = time.process_time()
    select(session, many, "+".join([side] * 4))
    assert time.process_time() - began < 2


def test_garbage_from_the_store_is_an_answer(start):
    assert json.loads(start().select("not json", "b"))["error"]["kind"] == "internal"


@pytest.mark.parametrize("selector", ["a ll+a ll", "b+a ll", "(al l,b)+w", "merge all", "mer geal l"])
def test_white_space_does_not_hide_what_is_refused(stored, selector):
    session, _, projected = stored
    assert select(session, projected, selector)["error"]["kind"] == "bad_request"


@pytest.mark.parametrize(
    "selector",
    ["b[url^=https]", "b[url*=h.org]", "b[cookies*=a]", "b[http_headers*=a]", "b[by=file]",
     "b[untested>0]", "b[too_large<1]", "b[available_at>0]", "b[chunk_size>0]", "b[no_resume>0]"],
)  # fmt: skip
def test_filters_do_not_see_what_clients_must_not(stored, selector):
    session, _, projected = stored
    more = {"untested": True, "too_large": False, "available_at": 5, "chunk_size": 5, "no_resume": True}
    projected = [form | more for form in projected]
    assert select(session, projected, "b[ext=mp4][height=720][protocol=https]") == {"ok": {"format_ids": ["22"]}}
    assert select(session, projected, selector)["error"]["kind"] == "format_unavailable"
