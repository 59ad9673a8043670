//! Extractions, the cache and the queue before them, as metrics.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::Metrics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ending {
    extractor: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lookup {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exceeded {
    limit: &'static str,
}

/// Upper bounds of the buckets of waits and extractions, in seconds. `YTDLP_TIMEOUT` is 30 s, unless it is set.
const BUCKETS: [f64; 13] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0];

/// Most extractors that are told apart: each takes a histogram for each of its outcomes, and yt-dlp has 1,800.
const MAX_EXTRACTORS: usize = 100;

/// Those that came after [`MAX_EXTRACTORS`].
const OTHER: &str = "(other)";
/// That of a page which was refused, or took too long, before its extractor was known here.
const UNKNOWN: &str = "(unknown)";

#[derive(Clone, Copy)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// What became of a look at what is known of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheLookup {
    /// It was known.
    Hit,
    /// It was being extracted for somebody else.
    Joined,
    /// It had to be extracted.
    Miss,
}

impl CacheLookup {
    const ALL: [Self; 3] = [Self::Hit, Self::Joined, Self::Miss];

    fn label(self) -> Lookup {
        let result = match self {
            Self::Hit => "hit",
            Self::Joined => "joined",
            Self::Miss => "miss",
        };
        Lookup { result }
    }
}

pub(super) struct Extractions {
    seconds: Family<Ending, Histogram, Buckets>,
    /// Those that are told apart.
    named: Mutex<HashSet<String>>,
    waits: Histogram,
    lookups: Family<Lookup, Counter>,
    limits_exceeded: Family<Exceeded, Counter>,
}

impl Default for Extractions {
    fn default() -> Self {
        Self {
            seconds: Family::new_with_constructor(Buckets),
            named: Mutex::default(),
            waits: Histogram::new(BUCKETS),
            lookups: Family::default(),
            limits_exceeded: Family::default(),
        }
    }
}

impl Extractions {
    pub(super) fn register(&self, registry: &mut Registry) {
        let seconds = self.seconds.clone();
        registry.register("extraction_seconds", "Time of an extraction, its wait included", seconds);
        registry.register("queue_wait_seconds", "Time before a worker took a job", self.waits.clone());
        // All of them from the start on: a rate has to begin somewhere.
        for lookup in CacheLookup::ALL {
            self.lookups.get_or_create(&lookup.label()).inc_by(0);
        }
        let lookups = self.lookups.clone();
        registry.register("cache_lookups", "Pages asked for, by whether they were known", lookups);
        let exceeded = self.limits_exceeded.clone();
        registry.register("limits_exceeded", "Extractions that ended at a limit, by limit", exceeded);
    }

    fn label(&self, extractor: Option<&str>) -> String {
        let Some(name) = extractor else { return UNKNOWN.to_owned() };
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < MAX_EXTRACTORS && !named.contains(name) {
            named.insert(name.to_owned());
        }
        if named.contains(name) { name.to_owned() } else { OTHER.to_owned() }
    }
}

impl Metrics {
    /// Counts an extraction by the key of yt-dlp's extractor, where that is known, and by `ok` or an error's code.
    pub fn extraction(&self, extractor: Option<&str>, outcome: &'static str, took: Duration) {
        let ending = Ending { extractor: self.extractions.label(extractor), outcome };
        self.extractions.seconds.get_or_create(&ending).observe(took.as_secs_f64());
    }

    /// Counts how long a job waited for a worker.
    pub fn job_waited(&self, time: Duration) {
        self.extractions.waits.observe(time.as_secs_f64());
    }

    /// Counts a look at what is known of a page.
    pub fn cache_looked_up(&self, lookup: CacheLookup) {
        self.extractions.lookups.get_or_create(&lookup.label()).inc();
    }

    /// Shows a limit before anything ends at it: a rate has to begin somewhere.
    pub fn may_exceed(&self, limit: &'static str) {
        self.extractions.limits_exceeded.get_or_create(&Exceeded { limit }).inc_by(0);
    }

    /// Counts an extraction that ended at a limit.
    pub fn limit_exceeded(&self, limit: &'static str) {
        self.extractions.limits_exceeded.get_or_create(&Exceeded { limit }).inc();
    }

    /// Extractions that ended at a limit.
    pub fn limits_exceeded(&self, limit: &'static str) -> u64 {
        self.extractions.limits_exceeded.get_or_create(&Exceeded { limit }).get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extractors_beyond_the_bound_are_counted_together() {
        let extractions = Extractions::default();
        for number in 0..MAX_EXTRACTORS {
            assert_eq!(extractions.label(Some(&number.to_string())), number.to_string());
        }
        assert_eq!(extractions.label(Some("more")), OTHER);
        assert_eq!(extractions.label(Some("7")), "7");
        assert_eq!(extractions.label(None), UNKNOWN);
    }
}
