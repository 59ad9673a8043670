//! Extractors that do not listen: workers that are given up, and an interpreter that nobody can have.

use super::Page;
use crate::support::client::{self, encode};
use crate::support::rogue::Rogue;
use crate::support::stage::sha256;
use crate::support::world::{World, assert_problem};
use serde_json::json;

fn ask(world: &World, deed: &str, name: &str) -> client::Answer {
    world.post("/extract", &json!({"url": Rogue::page(deed, name)}))
}

fn log_has(world: &World, text: &str) -> bool {
    world.server.log().iter().any(|line| line.contains(text))
}

fn can_extract(world: &World) {
    world.extract(&Page::for_browsers(world).url);
    world.extract(&Page::plain(world).url);
}

#[test]
fn who_only_catches_exceptions_is_stopped() {
    let world = Rogue::with(&[("YTDLP_TIMEOUT", "1"), ("MAX_WORKERS", "1")]);
    // Once told, and told again.
    for (deed, name) in [("spin", "1"), ("deaf", "1")] {
        assert_problem(&ask(&world, deed, name), 504, "extraction_timeout");
        world.wait_for_health(&[("total", 1), ("busy", 0), ("stuck", 0)]);
        can_extract(&world);
    }
    assert!(!log_has(&world, "is stuck"));
}

#[test]
fn who_does_not_stop_is_replaced_and_may_come_back() {
    let world = Rogue::with(&[("YTDLP_TIMEOUT", "1"), ("MAX_WORKERS", "1")]);
    assert_eq!(world.get("/ready").status, 200);
    let mut held = Vec::new();
    for (deed, name) in [("block", "one"), ("stubborn", "two")] {
        let hold = world.hold(name);
        assert_problem(&ask(&world, deed, name), 504, "extraction_timeout");
        world.wait_for_health(&[("total", 1), ("warm", 1), ("busy", 0), ("stuck", 1)]);
        assert!(log_has(&world, "is stuck"));
        assert_eq!(world.get("/ready").status, 200);
        can_extract(&world);
        drop(hold);
        world.wait_for_health(&[("total", 1), ("warm", 1), ("busy", 0), ("stuck", 0)]);
        can_extract(&world);
        held.push(world.server.log().iter().filter(|line| line.contains("came back")).count());
    }
    assert_eq!(held, [1, 2]);
}

#[test]
fn when_all_are_stuck_everybody_is_told_at_once() {
    let world = Rogue::with(&[("YTDLP_TIMEOUT", "1"), ("MAX_WORKERS", "1")]);
    let known = Page::for_browsers(&world);
    world.extract(&known.url);
    let holds = [("one", 1), ("two", 2)].map(|(name, stuck)| {
        let hold = world.hold(name);
        assert_problem(&ask(&world, "block", name), 504, "extraction_timeout");
        // The next one needs the worker that takes this one's place.
        world.wait_for_health(&[("stuck", stuck)]);
        hold
    });
    world.wait_for_health(&[("total", 0), ("warm", 0), ("busy", 0), ("stuck", 2)]);
    assert_problem(&world.get("/ready"), 503, "overloaded");
    assert_eq!(world.get("/health").json()["status"], "ok");
    let page = Page::for_browsers(&world);
    assert_problem(&world.post("/extract", &json!({"url": page.url})), 503, "overloaded");
    assert_eq!(page.count(&world), 0);
    assert!(world.is_cached(&known.url));
    // One that comes back is enough, and both are one too many.
    let [one, two] = holds;
    drop(one);
    world.wait_for_health(&[("total", 1), ("warm", 1), ("busy", 0), ("stuck", 1)]);
    assert_eq!(world.get("/ready").status, 200);
    world.extract(&page.url);
    drop(two);
    world.wait_for_health(&[("total", 1), ("warm", 1), ("busy", 0), ("stuck", 0)]);
    can_extract(&world);
}

#[test]
fn while_nobody_can_have_the_interpreter_everybody_is_told_at_once() {
    let world = Rogue::with(&[("YTDLP_TIMEOUT", "3"), ("MAX_WORKERS", "2")]);
    let stream = world.hold_stream();
    assert_eq!(world.get("/ready").status, 200);

    let hold = world.hold("one");
    // Its client hears of it while it goes on.
    assert_problem(&ask(&world, "grip", "one"), 504, "extraction_timeout");
    world.wait_for_status("/ready", 503);
    assert_problem(&world.get("/ready"), 503, "overloaded");
    let page = Page::for_browsers(&world);
    assert_problem(&world.post("/extract", &json!({"url": page.url})), 503, "overloaded");
    assert_problem(&world.get(&format!("/stream?url={}", encode(&page.url))), 503, "overloaded");
    assert_eq!(page.count(&world), 0);
    assert_eq!(world.get("/health").json()["status"], "ok");
    // What needs no Python goes on: what is known, and streams, new ones and old.
    assert!(world.is_cached(stream.video.page_url()));
    assert_eq!(sha256(&world.get(&stream.path).body), stream.video.media("audio").sha256());
    stream.finish(&world);
    assert_eq!(world.get("/ready").status, 503, "somebody let go of the interpreter");

    drop(hold);
    world.wait_for_status("/ready", 200);
    world.wait_for_health(&[("busy", 0), ("stuck", 0)]);
    can_extract(&world);
}
