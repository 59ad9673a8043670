//! Pages of named sites that make yt-dlp hold Python's lock: broken off in the server, and gone on with in a helper.

use super::{ask, ended, quarantine, wait_for_helpers};
use crate::support::stage::Reply;
use crate::support::stage::tiktok::{self, Video};
use crate::support::world::{World, assert_problem, post};

/// A post whose page keeps the pattern busy that looks for its data: it starts anew at each of these tags, and none
/// has an end.
fn hold(world: &World) -> Video {
    let video = post().install(&world.stage);
    let page = format!("<html>{}</html>", r#"<script id=""#.repeat(80_000));
    world.stage.play(tiktok::PAGES, video.path(), Reply::html(page));
    video
}

/// What `/health` says of Python's lock.
fn lock(world: &World, name: &str) -> u64 {
    world.get("/health").json()["python_lock"][name].as_u64().unwrap()
}

#[test]
fn a_named_page_that_holds_the_lock_goes_on_in_a_helper() {
    let world = World::with(&[("YTDLP_TIMEOUT", "5"), ("MAX_WORKERS", "2")]);
    let held = hold(&world);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&world, held.page_url()));
        world.wait_until(|| if lock(&world, "broken") > 0 { Ok(()) } else { Err("not broken off") });
        // Others go on long before the page's time is up.
        world.extract(post().install(&world.stage).page_url());
        wait_for_helpers(&world, &[("busy", 1)]);
        assert_eq!(world.get("/ready").status, 200);
        assert_problem(&asked.join().unwrap(), 504, "extraction_timeout");
    });
    wait_for_helpers(&world, &[("busy", 0)]);
    assert_eq!(ended(&world, "deadline"), 1);
    assert!(lock(&world, "longest_ms") >= 1000, "the page did not hold it");
    world.wait_for_health(&[("busy", 0), ("stuck", 0), ("queue", 0)]);
    // The worker's next job finds nothing of it.
    for _ in 0..3 {
        world.extract(post().install(&world.stage).page_url());
    }
}

#[test]
fn without_helpers_it_ends_there() {
    let world = World::with(&[("YTDLP_TIMEOUT", "20"), ("GENERIC", "off"), ("MAX_WORKERS", "1")]);
    let held = hold(&world);
    let answer = ask(&world, held.page_url());
    assert_problem(&answer, 502, "limit_exceeded");
    assert!(answer.text().contains("MAX_HOLD"), "{}", answer.text());
    assert_eq!(world.metric("sluice_limits_exceeded_total{limit=\"hold\"}"), 1);
    assert!(quarantine(&world).is_null());
    world.extract(post().install(&world.stage).page_url());
}
