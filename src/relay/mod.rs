//! [`Link`] → bytes: one upstream response, moved to the client through a byte-bounded channel.
//!
//! The upstream socket is not read while the client does not read, a client that leaves ends the upstream at
//! once, and a body that could not be completed never ends clean.

mod channel;
mod cookies;
mod pump;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::Response;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED};
use hyper::body::{Body as _, Incoming};

use crate::egress::Egress;
use crate::telemetry::{Metrics, StreamGuard};
use crate::ticket::Link;

pub use channel::{Broken, Receiver as StreamBody};
pub use upstream::RelayError;

/// Settings of this room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest silence of either side.
    pub idle: Duration,
    /// Most bytes between the upstream and the client's connection, per stream.
    pub buffer: usize,
}

/// Moves bytes from the CDN to clients.
pub struct Relay {
    egress: Egress,
    settings: Settings,
    metrics: Arc<Metrics>,
}

/// An upstream response whose head was good.
#[derive(Debug)]
pub struct Opened {
    response: Response<Incoming>,
    settings: Settings,
    guard: StreamGuard,
}

impl Relay {
    /// A relay that fetches by `egress`.
    pub fn new(egress: Egress, settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self { egress, settings, metrics }
    }

    /// Asks the CDN for a link's bytes and waits for the head of its answer.
    pub async fn open(&self, link: &Link) -> Result<Opened, RelayError> {
        let guard = self.metrics.stream();
        let response = upstream::fetch(&self.egress, link).await?;
        Ok(Opened { response, settings: self.settings.clone(), guard })
    }
}

impl Opened {
    /// Bytes of the body, where the CDN says so.
    pub fn length(&self) -> Option<u64> {
        self.response.body().size_hint().exact()
    }

    /// The CDN's content type.
    pub fn content_type(&self) -> Option<&str> {
        self.response.headers().get(CONTENT_TYPE)?.to_str().ok()
    }

    /// Headers that clients get as the CDN sent them.
    pub fn validators(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        [ETAG, LAST_MODIFIED]
            .into_iter()
            .filter_map(|name| self.response.headers().get(&name).map(|value| (name, value)))
            // Visible ASCII alone: what else may stand there serves nobody.
            .filter(|(_, value)| value.to_str().is_ok())
    }

    /// Starts to move the bytes. `evict` is called once if the client does not read for the longest silence:
    /// the connection is then of no use to anybody.
    pub fn into_body(self, evict: impl FnOnce() + Send + 'static) -> StreamBody {
        let length = self.length();
        let (sender, receiver) = channel::channel(self.settings.buffer, length);
        let pump = pump::Pump { length, idle: self.settings.idle, guard: self.guard };
        let span = tracing::Span::current();
        tokio::spawn(tracing::Instrument::instrument(
            pump.run(self.response.into_body(), sender, evict),
            span,
        ));
        receiver
    }
}
