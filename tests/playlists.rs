//! Playlists and broadcasts: what `/extract` says of them, and what the endpoints that stream a file do.

use crate::support::client::encode;
use crate::support::stage::tiktok::PAGES;
use crate::support::stage::{Reply, Stage};
use crate::support::world::{World, assert_problem, assert_seed_error, fresh_id, post, world};
use serde_json::{Value, json};

/// Posts on a page of TikTok's list of a collection.
const PAGE: usize = 30;

fn answer_json(stage: &Stage, host: &str, path: &str, value: &Value) {
    stage.play(host, path, Reply::text("application/json", value.to_string()));
}

/// A Bandcamp album with that many tracks; its page.
pub fn album(stage: &Stage, tracks: usize) -> String {
    let host = format!("weirs{}.bandcamp.com", fresh_id());
    let tracks: Vec<Value> = (0..tracks)
        .map(|n| json!({"title_link": format!("/track/t{n}"), "track_id": n, "title": format!("T{n}"), "duration": 1}))
        .collect();
    let album = json!({"trackinfo": tracks, "current": {"title": "Low water"}}).to_string();
    let album = album.replace('"', "&quot;");
    let html = format!(r#"<title>Low water</title><script data-tralbum="{album}"></script>"#);
    stage.play(&host, "/album/low-water", Reply::html(html));
    format!("https://{host}/album/low-water")
}

/// A TikTok collection that never ends: the same page of the list, again and again. Its page.
fn collection(stage: &Stage, first: &str) -> String {
    let author = json!({"uniqueId": "sluice"});
    let others = (1..PAGE).map(|n| n.to_string());
    let items: Vec<Value> = std::iter::once(first.to_owned())
        .chain(others)
        .map(|id| json!({"id": id, "author": author}))
        .collect();
    answer_json(stage, PAGES, "/api/collection/item_list/", &json!({"itemList": items, "hasMore": true}));
    format!("https://{PAGES}/@sluice/collection/weirs-{}", fresh_id())
}

/// The page of an account's broadcast, which runs (2) or is over (4).
fn broadcast(stage: &Stage, status: u32) -> String {
    let name = format!("keeper{}", fresh_id());
    let user = json!({"userInfo": {"user": {"roomId": "7210809319192726273"}}});
    let data = json!({"__DEFAULT_SCOPE__": {"webapp.user-detail": user}});
    let html =
        format!(r#"<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">{data}</script>"#);
    stage.play(PAGES, &format!("/@{name}"), Reply::html(html));
    let room = json!({
        "status": status,
        "title": "The weir, live",
        "stream_url": {
            "hls_pull_url": "https://pull.example.org/live.m3u8",
            "flv_pull_url": {"HD1": "https://pull.example.org/live.flv"},
        },
    });
    answer_json(stage, "webcast.tiktok.com", "/webcast/room/info", &json!({"data": room}));
    format!("https://{PAGES}/@{name}/live")
}

/// The answer for a playlist, which has no formats.
fn entries(world: &World, page: &str, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/extract?url={}{query}", encode(page)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let extraction = answer.json();
    assert_eq!((&extraction["kind"], &extraction["formats"]), (&json!("playlist"), &json!([])));
    extraction["entries"].as_array().unwrap().clone()
}

fn titles(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["title"].as_str().unwrap()).collect()
}

#[test]
fn a_playlist_lists_its_pages_and_fetches_none() {
    let world = world();
    let page = album(&world.stage, 250);
    let extraction = world.extract(&page);
    assert_eq!((&extraction["title"], &extraction["playlist_count"]), (&json!("Low water"), &json!(250)));
    let host = page.split('/').nth(2).unwrap();
    let listed = extraction["entries"].as_array().unwrap();
    assert_eq!(listed.len(), 200);
    let expected = json!({"id": "7", "title": "T7", "url": format!("https://{host}/track/t7")});
    assert_eq!(listed[7], expected);
    assert_eq!(world.stage.seen_at(host).len(), 1);
}

#[test]
fn a_part_of_a_playlist_can_be_asked_for() {
    let world = world();
    let page = album(&world.stage, 250);
    assert_eq!(titles(&entries(world, &page, "&limit=1")), ["T0"]);
    assert_eq!(titles(&entries(world, &page, "&offset=3&limit=2")), ["T3", "T4"]);
    assert_eq!(entries(world, &page, "&offset=200&limit=200").len(), 50);
    assert_eq!(entries(world, &page, "&offset=10000").len(), 0, "an empty list, not none");
    let body = json!({"url": page, "offset": 249, "limit": 200});
    assert_eq!(world.post("/extract", &body).json()["entries"][0]["title"], "T249");
    for query in ["limit=0", "limit=201", "limit=-1", "limit=x", "offset=-1", "offset=10001", "offset=1.5"] {
        let answer = world.get(&format!("/extract?url={}&{query}", encode(&page)));
        assert_problem(&answer, 400, "bad_request");
    }
    for (name, value) in
        [("limit", json!(0)), ("limit", json!("1")), ("offset", json!(-1)), ("offset", json!(10_001))]
    {
        assert_problem(&world.post("/extract", &json!({"url": page, name: value})), 400, "bad_request");
    }
}

#[test]
fn a_long_list_is_fetched_no_further_than_needed() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    let page = collection(&world.stage, video.page_url().rsplit('/').next().unwrap());
    for (query, listed, lists) in
        [("&limit=1", 1, 1), ("&limit=31", 31, 2), ("&offset=89&limit=2", 2, 4), ("", 200, 7)]
    {
        let before = world.stage.seen().len();
        let found = entries(&world, &page, query);
        assert_eq!((found.len(), world.stage.seen().len() - before), (listed, lists), "{query}");
    }
    // An entry is a page like any other.
    let first = &entries(&world, &page, "&limit=1")[0];
    assert_eq!(first["url"], video.page_url());
    assert_eq!(world.extract(first["url"].as_str().unwrap())["kind"], "video");
}

#[test]
fn whoever_wants_a_file_is_told_of_the_entries() {
    let world = world();
    let page = album(&world.stage, 3);
    for path in [
        format!("/stream?url={}", encode(&page)),
        format!("/stream?url={}&format=best", encode(&page)),
        format!("/extract?url={}&format=best", encode(&page)),
    ] {
        let answer = world.get(&path);
        assert_problem(&answer, 404, "format_unavailable");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("playlist") && detail.contains("/extract"), "{detail}");
    }
    let page = collection(&world.stage, &fresh_id());
    let answer = world.post("/tiktok", &json!({"url": page}));
    assert_seed_error(&answer, 400, "unsupported_url");
    assert!(answer.json()["detail"].as_str().unwrap().contains("/extract"), "{}", answer.text());
}

#[test]
fn a_broadcast_says_that_it_is_one_and_then_that_it_is_over() {
    let world = World::with(&[("CACHE_TTL", "0")]);
    let page = broadcast(&world.stage, 2);
    let live = world.extract(&page);
    assert_eq!((&live["kind"], &live["is_live"]), (&json!("video"), &json!(true)));
    assert!(live["title"].as_str().unwrap().starts_with("The weir, live"), "{live}");
    let video = post().install(&world.stage);
    assert!(world.extract(video.page_url()).get("is_live").is_none_or(|live| live == false));

    let over = broadcast(&world.stage, 4);
    for page in [page, over] {
        assert_problem(&world.post("/extract", &json!({"url": page})), 409, "not_live");
        assert_problem(&world.get(&format!("/stream?url={}", encode(&page))), 409, "not_live");
    }
}
