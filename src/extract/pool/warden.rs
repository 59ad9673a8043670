//! Looks after the workers: starts more where that helps, breaks off who keeps the others from working, and gives up
//! those whose job outlives its deadline. Never waits for what they wait for.

use std::sync::{Arc, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::hog::{Hold, on_cpu};
use super::{Shared, State, worker};

/// How often it looks, while there are jobs.
const LOOK: Duration = Duration::from_millis(100);
/// How often it looks, while jobs wait for a worker.
const LOOK_WAITING: Duration = Duration::from_millis(25);
/// How long a job waits before there are more workers for it.
const GROW_AFTER: Duration = Duration::from_millis(25);
/// Part of a core that the workers take together, from which on more of them would only get into each other's way:
/// Python runs one at a time. With 8 clients and pages that come at once, 4 workers extract half as much again as 8.
const SATURATED: f64 = 0.8;
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
    let mut load = Load::default();
    let mut hold = Hold::default();
    while let Some(shared) = watched.upgrade() {
        let mut state = shared.lock();
        if state.closed {
            return;
        }
        grow(&shared, &mut state, &mut load, Instant::now());
        state.watched = state.seats.values().any(|seat| seat.running.is_some());
        let orders = look(&shared, &mut state, Instant::now());
        if let Some((handle, again)) = hold.look(&shared, &state, Instant::now()) {
            shared.reins.break_off(handle, again);
        }
        if orders.is_empty() {
            let wait = match (state.jobs.is_empty(), state.watched) {
                (false, _) => LOOK_WAITING,
                (true, true) => LOOK,
                (true, false) => Duration::MAX,
            };
            drop(shared.watch.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(state);
        }
        for (handle, seat, job) in orders {
            let running = Arc::downgrade(&shared);
            shared.reins.stop(handle, Box::new(move || runs(&running, seat, job)));
        }
    }
}

/// What the workers take of the processor.
#[derive(Default)]
struct Load {
    at: Option<Instant>,
    /// On it so far, all workers together.
    cpu: Duration,
    part: f64,
}

impl Load {
    /// The part of a core that was taken since the last look but one, at least.
    fn look(&mut self, state: &State, now: Instant) -> f64 {
        let passed = self.at.map_or(Duration::ZERO, |at| now.duration_since(at));
        if self.at.is_none() || passed >= LOOK_WAITING {
            let threads = state.seats.values().filter_map(|seat| seat.thread);
            let cpu = threads.filter_map(on_cpu).sum::<Duration>();
            // After a long time without a look there is nothing to tell from, before the next one.
            let is_recent = self.at.is_some() && passed < 3 * LOOK;
            self.part = if is_recent {
                cpu.saturating_sub(self.cpu).as_secs_f64() / passed.as_secs_f64()
            } else {
                1.0
            };
            self.cpu = cpu;
            self.at = Some(now);
        }
        self.part
    }
}

/// Starts workers for jobs that have waited, unless those that there are have no time for waiting themselves.
fn grow(shared: &Arc<Shared>, state: &mut State, load: &mut Load, now: Instant) {
    let part = load.look(state, now);
    let waiting = state.jobs.iter().filter(|job| now >= job.since + GROW_AFTER).count();
    if waiting == 0 {
        return;
    }
    let starting = state.seats.values().filter(|seat| seat.handle.is_none()).count();
    let workers = state.stats().workers;
    if starting > 0 && workers > starting || part >= SATURATED {
        return;
    }
    // Twice as many each time, at most: each costs others the time of its start.
    for _ in starting..waiting.min(workers.max(1)) {
        if !shared.may_grow(state) {
            return;
        }
        worker::spawn(shared, state);
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
