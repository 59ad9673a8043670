//! The hostile corpus: that it is what it says, and how a server is held against it.

use crate::support::hostile::{self, Case, Gives, OK, Scene};
use crate::support::random::spread;
use crate::support::stage::Stage;
use crate::support::world::{World, assert_problem};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

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

/// What is wrong with the answer to the hostile page: it must be one that the case expects, and cost no more requests
/// than it allows.
fn attack(world: &World, case: &Case) -> Result<(), String> {
    case.install(&world.stage);
    let asked = requests(world, &case.scene);
    let (code, answer) = ask(world, &case.scene)?;
    if !case.expect.contains(&code) {
        return Err(format!("{}: {code} in place of {:?}: {answer}", case.name, case.expect));
    }
    let asked = requests(world, &case.scene) - asked;
    match case.requests {
        Some(most) if asked > most => Err(format!("{}: {asked} requests, {most} at most", case.name)),
        _ => Ok(()),
    }
}

/// What is wrong with the answer to the control: it must be a success that holds what it promises.
fn control(world: &World, case: &Case) -> Result<(), String> {
    case.control.install(&world.stage);
    match ask(world, &case.control)? {
        (code, _) if code == OK => Ok(()),
        (_, answer) => Err(format!("the control of {}: {answer}", case.name)),
    }
}

/// The code of the answer to a scene's address, or [`OK`]; and the answer.
fn ask(world: &World, scene: &Scene) -> Result<(String, Value), String> {
    let answer = world.post("/extract", &json!({"url": scene.url}));
    let body = answer.json();
    if answer.status == 200 {
        return gives(scene.gives, &scene.url, &body).map(|()| (OK.to_owned(), body));
    }
    let code = body["code"].as_str().unwrap().to_owned();
    assert_problem(&answer, answer.status, &code);
    Ok((code, body))
}

fn gives(promised: Option<Gives>, url: &str, extraction: &Value) -> Result<(), String> {
    let count = |field: &str| extraction[field].as_array().map_or(0, Vec::len);
    let promised = promised.ok_or_else(|| format!("{url} has an answer: {extraction}"))?;
    let (formats, entries) = (count("formats"), count("entries"));
    let holds = promised.formats.is_none_or(|least| formats >= least)
        && promised.entries.is_none_or(|exactly| entries == exactly);
    match holds {
        true => Ok(()),
        false => Err(format!("{url}: {formats} formats and {entries} entries, but {promised:?}")),
    }
}

/// How often the scene's hosts have been asked.
fn requests(world: &World, scene: &Scene) -> usize {
    let hosts: BTreeSet<_> = scene.hosts().collect();
    world.stage.seen_where(|seen| hosts.contains(seen.host.as_str()) && seen.method != "CONNECT").len()
}

/// Families of which a few stand for all here: each case is a pattern that runs until its process is killed.
/// `scripts/bench hostile` asks for every one.
const ALIKE: [&str; 2] = ["redos-html", "redos-embeds"];
/// Of those, every how manieth is asked for.
const EVERY: usize = 8;

/// The whole server against the whole corpus (but for [`ALIKE`]), several at a time, a stream going on all along.
#[test]
fn no_page_of_the_corpus_gets_through() {
    let settings = [("YTDLP_TIMEOUT", "4"), ("GENERIC_WORKERS", "4"), ("MAX_WORKERS", "8")];
    let world = World::with(&settings);
    let stream = world.hold_stream();
    let cases = hostile::cases();
    let alike = |case: &&Case| ALIKE.contains(&case.family.as_str());
    let some = cases.iter().filter(alike).step_by(EVERY);
    let asked: Vec<_> = cases.iter().filter(|case| !alike(case)).chain(some).collect();
    assert!(asked.len() >= 80, "{}", asked.len());
    let wrong = Mutex::new(Vec::new());
    let note = |result: Result<(), String>| wrong.lock().unwrap().extend(result.err());
    spread(4, asked.len(), |number| note(attack(&world, asked[number])));
    // By themselves: on a machine that the traps have kept busy they would take longer than they may.
    spread(2, asked.len(), |number| note(control(&world, asked[number])));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stream.finish(&world);
    world.wait_for_health(&[("busy", 0), ("stuck", 0), ("queue", 0)]);
}
