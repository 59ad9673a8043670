//! Logs and metrics.

mod connections;
mod exits;
mod extractions;
mod journal;
mod metrics;
mod process;
mod sample;
mod streams;
mod text;

use tracing_subscriber::EnvFilter;

use journal::Journal;

pub use connections::{Connections, Refusal};
pub use exits::{EgressSample, GuardSample};
pub use extractions::CacheLookup;
pub use metrics::Metrics;
pub use process::{open_files, resident_bytes};
pub use sample::{CacheSample, QuarantineSample, Sample};
pub use streams::StreamGuard;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Settings of the log.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `error` … `trace`, or directives of `tracing_subscriber`'s filter.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
    /// Whether they go to systemd's journal.
    pub journal: bool,
}

/// Checks a log filter.
pub fn check_filter(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(drop).map_err(|error| error.to_string())
}

/// Sends the process's log to standard error. Call it once.
pub fn init(settings: &Settings) {
    // A filter that was not checked logs what it can make of it.
    // h2 tells of every frame, which is asked for by its name alone.
    let filter = EnvFilter::new(format!("h2=warn,{}", settings.filter));
    // A line that can't be written is lost: complaining about it would panic where standard error is closed.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match settings.format {
        LogFormat::Plain if settings.journal => {
            builder.with_ansi(false).event_format(Journal::default()).init();
        }
        LogFormat::Plain => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
