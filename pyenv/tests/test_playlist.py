"""Playlists of real extractors: entries that are not fetched, and no more pages of a list than were asked for."""

import json

import pytest
from conftest import failed

LIST = "https://framatube.org/w/p/weirs"
API = "https://framatube.org/api/v1/video-playlists/weirs"
PAGE = 30
"""Entries on a page of PeerTube's (peertube.py: _PAGE_SIZE)."""

ALBUM = "https://weirs.bandcamp.com/album/low-water"

COLLECTION = "https://www.tiktok.com/@keeper/collection/weirs-7371330159376370462"
ITEMS = "https://www.tiktok.com/api/collection/item_list/"


def extract(session, url, **options):
    answer = json.loads(session.extract(url, json.dumps(options)))
    assert "ok" in answer, answer
    assert answer["ok"]["kind"] == "playlist"
    assert "formats" not in answer["ok"]
    return answer["ok"]


def ids(extraction):
    return [entry["id"] for entry in extraction["entries"]]


def peertube(stage, total):
    """A playlist that is fetched page by page, by number."""
    stage.page(API, json.dumps({"displayName": "Weirs"}))
    for start in range(0, total + PAGE + 1, PAGE):
        videos = [{"shortUUID": f"v{i}", "name": f"Weir {i}"} for i in range(start, min(start + PAGE, total))]
        query = f"sort=-createdAt&start={start}&count={PAGE}&nsfw=both"
        stage.page(f"{API}/videos?{query}", json.dumps({"data": videos}))


def pages(stage):
    """The numbers of the pages that were fetched."""
    starts = [path.partition("&start=")[2].partition("&")[0] for _, path, _ in stage.seen]
    return sorted(int(start) // PAGE for start in starts if start)


@pytest.mark.parametrize(
    ("total", "offset", "limit", "expected", "fetched", "count"),
    [
        (70, 0, 200, range(70), [0, 1, 2], 70),
        (70, 0, 1, range(1), [0], None),
        (70, 25, 10, range(25, 35), [0, 1], None),
        (70, 60, 5, range(60, 65), [2], None),
        # The end was seen: the count is known, and costs no page.
        (70, 60, 50, range(60, 70), [2], 70),
        (70, 75, 10, (), [2], 70),
        (70, 95, 10, (), [3], None),
        (60, 30, 50, range(30, 60), [1, 2], 60),
        (0, 0, 10, (), [0], 0),
    ],
)
def test_a_paged_list_is_fetched_as_far_as_it_is_asked_for(
    start, stage, total, offset, limit, expected, fetched, count
):
    peertube(stage, total)
    got = extract(start(), LIST, offset=offset, limit=limit)
    assert ids(got) == [f"v{i}" for i in expected]
    assert all(entry["url"] == f"https://framatube.org/w/{entry['id']}" for entry in got["entries"])
    assert (got["title"], got["extractor"], got.get("playlist_count")) == ("Weirs", "PeerTube:Playlist", count)
    assert pages(stage) == fetched
    assert len(stage.seen) == len(fetched) + 1


@pytest.mark.parametrize(
    ("offset", "limit", "expected"), [(0, 200, range(7)), (2, 3, range(2, 5)), (6, 9, [6]), (9, 9, ())]
)
def test_a_list_on_one_page(start, stage, offset, limit, expected):
    tracks = [{"title_link": f"/track/t{i}", "track_id": 50 + i, "title": f"T{i}", "duration": 1} for i in range(7)]
    tralbum = json.dumps({"trackinfo": tracks, "current": {"title": "Low water"}}).replace('"', "&quot;")
    stage.page(ALBUM, f'<script data-tralbum="{tralbum}"></script>')
    got = extract(start(), ALBUM, offset=offset, limit=limit)
    assert got["entries"] == [
        {"id": str(50 + i), "title": f"T{i}", "url": f"https://weirs.bandcamp.com/track/t{i}"} for i in expected
    ]
    assert (got["title"], got["playlist_count"]) == ("Low water", 7)
    assert len(stage.seen) == 1


def test_a_list_without_an_end_is_fetched_as_far_as_it_is_asked_for(start, stage):
    for cursor in range(0, 300, PAGE):
        items = [{"id": str(cursor + i), "desc": f"Post {i}", "author": {"uniqueId": "keeper"}} for i in range(PAGE)]
        query = f"aid=1988&collectionId=7371330159376370462&count=30&cursor={cursor}&sourceType=113"
        stage.page(f"{ITEMS}?{query}", json.dumps({"itemList": items, "hasMore": True}))
    session = start()
    for offset, limit, fetched in ((0, 1, 1), (0, 30, 1), (0, 31, 2), (100, 10, 4)):
        stage.seen.clear()
        got = extract(session, COLLECTION, offset=offset, limit=limit)
        assert ids(got) == [str(i) for i in range(offset, offset + limit)]
        assert got["entries"][0]["url"] == f"https://www.tiktok.com/@keeper/video/{offset}"
        assert "playlist_count" not in got
        assert len(stage.seen) == fetched


def test_a_page_of_the_list_that_fails_fails_the_extraction(start, stage):
    peertube(stage, 30)
    del stage.pages[
        "framatube.org", f"/api/v1/video-playlists/weirs/videos?sort=-createdAt&start=30&count={PAGE}&nsfw=both"
    ]
    assert failed(start(), LIST)["kind"] == "not_found"
