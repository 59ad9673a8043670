//! Tokens: what opens, for how long, and for whom.

use crate::support::client::{self, Session, encode};
use crate::support::damage::damaged;
use crate::support::random::{seed, spread};
use crate::support::server::TestServer;
use crate::support::stage::sha256;
use crate::support::world::{World, assert_problem, post, world};
use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const KEY: &str = "a key of this test and long enough";
const OTHER_KEY: &str = "another key of this test and also long";

#[test]
fn a_token_damaged_anywhere_is_refused() {
    let world = world();
    let video = post().install(&world.stage);
    let token = world.token(&video, "audio");
    let refused =
        |token: &str| assert_problem(&world.get(&format!("/stream?data={token}")), 400, "invalid_token");
    for at in 0..token.len() {
        let byte = token.as_bytes()[at];
        let other = if byte == b'A' { 'B' } else { 'A' };
        refused(&format!("{}{other}{}", &token[..at], &token[at + 1..]));
    }
    for damaged in [&token[1..], &token[..token.len() - 1], &token[..20], "A", "..", "%00"] {
        refused(damaged);
    }
    refused(&format!("{token}A"));
    refused(&format!("{token}="));
    refused(&format!("{token}{token}"));
    refused(&"A".repeat(5000));
    assert_eq!(video.seen_of(&world.stage, "audio").len(), 0);
    let whole = world.get(&format!("/stream?data={token}"));
    assert_eq!(sha256(&whole.body), video.media("audio").sha256());
}

#[test]
fn tokens_damaged_at_random_are_all_refused_alike() {
    const THREADS: usize = 4;
    const EACH: usize = 500;
    let world = world();
    let video = post().install(&world.stage);
    let tokens = [world.token(&video, "audio"), world.token(&video, "play")];
    let seed = seed();
    let opens = || {
        let whole = world.get(&format!("/stream?data={}", tokens[0]));
        assert_eq!(sha256(&whole.body), video.media("audio").sha256());
    };
    opens();
    let bodies = Mutex::new(HashSet::new());
    spread(THREADS, THREADS, |thread| {
        let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
        let mut session = Session::to(&world.server.url("/"));
        for number in 0..EACH {
            let token = damaged(&mut random, &tokens);
            let answer = session.ask("GET", &format!("/stream?data={}", encode(&token)), &[]);
            assert_problem(&answer, 400, "invalid_token");
            bodies.lock().unwrap().insert(answer.body);
            if number == EACH / 2 {
                opens();
            }
        }
    });
    opens();
    // Nobody learns what it was that was wrong.
    assert_eq!(bodies.into_inner().unwrap().len(), 1);
    assert_eq!(video.seen_of(&world.stage, "audio").len(), THREADS + 2);
    assert_eq!(video.seen_of(&world.stage, "play").len(), 0);
}

#[test]
fn no_two_tokens_are_alike() {
    let world = world();
    let video = post().install(&world.stage);
    let (first, second) = (world.token(&video, "play"), world.token(&video, "download"));
    // Version and key id are in the clear; what follows is a random nonce and the sealed rest.
    assert_eq!(first[..6], second[..6]);
    assert_ne!(first[7..20], second[7..20]);
    assert!(!first.contains("tiktok") && !first.contains(&video.page_url()[30..]));
}

#[test]
fn an_old_token_is_gone() {
    let world = World::with(&[("TOKEN_TTL", "1")]);
    let video = post().install(&world.stage);
    let deadline = Instant::now() + Duration::from_secs(30);
    // A fresh one opens; on a machine that pauses for a second here, the next one will.
    let path = loop {
        let path = world.stream_path(&video, "audio");
        if world.get(&path).status == 200 {
            break path;
        }
        assert!(Instant::now() < deadline, "no token opens");
    };
    let answer = loop {
        let answer = world.get(&path);
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < deadline, "a token of one second still opens");
    };
    assert_problem(&answer, 410, "expired_token");
    let head = client::request("HEAD", &world.server.url(&path), &[], b"");
    assert_eq!(head.status, 410);
}

#[test]
fn a_token_opens_where_its_key_is_known() {
    let world = World::with(&[("ENCRYPTION_KEY", KEY)]);
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, "audio");
    let opened_by = |settings: &[(&str, &str)]| {
        let server = TestServer::with_stage(&world.stage, settings);
        client::get(&server.url(&path))
    };
    let same = opened_by(&[("ENCRYPTION_KEY", KEY)]);
    assert_eq!(sha256(&same.body), video.media("audio").sha256());
    let rotated = opened_by(&[("ENCRYPTION_KEY", OTHER_KEY), ("ENCRYPTION_KEYS_OLD", KEY)]);
    assert_eq!(sha256(&rotated.body), video.media("audio").sha256());
    assert_problem(&opened_by(&[("ENCRYPTION_KEY", OTHER_KEY)]), 400, "invalid_token");
}

#[test]
fn a_key_of_its_own_is_kept_for_its_owner_alone() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("sluice");
    let settings = [("STATE_DIR", folder.to_str().unwrap())];
    let world = World::with(&settings);
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, "audio");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(!files.is_empty());
    for file in files.iter().filter(|file| file.metadata().unwrap().is_file()) {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", file.path());
    }
    let again = TestServer::with_stage(&world.stage, &settings);
    let answer = client::get(&again.url(&path));
    assert_eq!(sha256(&answer.body), video.media("audio").sha256());
    let stranger = TestServer::with_stage(&world.stage, &[]);
    assert_problem(&client::get(&stranger.url(&path)), 400, "invalid_token");
}

#[test]
fn what_does_not_fit_into_a_token_is_had_again_from_the_page() {
    let world = World::with(&[("CACHE_TTL", "0")]);
    let video = post().cookie_padding(3500).install(&world.stage);
    let token = world.token(&video, "audio");
    assert!(token.len() <= 4096, "{}", token.len());
    let pages = || video.seen(&world.stage).iter().filter(|seen| seen.path().contains("/video/73")).count();
    assert_eq!(pages(), 1);
    let whole = world.get(&format!("/stream?data={token}"));
    assert_eq!(sha256(&whole.body), video.media("audio").sha256());
    assert_eq!(pages(), 2);
}
