//! The worker pool: a bounded queue of jobs, and named threads that take them one at a time.
//!
//! The pool starts with a few workers and grows on demand up to a maximum. It knows nothing of Python: what a
//! worker does is the function that it is started with.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{Notify, oneshot};

/// Stack of a worker in bytes. CPython's recursion limit needs more than 128 KiB; deep pages need more.
const STACK: usize = 8 << 20;
/// Workers that a pool starts with, one after the other: two that warm up at once only get into each other's way.
const FIRST_WORKERS: usize = 2;

/// What a job answers: tagged JSON, or the description of a bug of ours.
pub(super) type Answer = Result<String, String>;

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// In order of arrival, as long as there is room.
    Ordinary,
    /// Before what waits, and beyond the queue's limit.
    Urgent,
}

/// Work for a session.
#[derive(Debug)]
pub(super) enum Call {
    /// Extract a page, with options in JSON.
    Extract { url: String, options: String, priority: Priority },
    /// Evaluate a format selector on formats in JSON.
    Select { formats: String, selector: String },
}

impl Call {
    /// A selection is short, and ends a request that has had its extraction.
    fn is_urgent(&self) -> bool {
        matches!(self, Self::Select { .. } | Self::Extract { priority: Priority::Urgent, .. })
    }
}

/// A job that waits.
struct Queued {
    call: Call,
    reply: oneshot::Sender<Answer>,
}

/// A job that a worker has taken.
pub(super) struct Job {
    pub(super) call: Call,
    reply: oneshot::Sender<Answer>,
    busy: Busy,
}

impl Job {
    /// Answers it. The client may have left meanwhile, which is nobody's error.
    pub(super) fn answer(self, answer: Answer) {
        // First, so that a client that has its answer finds the worker free.
        drop(self.busy);
        let _ = self.reply.send(answer);
    }
}

/// Counts a worker as busy, from taking a job to answering or losing it.
struct Busy(Arc<Shared>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}

/// Why a job was not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many jobs wait as may.
    Full,
    /// The pool was closed.
    Closed,
}

/// How busy the pool is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Threads, warm or not.
    pub workers: usize,
    /// Threads that run a job.
    pub busy: usize,
    /// Threads that have paid for their start.
    pub warm: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Queued>,
    workers: usize,
    warm: usize,
    busy: usize,
    started: usize,
    closed: bool,
}

type Body = dyn Fn(&Worker) -> Result<(), String> + Send + Sync;

struct Shared {
    state: Mutex<State>,
    change: Condvar,
    warmed: Notify,
    body: Box<Body>,
    max_workers: usize,
    max_queue: usize,
}

impl Shared {
    /// The state is consistent between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the pool. Dropping it closes the pool.
pub(super) struct Pool(Arc<Shared>);

impl Pool {
    /// Starts the first worker. `body` is a worker's life: it calls [`Worker::ready`] once and then
    /// [`Worker::next`] until that gives nothing.
    pub(super) fn start(
        max_workers: usize,
        max_queue: usize,
        body: impl Fn(&Worker) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            change: Condvar::new(),
            warmed: Notify::new(),
            body: Box::new(body),
            max_workers: max_workers.max(1),
            max_queue,
        });
        let mut state = shared.lock();
        spawn(&shared, &mut state);
        drop(state);
        Self(shared)
    }

    /// Queues a job. The receiver's end means that the worker was lost.
    pub(super) fn submit(&self, call: Call) -> Result<oneshot::Receiver<Answer>, Refused> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        // A job for which a worker is free, starts, or may be started does not wait for long.
        let room = self.0.max_queue + self.0.max_workers - state.busy;
        if state.jobs.len() >= room {
            state.jobs.retain(|job| !job.reply.is_closed());
        }
        let urgent = call.is_urgent();
        if state.jobs.len() >= room && !urgent {
            return Err(Refused::Full);
        }
        let (reply, answer) = oneshot::channel();
        let job = Queued { call, reply };
        match urgent {
            // Behind those that are urgent already, or the oldest would wait longest.
            true => {
                let place = state.jobs.iter().take_while(|job| job.call.is_urgent()).count();
                state.jobs.insert(place, job);
            }
            false => state.jobs.push_back(job),
        }
        if state.jobs.len() > state.workers - state.busy && state.workers < self.0.max_workers {
            spawn(&self.0, &mut state);
        }
        drop(state);
        self.0.change.notify_one();
        Ok(answer)
    }

    /// Takes no more jobs, and lets the workers end once their jobs do. Jobs that wait are dropped.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.jobs.clear();
        drop(state);
        self.0.change.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    /// Waits until a worker is warm.
    pub(super) async fn warmed(&self) {
        loop {
            let warmed = self.0.warmed.notified();
            if self.0.lock().warm > 0 {
                return;
            }
            warmed.await;
        }
    }

    pub(super) fn stats(&self) -> PoolStats {
        let state = self.0.lock();
        PoolStats { workers: state.workers, busy: state.busy, warm: state.warm, queued: state.jobs.len() }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a worker thread sees of its pool.
pub(super) struct Worker {
    shared: Arc<Shared>,
    warm: AtomicBool,
}

impl Worker {
    /// Says that the next job will not have to wait for the worker's start.
    pub(super) fn ready(&self) {
        if !self.warm.swap(true, Ordering::Relaxed) {
            let mut state = self.shared.lock();
            state.warm += 1;
            if state.workers < FIRST_WORKERS.min(self.shared.max_workers) && !state.closed {
                spawn(&self.shared, &mut state);
            }
            drop(state);
            self.shared.warmed.notify_waiters();
        }
    }

    /// Waits for a job whose client is still there. Nothing means that the pool is closed.
    pub(super) fn next(&self) -> Option<Job> {
        self.ready();
        let mut state = self.shared.lock();
        loop {
            while let Some(Queued { call, reply }) = state.jobs.pop_front() {
                if !reply.is_closed() {
                    state.busy += 1;
                    return Some(Job { call, reply, busy: Busy(Arc::clone(&self.shared)) });
                }
            }
            if state.closed {
                return None;
            }
            state = self.shared.change.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.workers -= 1;
        state.warm -= usize::from(self.warm.load(Ordering::Relaxed));
        if state.workers == 0 {
            // Nobody is left to take them: their clients hear it at once, and the next job starts a worker.
            state.jobs.clear();
        }
    }
}

fn spawn(shared: &Arc<Shared>, state: &mut State) {
    let name = format!("extract-{}", state.started);
    let worker_shared = Arc::clone(shared);
    state.started += 1;
    state.workers += 1;
    let spawned = thread::Builder::new().name(name).stack_size(STACK).spawn(move || {
        let worker = Worker { shared: worker_shared, warm: AtomicBool::new(false) };
        if let Err(error) = (worker.shared.body)(&worker) {
            tracing::error!(%error, "an extraction worker ended");
        }
    });
    if let Err(error) = spawned {
        state.workers -= 1;
        tracing::error!(%error, "no thread for another extraction worker");
        if state.workers == 0 {
            state.jobs.clear();
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
