//! One stage and one server that most tests share, ids so that they don't disturb each other, and what tests of
//! several subjects ask.

use super::client::{self, Answer};
use super::film::KEY;
use super::server::TestServer;
use super::stage::tiktok::{TikTok, Video};
use super::stage::{Reply, Stage};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A server and its internet.
pub struct World {
    pub stage: Stage,
    pub server: TestServer,
}

static SHARED: LazyLock<World> = LazyLock::new(|| World::keyed(&[]));

/// The shared one, started by whoever asks first.
pub fn world() -> &'static World {
    &SHARED
}

/// The id of a post that no other test has.
pub fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(7_301_000_000_000_000_000);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A post of its own for a test.
pub fn post() -> TikTok {
    TikTok::video(&fresh_id())
}

/// Puts a page on a stage in which no extractor finds anything, and gives its address.
pub fn empty_page(stage: &Stage) -> String {
    let host = format!("empty-{}.example.net", fresh_id());
    stage.play(&host, "/", Reply::html("<!DOCTYPE html><html><body>No film.</body></html>"));
    format!("https://{host}/")
}

impl World {
    /// A stage and a server of one's own, with these settings.
    pub fn with(settings: &[(&str, &str)]) -> World {
        let stage = Stage::start();
        let server = TestServer::with_stage(&stage, settings);
        World { stage, server }
    }

    /// The same; its server opens the tokens of [`World::film`].
    pub fn keyed(settings: &[(&str, &str)]) -> World {
        let mut all = vec![("ENCRYPTION_KEY", KEY)];
        all.extend_from_slice(settings);
        World::with(&all)
    }

    /// The same, under a soft and a hard limit of open files.
    pub fn with_files(settings: &[(&str, &str)], soft: u64, hard: u64) -> World {
        let stage = Stage::start();
        let mut all = vec![("ENCRYPTION_KEY", KEY)];
        all.extend_from_slice(settings);
        let server = TestServer::with_files(&stage, &all, soft, hard);
        World { stage, server }
    }

    /// `GET` of a path on the server.
    pub fn get(&self, path: &str) -> Answer {
        client::get(&self.server.url(path))
    }

    /// `POST` of a JSON body to a path on the server.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        client::post_json(&self.server.url(path), body)
    }

    /// The `Extraction` of a page that has one.
    pub fn extract(&self, page: &str) -> Value {
        let answer = self.post("/extract", &json!({"url": page}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The token of one of a post's formats.
    pub fn token(&self, video: &Video, format_id: &str) -> String {
        token(&self.extract(video.page_url()), format_id)
    }

    /// The path and query of `/stream?data=` for one of a post's formats.
    pub fn stream_path(&self, video: &Video, format_id: &str) -> String {
        format!("/stream?data={}", self.token(video, format_id))
    }
}

/// The token of a format of an `Extraction`.
pub fn token(extraction: &Value, format_id: &str) -> String {
    format(extraction, format_id)["token"].as_str().unwrap().to_owned()
}

/// The entry of an `Extraction` with that `format_id`.
pub fn format<'a>(extraction: &'a Value, format_id: &str) -> &'a Value {
    let formats = extraction["formats"].as_array().unwrap();
    formats.iter().find(|format| format["format_id"] == format_id).unwrap()
}

/// Checks that an answer is the problem of that status and code in the contract's shape.
#[track_caller]
pub fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{text}");
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{text}");
    assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{text}");
    assert!(answer.complete(), "{text}");
    let problem = answer.json();
    assert_eq!(problem["code"], code, "{text}");
    assert_eq!(problem["status"], status, "{text}");
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|value| !value.is_empty()), "{field} in {text}");
    }
    assert_discreet(&text);
}

/// Checks that an answer is the error of that status and code in the shape of `/tiktok`.
#[track_caller]
pub fn assert_seed_error(answer: &Answer, status: u16, code: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{text}");
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{text}");
    let error = answer.json();
    assert_eq!((&error["code"], &error["status"]), (&json!(status), &json!("error")), "{text}");
    assert_eq!(error["error"], code, "{text}");
    for field in ["message", "detail"] {
        assert!(error[field].as_str().is_some_and(|value| !value.is_empty()), "{field} in {text}");
    }
    assert_discreet(&text);
}

/// Messages carry no path, address, cookie or traceback.
#[track_caller]
fn assert_discreet(text: &str) {
    for secret in
        ["Traceback", "site-packages", "127.0.0.1", "tt_chain_token", "chain0", "chain6", ".py", "/tmp/"]
    {
        assert!(!text.contains(secret), "{secret:?} in {text}");
    }
}
