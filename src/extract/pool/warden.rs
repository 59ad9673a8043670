//! Looks after workers whose job outlives its deadline. Never waits for what they wait for.

use std::sync::{Arc, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{Shared, State, worker};

/// How often it looks, while there are jobs.
const LOOK: Duration = Duration::from_millis(100);
/// How long a worker that was told to stop may take before it is given up and replaced.
const GRACE: Duration = Duration::from_secs(2);
/// How long until a worker that did not stop is told again: an extractor may have caught the first time.
const AGAIN: Duration = Duration::from_secs(1);

/// An order to stop: the thread's handle, the seat, the job.
type Order = (u64, u64, u64);

pub(super) fn spawn(shared: &Arc<Shared>) {
    let watched = Arc::downgrade(shared);
    let spawned = thread::Builder::new().name("extract-warden".into()).spawn(move || watch(&watched));
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread to look after the extraction workers");
    }
}

fn watch(watched: &Weak<Shared>) {
    while let Some(shared) = watched.upgrade() {
        let mut state = shared.lock();
        if state.closed {
            return;
        }
        state.watched = state.seats.values().any(|seat| seat.running.is_some());
        let orders = look(&shared, &mut state, Instant::now());
        if orders.is_empty() {
            let wait = if state.watched { LOOK } else { Duration::MAX };
            drop(shared.watch.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(state);
        }
        for (handle, seat, job) in orders {
            let running = Arc::downgrade(&shared);
            (shared.stop)(handle, Box::new(move || runs(&running, seat, job)));
        }
    }
}

/// Gives up who was told in vain, and says who must be told.
fn look(shared: &Arc<Shared>, state: &mut State, now: Instant) -> Vec<Order> {
    let mut orders = Vec::new();
    let mut given_up = Vec::new();
    for (number, seat) in &mut state.seats {
        let Some(running) = seat.running.as_mut().filter(|running| now >= running.deadline) else { continue };
        if running.told.is_none_or(|told| now >= told + AGAIN)
            && let Some(handle) = seat.handle
        {
            running.told = Some(now);
            orders.push((handle, *number, running.number));
        }
        if !seat.stuck && now >= running.deadline + GRACE {
            seat.stuck = true;
            given_up.push(*number);
        }
    }
    for worker in given_up {
        let replaced = shared.may_grow(state);
        tracing::warn!(worker, replaced, "an extraction worker is stuck");
        if replaced {
            worker::spawn(shared, state);
        }
    }
    orders
}

fn runs(shared: &Weak<Shared>, seat: u64, job: u64) -> bool {
    shared.upgrade().is_some_and(|shared| {
        let state = shared.lock();
        let running = state.seats.get(&seat).and_then(|seat| seat.running.as_ref());
        running.is_some_and(|running| running.number == job)
    })
}
