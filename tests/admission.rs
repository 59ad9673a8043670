//! Who may come in, and how much: keys, limits of each client, sites, and what is closed.

use crate::support::client::{self, Answer, encode};
use crate::support::stage::tiktok::{BEST, Video};
use crate::support::stage::{Fault, sha256};
use crate::support::world::{World, assert_problem, post, token};
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// A client behind the proxy that the servers of these tests trust.
fn from(address: &str) -> (&str, &str) {
    ("X-Forwarded-For", address)
}

const ONE: &str = "198.51.100.1";
const OTHER: &str = "198.51.100.2";

/// A server that is open to all, behind a proxy on loopback.
fn public(settings: &[(&str, &str)]) -> World {
    let mut all = vec![("TRUSTED_PROXIES", "127.0.0.1")];
    all.extend_from_slice(settings);
    World::with(&all)
}

fn extract_as(world: &World, video: &Video, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"url": video.page_url()}).to_string();
    client::request("POST", &world.server.url("/extract"), headers, body.as_bytes())
}

fn stream_url(world: &World, video: &Video) -> String {
    world.server.url(&format!("/stream?url={}", encode(video.page_url())))
}

#[track_caller]
fn assert_whole(answer: &Answer, video: &Video) {
    assert_eq!((answer.status, sha256(&answer.body)), (200, video.media(BEST).sha256()), "{}", answer.text());
    assert!(answer.complete());
}

#[track_caller]
fn assert_unauthorized(answer: &Answer) {
    assert_problem(answer, 401, "unauthorized");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"sluice\""));
}

/// A file of keys.
struct KeysFile {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl KeysFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, "# Who may come in.\n").unwrap();
        Self { _folder: folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Makes a key by the command, and adds its line.
    fn add(&self, name: &str, options: &str) -> String {
        let made = Command::new(env!("CARGO_BIN_EXE_sluice")).args(["keygen", name]).output().unwrap();
        assert!(made.status.success());
        let text = String::from_utf8(made.stdout).unwrap();
        let after =
            |label: &str| text.lines().find_map(|line| line.strip_prefix(label)).unwrap().trim().to_owned();
        self.append(&format!("{} {options}\n", after("for API_KEYS_FILE:")));
        after(&format!("for {name}:"))
    }

    fn append(&self, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).open(&self.path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

#[test]
fn with_keys_whoever_extracts_shows_one_and_a_link_needs_none() {
    let keys = KeysFile::new();
    let key = keys.add("alice", "");
    let world = World::with(&[("API_KEYS_FILE", keys.path())]);
    let video = post().size(50_000).install(&world.stage);
    let bearer = format!("Bearer {key}");
    let wrong = format!("Bearer {}x", &key[..key.len() - 1]);
    for headers in [
        &[][..],
        &[("Authorization", wrong.as_str())],
        &[("X-API-Key", "")],
        &[("Authorization", "Basic YTpi")],
    ] {
        assert_unauthorized(&extract_as(&world, &video, headers));
        assert_unauthorized(&client::request("GET", &stream_url(&world, &video), headers, b""));
        let tiktok = client::request("POST", &world.server.url("/tiktok"), headers, b"{}");
        assert_eq!((tiktok.status, &tiktok.json()["error"]), (401, &json!("unauthorized")));
    }
    assert_eq!(video.seen(&world.stage).len(), 0, "nothing was fetched for strangers");
    for header in [("Authorization", bearer.as_str()), ("X-API-Key", &key)] {
        let answer = extract_as(&world, &video, &[header]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_whole(&client::request("GET", &stream_url(&world, &video), &[header], b""), &video);
        let link = world.server.url(&format!("/stream?data={}", token(&answer.json(), BEST)));
        for headers in [&[][..], &[("Authorization", wrong.as_str())]] {
            assert_whole(&client::request("GET", &link, headers, b""), &video);
        }
    }
    let metrics = world.get("/metrics").text();
    assert!(metrics.contains("sluice_key_requests_total{key=\"alice\"} 4\n"), "{metrics}");
    assert!(metrics.contains("sluice_refused_total{reason=\"no_key\"}"), "{metrics}");
    let log = world.server.log();
    assert!(log.iter().any(|line| line.contains("answered") && line.contains("key=\"alice\"")));
    let secret = &key[key.len() - 20..];
    assert_eq!(log.iter().find(|line| line.contains(secret)), None);
}

#[test]
fn keys_are_read_anew_and_a_bad_file_changes_nothing() {
    let keys = KeysFile::new();
    let first = keys.add("first", "");
    let world = World::with(&[("API_KEYS_FILE", keys.path())]);
    let video = post().install(&world.stage);
    let status = |key: &str| extract_as(&world, &video, &[("X-API-Key", key)]).status;
    let second = keys.add("second", "");
    world.server.wait_for_log("keys read anew");
    assert_eq!((status(&first), status(&second)), (200, 200));
    keys.append("this is no key\n");
    let line = world.server.wait_for_log("the keys stay as they were");
    assert!(line.contains("line 4"), "{line}");
    assert_eq!((status(&first), status(&second)), (200, 200));
}

#[test]
fn the_details_of_health_are_for_keys_too() {
    let keys = KeysFile::new();
    let key = keys.add("watcher", "");
    let world = World::with(&[("API_KEYS_FILE", keys.path()), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let ask = |path: &str, headers: &[(&str, &str)]| {
        client::request("GET", &world.server.url(path), &[headers, &[from(ONE)]].concat(), b"")
    };
    assert_eq!(ask("/health", &[]).json(), json!({"status": "ok"}));
    assert_problem(&ask("/metrics", &[]), 404, "route_not_found");
    let shown = [("X-API-Key", key.as_str())];
    assert!(ask("/health", &shown).json()["yt_dlp"].is_string());
    assert!(ask("/metrics", &shown).text().contains("sluice_streams"));
}

#[test]
fn the_public_is_served_only_where_the_operator_says_so() {
    let closed = World::with(&[("PUBLIC", ""), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let video = post().install(&closed.stage);
    assert_unauthorized(&extract_as(&closed, &video, &[from(ONE)]));
    assert_unauthorized(&extract_as(&closed, &video, &[from("2001:db8::1")]));
    assert_eq!(video.seen(&closed.stage).len(), 0);
    let near = extract_as(&closed, &video, &[from("192.168.1.7")]);
    assert_eq!(near.status, 200, "{}", near.text());
    let link = closed.server.url(&format!("/stream?data={}", token(&near.json(), BEST)));
    assert_whole(&client::request("GET", &link, &[from(ONE)], b""), &video);
    // Behind a proxy that nobody has named, nobody knows who it is.
    let unnamed = World::with(&[("PUBLIC", "")]);
    let video = post().install(&unnamed.stage);
    assert_unauthorized(&extract_as(&unnamed, &video, &[from("192.168.1.7")]));
    assert_unauthorized(&extract_as(&unnamed, &video, &[("Host", "video.example.org")]));
    assert_eq!(extract_as(&unnamed, &video, &[]).status, 200);
    let open = public(&[]);
    let video = post().install(&open.stage);
    assert_eq!(extract_as(&open, &video, &[from(ONE)]).status, 200);
}

#[test]
fn a_client_has_its_rate_and_no_other_clients() {
    let world = public(&[("RATE_LIMIT", "3/h")]);
    let video = post().install(&world.stage);
    for left in ["2", "1", "0"] {
        let answer = extract_as(&world, &video, &[from(ONE)]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("ratelimit-policy"), Some("\"extractions\";q=3;w=3600"));
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"extractions\";r={left};t=")));
    }
    // By a spelling of its own, or a hop that it has made up.
    for address in [ONE, "::ffff:198.51.100.1", "6.6.6.6, 198.51.100.1"] {
        let answer = extract_as(&world, &video, &[from(address)]);
        assert_problem(&answer, 429, "rate_limited");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=1200).contains(&wait), "{wait}");
        assert_eq!(answer.header("ratelimit"), Some(&*format!("\"extractions\";r=0;t={wait}")));
        assert_problem(
            &client::request("GET", &stream_url(&world, &video), &[from(address)], b""),
            429,
            "rate_limited",
        );
    }
    assert_eq!(extract_as(&world, &video, &[from(OTHER)]).status, 200);
    // A customer's network is one client.
    for host in 1..=3 {
        assert_eq!(extract_as(&world, &video, &[from(&format!("2001:db8:1:2::{host}"))]).status, 200);
    }
    assert_problem(&extract_as(&world, &video, &[from("2001:db8:1:2::4")]), 429, "rate_limited");
    assert_eq!(extract_as(&world, &video, &[from("2001:db8:1:3::4")]).status, 200);
}

#[test]
fn what_an_untrusted_peer_says_of_itself_changes_nothing() {
    let world = World::with(&[("RATE_LIMIT", "2/h")]);
    let video = post().install(&world.stage);
    for _ in 0..2 {
        assert_eq!(extract_as(&world, &video, &[]).status, 200);
    }
    for header in [
        from(ONE),
        ("Forwarded", "for=198.51.100.1"),
        ("X-Real-IP", ONE),
        ("Via", "1.1 proxy"),
        ("X-Client-IP", ONE),
        ("CF-Connecting-IP", ONE),
    ] {
        assert_problem(&extract_as(&world, &video, &[header]), 429, "rate_limited");
    }
}

#[test]
fn a_key_has_limits_of_its_own_and_sites() {
    let keys = KeysFile::new();
    let slow = keys.add("slow", "rate=1/h");
    let other = keys.add("other", "sites=vimeo.com,soundcloud");
    let free = keys.add("free", "rate=off");
    let world = World::with(&[("API_KEYS_FILE", keys.path()), ("RATE_LIMIT", "2/h")]);
    let video = post().install(&world.stage);
    let ask = |key: &str| extract_as(&world, &video, &[("X-API-Key", key)]);
    assert_eq!(ask(&slow).status, 200);
    assert_problem(&ask(&slow), 429, "rate_limited");
    for _ in 0..3 {
        assert_eq!(ask(&free).status, 200);
    }
    let before = video.seen(&world.stage).len();
    assert_problem(&ask(&other), 400, "unsupported_url");
    assert_eq!(video.seen(&world.stage).len(), before);
}

#[test]
fn a_client_has_so_many_streams_at_a_time() {
    let world = public(&[("CLIENT_STREAMS", "2")]);
    let video = post().install(&world.stage);
    video.play(&world.stage, BEST, |reply| reply.fault(Fault::Stall { after: 10_000 }));
    let whole = post().size(50_000).install(&world.stage);
    let open = || client::open("GET", &stream_url(&world, &video), &[from(ONE)], b"");
    let (first, second) = (open(), open());
    assert_eq!((first.status, second.status), (200, 200));
    let third = |address| client::request("GET", &stream_url(&world, &whole), &[from(address)], b"");
    assert_problem(&third(ONE), 429, "rate_limited");
    assert_whole(&third(OTHER), &whole);
    drop(first);
    world.server.wait_for_log("client_gone");
    assert_whole(&third(ONE), &whole);
    drop(second);
    world.stage.release();
}

#[test]
fn a_client_has_so_many_bytes_a_day_and_what_has_begun_is_whole() {
    let world = public(&[("DAILY_BYTES", "100K")]);
    let video = post().size(80_000).install(&world.stage);
    let get = |address| client::request("GET", &stream_url(&world, &video), &[from(address)], b"");
    for _ in 0..2 {
        assert_whole(&get(ONE), &video);
    }
    let refused = get(ONE);
    assert_problem(&refused, 429, "rate_limited");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    assert_whole(&get(OTHER), &video);
}

#[test]
fn only_sites_that_are_listed_are_asked() {
    let world = World::with(&[("ALLOWED_SITES", "vimeo.com,soundcloud")]);
    let video = post().install(&world.stage);
    assert_problem(&extract_as(&world, &video, &[]), 400, "unsupported_url");
    assert_problem(&world.get(&format!("/stream?url={}", encode(video.page_url()))), 400, "unsupported_url");
    assert_eq!(world.stage.connections(), 0);
    for listed in ["TikTok", "www.tiktok.com"] {
        let world = World::with(&[("ALLOWED_SITES", listed)]);
        let video = post().install(&world.stage);
        let answer = extract_as(&world, &video, &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn what_is_closed_is_not_there_and_links_work() {
    let world = World::with(&[("ENDPOINTS", "tiktok")]);
    let video = post().size(50_000).install(&world.stage);
    assert_problem(&extract_as(&world, &video, &[]), 404, "route_not_found");
    assert_problem(&world.get(&format!("/stream?url={}", encode(video.page_url()))), 404, "route_not_found");
    let answer = world.post("/tiktok", &json!({"url": video.page_url()}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let url = answer.json()["data"]["video_data"][0]["url"].as_str().unwrap().to_owned();
    assert_whole(&client::get(&url), &video);
    let none = World::with(&[("ENDPOINTS", "none")]);
    assert_eq!(none.post("/tiktok", &json!({"url": video.page_url()})).status, 404);
    assert_eq!(none.get("/health").status, 200);
}

/// One worker; the first page is held until all others wait.
#[test]
fn a_burst_of_one_client_delays_another_by_no_more_than_a_job() {
    let world = public(&[("MAX_WORKERS", "1")]);
    let held = post().install(&world.stage);
    held.show_page(&world.stage, |page| page.fault(Fault::Stall { after: 100 }));
    let burst: Vec<Video> = (0..8).map(|_| post().install(&world.stage)).collect();
    let single = post().install(&world.stage);
    let queued = |count: usize| world.wait_for_health(&[("queue", count as u64)]);
    std::thread::scope(|scope| {
        scope.spawn(|| extract_as(&world, &held, &[from(ONE)]));
        world.stage.wait_for(|seen| seen.iter().any(|seen| seen.path() == held.path()));
        for (count, video) in (1..).zip(&burst) {
            let world = &world;
            scope.spawn(move || assert_eq!(extract_as(world, video, &[from(ONE)]).status, 200));
            queued(count);
        }
        scope.spawn(|| assert_eq!(extract_as(&world, &single, &[from(OTHER)]).status, 200));
        queued(burst.len() + 1);
        world.stage.release();
    });
    let order: Vec<_> = world.stage.seen().iter().map(|seen| seen.path().to_owned()).collect();
    let place = |video: &Video| order.iter().position(|path| path == video.path()).unwrap();
    let before = burst.iter().filter(|video| place(video) < place(&single)).count();
    assert!(before <= 1, "{before} of the burst came first");
}

#[test]
fn a_full_queue_makes_room_for_who_has_less_in_it() {
    let world = public(&[("MAX_WORKERS", "1"), ("MAX_QUEUE", "3")]);
    let held = post().install(&world.stage);
    held.show_page(&world.stage, |page| page.fault(Fault::Stall { after: 100 }));
    std::thread::scope(|scope| {
        scope.spawn(|| extract_as(&world, &held, &[from(ONE)]));
        world.stage.wait_for(|seen| seen.iter().any(|seen| seen.path() == held.path()));
        let burst: Vec<_> = (0..3)
            .map(|_| {
                let video = post().install(&world.stage);
                let world = &world;
                scope.spawn(move || extract_as(world, &video, &[from(ONE)]).status)
            })
            .collect();
        world.wait_for_health(&[("queue", 3)]);
        let more = post().install(&world.stage);
        assert_problem(&extract_as(&world, &more, &[from(ONE)]), 503, "overloaded");
        let single = post().install(&world.stage);
        let other = scope.spawn(|| {
            let single = single;
            extract_as(&world, &single, &[from(OTHER)]).status
        });
        world.server.wait_for_log("overloaded");
        world.wait_until(|| match burst.iter().filter(|one| one.is_finished()).count() {
            1 => Ok(()),
            others => Err(others),
        });
        world.stage.release();
        assert_eq!(other.join().unwrap(), 200);
        let mut statuses: Vec<_> = burst.into_iter().map(|one| one.join().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 503]);
    });
}
