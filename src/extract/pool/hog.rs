//! The worker that keeps all others from working: Python has one lock, and a pattern that backtracks holds it for as
//! long as its page likes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Shared, State};

/// A wait for the lock from which on the workers' time on a processor is noted, to see whose grows.
const SUSPECT: Duration = Duration::from_millis(200);
/// How long that must grow at least.
const WATCHED: Duration = Duration::from_millis(200);
/// What the worker that holds the lock has grown by at least, and its part of what all have grown by: those that wait
/// for the lock take nearly no time. Not a part of the clock, because processors may be few and shared.
const GROWTH: Duration = Duration::from_millis(20);
const PART: f64 = 0.75;

/// What is known of the present wait for the lock.
#[derive(Default)]
pub(super) struct Hold {
    /// When the look began, and each worker's time on a processor then.
    begun: Option<(Instant, BTreeMap<u64, Duration>)>,
    told: bool,
}

impl Hold {
    /// The handle of the worker that is to be broken off, if there is one, and whether that was tried before.
    pub(super) fn look(&mut self, shared: &Shared, state: &State, now: Instant) -> Option<(u64, bool)> {
        let held = shared.reins.held();
        if held < SUSPECT {
            *self = Self::default();
            return None;
        }
        let seats = || state.seats.iter().filter_map(|(number, seat)| Some((*number, on_cpu(seat.thread?)?)));
        let (since, before) = self.begun.get_or_insert_with(|| (now, seats().collect()));
        if held < shared.max_hold || now.duration_since(*since) < WATCHED {
            return None;
        }
        let growth =
            seats().filter_map(|(number, cpu)| Some((number, cpu.saturating_sub(*before.get(&number)?))));
        let growth: Vec<_> = growth.collect();
        let all = growth.iter().map(|(_, growth)| *growth).sum::<Duration>();
        let (worker, most) = growth.into_iter().max_by_key(|(_, growth)| *growth)?;
        if most < GROWTH || most < all.mul_f64(PART) {
            return None;
        }
        let seat = state.seats.get(&worker).filter(|seat| seat.running.is_some())?;
        let again = std::mem::replace(&mut self.told, true);
        if !again {
            tracing::warn!(worker, held = ?held, "a page keeps others from being extracted, and is broken off");
        }
        Some((seat.handle?, again))
    }
}

/// How long a thread has been on a processor (proc(5), `schedstat`: nanoseconds come first).
pub(super) fn on_cpu(thread: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}
