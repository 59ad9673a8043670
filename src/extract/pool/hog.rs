//! The worker that keeps all others from working: Python has one lock, and a pattern that backtracks holds it for as
//! long as its page likes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Shared, State};

/// A wait for the lock from which on the workers' time on a processor is noted, to see whose grows.
const SUSPECT: Duration = Duration::from_millis(200);
/// How long that must grow at least.
const WATCHED: Duration = Duration::from_millis(200);
/// Part of that time, as a divisor, that the worker is on a processor which holds the lock: others have processors to
/// share with. Those that wait for the lock take nearly none.
const SHARE: u32 = 4;

/// What is known of the present wait for the lock.
#[derive(Default)]
pub(super) struct Hold {
    /// When the look began, and each worker's time on a processor then.
    begun: Option<(Instant, BTreeMap<u64, Duration>)>,
    told: bool,
}

impl Hold {
    /// The handle of the worker that is to be broken off, if there is one.
    pub(super) fn look(&mut self, shared: &Shared, state: &State, now: Instant) -> Option<u64> {
        let held = shared.reins.held();
        if held < SUSPECT {
            *self = Self::default();
            return None;
        }
        let seats = || state.seats.iter().filter_map(|(number, seat)| Some((*number, on_cpu(seat.thread?)?)));
        let (since, before) = self.begun.get_or_insert_with(|| (now, seats().collect()));
        let watched = now.duration_since(*since);
        if held < shared.max_hold || watched < WATCHED {
            return None;
        }
        let (worker, _) = seats().find(|(number, cpu)| {
            before.get(number).is_some_and(|before| cpu.saturating_sub(*before) >= watched / SHARE)
        })?;
        let seat = state.seats.get(&worker).filter(|seat| seat.running.is_some())?;
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(worker, held = ?held, "a page keeps others from being extracted, and is broken off");
        }
        seat.handle
    }
}

/// How long a thread has been on a processor (proc(5), `schedstat`: nanoseconds come first).
pub(super) fn on_cpu(thread: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}
