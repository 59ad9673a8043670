//! SIGINT and SIGTERM.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell makes of the end by SIGINT: 128 and the signal's number.
const BY_INTERRUPT: u8 = 130;
/// The same for SIGTERM.
const BY_TERMINATE: u8 = 143;

/// The signals that end the process. Once they are registered they do nothing by themselves.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over. Before Python starts: an interpreter that finds SIGINT taken leaves it alone.
    pub fn register() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the first signal. At a second one `exit` is to end the process.
    pub async fn received(mut self, exit: fn(u8) -> !) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("a second signal: ending at once");
            exit(1)
        });
    }

    /// Has `exit` end the process at the first signal, whatever it does.
    pub fn end(mut self, exit: fn(u8) -> !) {
        tokio::spawn(async move { exit(self.next().await) });
    }

    /// The exit code that the next signal would end a process with.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => BY_INTERRUPT,
            _ = self.terminate.recv() => BY_TERMINATE,
        }
    }
}
