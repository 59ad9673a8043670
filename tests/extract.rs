//! `/extract`: what a page holds, and nothing of what the site gave in confidence.

use crate::support::client::{self, encode};
use crate::support::stage::tiktok::{self, BEST};
use crate::support::stage::{Fault, Reply, sha256};
use crate::support::world::{World, assert_problem, empty_page, format, fresh_id, post, world};
use serde_json::{Value, json};

/// Longest token in bytes: proxies cut longer request lines.
const MAX_TOKEN: usize = 4096;

#[test]
fn an_extraction_has_the_contract_s_fields() {
    let world = world();
    let video = post().title("Low water").nickname("Gate Keeper").install(&world.stage);
    let extraction = world.extract(video.page_url());
    let id = video.page_url().rsplit('/').next().unwrap();
    let expected = json!({
        "id": id,
        "title": "Low water",
        "description": "Low water",
        "uploader": "sluice",
        "uploader_id": "6800000000000000001",
        "uploader_url": "https://www.tiktok.com/@sluice",
        "channel": "Gate Keeper",
        "timestamp": 1_759_312_800,
        "view_count": 78_000,
        "like_count": 1200,
        "comment_count": 56,
        "repost_count": 34,
        "webpage_url": video.page_url(),
        "extractor": "TikTok",
        "kind": "video",
        "cached": false,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&extraction[name], value, "{name}");
    }
    assert_eq!(extraction["duration"].as_f64(), Some(15.0));
    let expires = humantime::parse_rfc3339(extraction["expires_at"].as_str().unwrap()).unwrap();
    let expires = expires.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(expires, video.expires());
    assert_no_nulls(&extraction);
}

#[test]
fn formats_come_best_first_with_what_is_known() {
    let world = world();
    let video = post().install(&world.stage);
    let extraction = world.extract(video.page_url());
    let formats = extraction["formats"].as_array().unwrap();
    let ids: Vec<&str> = formats.iter().map(|format| format["format_id"].as_str().unwrap()).collect();
    // yt-dlp's own order.
    let expected = [
        "bytevc1_1080p_1400000",
        BEST,
        "play",
        "bytevc1_720p_800000",
        "h264_720p_1600000",
        "bytevc1_540p_500000",
        "h264_540p_1200000",
        "h264_540p_700000",
        "h264_360p_400000",
        "download",
        "bytevc2_1080p_900000",
        "audio",
    ];
    assert_eq!(ids, expected);
    for entry in formats {
        let token = entry["token"].as_str().unwrap();
        assert!(token.len() <= MAX_TOKEN, "{} bytes", token.len());
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(entry["stream"], world.server.url(&format!("/stream?data={token}")));
        assert_eq!(entry["protocol"], "https");
        assert_eq!(entry["watermarked"], entry["format_id"] == "download", "{entry}");
    }
    let best = format(&extraction, BEST);
    for (name, value) in [
        ("ext", json!("mp4")),
        ("width", json!(1080)),
        ("height", json!(1920)),
        ("vcodec", json!("h264")),
        ("acodec", json!("aac")),
        ("filesize", json!(video.media(BEST).len())),
    ] {
        assert_eq!(best[name], value, "{name}");
    }
    assert_eq!(best["tbr"].as_f64(), Some(2800.0));
    let audio = format(&extraction, "audio");
    assert_eq!((&audio["vcodec"], &audio["ext"]), (&json!("none"), &json!("mp3")));
    assert!(audio.get("filesize").is_none() && audio.get("height").is_none());
}

#[test]
fn get_and_post_answer_alike() {
    let world = world();
    let video = post().install(&world.stage);
    let posted = world.extract(video.page_url());
    let got = world.get(&format!("/extract?url={}", encode(video.page_url())));
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")));
    assert_eq!(without_links(got.json()), without_links(posted));
    let chosen = world.post("/extract", &json!({"url": video.page_url(), "format": "audio"})).json();
    let ids: Vec<&Value> =
        chosen["formats"].as_array().unwrap().iter().map(|format| &format["format_id"]).collect();
    assert_eq!(ids, ["audio"]);
}

#[test]
fn what_the_site_gave_in_confidence_stays_inside() {
    let world = world();
    let video = post().install(&world.stage);
    let answer = world.post("/extract", &json!({"url": video.page_url()}));
    let text = answer.text();
    for secret in [
        tiktok::CDN,
        tiktok::IMAGES,
        video.chain_token(),
        "tt_chain_token",
        "signature",
        "Referer",
        "http_headers",
        "cookies",
        "User-Agent",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(answer.headers.0.iter().all(|(_, value)| !value.contains(video.chain_token())));
    let log = world.server.log().join("\n");
    assert!(!log.contains(video.chain_token()), "the cookie is in the log");
    let token = format(&answer.json(), BEST)["token"].as_str().unwrap().to_owned();
    world.get(&format!("/stream?data={token}"));
    assert!(!world.server.log().join("\n").contains(&token), "a token is in the log");
}

#[test]
fn links_work_as_they_are() {
    let world = world();
    let video = post().install(&world.stage);
    let extraction = world.extract(video.page_url());
    let film = client::get(format(&extraction, BEST)["stream"].as_str().unwrap());
    assert_eq!(sha256(&film.body), video.media(BEST).sha256());
    let thumbnail = client::get(extraction["thumbnail"].as_str().unwrap());
    assert_eq!((thumbnail.status, thumbnail.complete(), thumbnail.body.len()), (200, true, 5000));
    assert_eq!(thumbnail.header("content-type"), Some("image/jpeg"));
}

#[test]
fn failures_are_told_apart() {
    let world = world();
    let stage = &world.stage;
    let answering = |status: u16| {
        let id = fresh_id();
        stage.play(tiktok::PAGES, &format!("/@sluice/video/{id}"), Reply::status(status));
        format!("https://{}/@sluice/video/{id}", tiktok::PAGES)
    };
    for (page, status, code) in [
        (tiktok::status_page(stage, &fresh_id(), 10204), 503, "upstream_blocked"),
        (tiktok::status_page(stage, &fresh_id(), 10216), 403, "login_required"),
        (tiktok::status_page(stage, &fresh_id(), 10231), 502, "extraction_failed"),
        (tiktok::login_wall(stage, &fresh_id()), 403, "login_required"),
        (answering(403), 503, "upstream_blocked"),
        (answering(429), 503, "upstream_blocked"),
        (answering(404), 404, "not_found"),
        (answering(451), 451, "geo_restricted"),
        (answering(500), 502, "upstream_error"),
        (answering(200), 502, "extraction_failed"),
        (empty_page(stage), 400, "unsupported_url"),
    ] {
        assert_problem(&world.post("/extract", &json!({"url": page})), status, code);
        assert_problem(&world.get(&format!("/stream?url={}", encode(&page))), status, code);
    }
}

#[test]
fn a_page_that_takes_too_long_is_answered_in_time() {
    let world = World::with(&[("YTDLP_TIMEOUT", "3"), ("MAX_WORKERS", "2")]);
    let id = fresh_id();
    let path = format!("/@sluice/video/{id}");
    world.stage.play(tiktok::PAGES, &path, Reply::html("late").fault(Fault::HeldHead));
    let page = format!("https://{}{path}", tiktok::PAGES);
    assert_problem(&world.post("/extract", &json!({"url": page})), 504, "extraction_timeout");
    // The other worker is free, or a new one takes the place of the one that is held.
    let video = post().install(&world.stage);
    world.extract(video.page_url());
}

#[test]
fn a_full_queue_says_so_at_once() {
    let world = World::with(&[("MAX_WORKERS", "1"), ("MAX_QUEUE", "0")]);
    let (held, other) = (post().install(&world.stage), post().install(&world.stage));
    let path = format!("/@sluice/video/{}", held.page_url().rsplit('/').next().unwrap());
    world.stage.play(tiktok::PAGES, &path, Reply::html("held").fault(Fault::HeldHead));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| world.post("/extract", &json!({"url": held.page_url()})));
        world.stage.wait_for(|seen| seen.iter().any(|it| it.path() == path));
        assert_problem(&world.post("/extract", &json!({"url": other.page_url()})), 503, "overloaded");
        assert_eq!(other.seen(&world.stage).len(), 0);
        world.stage.release();
        assert_problem(&first.join().unwrap(), 502, "extraction_failed");
    });
    world.extract(other.page_url());
}

fn assert_no_nulls(value: &Value) {
    match value {
        Value::Null => panic!("a null"),
        Value::Array(items) => items.iter().for_each(assert_no_nulls),
        Value::Object(map) => map.iter().for_each(|(name, value)| {
            assert!(!value.is_null(), "{name} is null");
            assert_no_nulls(value);
        }),
        _ => {}
    }
}

/// An extraction without what is sealed anew for each answer.
fn without_links(mut extraction: Value) -> Value {
    let whole = extraction.as_object_mut().unwrap();
    whole.remove("thumbnail");
    whole.remove("cached");
    for format in whole["formats"].as_array_mut().unwrap() {
        format.as_object_mut().unwrap().retain(|name, _| name != "stream" && name != "token");
    }
    extraction
}
