"""The default: what plays everywhere, picture and sound in one."""

import pytest

from sluice.choose import choose


def form(format_id, vcodec="h264", acodec="aac", ext="mp4", by="file", height=720, **more):
    made = {"format_id": format_id, "vcodec": vcodec, "acodec": acodec, "ext": ext, "by": by, "height": height}
    return {key: value for key, value in (made | more).items() if value is not None}


def hls(format_id, vcodec=None, acodec=None, **more):
    return form(format_id, vcodec, acodec, by="hls", **more)


def sound(format_id, acodec="aac", ext="m4a", **more):
    return form(format_id, "none", acodec, ext, height=None, **more)


FIRST = [
    ([form("a"), form("b")], "a"),
    ([form("mark", watermarked=True), form("clean", vcodec="h265", watermarked=False)], "clean"),
    ([form("mark", watermarked=True)], "mark"),
    ([form("maybe", untested=True), form("sure", vcodec="h265")], "sure"),
    ([form("mark", watermarked=True), form("maybe", untested=True)], "maybe"),
    # As YouTube's extractor says of each playlist of a new video.
    ([hls("maybe", untested=True, height=1080), hls("sure", height=360)], "maybe"),
    ([hls("maybe", untested=True, height=1080), form("sure", height=360)], "maybe"),
    ([hls("maybe", untested=True), hls("sure")], "sure"),
    # Previews.
    ([form("low", preference=-10), form("fine", "vp9", "opus", "webm")], "fine"),
    ([form("low", preference=-2), hls("fine", height=144)], "fine"),
    ([form("low", preference=-2, language_preference=10), form("fine")], "low"),
    # Dubbed, at its best.
    ([form("fr", height=1080, language_preference=-1), hls("de", language_preference=10)], "de"),
    ([form("fr", height=1080), hls("de", language_preference=10)], "de"),
    ([form("odd", language_preference=-1), form("plain", height=1080)], "plain"),
]

CODECS = [
    ([form("webm", "vp9", "opus", "webm"), form("mp4", "avc1.64001F", "mp4a.40.2")], "mp4"),
    ([form("hevc", "hev1.1.6", height=1080), form("webm", "vp9", "opus", "webm")], "webm"),
    ([form("hevc", "hev1.1.6", height=1080), form("av1", "av01.0.08M.08", "opus", "webm")], "av1"),
    ([form("av1", "av01.0.08M.08", "opus", "webm"), form("webm", "vp09.00.40.08", "opus", "webm")], "webm"),
    ([form("webm", "vp9", "opus", "webm"), form("mp3", "avc1.64001F", "mp3")], "mp3"),
    ([form("hevc", "hev1.1.6"), form("other", "bytevc1")], "hevc"),
    ([form("hevc", "h265")], "hevc"),
    ([form("flv", ext="flv"), hls("hls", "avc1", "mp4a")], "hls"),
    ([form("ts", ext="ts", by="hls")], "ts"),
    ([form("vvc", "bytevc2")], None),
    ([form("vvc", "bytevc2"), form("fine", "h265")], "fine"),
    # However they are spelled.
    ([form("webm", "vp9", "opus", "webm"), form("h264", "H.264", "AAC")], "h264"),
    ([form("webm", "vp9", "opus", "webm"), form("h264", "h-264", "mp4a.40.2")], "h264"),
    ([form("webm", "vp9", "opus", "webm"), form("h264", "X264")], "h264"),
    ([form("hevc", "H.265"), form("webm", "vp9", "opus", "webm")], "webm"),
    ([form("hevc", "x265"), form("webm", "vp9", "opus", "webm")], "webm"),
    ([form("vvc", "H.266")], None),
    # Nobody says what these are, as in many playlists and files: like those that are known, before other codecs.
    ([hls("unknown", height=1080), hls("known", "avc1.4d401f", "mp4a.40.2", height=360)], "unknown"),
    ([form("unknown", None, None, height=1080), hls("known", "avc1", "mp4a", height=240)], "unknown"),
    ([form("unknown", None, None, height=1080), form("known", height=360)], "unknown"),
    ([form("unknown", None, None), hls("known", "avc1", "mp4a")], "unknown"),
    ([hls("unknown"), hls("known", "avc1", "mp4a")], "known"),
    ([form("unknown", None, None), form("known")], "known"),
    ([form("known", "vp9", "opus", "webm", height=1080), hls("unknown")], "unknown"),
    ([form("known", "vp9", "opus", "webm"), form("unknown", None, None)], "unknown"),
    ([form("unknown", None, None, "webm"), form("known", "vp9", "opus", "webm")], "known"),
    ([form("half", "vp9", None, "webm"), form("known", "vp9", "opus", "webm")], "known"),
    ([hls("hevc", "hvc1.1.6", None), hls("unknown")], "unknown"),
    ([hls("unknown", height=None)], "unknown"),
    ([form("unknown", None, None)], "unknown"),
]

SIZES = [
    ([form("low", preference=-10), form("fine", height=360)], "fine"),
    ([form("4k", width=3840, height=2160), form("hd", width=1920, height=1080)], "hd"),
    ([form("tall", width=1080, height=1920), form("small", width=360, height=640)], "tall"),
    ([form("huge", width=2160, height=3840), form("small", width=360, height=640)], "small"),
    ([form("4k", width=3840, height=2160), form("other", "vp9", "opus", "webm")], "4k"),
    ([form("4k", width=3840, height=2160), form("1440", width=2560, height=1440)], "1440"),
    ([form("360", height=360), form("1080", height=1080), form("720")], "1080"),
    ([form("unknown", height=None), form("240", height=240)], "240"),
    ([form("4k", width=3840, height=None), form("hd", width=1920, height=None), form("720")], "hd"),
    ([form("720"), form("hd", width=1920, height=None)], "hd"),
    # yt-dlp's own order stands where nothing else tells.
    ([form("first", height=None), form("second", height=None)], "first"),
]

DELIVERIES = [
    ([hls("hls", "h264", "aac"), form("file")], "file"),
    ([form("dash", by="fragments"), form("file")], "file"),
    ([hls("hls", "h264", "aac"), form("dash", by="fragments")], "hls"),
    ([form("file", height=480), hls("hls", "h264", "aac")], "hls"),
    ([form("file", height=1080), hls("4k", "h264", "aac", height=2160)], "file"),
    ([hls("hls", "h264", "aac"), form("file", "vp9", "opus", "webm")], "hls"),
    ([form("none", by=None), form("low", height=144)], "low"),
    ([form("none", by=None)], None),
    ([form("large", too_large=True), form("small", height=144)], "small"),
    ([form("large", too_large=True)], None),
]

SILENT = [
    ([form("picture", acodec="none"), sound("sound")], None),
    ([form("picture", acodec="none"), form("both", height=144)], "both"),
    ([form("picture", acodec="none"), form("both", "hev1", "aac", height=144)], "both"),
    ([hls("picture", "avc1", "none"), hls("sound", "none")], None),
    # It is there, if only to be seen.
    ([form("picture", acodec="none"), form("both", by=None)], None),
    ([form("picture", acodec="none")], "picture"),
    ([form("webm", "vp9", "none", "webm", height=1080), form("picture", acodec="none")], "picture"),
    ([form("unknown", None, "none"), form("picture", acodec="none")], "picture"),
    ([form("picture", acodec="none"), form("both", too_large=True)], None),
    ([form("webm", "vp9", "none", "webm")], "webm"),
    ([form("hevc", "hvc1", "none"), form("webm", "vp9", "none", "webm", height=144)], "webm"),
    ([form("hevc", "hvc1", "none")], None),
    ([form("picture", acodec="none"), form("story", "none", "none", "mhtml", by=None)], "picture"),
]

SOUND = [
    ([sound("opus", "opus", "webm"), sound("aac")], "opus"),
    ([sound("hls", by="hls"), sound("file")], "file"),
    # yt_dlp/extractor/mixcloud.py.
    ([sound("hls", "mp4a.40.2", by="hls"), sound("file", None)], "file"),
    ([sound("preview", preference=-10), sound("whole", None, by="hls")], "whole"),
    ([sound("maybe", by="hls", untested=True), sound("sure", by="hls")], "sure"),
    ([sound("unknown", None), sound("mp3", "mp3", "mp3")], "mp3"),
    ([sound("unknown", None)], "unknown"),
    ([sound("none", by=None), sound("mp3", "mp3", "mp3")], "mp3"),
    ([sound("dub", language_preference=-1), sound("de", language_preference=10)], "de"),
    ([form("image", "none", "none", "jpg")], None),
    ([], None),
]


@pytest.mark.parametrize(("formats", "expected"), [*FIRST, *CODECS, *SIZES, *DELIVERIES, *SILENT, *SOUND])
def test_choose(formats, expected):
    assert choose(formats) == expected
