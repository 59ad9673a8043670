//! Prints a token for a URL, as a server with the same `ENCRYPTION_KEY` would make it: `token URL`, for benchmarks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    unreachable_pub
)]

#[path = "support/sealed.rs"]
mod sealed;

fn main() {
    let url = std::env::args().nth(1).expect("usage: ENCRYPTION_KEY=... token URL");
    let key = std::env::var("ENCRYPTION_KEY").expect("ENCRYPTION_KEY is unset");
    println!("{}", sealed::token(&key, &url));
}
