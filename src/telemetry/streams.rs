//! Streams, as metrics.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Metrics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// How streams end.
const ENDS: [&str; 3] = ["complete", "upstream_broken", "client_gone"];
/// What comes of a renewal.
const RENEWALS: [&str; 2] = ["ok", "failed"];

#[derive(Default)]
pub(super) struct Streams {
    pub(super) open: Gauge,
    begun: Counter,
    ended: Family<Outcome, Counter>,
    bytes: Counter,
    resumes: Counter,
    renewals: Family<Outcome, Counter>,
}

impl Streams {
    pub(super) fn register(&self, registry: &mut Registry) {
        // What may happen shows before it does: a rate has to begin somewhere.
        for outcome in ENDS {
            self.ended.get_or_create(&Outcome { outcome }).inc_by(0);
        }
        for outcome in RENEWALS {
            self.renewals.get_or_create(&Outcome { outcome }).inc_by(0);
        }
        registry.register("streams", "Streams that are open, or being opened", self.open.clone());
        registry.register("streams_begun", "Streams that had a first byte to send", self.begun.clone());
        registry.register("streams_ended", "Streams that had begun, by how they ended", self.ended.clone());
        registry.register("stream_bytes", "Bytes of streams that went to clients", self.bytes.clone());
        let resumes = self.resumes.clone();
        registry.register("stream_resumes", "Times that a stream went on after its upstream broke", resumes);
        registry.register(
            "link_renewals",
            "Pages extracted again for a stream whose link was stale, by what came of it",
            self.renewals.clone(),
        );
    }
}

/// An open stream, in the metrics.
pub struct StreamGuard(Arc<Metrics>);

impl std::fmt::Debug for StreamGuard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("StreamGuard")
    }
}

impl StreamGuard {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        metrics.streams.open.inc();
        Self(metrics)
    }

    /// Counts it as begun. From here on it has an end.
    pub fn begun(&self) {
        self.0.streams.begun.inc();
    }

    /// Counts bytes on their way to the client.
    pub fn bytes(&self, bytes: u64) {
        self.0.streams.bytes.inc_by(bytes);
    }

    /// Counts a stream that goes on after its upstream broke.
    pub fn resumed(&self) {
        self.0.streams.resumes.inc();
    }

    /// Counts how the stream ended.
    pub fn ended(&self, outcome: &'static str) {
        self.0.streams.ended.get_or_create(&Outcome { outcome }).inc();
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.open.dec();
    }
}

impl Metrics {
    /// Counts a stream as open until the guard is dropped.
    pub fn stream(self: &Arc<Self>) -> StreamGuard {
        StreamGuard::new(Arc::clone(self))
    }

    /// Streams that are open.
    pub fn streams(&self) -> i64 {
        self.streams.open.get()
    }

    /// Counts an attempt to have a new link for a stream.
    pub fn link_renewed(&self, is_done: bool) {
        let [ok, failed] = RENEWALS;
        let outcome = if is_done { ok } else { failed };
        self.streams.renewals.get_or_create(&Outcome { outcome }).inc();
    }
}
