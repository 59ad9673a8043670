import time

import pytest

from sluice.expiry import expiry

NOW = 1_700_000_000
SOON = NOW + 3600
HEX = f"{SOON:x}"
MD5 = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://r1.googlevideo.com/videoplayback?expire={SOON}&ei=x", SOON),
        (f"https://manifest.googlevideo.com/api/manifest/hls/expire/{SOON}/ei/x", SOON),
        (f"https://p16-sign.tiktokcdn.com/a~tplv.jpeg?x-expires={SOON}&x-signature=abc", SOON),
        (f"https://v16.tiktokcdn.com/{MD5}/{HEX}/video/tos/a/?a=1233", SOON),
        (f"https://d1.cloudfront.net/a.mp4?Expires={SOON}&Signature=x&Key-Pair-Id=y", SOON),
        (f"https://scontent.cdninstagram.com/v/t50/a.mp4?oe={HEX.upper()}&oh=1", SOON),
        (f"https://cdn.example.org/a.mp4?hdnts=st={NOW}~exp={SOON}~acl=/*~hmac=ab", SOON),
        (f"https://cdn.example.org/a.mp4?token=exp={SOON}~hmac=ab", SOON),
        (f"https://cdn.example.org/a.mp4?deadline={SOON}", SOON),
        (f"https://cdn.example.org/a.mp4?exp={SOON}000", SOON),  # milliseconds
        ("https://b.s3.amazonaws.com/a?X-Amz-Date=20231114T221320Z&X-Amz-Expires=3600", SOON),
        (f"https://h.org/a?expires={SOON + 5}&expire={SOON}", SOON),
        (f"https://h.org/a?expires={NOW - 60}", NOW - 60),
        ("https://h.org/a", None),
        ("https://h.org/a?expires=1", None),
        ("https://h.org/a?expires=99999999999", None),
        (f"https://h.org/a?expires={NOW - 200_000}", None),
        ("https://h.org/a?expires=never&exp=&e=%00", None),
        ("https://h.org/a?expires=" + "1" * 5000, None),
        ("https://h.org/a?expires=" + "\u0661" * 10, None),
        ("https://h.org/a?X-Amz-Date=yesterday&X-Amz-Expires=3600", None),
        ("https://h.org/a?" + "&".join(["x=1"] * 500), None),
        ("https://[bad/a?expires=1700003600", None),
        (f"https://h.org/{'a' * 20_000}?expires={SOON}", None),
    ],
)
def test_expiry(url, expected):
    assert expiry(url, NOW) == expected


def test_amazon_counts_in_utc_whatever_the_host(monkeypatch):
    url = "https://b.s3.amazonaws.com/a?X-Amz-Date=20230714T221320Z&X-Amz-Expires=3600"
    now = 1_689_372_800  # that date
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert expiry(url, now) == now + 3600
    finally:
        monkeypatch.undo()
        time.tzset()
