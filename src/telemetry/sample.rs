//! What somebody else can tell at any time (workers, helpers, the cache), and the metrics that are set from it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::exits::{EgressSample, Exits, GuardSample, advance};

/// What [`Metrics::text`](super::Metrics::text) shows beside the counters.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Extraction threads.
    pub workers: usize,
    /// Those that run a job.
    pub busy: usize,
    /// Those beside them whose job does not end.
    pub stuck: usize,
    /// Extractions waiting.
    pub queued: usize,
    /// What is known of pages.
    pub cache: CacheSample,
    /// Helpers for pages of any host.
    pub quarantine: QuarantineSample,
    /// Longest wait for Python's lock.
    pub lock_hold: Duration,
    /// Ways out.
    pub egress: Vec<EgressSample>,
    /// Connections of extractions.
    pub guard: GuardSample,
    /// Bytes of bodies that have come from CDNs since the process's start.
    pub upstream_bytes: u64,
}

/// What is known of pages.
#[derive(Debug, Clone, Copy, Default)]
pub struct CacheSample {
    /// Pages.
    pub entries: u64,
    /// What they count for within `CACHE_BYTES`.
    pub bytes: u64,
}

/// Helpers for pages of any host.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuarantineSample {
    /// Processes.
    pub helpers: usize,
    /// Those that have a job.
    pub busy: usize,
    /// Jobs that wait for one.
    pub queued: usize,
}

/// The metrics of a [`Sample`].
#[derive(Default)]
pub(super) struct Sampled {
    workers: Gauge,
    workers_busy: Gauge,
    workers_stuck: Gauge,
    queue: Gauge,
    cache_entries: Gauge,
    cache_bytes: Gauge,
    helpers: Gauge,
    helpers_busy: Gauge,
    helpers_queue: Gauge,
    lock_hold: Gauge<f64, AtomicU64>,
    exits: Exits,
    upstream_bytes: Counter,
}

impl Sampled {
    pub(super) fn register(&self, registry: &mut Registry) {
        let mut gauge = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("workers", "Extraction threads", &self.workers);
        gauge("workers_busy", "Extraction threads with a job", &self.workers_busy);
        gauge("workers_stuck", "Extraction threads given up", &self.workers_stuck);
        gauge("queue_length", "Extractions that wait", &self.queue);
        gauge("cache_entries", "Pages that are known", &self.cache_entries);
        gauge("cache_bytes", "Bytes of pages that are known, as CACHE_BYTES counts them", &self.cache_bytes);
        gauge("quarantine_helpers", "Helpers for pages of any host", &self.helpers);
        gauge("quarantine_helpers_busy", "Helpers for pages of any host with a job", &self.helpers_busy);
        gauge("quarantine_queue_length", "Pages that wait for a helper", &self.helpers_queue);
        let hold = self.lock_hold.clone();
        registry.register("python_lock_longest_seconds", "Longest wait for Python's lock so far", hold);
        self.exits.register(registry);
        let bytes = self.upstream_bytes.clone();
        registry.register("upstream_bytes", "Bytes of streams that came from CDNs", bytes);
    }

    /// Sets them all.
    pub(super) fn set(&self, sample: &Sample) {
        let gauge = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&self.workers, sample.workers as u64);
        gauge(&self.workers_busy, sample.busy as u64);
        gauge(&self.workers_stuck, sample.stuck as u64);
        gauge(&self.queue, sample.queued as u64);
        gauge(&self.cache_entries, sample.cache.entries);
        gauge(&self.cache_bytes, sample.cache.bytes);
        gauge(&self.helpers, sample.quarantine.helpers as u64);
        gauge(&self.helpers_busy, sample.quarantine.busy as u64);
        gauge(&self.helpers_queue, sample.quarantine.queued as u64);
        self.lock_hold.set(sample.lock_hold.as_secs_f64());
        self.exits.set(&sample.egress, sample.guard);
        advance(&self.upstream_bytes, sample.upstream_bytes);
    }
}
