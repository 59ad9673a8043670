//! One connection among all: whether it waits for a request, and since when.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::crowd::Inner;

/// Set where the connection is to make room for another. The other bits count what keeps it from that.
const CLOSED: u32 = 1 << 31;

/// What is known of a connection.
pub(super) struct Seat {
    address: Option<IpAddr>,
    holds: AtomicU32,
    /// When it began to wait for a request, or for the rest of one; in microseconds.
    since: AtomicU64,
    /// When its client was last seen to take nothing of what is there for it.
    stalled: AtomicU64,
    /// How many of what holds it are stalled.
    stalls: AtomicU32,
    task: Mutex<Option<AbortHandle>>,
}

impl Seat {
    pub(super) fn new(address: Option<IpAddr>, now: u64) -> Self {
        Self {
            address,
            holds: AtomicU32::new(0),
            since: AtomicU64::new(now),
            stalled: AtomicU64::new(0),
            stalls: AtomicU32::new(0),
            task: Mutex::default(),
        }
    }

    /// What it counts under.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Since when it waits for a request, if it does.
    pub(super) fn waiting_since(&self) -> Option<u64> {
        (self.holds.load(Ordering::Acquire) == 0).then(|| self.since.load(Ordering::Acquire))
    }

    /// Since when its client has taken nothing of any answer, if there is something for it.
    pub(super) fn stalled_since(&self) -> Option<u64> {
        let stalls = self.stalls.load(Ordering::Acquire);
        // Each stands beside its request, unless that has been answered but for what the kernel has.
        let requests = (self.holds.load(Ordering::Acquire) & !CLOSED).saturating_sub(stalls);
        (stalls > 0 && requests <= stalls).then(|| self.stalled.load(Ordering::Acquire))
    }

    /// Closes it, unless a request has come since, or its client has taken something.
    pub(super) fn close_if_useless_since(&self, since: u64) -> bool {
        let waiting = self.waiting_since() == Some(since)
            && self.holds.compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        let closed = waiting
            || self.stalled_since() == Some(since)
                && self.holds.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0;
        if closed && let Some(task) = self.task().as_ref() {
            task.abort();
        }
        closed
    }

    fn task(&self) -> std::sync::MutexGuard<'_, Option<AbortHandle>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection counts as long as this is there.
pub(super) struct Presence {
    crowd: Arc<Inner>,
    number: u64,
    seat: Arc<Seat>,
}

impl Presence {
    pub(super) fn new(crowd: Arc<Inner>, number: u64, seat: Arc<Seat>) -> Self {
        Self { crowd, number, seat }
    }

    /// The task that has the connection at first.
    pub(super) fn greeted_by(&self, task: AbortHandle) {
        let mut place = self.seat.task();
        // Where it is done already, another has the connection.
        if place.is_none() {
            self.put(&mut place, task);
        }
    }

    /// The task that has the connection from here on.
    pub(super) fn served_by(&self, task: AbortHandle) {
        self.put(&mut self.seat.task(), task);
    }

    fn put(&self, place: &mut Option<AbortHandle>, task: AbortHandle) {
        // It may have been closed before there was a task to end.
        if self.is_closed() {
            task.abort();
        }
        *place = Some(task);
    }

    /// Keeps the connection from being closed for another's sake.
    pub(super) fn hold(self: &Arc<Self>) -> Hold {
        self.seat.holds.fetch_add(1, Ordering::AcqRel);
        Hold(Arc::clone(self))
    }

    /// Notes that the client does not take what is there for it, until it does.
    pub(super) fn stall(self: &Arc<Self>) -> Stall {
        let hold = self.hold();
        self.seat.stalled.store(self.crowd.now(), Ordering::Release);
        self.seat.stalls.fetch_add(1, Ordering::AcqRel);
        Stall(hold)
    }

    /// For how long it has waited for a request; for no time while one is under way.
    pub(super) fn waits(&self) -> Duration {
        let since = self.seat.waiting_since();
        since.map_or(Duration::ZERO, |since| Duration::from_micros(self.crowd.now().saturating_sub(since)))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.seat.holds.load(Ordering::Acquire) & CLOSED != 0
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.crowd.left(self.number);
    }
}

/// Something under way on a connection: a request, from its end to the end of its answer, or a write that waits.
pub(super) struct Hold(Arc<Presence>);

impl Drop for Hold {
    fn drop(&mut self) {
        let Presence { crowd, seat, .. } = &*self.0;
        // First: who sees that nothing holds it must not see an old time.
        seat.since.store(crowd.now(), Ordering::Release);
        seat.holds.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A write that waits for the client.
pub(super) struct Stall(Hold);

impl Drop for Stall {
    fn drop(&mut self) {
        self.0.0.seat.stalls.fetch_sub(1, Ordering::AcqRel);
    }
}
