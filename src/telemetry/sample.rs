//! What somebody else can tell at any time (workers, helpers, memory), and the gauges that are set from it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::exits::{EgressSample, Exits, GuardSample};

/// What [`Metrics::text`](super::Metrics::text) shows beside the counters.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Extraction threads.
    pub workers: usize,
    /// Those that run a job.
    pub busy: usize,
    /// Those beside them whose job does not end.
    pub stuck: usize,
    /// Extractions waiting.
    pub queued: usize,
    /// Helpers for pages of any host.
    pub quarantine: QuarantineSample,
    /// Longest wait for Python's lock.
    pub lock_hold: Duration,
    /// Ways out.
    pub egress: Vec<EgressSample>,
    /// Connections of extractions.
    pub guard: GuardSample,
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

/// The gauges of a [`Sample`] and of the process's memory and open files.
#[derive(Default)]
pub(super) struct Sampled {
    pub(super) workers: Gauge,
    pub(super) workers_busy: Gauge,
    pub(super) workers_stuck: Gauge,
    pub(super) queue: Gauge,
    pub(super) helpers: Gauge,
    pub(super) helpers_busy: Gauge,
    pub(super) helpers_queue: Gauge,
    pub(super) lock_hold: Gauge<f64, AtomicU64>,
    pub(super) exits: Exits,
    pub(super) resident: Gauge,
    pub(super) open_files: Gauge,
}

impl Sampled {
    /// Sets them all.
    pub(super) fn set(&self, sample: &Sample) {
        let gauge = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&self.workers, sample.workers as u64);
        gauge(&self.workers_busy, sample.busy as u64);
        gauge(&self.workers_stuck, sample.stuck as u64);
        gauge(&self.queue, sample.queued as u64);
        gauge(&self.helpers, sample.quarantine.helpers as u64);
        gauge(&self.helpers_busy, sample.quarantine.busy as u64);
        gauge(&self.helpers_queue, sample.quarantine.queued as u64);
        self.lock_hold.set(sample.lock_hold.as_secs_f64());
        self.exits.set(&sample.egress, sample.guard);
        gauge(&self.resident, resident_bytes().unwrap_or(0));
        gauge(&self.open_files, open_files().unwrap_or(0));
    }
}

/// Resident memory of this process in bytes (proc(5), `status`, `VmRSS`).
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Open file descriptors of this process.
pub fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_process() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(open_files().is_some_and(|files| files > 2));
    }
}
