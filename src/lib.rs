//! Sluice turns the URL of a page with a video into an HTTP stream of that video.
//!
//! One process: a raw hyper server, one embedded CPython with `yt_dlp` imported once, and a relay that moves
//! bytes from the site's CDN to the client within a bound in bytes. No disk on the way, no process per request.
//!
//! ```text
//!  client ──HTTP──▶ server ─▶ api ─┬─▶ extract ──▶ worker threads ──▶ yt_dlp ──┐
//!                                  ├─▶ ticket  (seal / open)                    ├──▶ the internet
//!                                  └─▶ relay   (bytes, resumed)  ──▶ egress ────┘
//! ```
//!
//! Calls go one way: `main → server → api → {extract, relay, ticket} → egress`, and `main → check →` all of them.
//! [`playlist`] (lists of segments, for the relay) and [`captions`] are pure and call nobody. Rooms do not read the
//! environment; [`config`] does, and `main` hands each room its settings.

pub mod admission;
pub mod api;
pub mod captions;
pub mod check;
pub mod config;
pub mod confine;
pub mod egress;
pub mod extract;
pub mod playlist;
pub mod relay;
pub mod server;
mod silence;
pub mod telemetry;
pub mod ticket;
