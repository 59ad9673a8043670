//! The sites' JavaScript: challenges that are solved, and scripts that would do something else.

mod hostile;

use crate::support::client;
use crate::support::server::TestServer;
use crate::support::stage::sha256;
use crate::support::stage::youtube::{self, MEDIA, PAGES};
use crate::support::world::{World, format};
use serde_json::json;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

/// The runtime of development, from its wheel.
pub const DENO: &str = concat!("deno:", env!("CARGO_MANIFEST_DIR"), "/pyenv/dev/bin/deno");

#[test]
fn challenges_are_solved_and_what_they_guard_streams() {
    let world = World::with(&[("JS_RUNTIME", DENO)]);
    world.server.wait_for_log("JavaScript runtime: deno");
    let video = youtube::Video::install(&world.stage, "stage-film1");
    let extraction = world.extract(&video.page_url());
    for (id, media) in video.films() {
        let answer = client::get(format(&extraction, &id)["stream"].as_str().unwrap());
        assert_eq!((answer.status, answer.complete()), (200, true), "{id}: {}", answer.text());
        assert_eq!(sha256(&answer.body), media.sha256(), "{id}");
    }
    // The stage would not have answered, but it is about these very values.
    let asked = world.stage.seen_at(MEDIA);
    assert!(!asked.is_empty());
    let solved = format!("n={}", youtube::solved_n(youtube::N));
    for seen in asked {
        assert!(seen.target.split(['?', '&']).any(|pair| pair == solved), "{}", seen.target);
    }
    assert!(world.stage.seen_at(PAGES).iter().any(|seen| seen.path().starts_with("/s/player/")));
}

#[test]
fn without_a_runtime_the_answer_and_the_log_say_what_to_install() {
    let world = World::with(&[("JS_RUNTIME", "off")]);
    world.server.wait_for_log("no JavaScript runtime");
    let video = youtube::Video::install(&world.stage, "stage-film2");
    let answer = world.post("/extract", &json!({"url": video.page_url()}));
    let text = answer.text();
    assert_eq!(answer.status, 502, "{text}");
    assert!(text.contains("install Deno"), "{text}");
    world.server.wait_for_log("Links of this site need a JavaScript runtime: install Deno");
}

#[test]
fn a_runtime_that_is_broken_or_too_old_is_not_used_and_the_log_says_so() {
    let server = TestServer::spawn(&[("JS_RUNTIME", "deno:/bin/false")]);
    assert!(server.wait_for_log("deno can't be used").contains("install Deno 2.3"));
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("deno");
    std::fs::write(&old, "#!/bin/sh\necho 1.46.3\n").unwrap();
    std::fs::set_permissions(&old, Permissions::from_mode(0o755)).unwrap();
    let server = TestServer::spawn(&[("JS_RUNTIME", &format!("deno:{}", old.display()))]);
    assert!(server.wait_for_log("deno 1.46.3 is too old").contains("install Deno 2.3"));
}
