//! One helper process, as the server sees it.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Settings;
use super::frame::{self, FrameError, Kind};
use super::inmate::{Ran, Script, Work};
use super::nursery::{Forked, Nursery, START};
use crate::extract::script::{Output, Scripts};

/// The command that makes this binary a helper.
pub const COMMAND: &str = "quarantine";
/// Why a helper is no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelperError {
    /// It could not be started.
    #[error("no process for it: {0}")]
    Spawn(#[from] io::Error),
    /// It ended by itself, or somebody else ended it.
    #[error("it died")]
    Died,
    /// It did not start in time.
    #[error("it did not start within {} s", START.as_secs())]
    Start,
    /// It says that it can't do its work.
    #[error("{0}")]
    Broken(String),
    /// It sent what it may not.
    #[error("it sent {0}")]
    Protocol(FrameError),
}

impl HelperError {
    /// A short name for metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Spawn(_) | Self::Start | Self::Broken(_) => "start",
            Self::Died => "died",
            Self::Protocol(_) => "protocol",
        }
    }
}

impl From<FrameError> for HelperError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Gone(_) => Self::Died,
            error => Self::Protocol(error),
        }
    }
}

/// A process that takes one job at a time. Killed when dropped.
pub(super) struct Helper {
    process: Forked,
    stream: UnixStream,
    limit: usize,
}

impl Helper {
    /// Has one made, and waits until it is ready.
    pub(super) async fn start(settings: &Settings, nursery: &Nursery) -> Result<Self, HelperError> {
        timeout(START, Self::made(settings.message_limit, nursery)).await.map_err(|_| HelperError::Start)?
    }

    async fn made(limit: usize, nursery: &Nursery) -> Result<Self, HelperError> {
        let (process, socket) = nursery.fork().await?;
        socket.set_nonblocking(true)?;
        let mut helper = Self { process, stream: UnixStream::from_std(socket)?, limit };
        match frame::receive(&mut helper.stream, helper.limit).await? {
            (Kind::Ready, _) => Ok(helper),
            (Kind::Answer, why) => Err(HelperError::Broken(why)),
            _ => Err(HelperError::Protocol(FrameError::Unexpected)),
        }
    }

    /// Gives it a job, and runs the scripts that it asks for. Where the future is dropped before its end, the helper is of
    /// no more use.
    pub(super) async fn run(&mut self, work: Work, scripts: Option<&Scripts>) -> Result<String, HelperError> {
        let text = serde_json::to_string(&work).map_err(|error| HelperError::Broken(error.to_string()))?;
        frame::send(&mut self.stream, Kind::Job, &text).await?;
        loop {
            match frame::receive(&mut self.stream, self.limit).await? {
                (Kind::Answer, answer) => {
                    return Ok(answer);
                }
                (Kind::Script, script) => {
                    let ran = ran(scripts, &script).await?;
                    frame::send(&mut self.stream, Kind::Ran, &ran).await?;
                }
                _ => return Err(HelperError::Protocol(FrameError::Unexpected)),
            }
        }
    }

    /// Its memory of its own in bytes, as the kernel counts it against the limit (proc(5), `status`, `VmData`).
    pub(super) fn data(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmData:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    }

    /// Waits until a helper has died; for ever, where there is none.
    pub(super) async fn ended(helper: Option<&mut Self>) {
        match helper {
            // Without a job it has nothing to say, and with what it says nevertheless it is as good as dead.
            Some(helper) => drop(helper.stream.read(&mut [0]).await),
            None => std::future::pending().await,
        }
    }

    /// Ends it, whatever it does, and waits until it is gone.
    pub(super) async fn kill(mut self) {
        self.process.kill();
        // Nobody else has the other end: at its end it is closed. What is still in it nobody needs.
        while self.stream.read(&mut [0; 1 << 10]).await.is_ok_and(|read| read > 0) {}
    }
}

/// Runs a script for a helper.
async fn ran(scripts: Option<&Scripts>, asked: &str) -> Result<String, HelperError> {
    let unexpected = |_| HelperError::Protocol(FrameError::Unexpected);
    let Script { script, seconds } = serde_json::from_str(asked).map_err(unexpected)?;
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let ran: Ran = match scripts {
        Some(scripts) => scripts.run(&script, time).await.map_err(|error| error.to_string()),
        None => Err("there is no JavaScript runtime".to_owned()),
    }
    .map(|Output { code, stdout, stderr }| (code, stdout, stderr));
    serde_json::to_string(&ran).map_err(|error| HelperError::Broken(error.to_string()))
}
