//! No hostile URL (`addresses/hostile-urls.txt`) has the server connect to what is forbidden, by whatever door it comes.

use crate::addresses::urls::{Line, lines, zone};
use crate::support::client::{self, Answer, encode};
use crate::support::net::{Attempt, Net, OWN, OWN_V6, inside};
use crate::support::plugin::python_with;
use crate::support::sealed::token;
use crate::support::server::TestServer;
use crate::support::stage::{Media, Reply};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const KEY: &str = "a key that the test has, too";
/// Where everything ends that is let through.
const GOOD: &str = "http://media.example.net/film.mp4";
/// What an error may be that is none of the server's own doing.
const ERRORS: [&str; 10] = [
    "400 bad_request",
    "400 unsupported_url",
    "400 invalid_token",
    BLOCKED,
    "404 format_unavailable",
    // Read as the name of a public host, or as a path on one, which has nothing there.
    "404 not_found",
    "502 extraction_failed",
    "502 upstream_error",
    "504 extraction_timeout",
    "504 upstream_timeout",
];
/// What it is where the URL is read as it is meant: with most of them.
const BLOCKED: &str = "403 blocked_address";
/// Failures of a kind that are shown for each door.
const SHOWN: usize = 20;
/// Requests at a time.
const AT_ONCE: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// The URL of a page.
    Page,
    /// Where a page of a named site redirects that is fetched by this handler; of websockets, what it fetches.
    Fetched(&'static str),
    /// Where a page of an unknown site redirects.
    Stranger,
    /// The URL of a format.
    Format,
    /// The URL of a thumbnail.
    Thumbnail,
    /// Where a CDN redirects.
    Cdn,
}

const DOORS: [Door; 8] = [
    Door::Page,
    Door::Fetched("requests"),
    Door::Fetched("curl"),
    Door::Fetched("websockets"),
    Door::Stranger,
    Door::Format,
    Door::Thumbnail,
    Door::Cdn,
];

impl Door {
    /// Comes to this door with a URL.
    fn ask(self, server: &TestServer, url: &str) -> Answer {
        let extract = |page: &str| client::post_json(&server.url("/extract"), &json!({"url": page}));
        let doors = |query: String| extract(&format!("https://doors.example.net/?{query}"));
        match self {
            Door::Page => extract(url),
            Door::Fetched("websockets") => {
                let is_http = url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
                let url = if is_http { format!("ws{}", &url[4..]) } else { url.to_owned() };
                doors(format!("handler=websockets&to={}", encode(&url)))
            }
            Door::Fetched(handler) => doors(format!("handler={handler}&to={}", encode(&redirect(url)))),
            Door::Stranger => extract(&redirect(url).replace("example.net", "example.org")),
            Door::Format | Door::Thumbnail => {
                let name = if self == Door::Format { "format" } else { "thumbnail" };
                let answer = doors(format!("{name}={}", encode(url)));
                if answer.status != 200 {
                    return answer;
                }
                let extraction = answer.json();
                let link = if self == Door::Format {
                    &extraction["formats"][0]["stream"]
                } else {
                    &extraction[name]
                };
                // Left out, it leads nowhere.
                link.as_str().map_or(answer, client::get)
            }
            Door::Cdn => client::get(&server.url(&format!("/stream?data={}", token(KEY, &redirect(url))))),
        }
    }

    /// Whether a line means nothing forbidden to it: websockets takes port 0 for none.
    fn ignores(self, line: &Line) -> bool {
        self == Door::Fetched("websockets") && line.url.ends_with("media.example.net:0/")
    }

    /// Whether an answer is good although nothing came of the URL.
    fn may_leave_out(self, answer: &Answer) -> bool {
        self == Door::Thumbnail && answer.status == 200 && answer.json()["thumbnail"].is_null()
    }
}

/// A page of the stage that redirects there.
fn redirect(url: &str) -> String {
    let hex: String = url.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("http://redirect.example.net/to/{hex}")
}

/// Where a path of such a page redirects.
fn target(path: &str) -> Option<String> {
    let hex = path.strip_prefix("/to/")?;
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    String::from_utf8((0..hex.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?).ok()
}

#[test]
fn every_door_is_shut_to_every_hostile_url() {
    inside("doors::each_with_every_url");
}

#[test]
#[ignore = "run by every_door_is_shut_to_every_hostile_url"]
fn each_with_every_url() {
    let net = Net::new(zone());
    let film = Media::new(3, 20_000);
    net.stage.play("media.example.net", "/film.mp4", Reply::media(&film).content_type("video/mp4"));
    for host in ["redirect.example.net", "redirect.example.org"] {
        // What is no URL may be taken for a path that follows on this page's.
        net.stage.play_below(host, "/to/", |path| {
            target(path).map_or(Reply::status(404), |url| Reply::redirect(302, &url))
        });
    }
    let pyenv = python_with("doors");
    let server = net.server(&[
        ("ENCRYPTION_KEY", KEY),
        ("CACHE_TTL", "0"),
        ("LOG", "info"),
        // Some answers of the stage are broken by a line end in a URL, and are waited for.
        ("YTDLP_TIMEOUT", "4"),
        ("PYENV_DIR", pyenv.path().to_str().unwrap()),
    ]);
    let lines = lines(server.address().port());
    // What is forbidden is there, and is seen where somebody goes to it.
    for there in ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "169.254.169.254"] {
        net.probe(SocketAddr::new(there.parse().unwrap(), 80)).unwrap();
    }
    net.probe(SocketAddr::new(OWN[1].into(), 80)).unwrap();
    net.probe(SocketAddr::new(OWN_V6.into(), 80)).unwrap();
    let mut known = net.strays().len();
    assert!(known >= 7);
    let mut failures = Vec::new();
    for door in DOORS {
        let began = Instant::now();
        let good = open(&net, &server, door);
        failures.extend((!good).then(|| format!("{door:?} is shut to what is good")));
        let (tally, wrong) = all(&server, door, &lines);
        let all_strays = net.strays();
        let strays: BTreeSet<&Attempt> = all_strays[known..].iter().collect();
        known = all_strays.len();
        println!("{door:?}: {:?}, {tally:?}, {} strays", began.elapsed(), strays.len());
        let blocked = tally.get(BLOCKED).copied().unwrap_or_default();
        let told = blocked * 3 >= lines.len() * 2;
        failures.extend((!told).then(|| format!("{door:?}: only {blocked} times {BLOCKED}")));
        failures.extend(wrong.into_iter().take(SHOWN));
        failures.extend(strays.iter().take(SHOWN).map(|it| format!("{door:?}: {it:?}")));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Whether a door is open to what is good.
fn open(net: &Net, server: &TestServer, door: Door) -> bool {
    let seen = || net.stage.seen_where(|seen| seen.host == "media.example.net").len();
    let before = seen();
    let answer = door.ask(server, GOOD);
    if answer.status != 200 {
        println!("{door:?}: {}", answer.text());
    }
    answer.status == 200 && seen() > before
}

/// Comes to a door with each line; gives how often there was which answer, and what should not have been.
fn all(server: &TestServer, door: Door, lines: &[Line]) -> (BTreeMap<String, usize>, Vec<String>) {
    let (next, found) = (AtomicUsize::new(0), Mutex::new((BTreeMap::new(), Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = door.ask(server, &line.url);
                    let is_error = answer.status >= 400;
                    let code = if is_error {
                        answer.json()["code"].as_str().unwrap().to_owned()
                    } else {
                        "ok".to_owned()
                    };
                    let said = format!("{} {code}", answer.status);
                    let fine = ERRORS.contains(&said.as_str())
                        || (!is_error
                            && (line.may_answer || door.may_leave_out(&answer) || door.ignores(line)));
                    let mut found = found.lock().unwrap();
                    *found.0.entry(said.clone()).or_default() += 1;
                    if !fine {
                        found.1.push(format!("{door:?}: {:?}: {}", line.url, answer.text()));
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}
