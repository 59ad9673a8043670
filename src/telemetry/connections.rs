//! Clients' connections, as metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why a connection was closed as soon as it was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its address has as many as it may.
    Address,
    /// There are as many as there may be, and all have requests under way.
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl Refusal {
    fn label(self) -> Reason {
        let reason = match self {
            Self::Address => "address",
            Self::Full => "full",
        };
        Reason { reason }
    }
}

/// Counts clients' connections.
#[derive(Default)]
pub struct Connections {
    open: Gauge,
    refused: Family<Reason, Counter>,
    for_room: Counter,
}

impl Connections {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("connections", "Connections of clients", self.open.clone());
        for refusal in [Refusal::Address, Refusal::Full] {
            self.refused.get_or_create(&refusal.label()).inc_by(0);
        }
        let refused = self.refused.clone();
        registry.register("connections_refused", "Connections closed as they came, by why", refused);
        registry.register(
            "connections_closed_for_room",
            "Connections that waited for a request, closed for new ones",
            self.for_room.clone(),
        );
    }

    /// Counts one more.
    pub fn opened(&self) {
        self.open.inc();
    }

    /// Counts one less.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// Counts one that was not let in.
    pub fn refused(&self, refusal: Refusal) {
        self.refused.get_or_create(&refusal.label()).inc();
    }

    /// Counts one that was closed for the sake of a new one.
    pub fn closed_for_room(&self) {
        self.for_room.inc();
    }
}
