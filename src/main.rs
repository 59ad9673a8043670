//! The command line, the wiring, the exit code.

use std::fmt::Display;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use sluice::admission::{self, Admission};
use sluice::api::{self, Api, ExtractRequest, Layout, Tokens};
use sluice::check::{self, Health, Subjects};
use sluice::config::{self, ProcessEnv, Settings, Task, Wanted};
use sluice::egress::Egress;
use sluice::extract::{self, Extractor, Look, Versions, python, quarantine};
use sluice::relay::{Relay, Renew};
use sluice::server::{self, Manager, Signals};
use sluice::telemetry::{self, Metrics};
use sluice::ticket::Sealer;
use tokio::runtime::Runtime;

/// glibc's keeps what a burst of streams took (docs/measurements.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A bad command line or setting (sysexits(3) has more, but 2 is what clap and the shell use).
const USAGE: u8 = 2;

type BoxError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let flags = config::command().get_matches();
    if let Some(becoming) = config::confined(&flags) {
        complain(&becoming.become_it());
        return ExitCode::FAILURE;
    }
    let task = config::task(&flags);
    if let Task::Quarantine = task {
        // It has its settings from the server.
        let ended = quarantine::obey().inspect_err(|error| complain(error));
        python::exit(u8::from(ended.is_err()));
    }
    match &task {
        Task::Keygen(name) => return keygen(name),
        Task::Print(text) => return print(text),
        _ => {}
    }
    let settings = match config::load(&flags, &ProcessEnv) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return ExitCode::from(USAGE);
        }
    };
    telemetry::init(&settings.log);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let ended = match task {
        Task::Extract(asked) => in_runtime(print_page(settings, asked)).inspect_err(|error| complain(error)),
        Task::Check(wanted) => in_runtime(check(settings, wanted)).inspect_err(|error| complain(error)),
        _ => in_runtime(serve(settings)).inspect_err(|error| tracing::error!("{error}")),
    };
    // Extractions that nobody waits for may still be inside Python.
    python::exit(u8::from(!ended.unwrap_or(false)))
}

/// Whether all is well.
fn in_runtime(work: impl Future<Output = Result<bool, BoxError>>) -> Result<bool, BoxError> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(work);
    // Waits for nothing: a name that is being looked up must not hold the end back.
    runtime.shutdown_background();
    result
}

/// Where standard error is closed, the exit code has to do.
fn complain(error: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "sluice: {error}");
}

/// A new key: both halves, and which is whose.
fn keygen(name: &str) -> ExitCode {
    match admission::new_key(name) {
        Ok((key, line)) => {
            print(format!("for {name}:           {key}\nfor API_KEYS_FILE: {line}\n").as_bytes())
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(USAGE)
        }
    }
}

fn print(text: &[u8]) -> ExitCode {
    match write(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// To standard output, all of it.
fn write(text: &[u8]) -> Result<(), BoxError> {
    // Not `Stdout`, whose lock a signal's end would wait for while a reader lets us wait.
    let out = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
    out.and_then(|mut out| out.write_all(text)).map_err(|error| format!("standard output: {error}").into())
}

async fn serve(mut settings: Settings) -> Result<bool, BoxError> {
    let started = Instant::now();
    let signals = Signals::register()?;
    let entrance = server::bind(&settings.server)?;
    let room = server::room_within_limit(settings.relay.max_streams, settings.server.max_connections);
    settings.relay.max_streams = room.streams;
    let api = wired(&settings)?;
    let manager = Manager::default();
    tokio::spawn(announce(Arc::clone(&api), started, manager));
    let shutdown = signals.received(python::exit);
    server::run(entrance, api, &settings.server, room.connections, manager, shutdown).await;
    Ok(true)
}

/// Says, in the log and to whoever started the process, when the first worker is warm.
async fn announce(api: Arc<Api>, started: Instant, manager: Manager) {
    api.warmed().await;
    manager.ready().await;
    tracing::info!("ready in {} ms", started.elapsed().as_millis());
}

async fn print_page(mut settings: Settings, asked: ExtractRequest) -> Result<bool, BoxError> {
    Signals::register()?.end(python::exit);
    settings.extract.max_workers = 1;
    let layout = if std::io::stdout().is_terminal() { Layout::Pretty } else { Layout::Line };
    let base_url = settings.api.links.base_url_at(&settings.server.listen, settings.server.tls.is_some());
    let mut json = wired(&settings)?.describe(&asked, &base_url, layout).await?.to_vec();
    json.push(b'\n');
    write(&json).map(|()| true)
}

async fn check(settings: Settings, wanted: Wanted) -> Result<bool, BoxError> {
    Signals::register()?.end(python::exit);
    if wanted == Wanted::Health {
        let (line, well) = match check::health(&settings.server).await {
            Ok(Health::Ready) => ("ready".to_owned(), true),
            Ok(Health::Unready(why)) => (format!("not ready: {why}"), false),
            Err(error) => (format!("not ready: {error}"), false),
        };
        return write(format!("{line}\n").as_bytes()).map(|()| well);
    }
    let Settings { check, server, admission, extract, relay, egress, warnings, .. } = &settings;
    let subjects = Subjects { check, server, admission, extract, relay, egress, warnings };
    let report = check::run(subjects).await;
    let text = match wanted {
        Wanted::Json => serde_json::to_string(&report)? + "\n",
        _ => report.to_string(),
    };
    write(text.as_bytes()).map(|()| report.ok)
}

/// Puts the rooms together. Blocks this thread, which has nothing else to do yet, until yt-dlp is imported.
fn wired(settings: &Settings) -> Result<Arc<Api>, BoxError> {
    // First, for the trust roots are of it.
    extract::check_runtime(&settings.extract, Look::Sizes)?;
    let metrics = Arc::new(Metrics::default());
    let admission = Arc::new(Admission::new(&settings.admission)?);
    admission.keep_tidy();
    let egress = Egress::new(&settings.egress)?;
    let client = egress.client().clone();
    let sealer = Arc::new(Sealer::new(&settings.tickets)?);
    let seal = api::sealed_by(Arc::clone(&sealer));
    let extractor = Arc::new(Extractor::start(&settings.extract, egress, Arc::clone(&metrics), seal)?);
    let Versions { python, yt_dlp, extractors, .. } = extractor.versions();
    tracing::info!(python, yt_dlp, extractors, "extractors loaded");
    metrics.built(python, yt_dlp);
    let relay = Relay::new(client, settings.relay.clone(), Arc::clone(&metrics), renewed_by(&extractor));
    Ok(Arc::new(Api::new(admission, extractor, sealer, relay, metrics, settings.api.clone())))
}

/// Lets the relay have links renewed without knowing the extractor.
fn renewed_by(extractor: &Arc<Extractor<Tokens>>) -> Renew {
    let extractor = Arc::clone(extractor);
    Arc::new(move |page, item| {
        let extractor = Arc::clone(&extractor);
        Box::pin(async move {
            let extracted = extractor.renew(&page).await?;
            Ok(api::content(&extracted.extraction, &item).ok_or("the page has it no more")?)
        })
    })
}
