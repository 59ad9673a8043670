//! The only way out: whatever is fetched, by Python or for a stream, is judged, dialled and counted here.
//!
//! An [`Egress`] is a handle on all of it: an [`Outing`] for each extraction, which leaves by one of the operator's
//! egresses; the [`Guard`], through which Python's connections of that outing go; and a [`Client`] for streams, which
//! leave by the way that their page was fetched by.

mod client;
mod connector;
mod dial;
pub mod examine;
mod exchange;
mod exits;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
mod outing;
mod own;
mod pause;
mod policy;
mod pool;
#[cfg(test)]
mod properties;
mod proxy_error;
mod route;
mod socks;
mod tls;
mod trust;
mod tunnel;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use client::{Client, EgressError};
pub use connector::ConnectError;
use dial::Dialer;
pub use exchange::{BodyError, ResponseBody};
use exits::Exits;
pub use exits::{Blame, ExitStats};
pub use guard::{Desk, Guard, GuardStats};
pub use outing::{Denied, Most, Outing};
pub use policy::{Forbidden, Policy};
pub use route::{Family, Kind, Proxy, ProxyKind, Route};
pub use trust::TrustError;

/// Longest wait for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the head of a response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The same on a kept connection, which may have died in silence: after it a new one is tried.
const KEPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Least bytes that are read from a connection at a time: a TLS record (RFC 8446 §5.1), and room for a head.
pub const MIN_READ: usize = 16 << 10;

/// Settings of this room.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Ways out; none: the machine's own.
    pub exits: Vec<Kind>,
    /// Whether streams leave by the machine's own way where the site allows it.
    pub streams_direct: bool,
    /// Whether names are looked up here where a proxy could.
    pub local_dns: bool,
    /// What may be connected to.
    pub policy: Policy,
    /// PEM files of trust roots.
    pub roots: Vec<PathBuf>,
    /// Most bytes read from a connection at a time; at least [`MIN_READ`].
    pub read_buffer: usize,
}

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The trust roots can't be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The guard can't listen on loopback.
    #[error("no port on 127.0.0.1: {0}")]
    Guard(#[from] std::io::Error),
}

/// A handle on the way out. Clones share it.
#[derive(Clone)]
pub struct Egress {
    exits: Arc<Exits>,
    client: Client,
    guard: Guard,
}

impl Egress {
    /// Reads the trust roots, and lets Python's connections in; connects nowhere yet. To be called on a tokio runtime.
    pub fn new(settings: &Settings) -> Result<Self, StartError> {
        let exits = Arc::new(Exits::new(settings.exits.clone()));
        let dialer = Dialer::new(settings.policy.clone(), !settings.local_dns);
        let guard = Guard::start(dialer.clone(), CONNECT_TIMEOUT)?;
        let client = Client::new(Arc::clone(&exits), dialer, settings)?;
        Ok(Self { exits, client, guard })
    }

    /// What fetches the bytes of streams.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What Python's connections go through.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// A way out for an extraction from a site: the egress whose turn it is, and another one than that of `but`. Nothing
    /// where there is no other.
    pub fn outing(&self, site: &str, but: Option<&Outing>, most: Most) -> Option<Outing> {
        let exit = self.exits.take(site, but.map(Outing::exit))?;
        Some(Outing::new(Arc::clone(&self.exits), exit, site, most))
    }

    /// How the egresses fare, in the operator's order.
    pub fn stats(&self) -> Vec<ExitStats> {
        self.exits.stats()
    }
}
