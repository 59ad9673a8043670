//! Page URL → [`Extraction`]: the worker pool, its deadline and the way into Python.

mod error;
mod page;
mod pool;
pub mod python;
mod renew;
mod types;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::egress::Proxy;
use crate::telemetry::Metrics;

pub use error::{ExtractError, PageError, PageErrorKind};
pub use page::{PageUrl, PageUrlError};
pub use pool::PoolStats;
use pool::{Answer, Call, Pool, Priority, Refused, Worker};
use python::Interpreter;
use renew::Renewals;
pub use types::{Entry, Extraction, Format, FormatInfo, Image, Kind, Metadata, Subtitle};

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
            // A read that hangs frees its thread not long after its client was told.
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

/// Tagged JSON, as `pyenv/sluice/session.py` writes it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<T> {
    Ok(T),
    Error(PageError),
}

#[derive(Deserialize)]
struct Tagged<T> {
    #[serde(flatten)]
    outcome: Outcome<T>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Selected {
    format_ids: Vec<String>,
}

/// Extracts pages.
pub struct Extractor {
    pool: Pool,
    timeout: Duration,
    versions: Versions,
    metrics: Arc<Metrics>,
    renewals: Renewals,
}

impl Extractor {
    /// Starts the interpreter and the first workers. Blocks until yt-dlp is imported.
    pub fn start(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, python::PythonError> {
        let (interpreter, report) = Interpreter::start(&settings.pyenv, &settings.python_config())?;
        let versions = serde_json::from_str(&report)
            .map_err(|error| python::PythonError::Raised(format!("a report that can't be read: {error}")))?;
        let pool = Pool::start(settings.max_workers, settings.max_queue, move |worker| {
            work(interpreter, worker).map_err(|error| error.to_string())
        });
        let renewals = Renewals::default();
        Ok(Self { pool, timeout: settings.timeout, versions, metrics, renewals })
    }

    /// Extracts a page.
    pub async fn extract(&self, page: &PageUrl) -> Result<Arc<Extraction>, ExtractError> {
        self.extract_as(page, Priority::Ordinary).await
    }

    async fn extract_as(&self, page: &PageUrl, priority: Priority) -> Result<Arc<Extraction>, ExtractError> {
        let call = Call::Extract { url: page.as_str().to_owned(), options: "{}".to_owned(), priority };
        let started = Instant::now();
        let result = self.call(call).await.map(Arc::new);
        // What was not begun says nothing about how long it takes.
        if !matches!(result, Err(ExtractError::Overloaded | ExtractError::Closed)) {
            self.metrics.extraction(result.as_ref().err().map(ExtractError::label), started.elapsed());
        }
        result
    }

    /// The formats of an extraction that yt-dlp's selector chooses, as their ids; never none.
    pub async fn select(&self, extraction: &Extraction, selector: &str) -> Result<Vec<String>, ExtractError> {
        let formats = serde_json::to_string(&extraction.formats).map_err(bug)?;
        let call = Call::Select { formats, selector: selector.to_owned() };
        let selected: Selected = self.call(call).await?;
        Ok(selected.format_ids)
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, ExtractError> {
        let answer = self.pool.submit(call).map_err(|refused| match refused {
            Refused::Full => ExtractError::Overloaded,
            Refused::Closed => ExtractError::Closed,
        })?;
        let answer: Answer = match tokio::time::timeout(self.timeout, answer).await {
            Err(_) => return Err(ExtractError::Timeout(self.timeout.as_secs())),
            Ok(Err(_)) if self.pool.is_closed() => return Err(ExtractError::Closed),
            Ok(Err(_)) => return Err(bug("the worker was lost")),
            Ok(Ok(answer)) => answer,
        };
        let tagged: Tagged<T> = serde_json::from_str(&answer.map_err(bug)?).map_err(bug)?;
        for warning in tagged.warnings {
            tracing::warn!(target: "yt_dlp", "{warning}");
        }
        match tagged.outcome {
            Outcome::Ok(value) => Ok(value),
            Outcome::Error(PageError { kind: PageErrorKind::Internal, message, trace, .. }) => {
                Err(bug(format!("{message} at {}", trace.unwrap_or_default())))
            }
            Outcome::Error(error) => Err(ExtractError::Page(error)),
        }
    }

    /// Waits until a worker is warm.
    pub async fn warmed(&self) {
        self.pool.warmed().await;
    }

    /// How busy the workers are.
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }

    /// Versions of CPython and yt-dlp.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Refuses new work and drops what waits.
    pub fn close(&self) {
        self.pool.close();
    }
}

fn bug(error: impl std::fmt::Display) -> ExtractError {
    ExtractError::Bug(error.to_string())
}

/// The life of a worker: a session of its own, kept for all its jobs.
fn work(interpreter: Interpreter, worker: &Worker) -> Result<(), python::PythonError> {
    interpreter.with_session(|session| {
        session.warm()?;
        worker.ready();
        while let Some(job) = session.detached(|| worker.next()) {
            let result = match &job.call {
                Call::Extract { url, options, .. } => session.extract(url, options),
                Call::Select { formats, selector } => session.select(formats, selector),
            };
            job.answer(result.map_err(|error| error.to_string()));
        }
        Ok(())
    })?
}
