//! Helper processes for pages that only an extractor takes which takes any host: a stranger's page may make yt-dlp
//! hold Python's lock for minutes, or eat memory, and a process can be killed.
//!
//! Helpers are forks of one process that has yt-dlp loaded, the zygote.
//!
//! A seat is a task that keeps one helper and gives it one job at a time. There are as many seats as are needed, up to
//! a maximum; a helper that nobody needs any more ends, and one whose job outlives its deadline is killed and replaced.

mod frame;
mod handover;
mod helper;
mod inmate;
mod nursery;
mod seat;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::queue::{Asker, Priority, Queue};
use super::script::Scripts;
use crate::confine;
use crate::egress::{Guard, Outing};
use crate::telemetry::Metrics;

pub use helper::COMMAND;
pub use inmate::{InmateError, run as obey};
use inmate::{Orders, Work};
use nursery::Nursery;
use seat::Seat;

/// How long after its deadline a helper may still come back: most of those that wait for a site do so by themselves.
const GRACE: Duration = Duration::from_millis(100);
/// Longest pause after failed starts that a job waits for; others are refused at once.
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
    pub(super) asker: Asker,
    pub(super) priority: Priority,
    pub(super) deadline: Instant,
    /// Its way out, which it has used already.
    pub(super) outing: Arc<Outing>,
}

impl Job {
    /// `proxy`: the URL of its proxy.
    fn work(&self, proxy: &str) -> Work {
        // It should answer by itself what it is waiting for, if that does not come.
        let left = self.deadline.saturating_duration_since(Instant::now()).saturating_sub(GRACE / 2);
        let verbose = tracing::enabled!(target: "yt_dlp", tracing::Level::DEBUG);
        let options = serde_json::json!({
            "timeout": left.as_secs_f64(), "verbose": verbose, "offset": self.offset, "limit": self.limit,
            "proxy": proxy
        });
        Work { state: self.state.clone(), options: options.to_string() }
    }
}

/// What a job answers.
pub(super) type Answer = Result<String, Refused>;

/// A job that waits.
struct Queued {
    job: Job,
    reply: oneshot::Sender<Answer>,
}

/// A job that has been taken in.
pub(super) struct Pending {
    pub(super) number: u64,
    /// Its end means that the server shuts down.
    pub(super) answer: oneshot::Receiver<Answer>,
}

#[derive(Default)]
struct State {
    jobs: Queue<Queued>,
    /// Tasks that take jobs.
    seats: usize,
    /// Those of them that wait for one.
    idle: usize,
    busy: usize,
    helpers: usize,
    /// Starts in a row that failed.
    failures: u32,
    /// When the next one may be made after those.
    rested: Option<Instant>,
    closed: bool,
}

impl State {
    /// Whether there is no helper, nor will be one soon.
    fn is_down(&self) -> bool {
        self.helpers == 0 && self.rested.is_some_and(|at| at > Instant::now() + SHORT_PAUSE)
    }
}

struct Shared {
    state: Mutex<State>,
    called: Notify,
    settings: Settings,
    nursery: Nursery,
    /// What runs the scripts of the pages: a helper may start nothing.
    scripts: Option<Scripts>,
    guard: Guard,
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
    /// Starts no helper yet: a server that never meets a stranger's page has none. To be called on a tokio runtime.
    pub(super) fn new(
        settings: Settings,
        scripts: Option<Scripts>,
        guard: Guard,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        // A helper may read files, and the environment of another process of its user is one.
        if let Err(error) = confine::private() {
            tracing::warn!(%error, "what helpers run could read this process");
        }
        confine::keep_files();
        let nursery = Nursery::start(Orders {
            pyenv: settings.pyenv.clone(),
            config: settings.python_config.clone(),
            memory: settings.memory,
            limit: settings.message_limit,
        })?;
        let (state, called) = (Mutex::default(), Notify::new());
        Ok(Self(Arc::new(Shared { state, called, settings, nursery, scripts, guard, metrics })))
    }

    /// Queues a job; where there is no room, it is made of whoever has more waiting. It is answered by its deadline and [`GRACE`], if somebody still waits for it then.
    pub(super) fn submit(&self, job: Job) -> Result<Pending, Refused> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.is_down() {
            return Err(Refused::Down);
        }
        let room = self.0.settings.max_queue + self.0.settings.workers.saturating_sub(state.busy);
        if state.jobs.count(job.priority) >= room {
            state.jobs.retain(|queued| !queued.reply.is_closed());
        }
        if state.jobs.count(job.priority) >= room {
            let displaced = state.jobs.displace(job.asker, job.priority).ok_or(Refused::Full)?;
            // Its client may have left.
            let _ = displaced.reply.send(Err(Refused::Full));
        }
        let (reply, answer) = oneshot::channel();
        let number = state.jobs.push(job.asker, job.priority, Queued { job, reply });
        if state.idle < state.jobs.len() && state.seats < self.0.settings.workers {
            state.seats += 1;
            tokio::spawn(Seat::new(&self.0).live());
        }
        drop(state);
        self.0.called.notify_one();
        Ok(Pending { number, answer })
    }

    /// Takes a job back that no helper has begun. False: one has.
    pub(super) fn withdraw(&self, number: u64) -> bool {
        self.0.lock().jobs.withdraw(number)
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
