//! What operators see: health, metrics, the description; and who sees it.

use crate::playlists;
use crate::support::client;
use crate::support::stage::tiktok::{BEST, TikTok};
use crate::support::world::{World, assert_problem, fresh_id, post, world};
use serde_json::{Value, json};

const PROXIED: [(&str, &str); 1] = [("X-Forwarded-For", "203.0.113.9")];

#[test]
fn strangers_learn_only_that_it_serves() {
    let world = world();
    let health = world.get("/health").json();
    assert_eq!(health["status"], "ok");
    assert!(health["yt_dlp"].as_str().unwrap().starts_with("20"), "{health}");
    assert!(health["rss"].as_u64().unwrap() > 10 << 20, "{health}");
    assert!(health["workers"]["warm"].as_u64().unwrap() >= 1, "{health}");
    let stranger = client::request("GET", &world.server.url("/health"), &PROXIED, b"");
    assert_eq!(stranger.json(), json!({"status": "ok"}));
    let metrics = client::request("GET", &world.server.url("/metrics"), &PROXIED, b"");
    assert_problem(&metrics, 404, "route_not_found");
}

#[test]
fn metrics_count_and_gauges_return_to_zero() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    let answer = world.get(&world.stream_path(&video, "audio"));
    assert_eq!(answer.status, 200);
    world.stage.wait_until_quiet();
    let text = world.get("/metrics").text();
    let bytes = video.media("audio").len();
    for line in [
        "sluice_streams 0".to_owned(),
        "sluice_streams_ended_total{outcome=\"complete\"} 1".to_owned(),
        "sluice_extraction_seconds_count{extractor=\"TikTok\",outcome=\"ok\"} 1".to_owned(),
        "sluice_requests_total{route=\"/stream\",status=\"200\"} 1".to_owned(),
        format!("sluice_stream_bytes_total {bytes}"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[test]
fn links_begin_where_the_operator_says() {
    let world =
        World::with(&[("BASE_URL", "https://video.example.org/s/"), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let video = post().install(&world.stage);
    let extraction = world.extract(video.page_url());
    for link in [&extraction["formats"][0]["stream"], &extraction["thumbnail"]] {
        assert!(link.as_str().unwrap().starts_with("https://video.example.org/s/stream?data="), "{link}");
    }
    let world = World::with(&[("TRUSTED_PROXIES", "127.0.0.1")]);
    let video = post().install(&world.stage);
    let headers = [("X-Forwarded-Host", "cdn.example.org"), ("X-Forwarded-Proto", "https")];
    let url = world.server.url(&format!("/extract?url={}", client::encode(video.page_url())));
    let extraction = client::request("GET", &url, &headers, b"").json();
    let link = extraction["thumbnail"].as_str().unwrap();
    assert!(link.starts_with("https://cdn.example.org/stream?data="), "{link}");
}

#[test]
fn answers_are_as_described() {
    let world = world();
    let description = world.get("/openapi.json").json();
    let video = post().install(&world.stage);
    let extraction = world.extract(video.page_url());
    assert_eq!(extraction["default_format"], BEST);
    let photos = TikTok::photos(&fresh_id(), 2).install(&world.stage);
    let album = playlists::album(&world.stage, 2);
    assert_described(&description, "Extraction", &world.extract(&album));
    for page in [video.page_url(), photos.page_url()] {
        assert_described(&description, "Extraction", &world.extract(page));
        let answer = world.post("/tiktok", &json!({"url": page})).json();
        assert_described(&description, "Tiktok", &answer);
    }
    assert_described(&description, "TiktokError", &world.post("/tiktok", &json!({})).json());
    assert_described(&description, "Health", &world.get("/health").json());
    assert_described(&description, "Problem", &world.get("/stream").json());
}

/// Checks that all that an answer holds is in a schema, and that what the schema requires is in the answer.
fn assert_described(description: &Value, name: &str, answer: &Value) {
    walk(description, &description["components"]["schemas"][name], answer, name);
}

fn walk(description: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => description.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    // One of several: told apart by being a list or not.
    let fits = |one: &&Value| (one["type"] == "array") == value.is_array();
    let schema = schema["oneOf"].as_array().map_or(schema, |several| several.iter().find(fits).unwrap());
    match value {
        Value::Object(map) => {
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(map.contains_key(required.as_str().unwrap()), "{at} lacks {required}");
            }
            for (key, value) in map {
                let known = schema["properties"].get(key).or(schema.get("additionalProperties"));
                let known = known.unwrap_or_else(|| panic!("{at}.{key} is not described"));
                walk(description, known, value, &format!("{at}.{key}"));
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| walk(description, &schema["items"], item, &format!("{at}[]")));
        }
        Value::String(_) => assert_eq!(schema["type"], "string", "{at}"),
        Value::Bool(_) => assert_eq!(schema["type"], "boolean", "{at}"),
        Value::Number(number) if schema["type"] == "integer" => assert!(!number.is_f64(), "{at}"),
        Value::Number(_) => assert_eq!(schema["type"], "number", "{at}"),
        Value::Null => panic!("{at} is null"),
    }
}
