//! The worker pool: a bounded queue of jobs, and named threads that take them one at a time.
//!
//! The pool starts with a few workers, grows on demand up to a maximum, and shrinks when it is idle. A worker whose
//! job outlives its deadline is told to stop, and replaced when it does not ([`warden`]). The pool knows nothing of
//! Python: what a worker does, and how it is told to stop, are what the pool is started with.

mod hog;
mod warden;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::queue::{Asker, Priority, Queue};
use crate::egress::Outing;
pub(super) use worker::Worker;

/// Workers that a pool starts with, one after the other, and shrinks to: two that warm up at once only get into each
/// other's way.
const FIRST_WORKERS: usize = 2;

/// What a job answers: tagged JSON.
pub(super) type Answer = Result<String, Failure>;

/// Why a job that was taken in has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The description of a bug of ours.
    Bug(String),
    /// It made room for one of somebody who has less.
    Displaced,
}

/// Work for a session.
#[derive(Debug)]
pub(super) enum Call {
    /// Extract a page: of a playlist, `limit` entries from `offset` on.
    Extract { url: String, offset: u32, limit: u32, outing: Arc<Outing> },
    /// Evaluate a format selector on formats in JSON.
    Select { formats: String, selector: String },
}

/// Why a job was not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many jobs wait as may, or no worker is left.
    Full,
    /// The pool was closed.
    Closed,
}

/// How busy the pool is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Threads, warm or not, that can be counted on.
    pub workers: usize,
    /// Those of them that run a job.
    pub busy: usize,
    /// Those of them that have paid for their start.
    pub warm: usize,
    /// Threads beside them whose job does not end although it should have.
    pub stuck: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
}

/// A job that waits.
struct Queued {
    call: Call,
    since: Instant,
    deadline: Instant,
    reply: oneshot::Sender<Answer>,
}

/// A job that has been taken in.
pub(super) struct Pending {
    pub(super) number: u64,
    /// Its end means that the worker was lost.
    pub(super) answer: oneshot::Receiver<Answer>,
}

/// A worker thread, as the pool sees it.
struct Seat {
    wake: Arc<Condvar>,
    /// The kernel's number of the thread, once it runs.
    thread: Option<i32>,
    /// By which the thread can be told to stop. None: it has not paid for its start yet.
    handle: Option<u64>,
    running: Option<Running>,
    stuck: bool,
}

/// A job on a worker.
struct Running {
    number: u64,
    deadline: Instant,
    /// When it was last told to stop.
    told: Option<Instant>,
}

#[derive(Default)]
struct State {
    jobs: Queue<Queued>,
    seats: BTreeMap<u64, Seat>,
    /// Seats that wait, the one that has waited least last: it is the first to be called, so that the others may go.
    idle: Vec<u64>,
    next_seat: u64,
    /// Whether the warden looks by itself, for there is a job to look at.
    watched: bool,
    closed: bool,
}

impl State {
    fn stats(&self) -> PoolStats {
        let mut stats = PoolStats { queued: self.jobs.len(), ..PoolStats::default() };
        for seat in self.seats.values() {
            if seat.stuck {
                stats.stuck += 1;
            } else {
                stats.workers += 1;
                stats.busy += usize::from(seat.running.is_some());
                stats.warm += usize::from(seat.handle.is_some());
            }
        }
        stats
    }
}

type Live = dyn Fn(&Worker) -> Result<(), String> + Send + Sync;

/// What can be done about the thread of a worker, by its handle.
pub(super) trait Reins: Send + Sync {
    /// Tells it to stop, if it still `should` when that is done.
    fn stop(&self, handle: u64, should: Box<dyn Fn() -> bool + Send>);

    /// How long somebody has been waiting for what only one thread can have at a time.
    fn held(&self) -> Duration {
        Duration::ZERO
    }

    /// Breaks off what it does while it holds that; `again`, where that was of no use yet.
    fn break_off(&self, _handle: u64, _again: bool) {}
}

struct Shared {
    state: Mutex<State>,
    /// For the warden.
    watch: Condvar,
    warmed: Notify,
    live: Box<Live>,
    reins: Box<dyn Reins>,
    max_hold: Duration,
    max_workers: usize,
    max_queue: usize,
}

impl Shared {
    /// The state is consistent between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more worker may be started: stuck ones are replaced, but not without end.
    fn may_grow(&self, state: &State) -> bool {
        let PoolStats { workers, stuck, .. } = state.stats();
        !state.closed && workers < self.max_workers && workers + stuck < 2 * self.max_workers
    }

    /// Whether all workers are stuck, and none may be started in their place.
    fn is_lost(&self, state: &State) -> bool {
        !state.closed && state.stats().workers == 0 && !self.may_grow(state)
    }
}

/// A handle on the pool. Dropping it closes the pool.
pub(super) struct Pool(Arc<Shared>);

impl Pool {
    /// Starts the first worker. `live` is a worker's life: it calls [`Worker::ready`] once and then
    /// [`Worker::next`] until that gives nothing. A worker that keeps others from working for `max_hold` is broken off.
    /// No method of `reins` may block.
    pub(super) fn start(
        max_workers: usize,
        max_queue: usize,
        max_hold: Duration,
        live: impl Fn(&Worker) -> Result<(), String> + Send + Sync + 'static,
        reins: impl Reins + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            watch: Condvar::new(),
            warmed: Notify::new(),
            live: Box::new(live),
            reins: Box::new(reins),
            max_hold,
            max_workers: max_workers.max(1),
            max_queue,
        });
        worker::spawn(&shared, &mut shared.lock());
        warden::spawn(&shared);
        Self(shared)
    }

    /// Queues a job of somebody's. Where there is no room, it is made of whoever has more waiting.
    pub(super) fn submit(
        &self,
        call: Call,
        asker: Asker,
        priority: Priority,
        deadline: Instant,
    ) -> Result<Pending, Refused> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let PoolStats { workers, busy, .. } = state.stats();
        // A job for which a worker is free, starts, or may be started does not wait for long.
        let room = self.0.max_queue + self.0.max_workers - busy.min(self.0.max_workers);
        if state.jobs.count(priority) >= room {
            state.jobs.retain(|job| !job.reply.is_closed());
        }
        // Nobody would ever take it.
        if self.0.is_lost(&state) {
            return Err(Refused::Full);
        }
        if state.jobs.count(priority) >= room {
            let displaced = state.jobs.displace(asker, priority).ok_or(Refused::Full)?;
            // Its client may have left.
            let _ = displaced.reply.send(Err(Failure::Displaced));
        }
        let (reply, answer) = oneshot::channel();
        let since = Instant::now();
        let number = state.jobs.push(asker, priority, Queued { call, since, deadline, reply });
        let called = state.idle.pop();
        if let Some(seat) = called.and_then(|number| state.seats.get(&number)) {
            seat.wake.notify_one();
        } else if workers == 0 {
            worker::spawn(&self.0, &mut state);
        } else {
            // It says whether another worker would be of use.
            self.0.watch.notify_one();
        }
        Ok(Pending { number, answer })
    }

    /// Takes a job back that no worker has begun. False: one has.
    pub(super) fn withdraw(&self, number: u64) -> bool {
        self.0.lock().jobs.withdraw(number)
    }

    /// Takes no more jobs, and lets the workers end once their jobs do. Jobs that wait are dropped.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.jobs.clear();
        for seat in state.seats.values() {
            seat.wake.notify_one();
        }
        drop(state);
        self.0.watch.notify_one();
    }

    /// Whether nobody would ever take a job: all workers are stuck, and none may be started in their place.
    pub(super) fn is_lost(&self) -> bool {
        self.0.is_lost(&self.0.lock())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    /// Waits until a worker is warm.
    pub(super) async fn warmed(&self) {
        loop {
            let warmed = self.0.warmed.notified();
            if self.stats().warm > 0 {
                return;
            }
            warmed.await;
        }
    }

    pub(super) fn stats(&self) -> PoolStats {
        self.0.lock().stats()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
