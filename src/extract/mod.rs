//! Page URL → [`Extraction`]: cache, single flight, the worker pool with its deadlines, and the way into Python.

mod cache;
mod error;
mod flight;
mod fly;
mod page;
mod pool;
mod pulse;
pub mod python;
pub mod script;
mod types;
mod work;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tracing::Instrument;

use crate::egress::Proxy;
use crate::telemetry::Metrics;
use crate::ticket::{Item, Link};

use cache::{Cache, Wanted};
pub use cache::{CacheSettings, Extracted};
pub use error::{ExtractError, PageError, PageErrorKind};
use flight::Flights;
pub use page::{PageUrl, PageUrlError};
pub use pool::PoolStats;
use pool::{Call, Pool, Priority};
use pulse::Pulse;
use python::{Interpreter, RunScript};
use script::Scripts;
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
    /// What runs the sites' scripts.
    pub scripts: script::Settings,
}

impl Settings {
    /// What `sluice.start` in Python takes.
    fn python_config(&self, scripts: Option<&Scripts>) -> String {
        serde_json::json!({
            "proxy": self.proxy.as_ref().map(|proxy| &proxy.url),
            "ca_file": self.ca_file,
            "cookies_path": self.cookies,
            "socket_timeout": self.timeout.as_secs_f64(),
            "javascript": scripts.map(Scripts::description),
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
    /// Starts the interpreter and the first workers. Blocks until yt-dlp is imported; to be called on a tokio runtime
    /// with other threads, which look for JavaScript meanwhile.
    pub fn start(
        settings: &Settings,
        metrics: Arc<Metrics>,
        seal: Seal<S>,
    ) -> Result<Self, python::PythonError> {
        let (found, scripts) = mpsc::sync_channel(1);
        let wanted = settings.scripts.clone();
        // Somebody waits for it below, but for where Python does not start.
        tokio::spawn(async move { found.send(Scripts::find(wanted).await) });
        let (interpreter, report) = Interpreter::start(&settings.pyenv, || {
            let scripts = scripts.recv().ok().flatten();
            (settings.python_config(scripts.as_ref()), scripts.map(run_script))
        })?;
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
