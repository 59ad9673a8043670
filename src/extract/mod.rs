//! Page URL → [`Extraction`]: cache, single flight, the worker pool with its deadlines, and the way into Python.

mod cache;
mod contents;
mod error;
mod examine;
mod flight;
mod fly;
mod limits;
mod outings;
mod page;
mod pool;
mod pulse;
pub mod python;
pub mod quarantine;
mod queue;
pub mod script;
mod settings;
mod types;
mod work;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tracing::Instrument;

use crate::egress::{Egress, ExitStats, GuardStats, Most};
use crate::telemetry::{CacheLookup, CacheSample, Metrics};

use cache::{Cache, Wanted};
pub use cache::{CacheSettings, Extracted};
pub use contents::{Damage, Look};
pub use error::{ExtractError, PageError, PageErrorKind};
pub use examine::{check_runtime, try_javascript, try_python};
use flight::Flights;
pub use limits::{Limit, Limits};
pub use page::{PageUrl, PageUrlError};
pub use pool::PoolStats;
use pool::{Call, Pool, Reins};
use pulse::Pulse;
use python::{Interpreter, PythonError, RunScript};
use quarantine::Quarantine;
pub use quarantine::QuarantineStats;
pub use queue::Asker;
use queue::Priority;
use script::Scripts;
pub use settings::{AllowedSites, GenericSettings, Settings};
pub use types::{
    By, Delivery, Entry, Extraction, Format, FormatInfo, Image, Kind, Metadata, Offer, Subtitle,
};

/// A wait for Python's lock after which nobody expects it any more: only a new process helps. At least twice
/// [`Settings::max_hold`], after which what holds it is broken off.
const HOPELESS: Duration = Duration::from_secs(60);

/// Versions of what answers, from Python.
#[derive(Debug, Clone, Deserialize)]
pub struct Versions {
    /// CPython's.
    pub python: String,
    /// yt-dlp's.
    pub yt_dlp: String,
    /// How many extractors yt-dlp has here.
    pub extractors: u32,
    /// How many browsers requests can look like.
    pub impersonations: u32,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The page.
    pub page: PageUrl,
    /// Of a playlist: how many entries are left out at its beginning.
    pub offset: u32,
    /// Of a playlist: most entries, from 1 to [`Limits::entries`].
    pub limit: u32,
}

/// An answer.
pub struct Found<S> {
    /// What was found.
    pub extracted: Arc<Extracted<S>>,
    /// Whether it had been found before it was asked for.
    pub cached: bool,
}

/// Makes of an extraction what all who ask for it share, and says how many bytes that takes, roughly.
pub type Seal<S> = Box<dyn Fn(&PageUrl, &Extraction) -> (S, usize) + Send + Sync>;

/// Extracts pages.
pub struct Extractor<S>(Arc<Inner<S>>);

struct Inner<S> {
    pool: Pool,
    quarantine: Option<Quarantine>,
    pulse: Arc<Pulse>,
    /// [`HOPELESS`], or more.
    hopeless: Duration,
    cache: Cache<S>,
    flights: Flights<S>,
    seal: Seal<S>,
    numbers: AtomicU64,
    egress: Egress,
    most: Most,
    timeout: Duration,
    max_entries: u32,
    versions: Versions,
    metrics: Arc<Metrics>,
}

impl<S: Send + Sync + 'static> Extractor<S> {
    /// Starts the interpreter and the first workers. Blocks until yt-dlp is imported; to be called on a tokio runtime
    /// with other threads, which look for JavaScript meanwhile.
    pub fn start(
        settings: &Settings,
        egress: Egress,
        metrics: Arc<Metrics>,
        seal: Seal<S>,
    ) -> Result<Self, PythonError> {
        let (found, scripts) = mpsc::sync_channel(1);
        let wanted = settings.scripts.clone();
        // Somebody waits for it below, but for where Python does not start.
        tokio::spawn(async move { found.send(Scripts::find(wanted).await) });
        let mut runtime = None;
        let guard = egress.guard().address();
        let (interpreter, report) = Interpreter::start(&settings.pyenv, || {
            runtime = scripts.recv().ok().flatten();
            (settings.python_config(false, Some(guard), runtime.as_ref()), runtime.clone().map(run_script))
        })?;
        let versions = read_report(&report)?;
        Limit::ALL.iter().for_each(|limit| metrics.may_exceed(limit.as_str()));
        let pulse = Pulse::start(move || interpreter.touch())
            .map_err(|error| PythonError::Start(format!("no thread: {error}")))?;
        let pulse = Arc::new(pulse);
        let pool = Pool::start(
            settings.max_workers,
            settings.max_queue,
            settings.max_hold,
            {
                let (guard, metrics) = (egress.guard().clone(), Arc::clone(&metrics));
                move |worker| {
                    work::live(interpreter, &guard, &metrics, worker).map_err(|error| error.to_string())
                }
            },
            Grip { interpreter, pulse: Arc::clone(&pulse), metrics: Arc::clone(&metrics) },
        );
        let quarantine = settings.generic.map(|generic| {
            let settings = settings.quarantine(generic, guard, runtime.as_ref());
            Quarantine::new(settings, runtime, egress.guard().clone(), Arc::clone(&metrics))
        });
        let quarantine =
            quarantine.transpose().map_err(|error| PythonError::Start(format!("no thread: {error}")))?;
        Ok(Self(Arc::new(Inner {
            pool,
            quarantine,
            pulse,
            hopeless: HOPELESS.max(2 * settings.max_hold),
            cache: Cache::new(&settings.cache),
            flights: Flights::default(),
            seal,
            numbers: AtomicU64::new(0),
            egress,
            most: settings.most(),
            timeout: settings.timeout,
            max_entries: settings.limits.entries,
            versions,
            metrics,
        })))
    }

    /// To ask for a page, and of a playlist its first entries.
    pub fn whole(&self, page: PageUrl) -> Ask {
        self.0.whole(page)
    }

    /// Most entries of a playlist in one answer.
    pub fn max_entries(&self) -> u32 {
        self.0.max_entries
    }

    /// What a page holds; `fresh` asks the site even where that is known.
    pub async fn extract(&self, ask: &Ask, fresh: bool, asker: Asker) -> Result<Found<S>, ExtractError> {
        self.find(ask, if fresh { Wanted::Fresh } else { Wanted::Known }, asker).await
    }

    /// What a page holds now, ahead of new jobs: the links that it had before do not work any more.
    pub async fn renew(&self, page: &str) -> Result<Arc<Extracted<S>>, RenewError> {
        let ask = self.whole(PageUrl::parse(page)?);
        Ok(self.find(&ask, Wanted::Renewed, Asker::default()).await?.extracted)
    }

    async fn find(&self, ask: &Ask, wanted: Wanted, asker: Asker) -> Result<Found<S>, ExtractError> {
        let (found, joined) = self.find_once(ask, wanted, asker).await;
        match found {
            // It was somebody else's that had no room, or had to make it.
            Err(ExtractError::Overloaded) if joined => self.find_once(ask, wanted, asker).await.0,
            found => found,
        }
    }

    /// What is found, and whether somebody else had asked for it.
    async fn find_once(
        &self,
        ask: &Ask,
        wanted: Wanted,
        asker: Asker,
    ) -> (Result<Found<S>, ExtractError>, bool) {
        let inner = &self.0;
        if let Some(outcome) = inner.known(ask, wanted) {
            return (outcome.map(|extracted| Found { extracted, cached: true }), false);
        }
        let (aboard, new) = inner.flights.board(ask);
        let joined = new.is_none();
        match new {
            None => inner.metrics.cache_looked_up(CacheLookup::Joined),
            // One may have landed since the first look.
            Some(announce) => match inner.known(ask, wanted) {
                Some(outcome) => {
                    inner.flights.land(ask, &announce, outcome.clone());
                    return (outcome.map(|extracted| Found { extracted, cached: true }), false);
                }
                None => {
                    inner.metrics.cache_looked_up(CacheLookup::Miss);
                    let flight = Arc::clone(inner).fly(ask.clone(), announce, wanted, asker);
                    tokio::spawn(flight.in_current_span());
                }
            },
        }
        let outcome = aboard.landed().await.unwrap_or_else(|| Err(bug("an extraction's task was lost")));
        (outcome.map(|extracted| Found { extracted, cached: false }), joined)
    }

    /// Those of a page's formats that yt-dlp's selector chooses, or without one what plays everywhere, as their ids; never
    /// none.
    pub async fn select(
        &self,
        offers: &[Offer<'_>],
        selector: &str,
        asker: Asker,
    ) -> Result<Vec<String>, ExtractError> {
        let formats = serde_json::to_string(offers).map_err(bug)?;
        let call = Call::Select { formats, selector: selector.to_owned() };
        let deadline = Instant::now() + self.0.timeout;
        // A selection is short, and ends a request that has had its extraction.
        let job = self.0.submit(call, asker, Priority::Urgent, deadline)?;
        let answer = tokio::time::timeout_at(deadline.into(), job.answer).await;
        let answer = self.0.answered(answer.ok())?;
        let selected: work::Selected = work::read(&answer, &OnceLock::new())?.done()?;
        Ok(selected.format_ids)
    }

    /// Waits until a worker is warm.
    pub async fn warmed(&self) {
        self.0.pool.warmed().await;
    }

    /// How busy the workers are.
    pub fn stats(&self) -> PoolStats {
        self.0.pool.stats()
    }

    /// How busy the helpers for pages of any host are; nothing where there are none.
    pub fn quarantine_stats(&self) -> Option<QuarantineStats> {
        self.0.quarantine.as_ref().map(Quarantine::stats)
    }

    /// What is known of pages.
    pub fn cache_stats(&self) -> CacheSample {
        self.0.cache.stats()
    }

    /// How the ways out fare.
    pub fn exit_stats(&self) -> Vec<ExitStats> {
        self.0.egress.stats()
    }

    /// What of Python's traffic has gone through the guard.
    pub fn guard_stats(&self) -> GuardStats {
        self.0.egress.guard().stats()
    }

    /// The longest that anybody has waited for Python's lock so far.
    pub fn longest_hold(&self) -> Duration {
        self.0.pulse.longest()
    }

    /// Whether an extraction would be begun: some worker is warm, and the interpreter can be had.
    pub fn is_ready(&self) -> bool {
        self.stats().warm > 0 && !self.0.pulse.is_stalled()
    }

    /// Whether it can be expected to come back by itself: Python is had now and then, and so is a worker. Does not ask
    /// Python.
    pub fn is_alive(&self) -> bool {
        self.0.pulse.wait() < self.0.hopeless && !self.0.pool.is_lost()
    }

    /// Versions of CPython and yt-dlp.
    pub fn versions(&self) -> &Versions {
        &self.0.versions
    }

    /// Refuses new work and drops what waits.
    pub fn close(&self) {
        self.0.pool.close();
        if let Some(quarantine) = &self.0.quarantine {
            quarantine.close();
        }
    }
}

/// How the workers' threads are held.
struct Grip {
    interpreter: Interpreter,
    pulse: Arc<Pulse>,
    metrics: Arc<Metrics>,
}

impl Reins for Grip {
    fn stop(&self, handle: u64, should: Box<dyn Fn() -> bool + Send>) {
        let interpreter = self.interpreter;
        self.pulse.order(move || interpreter.stop(handle, should));
    }

    fn held(&self) -> Duration {
        self.pulse.wait()
    }

    fn break_off(&self, handle: u64, again: bool) {
        if !again {
            self.metrics.lock_broken();
        }
        self.interpreter.break_off(handle);
    }
}

/// Why there is no new link.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// What the ticket calls the page is none.
    #[error(transparent)]
    Page(#[from] PageUrlError),
    /// The page did not give it.
    #[error(transparent)]
    Extract(#[from] ExtractError),
}

fn read_report(report: &str) -> Result<Versions, PythonError> {
    serde_json::from_str(report)
        .map_err(|error| PythonError::Raised(format!("a report that can't be read: {error}")))
}

/// How Python has a script run.
fn run_script(scripts: Scripts) -> RunScript {
    Box::new(move |script, timeout| {
        let output = scripts.run_blocking(script, timeout).map_err(|error| error.to_string())?;
        Ok((output.code, output.stdout, output.stderr))
    })
}

fn bug(error: impl std::fmt::Display) -> ExtractError {
    ExtractError::Bug(error.to_string())
}
