//! The worker threads' side of the pool.

use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Answer, Call, FIRST_WORKERS, Queued, Running, Seat, Shared, State};

/// Stack of a worker in bytes. CPython's recursion limit needs more than 128 KiB; deep pages need more.
const STACK: usize = 8 << 20;
/// How long a worker beyond the first ones waits for a job before it ends.
const IDLE: Duration = Duration::from_secs(60);

/// A job that a worker has taken.
pub(in super::super) struct Job {
    pub(in super::super) call: Call,
    /// How long it has waited.
    pub(in super::super) waited: Duration,
    /// When its client will have been told that it took too long.
    pub(in super::super) deadline: Instant,
    reply: oneshot::Sender<Answer>,
    _busy: Busy,
}

impl Job {
    /// Ends it: from here on nobody tells the worker to stop, and a client that has its answer finds it free.
    pub(in super::super) fn over(self) -> oneshot::Sender<Answer> {
        self.reply
    }
}

/// Counts a worker as busy, from taking a job to answering or losing it.
struct Busy {
    shared: Arc<Shared>,
    seat: u64,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(seat) = state.seats.get_mut(&self.seat) {
            seat.running = None;
            if std::mem::take(&mut seat.stuck) {
                tracing::info!(worker = self.seat, "a stuck extraction worker came back");
            }
        }
    }
}

/// What a worker thread sees of its pool.
pub(in super::super) struct Worker {
    shared: Arc<Shared>,
    seat: u64,
    wake: Arc<Condvar>,
}

impl Worker {
    /// Says that the next job will not have to wait for the worker's start. `handle` is what the pool's `stop` is
    /// given when the worker should stop.
    pub(in super::super) fn ready(&self, handle: u64) {
        let mut state = self.shared.lock();
        if let Some(seat) = state.seats.get_mut(&self.seat) {
            seat.handle = Some(handle);
        }
        if state.seats.len() < FIRST_WORKERS.min(self.shared.max_workers) && !state.closed {
            spawn(&self.shared, &mut state);
        }
        drop(state);
        self.shared.warmed.notify_waiters();
    }

    /// Waits for a job whose client is still there. Nothing means that the worker should end.
    ///
    /// Who is one too many is none any more when the lock is given back: others look, too, and must not all go.
    pub(in super::super) fn next(&self) -> Option<Job> {
        let mut state = self.shared.lock();
        loop {
            if state.closed || state.stats().workers > self.shared.max_workers {
                state.seats.remove(&self.seat);
                return None;
            }
            if let Some(job) = self.take(&mut state) {
                return Some(job);
            }
            let rested;
            (state, rested) = self.rest(state);
            if rested && state.jobs.is_empty() && state.stats().workers > FIRST_WORKERS {
                state.seats.remove(&self.seat);
                return None;
            }
        }
    }

    fn take(&self, state: &mut State) -> Option<Job> {
        while let Some((number, Queued { call, since, deadline, reply })) = state.jobs.pop() {
            if reply.is_closed() {
                continue;
            }
            let running = Running { number, deadline, told: None };
            state.seats.get_mut(&self.seat)?.running = Some(running);
            if !state.watched {
                self.shared.watch.notify_one();
            }
            let busy = Busy { shared: Arc::clone(&self.shared), seat: self.seat };
            return Some(Job { call, waited: since.elapsed(), deadline, reply, _busy: busy });
        }
        None
    }

    /// Waits to be called, and tells whether it was in vain.
    fn rest<'a>(&self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        state.idle.push(self.seat);
        let (mut state, waited) = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
        // Who calls takes it off; a wait that ends otherwise leaves it there.
        state.idle.retain(|seat| *seat != self.seat);
        (state, waited.timed_out())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let seat = state.seats.remove(&self.seat);
        let was_warm = seat.is_some_and(|seat| seat.handle.is_some());
        if state.jobs.is_empty() {
            return;
        }
        if was_warm && self.shared.may_grow(&state) {
            spawn(&self.shared, &mut state);
        } else if state.seats.is_empty() {
            // Nobody is left to take them: their clients hear it at once, and the next job starts a worker.
            state.jobs.clear();
        }
    }
}

pub(super) fn spawn(shared: &Arc<Shared>, state: &mut State) {
    let number = state.next_seat;
    state.next_seat += 1;
    let wake = Arc::new(Condvar::new());
    let seat = Seat { wake: Arc::clone(&wake), thread: None, handle: None, running: None, stuck: false };
    state.seats.insert(number, seat);
    let worker_shared = Arc::clone(shared);
    let thread = thread::Builder::new().name(format!("extract-{number}")).stack_size(STACK);
    let spawned = thread.spawn(move || {
        let worker = Worker { shared: worker_shared, seat: number, wake };
        if let Some(seat) = worker.shared.lock().seats.get_mut(&number) {
            seat.thread = Some(rustix::thread::gettid().as_raw_nonzero().get());
        }
        if let Err(error) = (worker.shared.live)(&worker) {
            tracing::error!(%error, "an extraction worker ended");
        }
    });
    if let Err(error) = spawned {
        state.seats.remove(&number);
        tracing::error!(%error, "no thread for another extraction worker");
        if state.seats.is_empty() {
            state.jobs.clear();
        }
    }
}
