//! The hostile corpus: that it is what it says, and how a server is held against it.

use crate::support::hostile::{self, Case, Gives, OK, Scene};
use crate::support::stage::Stage;
use crate::support::world::{World, assert_problem, world};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// The fewest cases that are a corpus.
const LEAST: usize = 60;

/// The longest body that ends, before any decoding, in bytes: a page over the server's limit is a matter of that limit
/// and needs no more than this.
const LONGEST: u64 = 40 << 20;

/// The codes that the corpus may expect.
const CODES: [&str; 8] = [
    "unsupported_url",
    "blocked_address",
    "upstream_blocked",
    "extraction_failed",
    "upstream_error",
    "limit_exceeded",
    "upstream_timeout",
    "extraction_timeout",
];

#[test]
fn the_corpus_is_well_formed() {
    let cases = hostile::cases();
    assert!(cases.len() >= LEAST, "{}", cases.len());
    let names: BTreeSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "a name is there twice");
    let mut places = HashMap::new();
    let stage = Stage::start();
    for case in &cases {
        let name = &case.name;
        assert!(name.split('-').all(|word| !word.is_empty()), "{name}");
        assert!(name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-')), "{name}");
        assert!(case.about.ends_with('.'), "{name}: {}", case.about);
        assert!(!case.expect.is_empty(), "{name}");
        for code in case.expect.iter().filter(|code| *code != OK) {
            assert!(CODES.contains(&code.as_str()), "{name}: {code}");
        }
        assert_eq!(case.expect.iter().any(|it| it == OK), case.scene.gives.is_some(), "{name}");
        let promised = case.control.gives.unwrap();
        assert!(promised.formats.or(promised.entries).is_some_and(|least| least > 0), "{name}");
        assert_ne!(case.scene.url, case.control.url);
        for scene in [&case.scene, &case.control] {
            assert!(scene.url.starts_with("https://"), "{name}: {}", scene.url);
            for (place, size) in scene.sizes() {
                assert!(size <= LONGEST || size == u64::MAX, "{place}: {size}");
                if let Some(other) = places.insert(place.clone(), name) {
                    panic!("{name} and {other} both play {place}");
                }
            }
            scene.install(&stage);
        }
    }
}

#[test]
fn a_control_of_a_named_site_is_answered() {
    let case = hostile::cases().into_iter().find(|case| case.name == "mediasite-segments");
    check_control(world(), &case.unwrap());
}

/// Asks `world`'s server for a case and its control, and checks the answers. Panics with the case's name.
#[track_caller]
pub fn check(world: &World, case: &Case) {
    check_attack(world, case);
    check_control(world, case);
}

/// The answer to the hostile page is one that the case expects, and cost no more requests than it allows.
#[track_caller]
pub fn check_attack(world: &World, case: &Case) {
    case.install(&world.stage);
    let asked = requests(world, &case.scene);
    let (code, answer) = ask(world, &case.scene);
    assert!(case.expect.contains(&code), "{}: {code} in place of {:?}: {answer}", case.name, case.expect);
    if let Some(most) = case.requests {
        let asked = requests(world, &case.scene) - asked;
        assert!(asked <= most, "{}: {asked} requests, {most} at most", case.name);
    }
}

/// The answer to the control is a success that holds what it promises.
#[track_caller]
pub fn check_control(world: &World, case: &Case) {
    case.control.install(&world.stage);
    let (code, answer) = ask(world, &case.control);
    assert_eq!(code, OK, "the control of {}: {answer}", case.name);
}

/// The code of the answer to a scene's address, or [`OK`]; and the answer.
#[track_caller]
fn ask(world: &World, scene: &Scene) -> (String, Value) {
    let answer = world.post("/extract", &json!({"url": scene.url}));
    let body = answer.json();
    if answer.status == 200 {
        assert_gives(scene.gives, &scene.url, &body);
        return (OK.to_owned(), body);
    }
    let code = body["code"].as_str().unwrap().to_owned();
    assert_problem(&answer, answer.status, &code);
    (code, body)
}

#[track_caller]
fn assert_gives(promised: Option<Gives>, url: &str, extraction: &Value) {
    let count = |field: &str| extraction[field].as_array().map_or(0, Vec::len);
    let promised = promised.unwrap_or_else(|| panic!("{url} has an answer: {extraction}"));
    if let Some(least) = promised.formats {
        assert!(count("formats") >= least, "{url}: {} formats, {least} at least", count("formats"));
    }
    if let Some(entries) = promised.entries {
        assert_eq!(count("entries"), entries, "{url}");
    }
}

/// How often the scene's hosts have been asked.
fn requests(world: &World, scene: &Scene) -> usize {
    let hosts: BTreeSet<_> = scene.hosts().collect();
    world.stage.seen_where(|seen| hosts.contains(seen.host.as_str()) && seen.method != "CONNECT").len()
}
