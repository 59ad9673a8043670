//! Page URL → [`Extraction`]: cache, single flight, the worker pool with its deadlines, and the way into Python.

mod cache;
mod error;
mod flight;
mod page;
mod pool;
mod pulse;
pub mod python;
mod types;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::oneshot::error::RecvError;
use tracing::Instrument;

use crate::egress::Proxy;
use crate::telemetry::Metrics;
use crate::ticket::{Item, Link};

use cache::{Cache, Outcome, Wanted};
pub use cache::{CacheSettings, Extracted};
pub use error::{ExtractError, PageError, PageErrorKind};
use flight::{Announce, Flights};
pub use page::{PageUrl, PageUrlError};
pub use pool::PoolStats;
use pool::{Answer, Call, Pending, Pool, Priority, Refused};
use pulse::Pulse;
use python::Interpreter;
pub use types::{Entry, Extraction, Format, FormatInfo, Image, Kind, Metadata, Subtitle};

/// Most entries of a playlist in one answer.
pub const MAX_ENTRIES: u32 = 200;

/// Settings of this room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the Python runtime and package.
    pub pyenv: PathBuf,
    /// Most extraction threads.
    pub max_workers: usize,
    /// Most extractions waiting.
    pub max_queue: usize,
    /// One extraction, answered by then.
    pub timeout: Duration,
    /// What is remembered.
    pub cache: CacheSettings,
    /// Proxy that yt-dlp's traffic leaves through.
    pub proxy: Option<Proxy>,
    /// PEM roots trusted in addition.
    pub ca_file: Option<PathBuf>,
    /// Netscape cookie file, read only.
    pub cookies: Option<PathBuf>,
}

impl Settings {
    /// What `sluice.start` in Python takes.
    fn python_config(&self) -> String {
        serde_json::json!({
            "proxy": self.proxy.as_ref().map(|proxy| &proxy.url),
            "ca_file": self.ca_file,
            "cookies_path": self.cookies,
            "socket_timeout": self.timeout.as_secs_f64(),
        })
        .to_string()
    }
}

/// Versions of what answers, from Python.
#[derive(Debug, Clone, Deserialize)]
pub struct Versions {
    /// CPython's.
    pub python: String,
    /// yt-dlp's.
    pub yt_dlp: String,
    /// How many extractors yt-dlp has here.
    pub extractors: u32,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The page.
    pub page: PageUrl,
    /// Of a playlist: how many entries are left out at its beginning.
    pub offset: u32,
    /// Of a playlist: most entries, from 1 to [`MAX_ENTRIES`].
    pub limit: u32,
}

impl Ask {
    /// A page, and of a playlist its first entries.
    pub fn new(page: PageUrl) -> Self {
        Self { page, offset: 0, limit: MAX_ENTRIES }
    }
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
    pulse: Arc<Pulse>,
    cache: Cache<S>,
    flights: Flights<S>,
    seal: Seal<S>,
    numbers: AtomicU64,
    timeout: Duration,
    versions: Versions,
    metrics: Arc<Metrics>,
}

impl<S: Send + Sync + 'static> Extractor<S> {
    /// Starts the interpreter and the first workers. Blocks until yt-dlp is imported.
    pub fn start(
        settings: &Settings,
        metrics: Arc<Metrics>,
        seal: Seal<S>,
    ) -> Result<Self, python::PythonError> {
        let (interpreter, report) = Interpreter::start(&settings.pyenv, &settings.python_config())?;
        let versions = serde_json::from_str(&report)
            .map_err(|error| python::PythonError::Raised(format!("a report that can't be read: {error}")))?;
        let pulse = Pulse::start(move || interpreter.touch())
            .map_err(|error| python::PythonError::Start(format!("no thread: {error}")))?;
        let pulse = Arc::new(pulse);
        let stopper = Arc::clone(&pulse);
        let pool = Pool::start(
            settings.max_workers,
            settings.max_queue,
            move |worker| work::live(interpreter, worker).map_err(|error| error.to_string()),
            move |thread, should| stopper.order(move || interpreter.stop(thread, should)),
        );
        Ok(Self(Arc::new(Inner {
            pool,
            pulse,
            cache: Cache::new(&settings.cache),
            flights: Flights::default(),
            seal,
            numbers: AtomicU64::new(0),
            timeout: settings.timeout,
            versions,
            metrics,
        })))
    }

    /// What a page holds; `fresh` asks the site even where that is known.
    pub async fn extract(&self, ask: &Ask, fresh: bool) -> Result<Found<S>, ExtractError> {
        self.find(ask, if fresh { Wanted::Fresh } else { Wanted::Known }).await
    }

    /// The link that an item of a page has now, ahead of new jobs: what it had before does not work any more.
    pub async fn renew(&self, page: &str, item: &Item) -> Result<Link, RenewError> {
        let ask = Ask::new(PageUrl::parse(page)?);
        let found = self.find(&ask, Wanted::Renewed).await?;
        found.extracted.extraction.link(item).cloned().ok_or(RenewError::Gone)
    }

    async fn find(&self, ask: &Ask, wanted: Wanted) -> Result<Found<S>, ExtractError> {
        let inner = &self.0;
        if let Some(outcome) = inner.known(ask, wanted) {
            return outcome.map(|extracted| Found { extracted, cached: true });
        }
        let (aboard, new) = inner.flights.board(ask);
        match new {
            None => inner.metrics.extraction_found("flight"),
            // One may have landed since the first look.
            Some(announce) => match inner.known(ask, wanted) {
                Some(outcome) => {
                    inner.flights.land(ask, &announce, outcome.clone());
                    return outcome.map(|extracted| Found { extracted, cached: true });
                }
                None => {
                    let flight = Arc::clone(inner).fly(ask.clone(), announce, wanted);
                    tokio::spawn(flight.in_current_span());
                }
            },
        }
        let outcome = aboard.landed().await.unwrap_or_else(|| Err(bug("an extraction's task was lost")));
        outcome.map(|extracted| Found { extracted, cached: false })
    }

    /// The formats of an extraction that yt-dlp's selector chooses, as their ids; never none.
    pub async fn select(&self, extraction: &Extraction, selector: &str) -> Result<Vec<String>, ExtractError> {
        let formats = serde_json::to_string(&extraction.formats).map_err(bug)?;
        let call = Call::Select { formats, selector: selector.to_owned() };
        let deadline = Instant::now() + self.0.timeout;
        // A selection is short, and ends a request that has had its extraction.
        let job = self.0.submit(call, Priority::Urgent, deadline)?;
        let answer = tokio::time::timeout_at(deadline.into(), job.answer).await;
        let selected: work::Selected = work::read(&self.0.answered(answer.ok())?)?;
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

    /// Whether an extraction would be begun: some worker is warm, and the interpreter can be had.
    pub fn is_ready(&self) -> bool {
        self.stats().warm > 0 && !self.0.pulse.is_stalled()
    }

    /// Versions of CPython and yt-dlp.
    pub fn versions(&self) -> &Versions {
        &self.0.versions
    }

    /// Refuses new work and drops what waits.
    pub fn close(&self) {
        self.0.pool.close();
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
    /// The page was extracted, but the item is not on it.
    #[error("the page has it no more")]
    Gone,
}

impl<S: Send + Sync + 'static> Inner<S> {
    fn known(&self, ask: &Ask, wanted: Wanted) -> Option<Outcome<S>> {
        // What is no playlist has no parts.
        let whole = || {
            let outcome = self.cache.get(&Ask::new(ask.page.clone()), wanted)?;
            outcome.as_ref().is_ok_and(|known| !known.extraction.is_playlist()).then_some(outcome)
        };
        let outcome = self.cache.get(ask, wanted).or_else(whole)?;
        self.metrics.extraction_found("cache");
        Some(outcome)
    }

    /// Extracts, and tells everybody who is aboard.
    async fn fly(self: Arc<Self>, ask: Ask, announce: Announce<S>, wanted: Wanted) {
        let started = Instant::now();
        let crash = self.flights.guard(&ask, &announce);
        let priority = match wanted {
            // A stream waits in its middle.
            Wanted::Renewed => Priority::Urgent,
            Wanted::Known | Wanted::Fresh => Priority::Ordinary,
        };
        let call = Call::Extract { url: ask.page.as_str().to_owned(), offset: ask.offset, limit: ask.limit };
        let outcome = match self.submit(call, priority, started + self.timeout) {
            Err(error) => Err(error),
            Ok(job) => match self.wait(&ask, &announce, job, started + self.timeout).await {
                None => return crash.disarm(),
                Some(answer) => self.extracted(&ask, answer),
            },
        };
        // What was not begun says nothing about how long it takes.
        if !matches!(outcome, Err(ExtractError::Overloaded | ExtractError::Stalled | ExtractError::Closed)) {
            self.metrics.extraction(outcome.as_ref().err().map(ExtractError::label), started.elapsed());
        }
        let has_parts = outcome.as_ref().is_ok_and(|known| known.extraction.is_playlist());
        let question = if has_parts || outcome.is_err() { ask.clone() } else { Ask::new(ask.page.clone()) };
        self.cache.put(question, wanted, &outcome);
        crash.disarm();
        self.flights.land(&ask, &announce, outcome);
    }

    /// Waits for a job; nothing where everybody left before it was begun.
    async fn wait(
        &self,
        ask: &Ask,
        announce: &Announce<S>,
        mut job: Pending,
        deadline: Instant,
    ) -> Option<Result<String, ExtractError>> {
        let late = tokio::time::sleep_until(deadline.into());
        tokio::pin!(late);
        let mut begun = false;
        loop {
            let answer = tokio::select! {
                answer = &mut job.answer => Some(answer),
                () = &mut late => None,
                () = announce.closed(), if !begun => {
                    let withdraw = || {
                        begun = !self.pool.withdraw(&job);
                        !begun
                    };
                    if self.flights.abandon(ask, announce, withdraw) {
                        return None;
                    }
                    // Begun, or boarded again in that moment.
                    continue;
                }
            };
            return Some(self.answered(answer));
        }
    }

    fn submit(&self, call: Call, priority: Priority, deadline: Instant) -> Result<Pending, ExtractError> {
        if self.pulse.is_stalled() {
            return Err(ExtractError::Stalled);
        }
        self.pool.submit(call, priority, deadline).map_err(|refused| match refused {
            Refused::Full => ExtractError::Overloaded,
            Refused::Closed => ExtractError::Closed,
        })
    }

    /// What became of a job; none is one whose time is up.
    fn answered(&self, answer: Option<Result<Answer, RecvError>>) -> Result<String, ExtractError> {
        match answer {
            None => Err(ExtractError::Timeout(self.timeout.as_secs())),
            Some(Err(_)) if self.pool.is_closed() => Err(ExtractError::Closed),
            Some(Err(_)) => Err(bug("the worker was lost")),
            Some(Ok(answer)) => answer.map_err(bug),
        }
    }

    fn extracted(&self, ask: &Ask, answer: Result<String, ExtractError>) -> Outcome<S> {
        let answer = answer?;
        let extraction: Extraction = work::read(&answer)?;
        let (sealed, bytes) = (self.seal)(&ask.page, &extraction);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        // The texts of the answer, once more as a structure.
        Ok(Arc::new(Extracted { number, extraction, sealed, bytes: answer.len() * 3 / 2 + bytes }))
    }
}

fn bug(error: impl std::fmt::Display) -> ExtractError {
    ExtractError::Bug(error.to_string())
}
