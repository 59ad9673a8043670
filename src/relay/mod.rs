//! [`Origin`] → bytes: ranges, resumption, and the limits of a stream.
//!
//! The upstream socket is not read while the client does not read, a client that leaves ends the upstream at
//! once, an upstream that breaks is asked again for the bytes that are missing, and a body that could not be
//! completed never ends clean.

mod ahead;
mod budget;
mod container;
mod content;
mod cookies;
mod entity;
mod error;
mod failure;
mod feed;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod listed;
mod lists;
mod load;
mod open;
mod part;
mod piece;
#[cfg(test)]
mod properties;
mod range;
mod reach;
mod resume;
mod segments;
mod source;
mod stream;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::egress::Client;
use crate::playlist::Limits;
use crate::telemetry::Metrics;

pub use container::Container;
pub use content::{Content, List, Listing};
pub use entity::Entity;
pub use error::RelayError;
pub use open::{Opened, Sent, Wanted};
pub use segments::Held;
pub use source::{Origin, Renew};
pub use stream::{Broken, StreamBody};

/// Most bytes that are read and thrown away to get at those that are wanted, where the CDN serves no ranges.
const MAX_SKIP: u64 = 1 << 20;

/// Settings of this room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest silence of an upstream.
    pub idle: Duration,
    /// Most bytes that were taken from the upstream and are not yet with the client's socket, per stream.
    pub buffer: usize,
    /// Most bytes that one read takes from the upstream: a part of `buffer`.
    pub read: usize,
    /// Most streams at a time.
    pub max_streams: usize,
    /// Of a list of segments.
    pub playlists: Limits,
    /// Memory of all lists of segments together, in bytes; at least twice the longest.
    pub lists: usize,
}

/// Moves bytes from the CDN to clients.
pub struct Relay {
    client: Client,
    settings: Settings,
    metrics: Arc<Metrics>,
    renew: Renew,
    /// A permit per stream.
    streams: Arc<Semaphore>,
    /// A permit per KiB of lists.
    lists: Arc<Semaphore>,
}

impl Relay {
    /// A relay that fetches by `client`, and has stale links renewed by `renew`.
    pub fn new(client: Client, settings: Settings, metrics: Arc<Metrics>, renew: Renew) -> Self {
        let streams = Arc::new(Semaphore::new(settings.max_streams));
        // The longest playlist, and what it is read to, must find room.
        let lists = settings.lists.max(2 * settings.playlists.bytes) >> 10;
        let lists = Arc::new(Semaphore::new(lists));
        Self { client, settings, metrics, renew, streams, lists }
    }

    /// Bytes of bodies that have come from CDNs so far.
    pub fn received_bytes(&self) -> u64 {
        self.client.received_bytes()
    }
}
