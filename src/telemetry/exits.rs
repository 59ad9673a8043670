//! The ways out and the guard, as metrics.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    egress: String,
}

/// How one way out fares. The counts are from the process's start on.
#[derive(Debug, Clone, Default)]
pub struct EgressSample {
    /// Its name, without credentials.
    pub name: String,
    /// Extractions under way by it.
    pub under_way: usize,
    /// Extractions begun by it.
    pub extractions: u64,
    /// Times that a site has blocked it.
    pub blocked: u64,
    /// Times that it did not work.
    pub broken: u64,
    /// Sites that it is kept from at present.
    pub cooling: usize,
    /// Whether it does not work at present.
    pub failing: bool,
}

/// What has gone through the guard.
#[derive(Debug, Clone, Copy, Default)]
pub struct GuardSample {
    /// Connections that were made.
    pub dials: u64,
    /// Connections that were not.
    pub refused: u64,
    /// Bytes in both directions.
    pub bytes: u64,
}

#[derive(Default)]
pub(super) struct Exits {
    extractions: Family<Label, Counter>,
    blocked: Family<Label, Counter>,
    broken: Family<Label, Counter>,
    under_way: Family<Label, Gauge>,
    cooling: Family<Label, Gauge>,
    failing: Family<Label, Gauge>,
    dials: Counter,
    refused: Counter,
    bytes: Counter,
}

impl Exits {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("egress_extractions", "Extractions begun, by way out", self.extractions.clone());
        registry.register("egress_blocked", "Times that a site blocked a way out", self.blocked.clone());
        registry.register("egress_broken", "Times that a way out did not work", self.broken.clone());
        registry.register("egress_under_way", "Extractions under way, by way out", self.under_way.clone());
        registry.register("egress_cooling", "Sites that a way out is kept from", self.cooling.clone());
        registry.register("egress_failing", "1 where a way out does not work", self.failing.clone());
        registry.register("guard_dials", "Connections made for extractions", self.dials.clone());
        registry.register(
            "guard_refused",
            "Connections of extractions that were not made",
            self.refused.clone(),
        );
        registry.register("guard_bytes", "Bytes of extractions, in both directions", self.bytes.clone());
    }

    pub(super) fn set(&self, egress: &[EgressSample], guard: GuardSample) {
        for sample in egress {
            let label = Label { egress: sample.name.clone() };
            advance(&self.extractions.get_or_create(&label), sample.extractions);
            advance(&self.blocked.get_or_create(&label), sample.blocked);
            advance(&self.broken.get_or_create(&label), sample.broken);
            let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
            self.under_way.get_or_create(&label).set(gauge(sample.under_way));
            self.cooling.get_or_create(&label).set(gauge(sample.cooling));
            self.failing.get_or_create(&label).set(i64::from(sample.failing));
        }
        advance(&self.dials, guard.dials);
        advance(&self.refused, guard.refused);
        advance(&self.bytes, guard.bytes);
    }
}

/// Brings a counter to what somebody else has counted.
pub(super) fn advance(counter: &Counter, to: u64) {
    // Others may be at it, too.
    counter.inner().fetch_max(to, Ordering::Relaxed);
}
