//! What helpers are for, when they come and when they go.

use super::{Stranger, TITLE, ask, ended, helpers, quarantine, wait_for_helpers};
use crate::support::client;
use crate::support::processes::{children, kill_hard, runs};
use crate::support::rogue::Rogue;
use crate::support::stage::{Fault, Reply, sha256};
use crate::support::world::{World, assert_problem, post};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};

#[test]
fn a_page_of_nobodys_extracts_and_streams() {
    let world = World::with(&[]);
    assert_eq!(helpers(&world), [0; 0], "one that nobody has needed");
    let one = Stranger::install(&world);
    one.check(&world);
    let first = helpers(&world);
    assert_eq!(first.len(), 1);
    Stranger::install(&world).check(&world);
    assert_eq!(helpers(&world), first, "it is kept");
    assert_eq!(quarantine(&world)["helpers"], 1);
    assert!(world.is_cached(&one.url));
    // A bare file is a page, too.
    let film = one.film.sha256();
    let url = client::encode(&format!("https://{}/film.mp4", one.host));
    assert_eq!(sha256(&world.get(&format!("/stream?url={url}")).body), film);
}

#[test]
fn a_named_extractors_reference_is_followed_with_its_cookies() {
    let world = World::with(&[]);
    let stranger = Stranger::install(&world);
    let short = "https://t.co/aStranger1";
    let away = Reply::redirect(301, &stranger.url).cookie("muid=7; Domain=stranger.example; Path=/");
    world.stage.play("t.co", "/aStranger1", away);
    assert_eq!(world.extract(short)["title"], TITLE);
    // Where the way leads to a named site, no helper is needed.
    let before = quarantine(&world);
    let video = post().install(&world.stage);
    world.stage.play("t.co", "/aNamed0001", Reply::redirect(301, video.page_url()));
    assert_eq!(world.extract("https://t.co/aNamed0001")["extractor"], "TikTok");
    assert_eq!(quarantine(&world), before);
}

#[test]
fn without_helpers_there_are_no_pages_of_nobodys() {
    let world = World::with(&[("GENERIC", "off")]);
    let stranger = Stranger::install(&world);
    assert_problem(&ask(&world, &stranger.url), 400, "unsupported_url");
    assert_eq!(world.stage.seen_at(&stranger.host).len(), 0);
    assert!(quarantine(&world).is_null());
    world.extract(post().install(&world.stage).page_url());
}

#[test]
fn a_page_that_holds_its_helper_ends_with_it() {
    let world = World::with(&[("YTDLP_TIMEOUT", "2"), ("GENERIC_WORKERS", "1")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    let [first] = helpers(&world)[..] else { panic!("one helper") };
    let server = world.server.pid();
    // A stream goes on meanwhile, and named sites are not held up.
    let stream = world.hold_stream();
    let trap = stranger.trap(&world, "/trap");
    let held = std::thread::scope(|scope| {
        let asked = scope.spawn(|| (Instant::now(), ask(&world, &trap), Instant::now()));
        wait_for_helpers(&world, &[("busy", 1)]);
        world.extract(post().install(&world.stage).page_url());
        assert_eq!(quarantine(&world)["busy"], 1, "the page was no trap");
        asked.join().unwrap()
    });
    assert_problem(&held.1, 504, "extraction_timeout");
    // Far above what the contract allows, for loaded machines; `scripts/bench hostile` measures it.
    assert!(held.2 - held.0 < Duration::from_secs(10), "{:?}", held.2 - held.0);
    wait_for_helpers(&world, &[("busy", 0), ("helpers", 1)]);
    assert_eq!(ended(&world, "deadline"), 1);
    assert!(!runs(first), "it was not killed");
    assert_ne!(helpers(&world), [first]);
    stranger.check(&world);
    stream.finish(&world);
    assert_eq!(world.server.pid(), server);
    assert!(world.metric("sluice_quarantine_ended_total{reason=\"deadline\"}") == 1);
}

#[test]
fn a_page_that_waits_does_not_cost_a_helper() {
    let world = World::with(&[("YTDLP_TIMEOUT", "2"), ("GENERIC_WORKERS", "1")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    let kept = helpers(&world);
    world.stage.play(&stranger.host, "/silent", Reply::html("").fault(Fault::HeldHead));
    let answer = ask(&world, &format!("https://{}/silent", stranger.host));
    // The wait for the site ends by itself, shortly before the deadline.
    assert_problem(&answer, 504, "upstream_timeout");
    wait_for_helpers(&world, &[("busy", 0)]);
    world.stage.release();
    stranger.check(&world);
    assert_eq!(helpers(&world), kept);
}

#[test]
fn a_helper_that_nobody_needs_ends() {
    let world = World::with(&[("GENERIC_IDLE", "1")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    wait_for_helpers(&world, &[("helpers", 0)]);
    assert_eq!(ended(&world, "idle"), 1);
    let all_gone = || match children(world.server.pid()) {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    };
    world.wait_until(all_gone);
    assert_eq!(ask(&world, &stranger.url).status, 200, "the next one starts another");
}

#[test]
fn no_helper_outlives_its_server() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut world = World::with(&[("GENERIC_WORKERS", "1"), ("DRAIN_TIMEOUT", "0")]);
        let stranger = Stranger::install(&world);
        stranger.check(&world);
        let [zygote] = children(world.server.pid())[..] else { panic!("one zygote") };
        let [helper] = helpers(&world)[..] else { panic!("one helper") };
        // It does not even read what it is sent.
        let trap = stranger.trap(&world, "/trap");
        let body = json!({"url": trap}).to_string();
        let length = body.len();
        let head = "POST /extract HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length:";
        let mut asked = client::connect(world.server.address());
        asked.write_all(format!("{head} {length}\r\n\r\n{body}").as_bytes()).unwrap();
        wait_for_helpers(&world, &[("busy", 1)]);
        world.server.signal(signal);
        world.server.wait_exit();
        drop(asked);
        world.wait_gone(zygote);
        world.wait_gone(helper);
    }
}

#[test]
fn a_helper_that_is_killed_costs_its_page_a_second_try() {
    let world = World::with(&[("GENERIC_WORKERS", "1")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    // Killed while it waits, and while it works.
    kill_hard(helpers(&world)[0]);
    assert_eq!(ask(&world, &stranger.url).status, 200);
    world.stage.play(&stranger.host, "/held", Reply::html("").fault(Fault::HeldHead));
    let held = format!("https://{}/held", stranger.host);
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&world, &held));
        world.stage.wait_for(|seen| seen.iter().any(|seen| seen.path() == "/held"));
        stranger.page(&world, "/held", r#"<video src="/film.mp4"></video>"#);
        kill_hard(helpers(&world)[0]);
        asked.join().unwrap()
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(ended(&world, "died"), 2);
}

#[test]
fn a_zygote_that_is_killed_is_replaced() {
    let world = World::with(&[("GENERIC_WORKERS", "1")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    let [zygote] = children(world.server.pid())[..] else { panic!("one zygote") };
    let [helper] = helpers(&world)[..] else { panic!("one helper") };
    kill_hard(zygote);
    // With it went the helper.
    world.wait_gone(helper);
    assert_eq!(ask(&world, &stranger.url).status, 200);
    let [other] = children(world.server.pid())[..] else { panic!("one other zygote") };
    assert_ne!(other, zygote);
    assert_eq!(ended(&world, "died"), 1);
}

#[test]
fn when_no_helper_starts_everybody_is_told_at_once() {
    let world = Rogue::with(&[("YTDLP_TIMEOUT", "20"), ("GENERIC_WORKERS", "1")]);
    let stranger = Stranger::install(&world);
    let broken = world.without_package();
    for _ in 0..6 {
        assert_problem(&ask(&world, &stranger.url), 503, "overloaded");
    }
    assert!(world.server.log().iter().any(|line| line.contains("no helper for pages of any host")));
    let starts = ended(&world, "start");
    assert!((1..=6).contains(&starts), "{starts}");
    world.extract(post().install(&world.stage).page_url());
    drop(broken);
    // After the pause.
    world.wait_until(|| match ask(&world, &stranger.url) {
        answer if answer.status == 200 => Ok(()),
        answer => Err(answer.text()),
    });
}
