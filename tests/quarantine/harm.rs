//! What a page can do that has its reader run its own code: as a plugin does it here.

use super::{Stranger, ask, ended, helpers, quarantine, wait_for_helpers};
use crate::support::rogue::Rogue;
use crate::support::world::{World, assert_problem};

fn deed(world: &World, stranger: &Stranger, name: &str) -> String {
    stranger.page(world, &format!("/{name}"), &format!(r#"<rogue deed="{name}">"#))
}

#[test]
fn a_helper_computes_and_reads_and_nothing_else() {
    let world = Rogue::with(&[("GENERIC_WORKERS", "1"), ("ENCRYPTION_KEY", "a-canary-of-a-secret")]);
    let stranger = Stranger::install(&world);
    let pid = world.extract(&deed(&world, &stranger, "pid"))["title"].as_str().unwrap().to_owned();
    assert_eq!(helpers(&world), [pid.parse::<u32>().unwrap()], "the plugin does not run in a helper");
    let kept = world.keep("kept");
    let title = world.extract(&deed(&world, &stranger, "break"))["title"].clone();
    assert_eq!(title, "went: compute read");
    assert!(kept.exists());
    // Its own is the only one: by the zygote's it could have processes made.
    let title = world.extract(&deed(&world, &stranger, "sockets"))["title"].clone();
    assert_eq!(title, "sockets: 1");
    // Nor does it know more than it has to.
    let secrets = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert_eq!(secrets, "");
    stranger.check(&world);
    assert_eq!(quarantine(&world)["ended"], serde_json::json!({}));
}

#[test]
fn a_page_that_takes_memory_is_told_so_and_its_helper_replaced() {
    let world = Rogue::with(&[("GENERIC_WORKERS", "1")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    let first = helpers(&world);
    let answer = ask(&world, &deed(&world, &stranger, "eat"));
    assert_problem(&answer, 502, "limit_exceeded");
    assert!(answer.text().contains("GENERIC_MEMORY"), "{}", answer.text());
    assert_eq!(world.metric("sluice_limits_exceeded_total{limit=\"memory\"}"), 1);
    wait_for_helpers(&world, &[("busy", 0), ("helpers", 1)]);
    stranger.check(&world);
    // Replaced, if it kept what it took.
    assert!(helpers(&world) == first || ended(&world, "memory") == 1);
}

#[test]
fn a_page_that_kills_its_helpers_is_given_up() {
    let world = Rogue::with(&[("GENERIC_WORKERS", "1")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    let answer = ask(&world, &deed(&world, &stranger, "die"));
    assert_problem(&answer, 502, "extraction_failed");
    assert_eq!(ended(&world, "died"), 3);
    stranger.check(&world);
}
