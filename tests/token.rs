//! Prints a token for a URL, as a server with the same `ENCRYPTION_KEY` would make it: `token URL`, for benchmarks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs
)]

use serde_json::json;
use sluice::ticket::{KeyMaterial, Sealer, Settings, Ticket};
use std::time::Duration;

/// How long the token opens.
const TTL: Duration = Duration::from_secs(6 * 3600);

fn main() {
    let url = std::env::args().nth(1).expect("usage: ENCRYPTION_KEY=... token URL");
    let key = std::env::var("ENCRYPTION_KEY").expect("ENCRYPTION_KEY is unset");
    let keys = vec![KeyMaterial::new(key.as_bytes()).expect("ENCRYPTION_KEY is no key")];
    let sealer = Sealer::new(&Settings { keys, ttl: TTL }).unwrap();
    // As JSON, in which a field that is new may be left out.
    let ticket: Ticket = serde_json::from_value(json!({
        "p": "https://page.example/",
        "i": { "format": "0" },
        "n": "video.mp4",
        "l": { "url": url }
    }))
    .unwrap();
    println!("{}", sealer.seal(&ticket).unwrap().expect("the URL is too long for a token"));
}
