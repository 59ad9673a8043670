//! The command line, the wiring, the exit code.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use sluice::api::{self, Api, Tokens};
use sluice::config::{self, ProcessEnv, Settings};
use sluice::egress::Egress;
use sluice::extract::{Extractor, Versions, python};
use sluice::relay::{self, Relay, Renew};
use sluice::server;
use sluice::telemetry::{self, Metrics};
use sluice::ticket::Sealer;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// glibc's keeps what a burst of streams took (docs/measurements.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A bad command line or setting (sysexits(3) has more, but 2 is what clap and the shell use).
const USAGE: u8 = 2;

type BoxError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let flags = config::command().get_matches();
    let settings = match config::load(&flags, &ProcessEnv) {
        Ok(settings) => settings,
        Err(error) => {
            // Where standard error is closed, the exit code has to do.
            let _ = writeln!(std::io::stderr(), "sluice: {error}");
            return ExitCode::from(USAGE);
        }
    };
    telemetry::init(&settings.log);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let code = match serve(settings) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!("{error}");
            1
        }
    };
    // Extractions that nobody waits for may still be inside Python.
    python::exit(code)
}

fn serve(settings: Settings) -> Result<(), BoxError> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(run(settings));
    // Waits for nothing: a name that is being looked up must not hold the end back.
    runtime.shutdown_background();
    result
}

async fn run(settings: Settings) -> Result<(), BoxError> {
    let started = Instant::now();
    // Before Python: an interpreter that finds SIGINT taken leaves it alone.
    let signals = Signals::register()?;
    let listeners = server::bind(&settings.server.listen)?;
    let metrics = Arc::new(Metrics::default());
    let egress = Egress::new(&settings.egress)?;
    let sealer = Arc::new(Sealer::new(&settings.tickets)?);
    // Blocks this thread, which has nothing else to do yet.
    let seal = api::sealed_by(Arc::clone(&sealer));
    let extractor = Arc::new(Extractor::start(&settings.extract, Arc::clone(&metrics), seal)?);
    let Versions { python, yt_dlp, extractors } = extractor.versions();
    tracing::info!(python, yt_dlp, extractors, "extractors loaded");
    let max_streams = server::streams_within_limit(settings.relay.max_streams);
    let limits = relay::Settings { max_streams, ..settings.relay };
    let relay = Relay::new(egress, limits, Arc::clone(&metrics), renewed_by(&extractor));
    let api = Arc::new(Api::new(extractor, sealer, relay, metrics, settings.api));
    tokio::spawn(announce(Arc::clone(&api), started));
    server::run(listeners, api, &settings.server, signals.received()).await;
    Ok(())
}

/// Lets the relay have links renewed without knowing the extractor.
fn renewed_by(extractor: &Arc<Extractor<Tokens>>) -> Renew {
    let extractor = Arc::clone(extractor);
    Arc::new(move |page, item| {
        let extractor = Arc::clone(&extractor);
        Box::pin(async move { Ok(extractor.renew(&page, &item).await?) })
    })
}

/// Says in the log when the first worker is warm.
async fn announce(api: Arc<Api>, started: Instant) {
    api.warmed().await;
    tracing::info!("ready in {} ms", started.elapsed().as_millis());
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn register() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the first SIGINT or SIGTERM. A second one ends the process at once.
    async fn received(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("a second signal: ending at once");
            python::exit(1)
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
