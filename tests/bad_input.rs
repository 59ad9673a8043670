//! What no client should send: each gets its own error, and nothing of it reaches the site.
//!
//! Every request here names a post that is really there, and asks for it properly at the end: that the stage saw
//! nothing before would mean little if it could not see it at all.

use crate::support::client::{self, encode};
use crate::support::stage::Reply;
use crate::support::stage::tiktok::Video;
use crate::support::world::{World, assert_problem, assert_seed_error, post, world};
use serde_json::{Value, json};

/// A post of which nothing may be asked before [`reached_at_last`].
fn untouched() -> (&'static World, Video) {
    let world = world();
    let video = post().install(&world.stage);
    (world, video)
}

/// Nothing was asked of the post so far; a good request does.
#[track_caller]
fn reached_at_last(world: &World, video: &Video) {
    assert_eq!(video.seen(&world.stage).len(), 0);
    world.extract(video.page_url());
    assert_ne!(video.seen(&world.stage).len(), 0);
}

fn post_raw(world: &World, path: &str, body: &str) -> client::Answer {
    let json = [("Content-Type", "application/json")];
    client::request("POST", &world.server.url(path), &json, body.as_bytes())
}

#[test]
fn malformed_json_and_wrong_types() {
    let (world, video) = untouched();
    let page = video.page_url();
    for body in [
        format!("{{\"url\": \"{page}\""),
        format!("{{\"url\": \"{page}\"}}}}"),
        format!("{{'url': '{page}'}}"),
        format!("url={page}"),
        format!("\"{page}\""),
        format!("[\"{page}\"]"),
        format!("{{\"url\": [\"{page}\"]}}"),
        format!("{{\"url\": {{\"url\": \"{page}\"}}}}"),
        format!("{{\"url\": \"{page}\", \"format\": 5}}"),
        "{\"url\": 5}".to_owned(),
        "{\"url\": true}".to_owned(),
        "[1]".to_owned(),
        "{\"url\": \"\\ud800\"}".to_owned(),
        "nonsense".to_owned(),
        String::new(),
    ] {
        assert_problem(&post_raw(world, "/extract", &body), 400, "bad_request");
    }
    for body in ["{\"url\": 5}", "{", "[]"] {
        assert_seed_error(&post_raw(world, "/tiktok", body), 400, "bad_request");
    }
    let bytes = [b"{\"url\": \"\xff\xfe", page.as_bytes(), b"\"}"].concat();
    let broken_text = client::request("POST", &world.server.url("/extract"), &[], &bytes);
    assert_problem(&broken_text, 400, "bad_request");
    reached_at_last(world, &video);
}

#[test]
fn a_body_over_the_limit() {
    let (world, video) = untouched();
    let padded = |size: usize| {
        let body = json!({"url": video.page_url(), "padding": ""}).to_string();
        body.replace("\"padding\":\"\"", &format!("\"padding\":\"{}\"", "x".repeat(size - body.len())))
    };
    assert_eq!(padded(1 << 20).len(), 1 << 20);
    assert_problem(&post_raw(world, "/extract", &padded(1 << 20)), 413, "too_large");
    assert_problem(&post_raw(world, "/extract", &padded((64 << 10) + 1)), 413, "too_large");
    assert_seed_error(&post_raw(world, "/tiktok", &padded(1 << 20)), 413, "too_large");
    let chunked = format!(
        "POST /extract HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        1 << 20,
        padded(1 << 20)
    );
    let answer = client::open_raw(world.server.address(), chunked.as_bytes()).finish();
    assert_problem(&answer, 413, "too_large");
    reached_at_last(world, &video);
    // The limit itself is allowed.
    assert_eq!(post_raw(world, "/extract", &padded(64 << 10)).status, 200);
}

#[test]
fn a_parameter_that_is_missing() {
    let (world, video) = untouched();
    let page = encode(video.page_url());
    assert_problem(&world.post("/extract", &json!({})), 422, "missing_parameter");
    assert_problem(&world.post("/extract", &json!({"link": video.page_url()})), 422, "missing_parameter");
    assert_problem(&world.post("/extract", &json!({"url": ""})), 422, "missing_parameter");
    assert_seed_error(&world.post("/tiktok", &json!({})), 422, "missing_parameter");
    for path in
        ["/extract", "/extract?url=", "/stream", "/stream?data=", "/stream?url=", "/stream?format=best"]
    {
        assert_problem(&world.get(path), 422, "missing_parameter");
    }
    assert_problem(&world.get(&format!("/extract?URL={page}")), 422, "missing_parameter");
    reached_at_last(world, &video);
}

#[test]
fn urls_that_are_no_page() {
    let (world, video) = untouched();
    let page = video.page_url();
    let bare = page.strip_prefix("https://").unwrap();
    let host = "trap.example";
    world.stage.play(host, "/", Reply::html("<video src=a.mp4>"));
    let mut cases: Vec<(String, &str)> = vec![
        (format!("ftp://{bare}"), "unsupported_url"),
        (format!("file://{bare}"), "unsupported_url"),
        (format!("ytsearch:{page}"), "unsupported_url"),
        (format!("ytsearch5:{page}"), "unsupported_url"),
        (format!("tiktokuser:{page}"), "unsupported_url"),
        (format!("data:text/html,{page}"), "unsupported_url"),
        ("ytsearch:cats".to_owned(), "unsupported_url"),
        (format!("https://user@{bare}"), "bad_request"),
        (format!("https://user:password@{bare}"), "bad_request"),
        (format!("https://:password@{bare}"), "bad_request"),
        (format!("https://{host}@{bare}"), "bad_request"),
        (format!("{page}#__youtubedl_smuggle=%7B%22force_videoid%22%3A%221%22%7D"), "bad_request"),
        (format!("{page}#%5F%5Fyoutubedl_smuggle=%7B%7D"), "bad_request"),
        (bare.to_owned(), "bad_request"),
        ("not a url".to_owned(), "bad_request"),
        ("https://".to_owned(), "bad_request"),
        (format!("{page}?{}", "x".repeat(3000)), "bad_request"),
    ];
    cases.push(("-U".to_owned(), "bad_request"));
    for (url, code) in &cases {
        assert_problem(&world.post("/extract", &json!({"url": url})), 400, code);
        assert_problem(&world.get(&format!("/extract?url={}", encode(url))), 400, code);
        assert_problem(&world.get(&format!("/stream?url={}", encode(url))), 400, code);
        assert_seed_error(&world.post("/tiktok", &json!({"url": url})), 400, code);
    }
    assert_eq!(world.stage.seen_at(host).len(), 0);
    assert_eq!(world.stage.seen_at("www.youtube.com").len(), 0);
    reached_at_last(world, &video);
}

#[test]
fn hosts_that_only_look_like_tiktok() {
    let (world, video) = untouched();
    let path = video.page_url().strip_prefix("https://www.tiktok.com").unwrap().to_owned();
    let metadata = "169.254.169.254";
    world.stage.play(metadata, "/", Reply::html("secret"));
    for url in [
        format!("http://{metadata}/?x=tiktok.com"),
        format!("http://{metadata}/www.tiktok.com{path}"),
        format!("https://www.tiktok.com.example.org{path}"),
        format!("https://nottiktok.com{path}"),
        format!("https://example.org/#www.tiktok.com{path}"),
        "https://www.youtube.com/watch?v=BaW_jenozKc".to_owned(),
    ] {
        assert_seed_error(&world.post("/tiktok", &json!({"url": url})), 400, "unsupported_url");
    }
    // Elsewhere they are pages like any other, where there are helpers for those.
    let named = World::with(&[("GENERIC", "off")]);
    let elsewhere = format!("http://{metadata}/?x=tiktok.com");
    assert_problem(&named.post("/extract", &json!({"url": elsewhere})), 400, "unsupported_url");
    for host in [metadata, "www.tiktok.com.example.org", "nottiktok.com", "example.org", "www.youtube.com"] {
        assert_eq!(world.stage.seen_at(host).len(), 0, "{host}");
    }
    reached_at_last(world, &video);
}

#[test]
fn paths_and_methods() {
    let (world, video) = untouched();
    let page = encode(video.page_url());
    assert_problem(&world.get("/"), 404, "route_not_found");
    assert_problem(&world.get(&format!("/extract/?url={page}")), 404, "route_not_found");
    assert_problem(&world.post("/extrac", &json!({"url": video.page_url()})), 404, "route_not_found");
    for (method, path) in
        [("DELETE", "/stream"), ("POST", "/stream"), ("PUT", "/extract"), ("POST", "/health")]
    {
        let answer = client::request(method, &world.server.url(&format!("{path}?url={page}")), &[], b"");
        assert_problem(&answer, 405, "method_not_allowed");
        assert!(answer.header("allow").unwrap().contains("GET"), "{method} {path}");
    }
    let get = world.get(&format!("/tiktok?url={page}"));
    assert_eq!((get.status, get.header("allow").unwrap().contains("POST")), (405, true));
    assert_problem(&world.get(&format!("/extract?url={page}{}", "x".repeat(9000))), 414, "uri_too_long");
    for bytes in [&b"nonsense\r\n\r\n"[..], b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"] {
        let (answer, _) = client::raw(world.server.address(), bytes);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    }
    reached_at_last(world, &video);
}

#[test]
fn cross_origin_preflights() {
    let (world, video) = untouched();
    for path in ["/extract", "/tiktok", "/stream", "/health", "/ready", "/openapi.json"] {
        let asked = [("Origin", "https://page.example"), ("Access-Control-Request-Method", "GET")];
        let answer = client::request("OPTIONS", &world.server.url(path), &asked, b"");
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert!(answer.header("access-control-allow-methods").is_some(), "{path}");
    }
    let answer =
        client::request("GET", &world.server.url("/health"), &[("Origin", "https://page.example")], b"");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let exposed = answer.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    for name in ["content-disposition", "content-length", "content-range", "x-filename"] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
    reached_at_last(world, &video);
}

#[test]
fn a_good_request_carries_an_id_too() {
    let world = world();
    let (first, second) = (world.get("/health"), world.get("/health"));
    assert_eq!(first.json()["status"], Value::from("ok"));
    let ids = (first.header("x-request-id").unwrap(), second.header("x-request-id").unwrap());
    assert_ne!(ids.0, ids.1);
    world.server.wait_for_log(ids.1);
}
