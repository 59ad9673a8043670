import pytest

from sluice.choose import choose


def form(format_id, vcodec="h264", acodec="aac", ext="mp4", single=True, height=720, **more):
    made = {"format_id": format_id, "vcodec": vcodec, "acodec": acodec, "ext": ext, "single": single, "height": height}
    return {key: value for key, value in (made | more).items() if value is not None}


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ([form("a"), form("b")], "a"),
        ([form("mark", watermarked=True), form("clean", vcodec="h265", watermarked=False)], "clean"),
        ([form("mark", watermarked=True)], "mark"),
        ([form("maybe", untested=True), form("sure", vcodec="h265")], "sure"),
        ([form("mark", watermarked=True), form("maybe", untested=True)], "maybe"),
        ([form("webm", "vp9", "opus", "webm"), form("mp4", "avc1.64001F", "mp4a.40.2")], "mp4"),
        ([form("hevc", "hev1.1.6"), form("webm", "vp9", "opus", "webm")], "hevc"),
        ([form("4k", width=3840, height=2160), form("hd", width=1920, height=1080)], "hd"),
        ([form("tall", width=1080, height=1920), form("small", width=360, height=640)], "tall"),
        ([form("huge", width=2160, height=3840), form("small", width=360, height=640)], "small"),
        ([form("4k", width=3840, height=2160), form("other", "vp9", "opus", "webm")], "4k"),
        ([form("unknown", None, None), form("known", "vp9", "opus", "webm")], "known"),
        ([form("unknown", None, None)], "unknown"),
        ([form("vvc", "bytevc2")], None),
        ([form("vvc", "bytevc2", single=True), form("fine", "h265")], "fine"),
        ([form("hls", single=False), form("file", "vp9", "opus", "webm")], "file"),
        ([form("hls", single=False)], None),
        ([form("picture", acodec="none"), form("sound", "none", "aac", "m4a")], None),
        ([form("sound", "none", "opus", "webm"), form("other", "none", "aac", "m4a")], "sound"),
        ([form("hls", "none", "aac", single=False), form("file", "none", "aac", "m4a")], "file"),
        ([form("image", "none", "none", "jpg")], None),
        ([], None),
    ],
)
def test_choose(formats, expected):
    assert choose(formats) == expected
