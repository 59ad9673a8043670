//! Helper processes for pages that only an extractor takes which takes any host: a stranger's page may make yt-dlp
//! hold Python's lock for minutes, or eat memory, and a process can be killed.
//!
//! A seat is a task that keeps one helper and gives it one job at a time. There are as many seats as are needed, up to
//! a maximum; a helper that nobody needs any more ends, and one whose job outlives its deadline is killed and replaced.

mod frame;
mod helper;
mod inmate;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, sleep_until, timeout};

use super::pool::Priority;
use super::script::Scripts;
use crate::confine;
use crate::telemetry::Metrics;

pub use helper::COMMAND;
use helper::{Helper, HelperError};
use inmate::Work;
pub use inmate::{InmateError, run as obey};

/// How long after its deadline a helper may still come back: most of those that wait for a site do so by themselves.
const GRACE: Duration = Duration::from_millis(100);
/// Resident memory from which on a helper is replaced after its job; a fresh one has 60 MB.
const LARGE: u64 = 100 << 20;
/// How often a job is begun, where its helper dies of something else than its deadline.
const TRIES: u32 = 3;
/// Pause after a helper has died before it ever did any work; doubled with each more, up to [`MAX_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Longest pause that a job waits for; others are refused at once.
const SHORT_PAUSE: Duration = Duration::from_millis(500);

/// Settings of the helpers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most helpers at a time.
    pub workers: usize,
    /// Most jobs that wait for one.
    pub max_queue: usize,
    /// How long a helper without a job is kept.
    pub idle: Duration,
    /// Most bytes of memory of its own that a helper may have.
    pub memory: u64,
    /// Most bytes of a message between the server and a helper.
    pub message_limit: usize,
    /// Folder of the Python runtime and package.
    pub pyenv: PathBuf,
    /// What `sluice.start` in Python takes.
    pub python_config: String,
}

/// How busy the helpers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuarantineStats {
    /// Processes that are up, or on their way.
    pub helpers: usize,
    /// Those of them that have a job.
    pub busy: usize,
    /// Jobs that wait for one.
    pub queued: usize,
}

/// Why a job has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many jobs wait as may.
    Full,
    /// The server shuts down.
    Closed,
    /// No helper could be started.
    Down,
    /// Its time was up before it was done.
    Overdue,
    /// Every helper that had it died of it.
    Crashed,
}

/// A job for a helper.
#[derive(Debug)]
pub(super) struct Job {
    /// What Python handed off.
    pub(super) state: String,
    /// Of a playlist: how many entries are left out at its beginning.
    pub(super) offset: u32,
    /// Of a playlist: most entries.
    pub(super) limit: u32,
    pub(super) priority: Priority,
    pub(super) deadline: Instant,
}

impl Job {
    fn work(&self) -> Work {
        // It should answer by itself what it is waiting for, if that does not come.
        let left = self.deadline.saturating_duration_since(Instant::now()).saturating_sub(GRACE / 2);
        let verbose = tracing::enabled!(target: "yt_dlp", tracing::Level::DEBUG);
        let options = serde_json::json!({
            "timeout": left.as_secs_f64(), "verbose": verbose, "offset": self.offset, "limit": self.limit
        });
        Work { state: self.state.clone(), options: options.to_string() }
    }
}

struct Queued {
    job: Job,
    reply: oneshot::Sender<Result<String, Refused>>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Queued>,
    /// Tasks that take jobs.
    seats: usize,
    /// Those of them that wait for one.
    idle: usize,
    busy: usize,
    helpers: usize,
    /// Helpers in a row that died before they did any work.
    failures: u32,
    /// When the next one may be started after those.
    rested: Option<Instant>,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    called: Notify,
    settings: Settings,
    /// What runs the scripts of the pages: a helper may start nothing.
    scripts: Option<Scripts>,
    metrics: Arc<Metrics>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the helpers.
pub(super) struct Quarantine(Arc<Shared>);

impl Quarantine {
    /// Starts nothing yet: a server that never meets a stranger's page has no helper.
    pub(super) fn new(settings: Settings, scripts: Option<Scripts>, metrics: Arc<Metrics>) -> Self {
        // A helper may read files, and the environment of another process of its user is one.
        if let Err(error) = confine::private() {
            tracing::warn!(%error, "what helpers run could read this process");
        }
        Self(Arc::new(Shared { state: Mutex::default(), called: Notify::new(), settings, scripts, metrics }))
    }

    /// Has a job done: Python's answer, by the job's deadline. The job goes on if the future is dropped.
    pub(super) async fn run(&self, job: Job) -> Result<String, Refused> {
        let deadline = job.deadline;
        let answer = self.submit(job)?;
        tokio::select! {
            // Where both are there, the answer is.
            biased;
            answer = answer => answer.unwrap_or(Err(Refused::Closed)),
            () = sleep_until(deadline.into()) => Err(Refused::Overdue),
        }
    }

    fn submit(&self, job: Job) -> Result<oneshot::Receiver<Result<String, Refused>>, Refused> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let room = self.0.settings.max_queue + self.0.settings.workers - state.busy;
        if state.jobs.len() >= room {
            state.jobs.retain(|queued| !queued.reply.is_closed());
        }
        if state.jobs.len() >= room && job.priority == Priority::Ordinary {
            return Err(Refused::Full);
        }
        let (reply, answer) = oneshot::channel();
        let queued = Queued { job, reply };
        match queued.job.priority {
            Priority::Urgent => state.jobs.push_front(queued),
            Priority::Ordinary => state.jobs.push_back(queued),
        }
        if state.idle < state.jobs.len() && state.seats < self.0.settings.workers {
            state.seats += 1;
            tokio::spawn(Seat::new(&self.0).live());
        }
        drop(state);
        self.0.called.notify_one();
        Ok(answer)
    }

    pub(super) fn stats(&self) -> QuarantineStats {
        let state = self.0.lock();
        QuarantineStats { helpers: state.helpers, busy: state.busy, queued: state.jobs.len() }
    }

    /// Takes no more jobs, and drops those that wait.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.jobs.clear();
        drop(state);
        self.0.called.notify_waiters();
    }
}

/// A task that keeps a helper.
struct Seat {
    shared: Arc<Shared>,
    helper: Option<Helper>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.seats -= 1;
        state.helpers -= usize::from(self.helper.is_some());
    }
}

impl Seat {
    fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), helper: None }
    }

    async fn live(mut self) {
        while let Some(queued) = self.next().await {
            self.shared.lock().busy += 1;
            self.serve(queued).await;
            self.shared.lock().busy -= 1;
            // Not when the next job comes: that one should not have to wait for it.
            let well = self.shared.lock().failures == 0;
            if well && self.helper.is_none() {
                let _ = self.ensure_helper().await;
            }
        }
        self.end("idle").await;
    }

    /// Waits for a job. Nothing means that the seat is not needed any more.
    async fn next(&self) -> Option<Queued> {
        loop {
            let called = self.shared.called.notified();
            {
                let mut state = self.shared.lock();
                if state.closed {
                    return None;
                }
                while let Some(queued) = state.jobs.pop_front() {
                    if !queued.reply.is_closed() {
                        return Some(queued);
                    }
                }
                state.idle += 1;
            }
            let idle = Idle(&self.shared);
            let waited = timeout(self.shared.settings.idle, called).await;
            drop(idle);
            if waited.is_err() && self.shared.lock().jobs.is_empty() {
                return None;
            }
        }
    }

    /// Does a job, and keeps its client from waiting for what becomes of the helper.
    async fn serve(&mut self, Queued { job, reply }: Queued) {
        let mut reply = Some(reply);
        let mut answer = |outcome| {
            if let Some(reply) = reply.take() {
                // The client may have left, which is nobody's error.
                let _ = reply.send(outcome);
            }
        };
        let scripts = self.shared.scripts.clone();
        for _ in 0..TRIES {
            if Instant::now() >= job.deadline {
                return answer(Err(Refused::Overdue));
            }
            let Some(helper) = self.ensure_helper().await else { return answer(Err(Refused::Down)) };
            let late = async {
                sleep_until(job.deadline.into()).await;
                answer(Err(Refused::Overdue));
                sleep_until((job.deadline + GRACE).into()).await;
            };
            let outcome = tokio::select! {
                biased;
                outcome = helper.run(job.work(), scripts.as_ref()) => Some(outcome),
                () = late => None,
            };
            match outcome {
                Some(Ok(text)) => {
                    answer(Ok(text));
                    return self.settle().await;
                }
                Some(Err(error)) => self.lose(&error).await,
                None => return self.end("deadline").await,
            }
        }
        answer(Err(Refused::Crashed));
    }

    /// Looks at a helper that has done its job.
    async fn settle(&mut self) {
        {
            let mut state = self.shared.lock();
            (state.failures, state.rested) = (0, None);
        }
        if self.helper.as_ref().and_then(Helper::resident).is_some_and(|bytes| bytes > LARGE) {
            self.end("memory").await;
        }
    }

    /// Starts a helper where there is none, after a pause if the last ones died at once.
    async fn ensure_helper(&mut self) -> Option<&mut Helper> {
        if self.helper.is_none() {
            let rested = self.shared.lock().rested;
            let pause = rested.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
            if pause > SHORT_PAUSE {
                return None;
            }
            sleep(pause).await;
            match Helper::start(&self.shared.settings).await {
                Ok(helper) => {
                    self.shared.lock().helpers += 1;
                    self.helper = Some(helper);
                }
                Err(error) => {
                    tracing::error!(%error, "no helper for pages of any host");
                    self.shared.metrics.helper_ended(error.label());
                    self.failed();
                }
            }
        }
        self.helper.as_mut()
    }

    /// Gives up a helper that died, or that can't be believed any more.
    async fn lose(&mut self, error: &HelperError) {
        if !self.helper.as_ref().is_some_and(|helper| helper.proven) {
            self.failed();
        }
        tracing::warn!(%error, "a helper for pages of any host is lost");
        self.end(error.label()).await;
    }

    /// Notes that a helper was lost that never did any work.
    fn failed(&self) {
        let mut state = self.shared.lock();
        let pause = PAUSE * 2_u32.saturating_pow(state.failures.min(16));
        state.failures += 1;
        state.rested = Some(Instant::now() + pause.min(MAX_PAUSE));
    }

    async fn end(&mut self, reason: &'static str) {
        if let Some(helper) = self.helper.take() {
            self.shared.lock().helpers -= 1;
            self.shared.metrics.helper_ended(reason);
            helper.kill().await;
        }
    }
}

/// Counts a seat as idle.
struct Idle<'a>(&'a Shared);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.lock().idle -= 1;
    }
}
