//! What a worker does with its jobs, and how Python's answers are read.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::pool::{Call, Failure, Worker};
use super::python::{Interpreter, PythonError};
use super::{ExtractError, PageError, PageErrorKind, bug};
use crate::egress::Guard;
use crate::telemetry::Metrics;

/// How much later than for its client a job's time is up for Python: what a client hears should not depend on which of
/// two clocks is first.
const LATER: Duration = Duration::from_millis(250);

/// Tagged JSON, as `pyenv/sluice/session.py` writes it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<T> {
    Ok(T),
    Error(PageError),
    HandOff(String),
}

/// What Python has done.
pub(super) enum Answer<T> {
    /// What it should.
    Done(T),
    /// As much as may be done in this process: the job's state, for a helper, and whether it has held Python's lock for
    /// too long.
    HandOff { state: String, held: bool },
}

impl<T> Answer<T> {
    /// Where nothing may be left to do.
    pub(super) fn done(self) -> Result<T, ExtractError> {
        match self {
            Self::Done(value) => Ok(value),
            Self::HandOff { .. } => Err(bug("a job was handed off that can't be")),
        }
    }
}

#[derive(Deserialize)]
struct Tagged<T> {
    #[serde(flatten)]
    outcome: Outcome<T>,
    /// Of a job that is handed off: whether it has held Python's lock for too long.
    #[serde(default)]
    held: bool,
    /// Key of the extractor that the job has come to.
    #[serde(default)]
    extractor: Option<String>,
    #[serde(default)]
    log: Vec<(Level, String)>,
}

/// yt-dlp's levels, as `pyenv/sluice/log.py` has them.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Deserialize)]
pub(super) struct Selected {
    pub(super) format_ids: Vec<String>,
}

/// Reads Python's answer, and passes its log on. `extractor` is set to the key of the one that the job came to.
pub(super) fn read<T: DeserializeOwned>(
    answer: &str,
    extractor: &OnceLock<String>,
) -> Result<Answer<T>, ExtractError> {
    let tagged: Tagged<T> = serde_json::from_str(answer).map_err(bug)?;
    if let Some(key) = tagged.extractor {
        // Where the page is tried again, it is the same one.
        let _ = extractor.set(key);
    }
    for (level, text) in tagged.log {
        match level {
            Level::Debug => tracing::trace!(target: "yt_dlp", "{text}"),
            // What yt-dlp tells about its progress to who sits before it.
            Level::Info => tracing::debug!(target: "yt_dlp", "{text}"),
            Level::Warning => tracing::warn!(target: "yt_dlp", "{text}"),
            // What ends an extraction is its client's business first.
            Level::Error => tracing::info!(target: "yt_dlp", "{text}"),
        }
    }
    match tagged.outcome {
        Outcome::Ok(value) => Ok(Answer::Done(value)),
        Outcome::HandOff(state) => Ok(Answer::HandOff { state, held: tagged.held }),
        Outcome::Error(PageError { kind: PageErrorKind::Internal, message, trace, .. }) => {
            Err(bug(format!("{message} at {}", trace.unwrap_or_default())))
        }
        Outcome::Error(error) => Err(ExtractError::Page(error)),
    }
}

/// The life of a worker: a session of its own, kept for all its jobs.
pub(super) fn live(
    interpreter: Interpreter,
    guard: &Guard,
    metrics: &Metrics,
    worker: &Worker,
) -> Result<(), PythonError> {
    let mut desk = guard.desk();
    interpreter.with_session(|session| {
        session.warm()?;
        worker.ready(session.thread());
        while let Some(job) = session.detached(|| worker.next()) {
            metrics.job_waited(job.waited);
            let result = match &job.call {
                Call::Extract { url, offset, limit, outing } => {
                    let proxy = desk.begin(outing).map_err(|error| PythonError::Raised(error.to_string()))?;
                    let left = job.deadline.saturating_duration_since(Instant::now()) + LATER;
                    let left = left.as_secs_f64();
                    let verbose = tracing::enabled!(target: "yt_dlp", tracing::Level::DEBUG);
                    let options = serde_json::json!({
                        "timeout": left, "verbose": verbose, "offset": offset, "limit": limit, "proxy": proxy
                    });
                    session.extract(url, &options.to_string())
                }
                Call::Select { formats, selector } => session.select(formats, selector),
            };
            // The job ends before this thread gives the interpreter's lock up, so that nobody tells it to stop after
            // this.
            let reply = job.over();
            session.unstop();
            desk.end();
            session.settle()?;
            let broken = result.as_ref().err().map(ToString::to_string);
            // The client may have left meanwhile, which is nobody's error.
            let _ = reply.send(result.map_err(|error| Failure::Bug(error.to_string())));
            if let Some(error) = broken {
                // An exception in the wrong place: the session may be half done with something.
                return Err(PythonError::Raised(error));
            }
        }
        Ok(())
    })?
}
