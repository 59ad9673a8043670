"""The plugin: photo posts and authors of TikTok, whatever the page says of them."""

import json
import math
import time

import pytest
from conftest import VIDEO, tiktok_item, tiktok_page

PHOTO = VIDEO.replace("/video/", "/photo/")
SHARED = PHOTO.replace("tiktok.com/@someone", "tiktokv.com/share")


def extract(session, url=PHOTO):
    return json.loads(session.extract(url, "{}"))


def photo_item(**changes):
    """A post of two images with a sound, as the page shows it: its video has no address."""
    image = {"imageURL": {"urlList": ["https://p16.tiktok.com/1.jpeg", "https://p19.tiktok.com/1.jpeg"]}}
    item = tiktok_item() | {
        "video": {"width": 0, "height": 0, "duration": 0, "cover": "https://p16.tiktok.com/cover.jpg", "playAddr": ""},
        "imagePost": {
            "images": [
                {**image, "imageWidth": 1080, "imageHeight": 1440},
                {"imageURL": {"urlList": ["https://p16.tiktok.com/2.webp"]}, "imageWidth": "0900", "imageHeight": None},
            ]
        },
    }
    item["author"] |= {
        "avatarThumb": "https://p16.tiktok.com/thumb.jpg",
        "avatarMedium": "https://p16.tiktok.com/medium.jpg",
        "avatarLarger": "//p16.tiktok.com/larger.jpg",
        "signature": "Water, all day",
    }
    item["music"]["duration"] = 61
    return item | changes


def answer(start, stage, item, url=PHOTO):
    stage.page(VIDEO, tiktok_page(item), "200 OK", "Set-Cookie: tt_chain_token=abc; Domain=.tiktok.com; Path=/; Secure")
    return extract(start(), url)


@pytest.mark.parametrize("url", [PHOTO, VIDEO, PHOTO + "?lang=en", PHOTO.replace("@someone", "@"), SHARED])
def test_a_photo_post(start, stage, url):
    stage.page(VIDEO.replace("@someone", "@_"), tiktok_page(photo_item()))
    ok = answer(start, stage, photo_item(), url)["ok"]
    assert (ok["kind"], ok["extractor"], ok["webpage_url"]) == ("photos", "TikTok", url)
    assert (ok["uploader"], ok["channel"], ok["title"]) == ("someone", "Some One", "A cat ?")
    urls = ["https://p16.tiktok.com/1.jpeg", "https://p16.tiktok.com/2.webp"]
    assert [image["url"] for image in ok["images"]] == urls
    assert [(image.get("width"), image.get("height")) for image in ok["images"]] == [(1080, 1440), (900, None)]
    assert ok["images"][0]["http_headers"]["Referer"].startswith("https://www.tiktok.com/@")
    assert [form["format_id"] for form in ok["formats"]] == ["audio"]
    assert ok["default"] == "audio"
    assert (ok["music_duration"], ok["signature"]) == (61, "Water, all day")


def test_authors_of_videos_are_known_too(start, stage):
    item = tiktok_item()
    item["author"] = photo_item()["author"]
    ok = answer(start, stage, item, VIDEO)["ok"]
    assert ok["kind"] == "video"
    assert "images" not in ok
    assert {size: link["url"] for size, link in ok["avatars"].items()} == {
        "thumb": "https://p16.tiktok.com/thumb.jpg",
        "medium": "https://p16.tiktok.com/medium.jpg",
        "larger": "https://p16.tiktok.com/larger.jpg",
    }
    for link in ok["avatars"].values():
        assert link["http_headers"]["Referer"] == VIDEO
    assert [cookie["name"] for cookie in ok["avatars"]["thumb"]["cookies"]] == ["tt_chain_token"]


@pytest.mark.parametrize(
    "music", [{}, {"playUrl": ""}, None, "none", [], {"playUrl": 5, "duration": "x"}, {"duration": -1}]
)
def test_photos_without_a_sound(start, stage, music):
    ok = answer(start, stage, photo_item(music=music))["ok"]
    assert (ok["kind"], ok["formats"], len(ok["images"])) == ("photos", [], 2)
    assert not {"default", "music_duration"} & ok.keys()


def test_images_count_for_the_expiry(start, stage):
    soon = int(time.time()) + 500
    post = {"images": [{"imageURL": {"urlList": [f"https://p16.tiktok.com/1.jpeg?x-expires={soon}"]}}]}
    assert answer(start, stage, photo_item(imagePost=post))["ok"]["expires_at"] == soon


def test_there_is_an_end_to_images(start, stage):
    many = [{"imageURL": {"urlList": [f"https://p16.tiktok.com/{n}.jpeg"]}} for n in range(500)]
    ok = answer(start, stage, photo_item(imagePost={"images": many}))["ok"]
    assert [image["url"] for image in ok["images"]] == [f"https://p16.tiktok.com/{n}.jpeg" for n in range(100)]


WRONG = [None, 5, -1, "x", "", [], {}, [None], [[]], ["x"], {"x": []}, True, math.inf, 10**400]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_wrong_types_are_absent_and_nothing_breaks(start, stage, wrong):
    good = {"urlList": ["https://p16.tiktok.com/1.jpeg"]}
    posts = [wrong, {"images": wrong}]
    posts += [{"images": [image]} for image in (wrong, {"imageURL": wrong}, {"imageURL": {"urlList": wrong}})]
    session = start()
    for post in posts:
        stage.page(VIDEO, tiktok_page(photo_item(imagePost=post)))
        ok = extract(session)["ok"]
        assert (ok["kind"], "images" in ok) == ("audio", False), post
    author = dict.fromkeys(("avatarThumb", "avatarMedium", "avatarLarger", "signature"), wrong)
    images = [wrong, {"imageURL": good, "imageWidth": wrong, "imageHeight": wrong}]
    item = photo_item(imagePost={"images": images}, author={"uniqueId": "someone"} | author, authorInfo=wrong)
    stage.page(VIDEO, tiktok_page(item))
    ok = extract(session)["ok"]
    assert (ok["kind"], len(ok["images"])) == ("photos", 1)
    assert "avatars" not in ok
    assert "null" not in json.dumps(ok)


@pytest.mark.parametrize("url", ["ftp://h.org/a.jpg", "file:///etc/passwd", "javascript:1", "http://", "https://[::1"])
def test_addresses_of_no_use_are_no_images(start, stage, url):
    post = {"images": [{"imageURL": {"urlList": [url]}}]}
    item = photo_item(imagePost=post, music={}, author={"avatarThumb": url})
    error = answer(start, stage, item)["error"]
    assert error["kind"] == "extraction_failed"
    assert "No video formats found" in error["message"]


def test_short_links_reach_photos(start, stage):
    for link in ("https://vm.tiktok.com/Z1", "https://vt.tiktok.com/Z2", "https://www.tiktok.com/t/Z3/"):
        stage.page(link, "", "301 Moved", f"Location: {PHOTO}?_r=1")
        stage.page(f"{PHOTO}?_r=1", "")
        assert answer(start, stage, photo_item(), link)["ok"]["kind"] == "photos"


@pytest.mark.parametrize(
    "url",
    ["https://www.example.org/@a/photo/1", "https://www.tiktok.com/@a/photo/", "https://www.tiktok.com/photo/1"],
)
def test_other_addresses_are_no_photo_posts(start, stage, url):
    # What nobody knows is for the extractor that takes any host.
    assert "hand_off" in extract(start(), url)
    assert not stage.seen
