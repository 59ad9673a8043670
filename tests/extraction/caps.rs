//! Limits of an extraction: the settings reach Python, and what goes beyond them is told and counted.

use crate::playlists::album;
use crate::support::client::encode;
use crate::support::stage::Reply;
use crate::support::stage::tiktok::PAGES;
use crate::support::world::{World, assert_problem, assert_seed_error, fresh_id, post};
use serde_json::json;

#[test]
fn a_page_beyond_a_limit_is_refused_and_counted() {
    let world = World::with(&[("MAX_PAGE_BYTES", "262144"), ("MAX_REDIRECTS", "1")]);
    let id = fresh_id();
    let path = format!("/@sluice/video/{id}");
    world.stage.play(PAGES, &path, Reply::html("x".repeat(262_145)));
    let url = format!("https://{PAGES}{path}");
    let answer = world.post("/extract", &json!({"url": url}));
    assert_problem(&answer, 502, "limit_exceeded");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, "The page is larger than 262144 bytes (MAX_PAGE_BYTES)");
    // Known by now, so not fetched again.
    assert_seed_error(&world.post("/tiktok", &json!({"url": url})), 502, "limit_exceeded");
    assert_problem(&world.get(&format!("/stream?url={}", encode(&url))), 502, "limit_exceeded");
    assert_eq!(world.stage.seen_where(|seen| seen.target == path).len(), 1);

    let circle = format!("/@sluice/video/{}", fresh_id());
    world.stage.play(PAGES, &circle, Reply::redirect(302, &circle));
    let answer = world.post("/extract", &json!({"url": format!("https://{PAGES}{circle}")}));
    assert_problem(&answer, 502, "limit_exceeded");
    assert!(answer.text().contains("MAX_REDIRECTS"), "{}", answer.text());

    let exceeded = &world.get("/health").json()["limits_exceeded"];
    assert_eq!((&exceeded["page_bytes"], &exceeded["redirects"]), (&json!(1), &json!(1)), "{exceeded}");
    assert_eq!((&exceeded["formats"], &exceeded["depth"]), (&json!(0), &json!(0)), "{exceeded}");
    let metrics = world.get("/metrics").text();
    let line = "sluice_limits_exceeded_total{limit=\"page_bytes\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");

    // Nothing is left of all this.
    let video = post().install(&world.stage);
    assert_eq!(world.extract(video.page_url())["kind"], "video");
}

#[test]
fn max_entries_bounds_what_may_be_asked_for() {
    let world = World::with(&[("MAX_ENTRIES", "300")]);
    let page = album(&world.stage, 350);
    let listed = |query: &str| {
        let answer = world.get(&format!("/extract?url={}{query}", encode(&page)));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["entries"].as_array().unwrap().len()
    };
    assert_eq!((listed(""), listed("&limit=250"), listed("&limit=300")), (300, 250, 300));
    let answer = world.get(&format!("/extract?url={}&limit=301", encode(&page)));
    assert_problem(&answer, 400, "bad_request");
    assert!(answer.text().contains("from 1 to 300"), "{}", answer.text());
    let description = world.get("/openapi.json").json();
    assert_eq!(description["components"]["schemas"]["MostEntries"]["maximum"], 300);
}
