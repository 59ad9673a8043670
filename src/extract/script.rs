//! Scripts of the sites, run in a JavaScript runtime: a process for each, confined ([`crate::confine`]), bounded in
//! time, memory, output and number, with an empty environment, and dead when its caller has its answer.
//!
//! The runtime is a program of its own because a script is a stranger's code: it could take this process with it.

mod runtime;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::confine::{Becoming, ConfineError, Limits};
use runtime::Version;
pub use runtime::{ADVICE, Kind, Runtime};

/// Most bytes that a script may print. The answers to a page's challenges take some kilobytes; the player, which
/// yt-dlp has returned for a cache that is off here, takes three megabytes.
pub(super) const MAX_STDOUT: u64 = 8 << 20;
/// What is kept of its complaints, in bytes; for the log.
const MAX_STDERR: u64 = 16 << 10;
/// How long a runtime may take to say its version, at start.
const PROBE: Duration = Duration::from_secs(5);
/// This binary, even where another has taken its place on the disk meanwhile.
const MYSELF: &str = "/proc/self/exe";
/// All that a runtime knows of its surroundings: that there is no place to keep anything, and no colour to print.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", "/nonexistent"),
    ("DENO_DIR", "/nonexistent"),
    ("DENO_NO_UPDATE_CHECK", "1"),
    ("NO_COLOR", "1"),
    ("PATH", "/nonexistent"),
    ("LANG", "C.UTF-8"),
];

/// What runs scripts, and how far they may go.
#[derive(Debug, Clone)]
pub struct Settings {
    /// None: no scripts are run.
    pub runtime: Option<Runtime>,
    /// Most at a time; more wait.
    pub processes: usize,
    /// Bytes of memory, of each.
    pub memory: u64,
    /// Time of each, with its wait for its turn.
    pub timeout: Duration,
}

/// What a script did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code, or the number of the signal that ended it, negative.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// The beginning of what it complained about.
    pub stderr: String,
}

/// Why a script has no output.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The time is up, and the script was killed.
    #[error("the script took longer than {0:.1?}")]
    Timeout(Duration),
    /// As many as may were running all the time.
    #[error("no JavaScript process was free within {0:.1?}")]
    Busy(Duration),
    /// It printed too much, and was killed.
    #[error("the script printed more than {MAX_STDOUT} bytes")]
    Output,
    /// There is no process, or no way to hear of it.
    #[error("the JavaScript runtime does not run: {0}")]
    Process(#[from] std::io::Error),
    /// The server is about to end.
    #[error("the server is shutting down")]
    Closed,
}

/// Why no scripts are run.
#[derive(Debug, thiserror::Error)]
pub enum NoScripts {
    /// None was found, or wanted.
    #[error("no JavaScript runtime, so some sites (YouTube) lack links")]
    Unset,
    /// It does not do what it should.
    #[error("{name} can't be used: {why}")]
    Fails {
        /// Which.
        name: &'static str,
        /// Why, in its own words or the system's.
        why: String,
    },
    /// yt-dlp's scripts need a newer one.
    #[error("{name} {version} is too old for the sites' scripts")]
    Old {
        /// Which.
        name: &'static str,
        /// Its version.
        version: String,
    },
    /// A script that has broken out of its runtime would find this process's secrets in /proc.
    #[error("no scripts are run, for they could read this process: {0}")]
    Exposed(#[source] ConfineError),
}

/// Runs scripts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scripts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    version: Option<Version>,
    memory: u64,
    timeout: Duration,
    turns: Semaphore,
    handle: tokio::runtime::Handle,
}

impl Scripts {
    /// [`Scripts::look`], with a word in the log on what came of it.
    pub async fn find(settings: Settings) -> Option<Self> {
        let runtime = settings.runtime.clone();
        match Self::look(settings).await {
            Ok(scripts) => {
                let path = scripts.0.runtime.path.display().to_string();
                tracing::info!(path, version = scripts.version(), "JavaScript runtime: {}", scripts.name());
                return Some(scripts);
            }
            Err(why @ NoScripts::Unset) => tracing::info!("{why}; {ADVICE}"),
            Err(why @ NoScripts::Exposed(_)) => tracing::warn!("{why}"),
            Err(why) => runtime.iter().for_each(|runtime| runtime.complain(&why)),
        }
        None
    }

    /// Starts the runtime once, as confined as it will be for scripts, and asks for its version. To be called on a tokio
    /// runtime, which must outlive the scripts.
    pub async fn look(settings: Settings) -> Result<Self, NoScripts> {
        let mut inner = Inner {
            runtime: settings.runtime.ok_or(NoScripts::Unset)?,
            version: None,
            memory: settings.memory,
            timeout: settings.timeout,
            turns: Semaphore::new(settings.processes),
            handle: tokio::runtime::Handle::current(),
        };
        let name = inner.runtime.kind.name();
        let version = inner.probe().await.map_err(|why| NoScripts::Fails { name, why })?;
        if !inner.runtime.kind.takes(&version) {
            return Err(NoScripts::Old { name, version: version.text });
        }
        crate::confine::private().map_err(NoScripts::Exposed)?;
        inner.version = Some(version);
        Ok(Self(Arc::new(inner)))
    }

    /// The runtime's name.
    pub fn name(&self) -> &'static str {
        self.0.runtime.kind.name()
    }

    /// Its version, in its own words.
    pub fn version(&self) -> &str {
        self.0.version.as_ref().map_or("", |version| &version.text)
    }

    /// What Python is told of the runtime.
    pub fn description(&self) -> serde_json::Value {
        let Inner { runtime, version, .. } = &*self.0;
        serde_json::json!({
            "name": runtime.kind.name(),
            "path": runtime.path.to_string_lossy(),
            "version": version.as_ref().map(|version| &version.text),
            "ng": version.as_ref().is_some_and(|version| version.other),
        })
    }

    /// Runs a script, for as long as its caller waits: who drops the future kills it.
    ///
    /// `timeout` is what the caller has; the settings may give less.
    pub async fn run(&self, script: &str, timeout: Duration) -> Result<Output, ScriptError> {
        let inner = &*self.0;
        let timeout = timeout.min(inner.timeout);
        let deadline = Instant::now() + timeout;
        let turn = tokio::time::timeout_at(deadline, inner.turns.acquire());
        let _turn = turn.await.map_err(|_| ScriptError::Busy(timeout))?.map_err(|_| ScriptError::Closed)?;
        inner.start(inner.runtime.kind.run(inner.version.as_ref()), script, deadline, timeout).await
    }

    /// The same, for a thread that is not tokio's.
    pub fn run_blocking(&self, script: String, timeout: Duration) -> Result<Output, ScriptError> {
        let (done, result) = mpsc::sync_channel(1);
        let scripts = self.clone();
        // As a task, because the kernel kills the child of a thread that ends; tokio's stay.
        self.0.handle.spawn(async move {
            // The thread waits below.
            let _ = done.send(scripts.run(&script, timeout).await);
        });
        // A task that is dropped, with its sender, is one of a server that ends.
        result.recv().unwrap_or(Err(ScriptError::Closed))
    }
}

impl Inner {
    async fn probe(&self) -> Result<Version, String> {
        let kind = self.runtime.kind;
        let deadline = Instant::now() + PROBE;
        let ask = async |args, script| {
            self.start(args, script, deadline, PROBE).await.map_err(|error| error.to_string())
        };
        let answer = ask(kind.run(None), kind.question()).await?;
        if answer.code != 0 {
            let why = answer.stderr.lines().map(str::trim).find(|line| !line.trim_matches('#').is_empty());
            return Err(why.map_or_else(|| format!("it ended with {}", answer.code), str::to_owned));
        }
        let text = match kind.help() {
            Some(args) => ask(args, "").await?.stdout,
            None => answer.stdout,
        };
        Version::read(kind, &text).ok_or_else(|| "it does not say its version".to_owned())
    }

    /// Runs it with that on its standard input, until the deadline, which is `timeout` after its caller came.
    async fn start(
        &self,
        args: &[&str],
        script: &str,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<Output, ScriptError> {
        let becoming = Becoming {
            limits: Limits {
                address_space: None,
                data: Some(self.memory + self.runtime.kind.reserved()),
                // Several threads can't take more than the clock gives, roughly; only should nobody kill it.
                cpu: Some(self.timeout * 4),
            },
            parent: std::process::id(),
            program: self.runtime.path.clone().into_os_string(),
            args: args.iter().map(OsString::from).collect(),
        };
        let mut command = Command::new(MYSELF);
        command.args(becoming.args()).env_clear().envs(ENVIRONMENT.iter().copied()).current_dir("/");
        command.stdin(sealed(script)?).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let ended = tokio::time::timeout_at(deadline, heard(&mut child)).await;
        if !matches!(ended, Ok(Ok(_))) {
            // And waits: when its turn is given away, it is gone.
            child.kill().await?;
        }
        ended.map_err(|_| ScriptError::Timeout(timeout))?
    }
}

/// What a process prints, until it ends.
async fn heard(child: &mut Child) -> Result<Output, ScriptError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printed = async {
        let stdout = text(stdout, MAX_STDOUT + 1).await?;
        match stdout.len() as u64 > MAX_STDOUT {
            true => Err(ScriptError::Output),
            false => Ok(stdout),
        }
    };
    // Who complains more finds the pipe closed.
    let complained = async { Ok(text(stderr, MAX_STDERR).await?) };
    let (stdout, stderr) = tokio::try_join!(printed, complained)?;
    let status = child.wait().await?;
    let signal = || std::os::unix::process::ExitStatusExt::signal(&status).map_or(-1, |signal| -signal);
    Ok(Output { code: status.code().unwrap_or_else(signal), stdout, stderr })
}

async fn text(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A script as a file in memory, which nobody can change: QuickJS reads only what has an end it can look up, and nobody
/// has to feed a pipe.
fn sealed(script: &str) -> std::io::Result<File> {
    let mut file =
        File::from(rustix::fs::memfd_create("script", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(script.as_bytes())?;
    std::io::Seek::rewind(&mut file)?;
    let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, all)?;
    Ok(file)
}
