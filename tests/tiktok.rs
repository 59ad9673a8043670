//! `POST /tiktok`: the shape that the seed's clients and scripts read.

use crate::support::client::{self, encode};
use crate::support::stage::tiktok::{self, BEST, Video};
use crate::support::stage::{Reply, sha256};
use crate::support::world::{World, assert_seed_error, fresh_id, post, world};
use serde_json::{Value, json};

fn ask(world: &World, page: &str) -> Value {
    let answer = world.post("/tiktok", &json!({"url": page}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

/// The SHA-256 of what a link of an answer gives.
fn fetch(link: &Value) -> String {
    let answer = client::get(link.as_str().unwrap());
    assert_eq!((answer.status, answer.complete()), (200, true), "{link}: {}", answer.text());
    sha256(&answer.body)
}

#[test]
fn everything_that_clients_and_scripts_read() {
    let world = world();
    let video = post().title("The lock opens").nickname("Gate Keeper").install(&world.stage);
    let answer = ask(world, video.page_url());
    assert_eq!((&answer["code"], &answer["message"]), (&json!(0), &json!("Success")));
    assert_eq!(answer["status"], "tunnel");
    assert_eq!(answer["title"], "The lock opens");
    assert_eq!(answer["description"], "The lock opens");
    let statistics = json!({
        "play_count": 78_000, "digg_count": 1200, "comment_count": 56, "share_count": 34
    });
    for (name, count) in statistics.as_object().unwrap() {
        assert_eq!(&answer["statistics"][name], count, "{name}");
    }
    assert_eq!(answer["artist"], "Sluice Gate");
    assert_eq!(answer["duration"], 15_000);
    assert_eq!(
        (&answer["author"]["nickname"], &answer["author"]["uniqueId"]),
        (&json!("Gate Keeper"), &json!("sluice"))
    );
    assert_eq!(answer["music_duration"], 61_000);
    assert_eq!(answer["author"]["signature"], "Water, all day");
    for size in ["avatar", "avatarThumb", "avatarMedium", "avatarLarger"] {
        let avatar = client::get(answer["author"][size].as_str().unwrap());
        assert_eq!((avatar.status, avatar.header("content-type")), (200, Some("image/jpeg")), "{size}");
    }
    assert_eq!(fetch(&answer["author"]["avatar"]), fetch(&answer["author"]["avatarLarger"]));
    assert_ne!(fetch(&answer["author"]["avatar"]), fetch(&answer["author"]["avatarThumb"]));
    assert_eq!(fetch(&answer["audio"]), video.media("audio").sha256());
    let cover = client::get(answer["cover"].as_str().unwrap());
    assert_eq!((cover.status, cover.header("content-type")), (200, Some("image/jpeg")));
    assert!(answer.get("photos").is_none());

    let entries = answer["data"]["video_data"].as_array().unwrap();
    for entry in entries {
        for field in ["url", "format", "format_id", "extension", "streamData"] {
            assert!(entry[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {entry}");
        }
        let token = entry["streamData"].as_str().unwrap();
        assert_eq!(entry["url"], world.server.url(&format!("/stream?data={token}")));
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
    let first = &entries[0];
    assert_eq!((&first["quality"], &first["extension"]), (&json!("1080p"), &json!("mp4")));
    assert_eq!(first["format"], "video-1080p");
    let audio = entries.iter().find(|entry| entry["format"].as_str().unwrap().contains("audio")).unwrap();
    assert_eq!((&audio["format"], &audio["extension"]), (&json!("audio-mp3"), &json!("mp3")));
    let sized = entries.iter().find(|entry| entry["format_id"] == BEST).unwrap();
    assert_eq!(sized["filesize"], video.media(BEST).len());
}

#[test]
fn videos_come_before_sounds_and_the_first_plays_everywhere() {
    let world = world();
    let video = post().install(&world.stage);
    let answer = ask(world, video.page_url());
    let entries = answer["data"]["video_data"].as_array().unwrap();
    let sounds: Vec<bool> =
        entries.iter().map(|entry| entry["format"].as_str().unwrap().contains("audio")).collect();
    assert!(sounds.is_sorted(), "{sounds:?}");
    assert!(sounds.contains(&true) && sounds.contains(&false));
    assert_eq!(fetch(&entries[0]["url"]), video.media(BEST).sha256());
}

/// The seed's clients: curl pastes the token into the URL, `requests` and `axios` may encode it as a parameter.
#[test]
fn the_three_clients_get_their_bytes() {
    let world = world();
    let video = post().install(&world.stage);
    let answer = ask(world, video.page_url());
    let token = answer["data"]["video_data"][0]["streamData"].as_str().unwrap();
    let whole = video.media(BEST).sha256();
    // curl
    let curl = [("User-Agent", "curl/7.88.1"), ("Accept", "*/*")];
    let url = world.server.url(&format!("/stream?data={token}"));
    assert_eq!(sha256(&client::request("GET", &url, &curl, b"").body), whole);
    // requests, read in pieces of 8192
    let url = world.server.url(&format!("/stream?data={}", encode(token)));
    let requests = [("Accept-Encoding", "gzip, deflate, br"), ("Connection", "keep-alive")];
    let mut pieces = client::open("GET", &url, &requests, b"");
    let mut bytes = Vec::new();
    loop {
        match pieces.read(8192).unwrap() {
            piece if piece.is_empty() => break,
            piece => bytes.extend(piece),
        }
    }
    assert_eq!((sha256(&bytes), pieces.header("content-encoding")), (whole.clone(), None));
    // axios
    let axios = [("Accept", "application/json, text/plain, */*"), ("User-Agent", "axios/1.7.0")];
    assert_eq!(sha256(&client::request("GET", &url, &axios, b"").body), whole);
}

#[test]
fn watermarks_are_where_they_are_said_to_be() {
    let world = world();
    let video = post().install(&world.stage);
    let links = ask(world, video.page_url())["download_link"].clone();
    let name_of = |sum: &str| -> Vec<String> {
        let same = video.formats().iter().filter(|format| format.media.sha256() == sum);
        same.map(|format| format.format_id.clone()).collect()
    };
    for name in ["no_watermark", "no_watermark_hd"] {
        let formats = name_of(&fetch(&links[name]));
        assert!(formats.iter().any(|id| id.starts_with("h264_")), "{name} is {formats:?}");
        assert!(!formats.contains(&"download".to_owned()), "{name} is {formats:?}");
    }
    assert_eq!(name_of(&fetch(&links["no_watermark_hd"]))[0], BEST);
    for name in ["watermark", "watermark_hd"] {
        if let Some(link) = links.get(name) {
            assert_eq!(name_of(&fetch(link)), ["download"], "{name}");
        }
    }
    assert!(links.get("watermark").is_some());
    assert_eq!(name_of(&fetch(&links["mp3"])), ["audio"]);
}

#[test]
fn short_links_lead_to_the_post() {
    let world = world();
    let video = post().install(&world.stage);
    let link = tiktok::short_link(&world.stage, &format!("Z{}", fresh_id()), video.page_url());
    let answer = ask(world, &link);
    assert_eq!(fetch(&answer["data"]["video_data"][0]["url"]), video.media(BEST).sha256());
}

#[test]
fn nothing_of_the_site_leaks() {
    let world = world();
    let video = post().install(&world.stage);
    let text = ask(world, video.page_url()).to_string();
    for secret in
        [tiktok::CDN, tiktok::IMAGES, video.chain_token(), "tt_chain_token", "signature=", "Referer"]
    {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn errors_have_the_seed_s_shape() {
    let world = world();
    let stage = &world.stage;
    let missing: Video = post().install(stage);
    let path = missing.page_url().strip_prefix("https://www.tiktok.com").unwrap();
    stage.play(tiktok::PAGES, path, Reply::status(404));
    for (page, status, code) in [
        (tiktok::status_page(stage, &fresh_id(), 10204), 503, "upstream_blocked"),
        (tiktok::status_page(stage, &fresh_id(), 10216), 403, "login_required"),
        (tiktok::status_page(stage, &fresh_id(), 10222), 403, "login_required"),
        (tiktok::status_page(stage, &fresh_id(), 10231), 502, "extraction_failed"),
        (tiktok::login_wall(stage, &fresh_id()), 403, "login_required"),
        (missing.page_url().to_owned(), 404, "not_found"),
    ] {
        let answer = world.post("/tiktok", &json!({"url": page}));
        assert_seed_error(&answer, status, code);
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
    }
}
