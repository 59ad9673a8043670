//! The built server as a child process.

use super::log::{Log, PATIENCE};
use super::stage::Stage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// What the log says once a port is bound; the scheme, the address and the port follow.
const LISTENING: &str = "listening on http";

/// What the log says once a worker is warm.
const READY: &str = "ready in ";

/// Where `scripts/setup` builds the Python runtime.
const PYENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pyenv");

/// A running server; killed when dropped.
pub struct TestServer {
    child: Child,
    /// Kills the server when this test process ends without dropping it, as it does with one in a static.
    reaper: Child,
    log: Arc<Log>,
    scheme: String,
    address: SocketAddr,
    home: TempDir,
}

impl TestServer {
    /// Starts the server with these settings (as environment variables) and waits until it is ready.
    ///
    /// The environment holds nothing else but `PATH`, `HOME` (an empty folder), and, unless given: `HOST=127.0.0.1`,
    /// `PORT=0`, `STATE_DIR` (a fresh folder), `LOG=debug`, `PYENV_DIR`.
    pub fn spawn(settings: &[(&str, &str)]) -> TestServer {
        let server = TestServer::launch(settings, &[]);
        server.wait_for_log(READY);
        server
    }

    /// The same, with the stage as its internet.
    pub fn with_stage(stage: &Stage, settings: &[(&str, &str)]) -> TestServer {
        TestServer::ready(stage, settings, |command| command)
    }

    /// The same, under a soft and a hard limit of open files.
    pub fn with_files(stage: &Stage, settings: &[(&str, &str)], soft: u64, hard: u64) -> TestServer {
        TestServer::ready(stage, settings, |command| {
            let mut limited = Command::new("prlimit");
            limited.arg(format!("--nofile={soft}:{hard}")).arg(command.get_program());
            limited.args(command.get_args()).env_clear();
            limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            limited
        })
    }

    /// The same as [`TestServer::spawn`], by a command that `wrap` makes of the server's own.
    pub fn wrapped(settings: &[(&str, &str)], wrap: impl FnOnce(Command) -> Command) -> TestServer {
        let server = TestServer::start(settings, &[], wrap);
        server.wait_for_log(READY);
        server
    }

    fn ready(stage: &Stage, settings: &[(&str, &str)], wrap: impl FnOnce(Command) -> Command) -> TestServer {
        let (proxy, ca) = (stage.proxy_url(), stage.ca_file().to_str().unwrap().to_owned());
        let mut all = vec![("PROXY", proxy.as_str()), ("CA_FILE", ca.as_str())];
        all.extend_from_slice(settings);
        let server = TestServer::start(&all, &[], wrap);
        server.wait_for_log(READY);
        server
    }

    /// Starts the server with settings and flags and waits only until it listens.
    pub fn launch(settings: &[(&str, &str)], flags: &[&str]) -> TestServer {
        TestServer::start(settings, flags, |command| command)
    }

    fn start(settings: &[(&str, &str)], flags: &[&str], wrap: impl FnOnce(Command) -> Command) -> TestServer {
        let home = tempfile::tempdir().unwrap();
        let mut child = piped(wrap(command(settings, flags, home.path())), home.path()).spawn().unwrap();
        let reaper = reaper(child.id());
        let log = Log::follow(child.stderr.take().unwrap());
        let line = log.wait_for(LISTENING);
        let (rest, address) = line.rsplit_once("://").unwrap();
        // It may be a text of JSON.
        let address = address.split('"').next().unwrap();
        let scheme = rest.rsplit(' ').next().unwrap().to_owned();
        TestServer { child, reaper, log, scheme, address: address.parse().unwrap(), home }
    }

    /// `http://ADDRESS:PORT` and `path`; `https`, where the server speaks TLS itself.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its `HOME`; `state` below it is its `STATE_DIR`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Everything logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Blocks until a log line holds `text`, and gives it. Panics with the log after 60 s, or when the server ends.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.log.wait_for(text)
    }

    /// Makes every write of the server to its standard error fail from here on.
    pub fn close_log(&self) {
        self.log.close_after_next();
        // Any request writes a line.
        let _ = super::client::get(&self.url("/health"));
        assert!(self.log.wait_for_end());
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Blocks until the process has ended; its exit code, or `None` when a signal ended it. Panics after 60 s.
    pub fn wait_exit(&mut self) -> Option<i32> {
        assert!(self.log.wait_for_end(), "the server runs on after {PATIENCE:?}");
        self.child.wait().unwrap().code()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // The reaper first: it must not fire at a process id that has been given to another.
        let _ = self.reaper.kill();
        let _ = self.reaper.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server\n{}\n---", self.log().join("\n"));
        }
    }
}

/// How a run that is not meant to serve ended.
#[derive(Debug)]
pub struct Ended {
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary to its end, with the environment of [`TestServer::spawn`]. Kills it, and panics, after 60 s.
pub fn run(settings: &[(&str, &str)], flags: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut command = piped(command(settings, flags, home.path()), home.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let log = Log::follow(child.stderr.take().unwrap());
    // Beside the wait: a pipe holds only so much.
    let mut stdout = child.stdout.take().unwrap();
    let stdout = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    if !log.wait_for_end() {
        let _ = child.kill();
        let _ = child.wait();
        panic!("still running after {PATIENCE:?}:\n{}", log.lines().join("\n"));
    }
    let stdout = stdout.join().unwrap().unwrap();
    Ended { code: child.wait().unwrap().code(), stdout, stderr: log.lines().join("\n") }
}

/// The binary with the environment of [`TestServer::spawn`], its home a given one.
pub fn command(settings: &[(&str, &str)], flags: &[&str], home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(flags).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    command.env("STATE_DIR", home.join("state")).env("PYENV_DIR", PYENV);
    // By whatever name a test asks.
    command.envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("LOG", "debug"), ("PUBLIC", "on")]);
    command.envs(settings.iter().copied());
    command
}

fn piped(mut command: Command, home: &Path) -> Command {
    command.current_dir(home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A process that kills `pid` once this one has closed the pipe, which its end does too.
fn reaper(pid: u32) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", r#"read -r _; kill -9 "$1""#, "reaper", &pid.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
