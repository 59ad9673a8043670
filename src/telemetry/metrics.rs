//! Counters, and all of the metrics as text.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::connections::Connections;
use super::extractions::Extractions;
use super::process::Process;
use super::sample::{Sample, Sampled};
use super::streams::Streams;
use super::text;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabel {
    key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
    python: String,
    yt_dlp: String,
}

/// Why a helper for pages of any host is no more: killed at its job's deadline, gone by itself or by somebody else's
/// doing, killed for what it sent, not started, too large after its job, not needed.
const HELPER_ENDS: [&str; 6] = ["deadline", "died", "protocol", "start", "memory", "idle"];

/// Counters and gauges of the process. The gauges that somebody else can tell at any time (workers, memory)
/// are set when they are read: see [`Sample`].
#[derive(Default)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    pub(super) extractions: Extractions,
    pub(super) streams: Streams,
    quarantine_ended: Family<Reason, Counter>,
    lock_breaks: Counter,
    refused: Family<Reason, Counter>,
    key_requests: Family<KeyLabel, Counter>,
    key_bytes: Family<KeyLabel, Counter>,
    connections: Connections,
    build: Family<Build, Gauge>,
    sampled: Sampled,
    process: Process,
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("build_info", "1, with the versions of what runs", self.build.clone());
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register("refused", "Requests of clients that may not, by why", self.refused.clone());
        registry.register("key_requests", "Requests by the name of their key", self.key_requests.clone());
        registry.register("key_bytes", "Bytes of answers by the name of their key", self.key_bytes.clone());
        self.extractions.register(registry);
        self.streams.register(registry);
        for reason in HELPER_ENDS {
            self.quarantine_ended.get_or_create(&Reason { reason }).inc_by(0);
        }
        let ended = self.quarantine_ended.clone();
        registry.register(
            "quarantine_ended",
            "Helpers for pages of any host that are no more, by why",
            ended,
        );
        let breaks = self.lock_breaks.clone();
        registry.register("python_lock_breaks", "Times that what held Python's lock was broken off", breaks);
        self.sampled.register(registry);
        self.connections.register(registry);
    }

    /// Says what runs.
    pub fn built(&self, python: &str, yt_dlp: &str) {
        let (python, yt_dlp) = (python.to_owned(), yt_dlp.to_owned());
        self.build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION"), python, yt_dlp }).set(1);
    }

    /// Counts an answer.
    pub fn request(&self, route: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
    }

    /// Shows a reason before anybody is refused for it: a rate has to begin somewhere.
    pub fn may_refuse(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc_by(0);
    }

    /// Counts a request of a client that may not.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    /// Counts a request with a key, and the bytes of its answer.
    pub fn key_served(&self, name: &Arc<str>, bytes: u64) {
        let label = KeyLabel { key: name.to_string() };
        self.key_requests.get_or_create(&label).inc();
        self.key_bytes.get_or_create(&label).inc_by(bytes);
    }

    /// Counts a helper for pages of any host that is no more.
    pub fn helper_ended(&self, reason: &'static str) {
        self.quarantine_ended.get_or_create(&Reason { reason }).inc();
    }

    /// Counts a break of what held Python's lock.
    pub fn lock_broken(&self) {
        self.lock_breaks.inc();
    }

    /// How often that was done.
    pub fn lock_breaks(&self) -> u64 {
        self.lock_breaks.get()
    }

    /// How many helpers ended for each of these reasons, if any did.
    pub fn helpers_ended(&self) -> BTreeMap<&'static str, u64> {
        let count = |reason| (reason, self.quarantine_ended.get_or_create(&Reason { reason }).get());
        HELPER_ENDS.map(count).into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Clients' connections.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// All of it as Prometheus's text (0.0.4).
    pub fn text(&self, sample: &Sample) -> Result<String, std::fmt::Error> {
        self.sampled.set(sample);
        self.process.set();
        let mut registry = Registry::default();
        self.register(registry.sub_registry_with_prefix("sluice"));
        self.process.register(&mut registry);
        let mut open = String::new();
        encode(&mut open, &registry)?;
        Ok(text::prometheus(&open))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{EgressSample, GuardSample, QuarantineSample};
    use super::*;

    #[test]
    fn a_stream_counts_until_its_guard_is_dropped() {
        let metrics = Arc::new(Metrics::default());
        let guard = metrics.stream();
        guard.begun();
        guard.bytes(5);
        guard.ended("complete");
        let quarantine = QuarantineSample { helpers: 2, busy: 1, queued: 0 };
        let lock_hold = Duration::from_millis(1500);
        let egress =
            vec![EgressSample { name: "11.0.0.2".into(), extractions: 7, cooling: 1, ..Default::default() }];
        let through = GuardSample { dials: 9, ..GuardSample::default() };
        let sample = Sample {
            workers: 3,
            busy: 2,
            stuck: 0,
            queued: 1,
            quarantine,
            lock_hold,
            egress,
            guard: through,
            ..Sample::default()
        };
        let text = metrics.text(&sample).unwrap();
        for line in [
            "sluice_streams 1",
            "sluice_streams_begun_total 1",
            "sluice_stream_bytes_total 5",
            "sluice_streams_ended_total{outcome=\"complete\"} 1",
            "sluice_workers 3",
            "sluice_workers_busy 2",
            "sluice_queue_length 1",
            "sluice_quarantine_helpers 2",
            "sluice_python_lock_longest_seconds 1.5",
            "sluice_egress_extractions_total{egress=\"11.0.0.2\"} 7",
            "sluice_egress_cooling{egress=\"11.0.0.2\"} 1",
            "sluice_guard_dials_total 9",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        drop(guard);
        let text = metrics.text(&sample).unwrap();
        assert!(text.contains("sluice_streams 0\n"));
        assert!(text.contains("sluice_guard_dials_total 9\n"), "{text}");
    }
}
