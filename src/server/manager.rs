//! The service manager (systemd): sockets that it passes in, and what it is told (sd_listen_fds(3), sd_notify(3)).
//!
//! The crates read the variables that it sets: they are its protocol, and no settings. Without a manager, there are
//! none, and nobody is told.

use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::sync::oneshot;

/// How often the status is told, where no watchdog asks for more.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for a manager that does not listen, where something else waits for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// The listening sockets that were passed in, all of which have to be TCP's. Programs that this process starts do not
/// inherit them.
pub(super) fn passed() -> io::Result<Vec<TcpListener>> {
    let mut passed = ListenFd::from_env();
    let mut listeners = Vec::with_capacity(passed.len());
    for index in 0..passed.len() {
        listeners.extend(passed.take_tcp_listener(index)?);
    }
    Ok(listeners)
}

/// Who started this process, if it wants to know how it fares.
#[derive(Debug, Clone, Copy)]
pub struct Manager {
    /// How often it is to be told that all is well.
    interval: Duration,
}

impl Default for Manager {
    fn default() -> Self {
        // Half of what it waits, as sd_watchdog_enabled(3) says.
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Self { interval: watchdog.map_or(STATUS_EVERY, |half| half.min(STATUS_EVERY)) }
    }
}

impl Manager {
    /// The first worker is warm.
    pub async fn ready(self) {
        hurried(tell(Some(NotifyState::Ready), "ready".to_owned())).await;
    }

    /// No more clients are let in, and `seconds` may pass until the last have gone.
    pub(super) async fn stopping(self, seconds: u64) {
        hurried(tell(Some(NotifyState::Stopping), format!("draining for up to {seconds} s"))).await;
    }

    /// Tells how it fares again and again, and, as long as it is `alive`, that the watchdog may sleep on. Neither may
    /// wait for Python, which may be what hangs.
    pub(super) async fn tend(self, status: impl Fn() -> String, alive: impl Fn() -> bool) -> ! {
        loop {
            tokio::time::sleep(self.interval).await;
            let status = status();
            match alive() {
                true => tell(Some(NotifyState::Watchdog), status).await,
                false => tell(None, format!("not well: {status}")).await,
            }
        }
    }
}

/// Goes on after [`PATIENCE`], whether it has been told or not.
async fn hurried(telling: impl Future<Output = ()>) {
    let _ = tokio::time::timeout(PATIENCE, telling).await;
}

/// Waits until it is told, on a thread of its own: who listens may be slow, and tokio's threads for what blocks may all
/// wait for names that are looked up, which must not keep the watchdog from being told.
async fn tell(news: Option<NotifyState<'static>>, status: String) {
    let (told, telling) = oneshot::channel::<()>();
    let tell = move || {
        let states = news.into_iter().chain([NotifyState::Status(&status)]).collect::<Vec<_>>();
        if let Err(error) = sd_notify::notify(&states) {
            tracing::debug!(%error, "the service manager was not told");
        }
        drop(told);
    };
    if let Err(error) = thread::Builder::new().name("manager".into()).spawn(tell) {
        tracing::debug!(%error, "no thread to tell the service manager by");
    }
    // Its end is all that it says, and that comes in any case.
    let _ = telling.await;
}
