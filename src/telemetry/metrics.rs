//! Counters, and all of the metrics as text.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::connections::Connections;
use super::sample::{Sample, Sampled};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exceeded {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabel {
    key: String,
}

/// Upper bounds of the extraction time's buckets in seconds.
const EXTRACTION_BUCKETS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Why a helper for pages of any host is no more: killed at its job's deadline, gone by itself or by somebody else's
/// doing, killed for what it sent, not started, too large after its job, not needed.
const HELPER_ENDS: [&str; 6] = ["deadline", "died", "protocol", "start", "memory", "idle"];

/// Counters and gauges of the process. The gauges that somebody else can tell at any time (workers, memory)
/// are set when they are read: see [`Sample`].
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    extractions: Family<Outcome, Counter>,
    extraction_seconds: Histogram,
    extractions_found: Family<Found, Counter>,
    limits_exceeded: Family<Exceeded, Counter>,
    streams: Gauge,
    streams_ended: Family<Outcome, Counter>,
    stream_bytes: Counter,
    stream_resumes: Counter,
    quarantine_ended: Family<Reason, Counter>,
    lock_breaks: Counter,
    refused: Family<Reason, Counter>,
    key_requests: Family<KeyLabel, Counter>,
    key_bytes: Family<KeyLabel, Counter>,
    connections: Connections,
    sampled: Sampled,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("sluice"),
            requests: Family::default(),
            extractions: Family::default(),
            extraction_seconds: Histogram::new(EXTRACTION_BUCKETS),
            extractions_found: Family::default(),
            limits_exceeded: Family::default(),
            streams: Gauge::default(),
            streams_ended: Family::default(),
            stream_bytes: Counter::default(),
            stream_resumes: Counter::default(),
            quarantine_ended: Family::default(),
            lock_breaks: Counter::default(),
            refused: Family::default(),
            key_requests: Family::default(),
            key_bytes: Family::default(),
            connections: Connections::default(),
            sampled: Sampled::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let mut registry = std::mem::take(&mut self.registry);
        let sampled = &self.sampled;
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register("extractions", "Extractions by outcome", self.extractions.clone());
        registry.register("extraction_seconds", "Time of an extraction", self.extraction_seconds.clone());
        registry.register(
            "extractions_found",
            "Pages that were known, or being extracted, when they were asked for",
            self.extractions_found.clone(),
        );
        registry.register(
            "limits_exceeded",
            "Extractions that ended at a limit, by limit",
            self.limits_exceeded.clone(),
        );
        registry.register("streams", "Streams that are open", self.streams.clone());
        registry.register("streams_ended", "Streams by how they ended", self.streams_ended.clone());
        registry.register("stream_bytes", "Bytes of streams that went to clients", self.stream_bytes.clone());
        registry.register(
            "stream_resumes",
            "Upstreams that broke in mid-stream",
            self.stream_resumes.clone(),
        );
        registry.register(
            "quarantine_ended",
            "Helpers for pages of any host that are no more, by why",
            self.quarantine_ended.clone(),
        );
        let (helpers, busy) = (sampled.helpers.clone(), sampled.helpers_busy.clone());
        registry.register("quarantine_helpers", "Helpers for pages of any host", helpers);
        registry.register("quarantine_helpers_busy", "Those of them with a job", busy);
        registry.register("quarantine_queue", "Pages that wait for a helper", sampled.helpers_queue.clone());
        registry.register("refused", "Requests of clients that may not, by why", self.refused.clone());
        registry.register("key_requests", "Requests by the name of their key", self.key_requests.clone());
        registry.register("key_bytes", "Bytes of answers by the name of their key", self.key_bytes.clone());
        let breaks = self.lock_breaks.clone();
        registry.register("python_lock_breaks", "Times that what held Python's lock was broken off", breaks);
        let hold = sampled.lock_hold.clone();
        registry.register("python_lock_longest_seconds", "Longest wait for Python's lock so far", hold);
        registry.register("workers", "Extraction threads", sampled.workers.clone());
        registry.register("workers_busy", "Extraction threads with a job", sampled.workers_busy.clone());
        registry.register("workers_stuck", "Extraction threads given up", sampled.workers_stuck.clone());
        registry.register("queue", "Extractions that wait", sampled.queue.clone());
        sampled.exits.register(&mut registry);
        self.connections.register(&mut registry);
        registry.register("resident_bytes", "Resident memory", sampled.resident.clone());
        registry.register("open_files", "Open file descriptors", sampled.open_files.clone());
        self.registry = registry;
        self
    }

    /// Counts an answer.
    pub fn request(&self, route: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
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

    /// Counts an extraction; `failure` names what went wrong, if something did.
    pub fn extraction(&self, failure: Option<&'static str>, took: Duration) {
        let outcome = Outcome { outcome: failure.unwrap_or("ok") };
        self.extractions.get_or_create(&outcome).inc();
        self.extraction_seconds.observe(took.as_secs_f64());
    }

    /// Counts a page that needed no extraction of its own, by where it was found.
    pub fn extraction_found(&self, by: &'static str) {
        self.extractions_found.get_or_create(&Found { by }).inc();
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

    /// Counts an extraction that ended at a limit.
    pub fn limit_exceeded(&self, limit: &'static str) {
        self.limits_exceeded.get_or_create(&Exceeded { limit }).inc();
    }

    /// Extractions that ended at a limit.
    pub fn limits_exceeded(&self, limit: &'static str) -> u64 {
        self.limits_exceeded.get_or_create(&Exceeded { limit }).get()
    }

    /// Counts a stream as open until the guard is dropped.
    pub fn stream(self: &Arc<Self>) -> StreamGuard {
        self.streams.inc();
        StreamGuard(Arc::clone(self))
    }

    /// Streams that are open.
    pub fn streams(&self) -> i64 {
        self.streams.get()
    }

    /// All of it as Prometheus's text (OpenMetrics 1.0).
    pub fn text(&self, sample: Sample) -> Result<String, std::fmt::Error> {
        self.sampled.set(&sample);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
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
    /// Counts bytes on their way to the client.
    pub fn bytes(&self, bytes: u64) {
        self.0.stream_bytes.inc_by(bytes);
    }

    /// Counts an upstream that broke while the client was reading.
    pub fn resumed(&self) {
        self.0.stream_resumes.inc();
    }

    /// Counts how the stream ended.
    pub fn ended(&self, outcome: &'static str) {
        self.0.streams_ended.get_or_create(&Outcome { outcome }).inc();
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EgressSample, GuardSample, QuarantineSample};
    use super::*;

    #[test]
    fn a_stream_counts_until_its_guard_is_dropped() {
        let metrics = Arc::new(Metrics::default());
        let guard = metrics.stream();
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
        };
        let text = metrics.text(sample.clone()).unwrap();
        for line in [
            "sluice_streams 1",
            "sluice_stream_bytes_total 5",
            "sluice_streams_ended_total{outcome=\"complete\"} 1",
            "sluice_workers 3",
            "sluice_workers_busy 2",
            "sluice_queue 1",
            "sluice_quarantine_helpers 2",
            "sluice_python_lock_longest_seconds 1.5",
            "sluice_egress_extractions_total{egress=\"11.0.0.2\"} 7",
            "sluice_egress_cooling{egress=\"11.0.0.2\"} 1",
            "sluice_guard_dials_total 9",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        drop(guard);
        let text = metrics.text(sample).unwrap();
        assert!(text.contains("sluice_streams 0\n"));
        assert!(text.contains("sluice_guard_dials_total 9\n"), "{text}");
    }
}
