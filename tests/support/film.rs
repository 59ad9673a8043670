//! A file at a host of the stage that a token leads to which the test made itself: the relay alone, without a page
//! and without an extraction.

use super::stage::{Media, Reply, Seen};
use super::world::{World, assert_problem, fresh_id};
use serde_json::{Value, json};
use sluice::ticket::{KeyMaterial, Sealer, Settings, Ticket};
use std::time::Duration;

/// The key of servers whose tokens tests make.
pub const KEY: &str = "the key of all tests that make tokens";

/// `ETag` of a film.
pub const ETAG: &str = "\"v1\"";
/// `Last-Modified` of a film.
pub const MODIFIED: &str = "Wed, 01 Oct 2025 10:00:00 GMT";

/// What a test makes of a reply.
pub type Change = fn(Reply) -> Reply;

/// A file on the stage, at a host of its own.
pub struct Film {
    pub media: Media,
    pub host: String,
    path: String,
    /// Path and query of its `/stream`.
    pub link: String,
}

impl World {
    /// A file with validators and ranges, but for what `change` makes of it.
    pub fn film(&self, media: &Media, change: impl FnOnce(Reply) -> Reply) -> Film {
        self.film_at(&format!("film{}.example.net", fresh_id()), media, change)
    }

    /// The same at a host that it may share with others, for tests that need more of them than connections.
    pub fn film_at(&self, host: &str, media: &Media, change: impl FnOnce(Reply) -> Reply) -> Film {
        let path = format!("/{}/film.mp4", fresh_id());
        let link = link(&json!({"url": format!("https://{host}{path}")}));
        let film = Film { media: media.clone(), host: host.to_owned(), path, link };
        film.play(self, change);
        film
    }

    /// A file whose extractor asks for pieces of `size` bytes.
    pub fn film_in_pieces(&self, media: &Media, size: u64, change: impl FnOnce(Reply) -> Reply) -> Film {
        let film = self.film(media, change);
        let url = format!("https://{}{}", film.host, film.path);
        Film { link: link(&json!({"url": url, "chunk_size": size})), ..film }
    }

    /// Blocks until no stream is open. The world is the test's own: others would keep theirs.
    pub fn wait_for_no_stream(&self) {
        self.wait_for_streams(0);
    }

    /// Blocks until `count` streams are open; panics after 30 s.
    pub fn wait_for_streams(&self, count: usize) {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        let wanted = format!("sluice_streams {count}");
        loop {
            // There is no event to wait for: the gauge is what is being tested.
            let text = self.get("/metrics").text();
            if text.lines().any(|line| line == wanted) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "no {wanted:?} in\n{text}");
        }
    }
}

impl Film {
    /// Serves it anew, but for what `change` makes of it (faults, mostly).
    pub fn play(&self, world: &World, change: impl FnOnce(Reply) -> Reply) {
        let reply =
            Reply::media(&self.media).content_type("video/mp4").etag(ETAG).last_modified(MODIFIED).no_head();
        world.stage.play(&self.host, &self.path, change(reply));
    }

    /// What the stage saw of it.
    pub fn seen(&self, world: &World) -> Vec<Seen> {
        world.stage.seen_where(|seen| self.concerns(seen))
    }

    fn concerns(&self, seen: &Seen) -> bool {
        seen.host == self.host && seen.target == self.path
    }

    /// The bytes from `from` on.
    pub fn bytes_from(&self, from: u64) -> Vec<u8> {
        self.media.bytes(from..self.media.len())
    }

    /// Blocks until `enough` holds of what the stage saw of it.
    pub fn wait_for(&self, world: &World, enough: impl Fn(&[&Seen]) -> bool) {
        world
            .stage
            .wait_for(|seen| enough(&seen.iter().filter(|seen| self.concerns(seen)).collect::<Vec<_>>()));
    }
}

/// The path and query of `/stream` for a link, sealed with [`KEY`]. Its page is one that does not exist.
fn link(link: &Value) -> String {
    let ticket: Ticket = serde_json::from_value(json!({
        "p": format!("https://www.tiktok.com/@nobody/video/{}", fresh_id()),
        "i": {"format": "only"},
        "n": "film.mp4",
        "l": link,
    }))
    .unwrap();
    let keys = vec![KeyMaterial::new(KEY.as_bytes()).unwrap()];
    let sealer = Sealer::new(&Settings { keys, ttl: Duration::from_secs(3600) }).unwrap();
    format!("/stream?data={}", sealer.seal(&ticket).unwrap().unwrap())
}

/// Checks that a body was cut off, visibly, and that what came of it is the beginning of the film's part. How much
/// of it came is left open: what the server had not sent yet when it gave up is lost.
#[track_caller]
pub fn assert_cut_off(answer: &super::client::Answer, part: &[u8], what: &str) {
    if answer.status >= 400 {
        // Nothing had been sent yet, so it could still be said in words.
        assert_problem(answer, 502, "upstream_error");
        return;
    }
    assert!(matches!(answer.status, 200 | 206), "{what}: {}", answer.status);
    assert!(!answer.complete(), "{what}: {} bytes and a clean end", answer.body.len());
    assert!(part.starts_with(&answer.body), "{what}: wrong bytes among {}", answer.body.len());
}
