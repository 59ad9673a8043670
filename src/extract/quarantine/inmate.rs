//! The own side of the zygote and of helpers: the same binary, started by the server as `sluice quarantine` with a
//! socket as its standard input, and its forks. They end when the server does.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{self, Pid, PidfdFlags, WaitOptions};
use serde::{Deserialize, Serialize};

use super::frame::{self, FrameError, Kind};
use super::handover;
use crate::confine::{self, ConfineError, Limits};
use crate::extract::python::{self, Interpreter, PythonError, RunScript, Session};

/// Stack of the thread that extracts, in bytes, as a worker's of the server.
const STACK: usize = 8 << 20;

/// What the zygote is told at its start.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Folder of the Python runtime and package.
    pub(super) pyenv: PathBuf,
    /// What `sluice.start` takes.
    pub(super) config: String,
    /// Most bytes of memory that a helper may have for itself.
    pub(super) memory: u64,
    /// Most bytes of a message.
    pub(super) limit: usize,
}

/// A job, as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    /// What `Session.resume` takes, both.
    pub(super) state: String,
    pub(super) options: String,
}

/// A script that is to be run for a helper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Script {
    pub(super) script: String,
    /// How long it may take.
    pub(super) seconds: f64,
}

/// What became of one: its exit code and its two outputs.
pub(super) type Ran = Result<(i32, String, String), String>;

/// Why the zygote or a helper ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum InmateError {
    /// Standard input is no socket, as with who calls it by hand.
    #[error("this command is for the server's own use: {0}")]
    NoServer(io::Error),
    /// A limit could not be set.
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// The server did not say what it should.
    #[error("the server's orders can't be read")]
    Orders,
    /// Python does not work.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The socket to the server does not do what it should.
    #[error("the server's socket: {0}")]
    Socket(io::Error),
    /// There is no thread to be had.
    #[error("no thread: {0}")]
    Thread(io::Error),
}

/// Makes helpers until the server hangs up; and, as one of them, takes jobs until it does. Returns only errors.
pub fn run() -> Result<(), InmateError> {
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(InmateError::NoServer)?;
    let mut socket = UnixStream::from(socket);
    socket.local_addr().map_err(InmateError::NoServer)?;
    // So that who closes the one has closed all of it.
    rustix::stdio::dup2_stdin(File::open("/dev/null").map_err(InmateError::Socket)?)
        .map_err(|error| InmateError::Socket(error.into()))?;
    // As top(1) shows it: the file that it was started from has no name of its own. Only that would be missing.
    let _ = rustix::thread::set_name(c"sluice-zygote");
    // By this thread, which makes the other.
    confine::renounce()?;
    confine::private()?;
    confine::end_with_parent()?;
    let thread = thread::Builder::new().name("extract".into()).stack_size(STACK);
    let worker = thread.spawn(move || -> Result<(), InmateError> {
        let result = be_zygote(&mut socket);
        if let Err(error) = &result {
            // So that the server's log has the reason; it may be gone, too.
            let _ = frame::put(&mut socket, Kind::Answer, &error.to_string());
        }
        // Of a fork this is the only thread.
        python::exit(u8::from(result.is_err()))
    });
    worker.map_err(InmateError::Thread)?.join().unwrap_or(Err(InmateError::Orders))
}

/// Loads all that a first page needs, and makes helpers of that. In a fork, `socket` becomes its own.
fn be_zygote(socket: &mut UnixStream) -> Result<(), InmateError> {
    let Ok((Kind::Start, orders)) = frame::take(socket, usize::MAX >> 1) else {
        return Err(InmateError::Orders);
    };
    let orders: Orders = serde_json::from_str(&orders).map_err(|_| InmateError::Orders)?;
    let (memory, limit) = (orders.memory, orders.limit);
    let server = Arc::new(OnceLock::new());
    let asked = Arc::clone(&server);
    let run: RunScript = Box::new(move |script, time| match asked.get() {
        Some(stream) => ask(stream, script, time, limit),
        None => Err("no page has asked for it".to_owned()),
    });
    let (interpreter, _) = Interpreter::start(&orders.pyenv, || (orders.config, Some(run)))?;
    interpreter.with_session(|session| {
        session.warm_embeds()?;
        python::trim();
        frame::put(socket, Kind::Ready, "").map_err(|_| InmateError::Orders)?;
        let zygote = std::process::id();
        while let Some((_, theirs)) = handover::take(socket).map_err(InmateError::Socket)? {
            let Some(theirs) = theirs else { return Err(InmateError::Orders) };
            // The records of those that have ended.
            while let Ok(Some(_)) = process::wait(WaitOptions::NOHANG) {}
            match session.fork() {
                Ok(Some(pid)) => give_process(socket, pid).map_err(InmateError::Socket)?,
                Ok(None) => {
                    let _ = rustix::thread::set_name(c"sluice-helper");
                    // The zygote's is closed by this: who can write to it can have processes made.
                    *socket = UnixStream::from(theirs);
                    let _ = server.set(Mutex::new(socket.try_clone().map_err(InmateError::Socket)?));
                    confine::helper(&Limits { data: Some(memory), ..Limits::default() }, zygote)?;
                    if frame::put(socket, Kind::Ready, "").is_err() {
                        return Ok(());
                    }
                    return serve(socket, session, limit);
                }
                Err(error) => refuse(socket, &error).map_err(InmateError::Socket)?,
            }
        }
        // Its children have been told to end, or end by themselves; nobody else would take their records away.
        while process::wait(WaitOptions::empty()).is_ok() {}
        Ok(())
    })?
}

/// Sends a child's number, and a file that stands for it, which has to be opened before its record is taken away.
fn give_process(socket: &UnixStream, pid: u32) -> io::Result<()> {
    let named = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    match process::pidfd_open(named, PidfdFlags::empty()) {
        Ok(file) => handover::give(socket, pid, Some(file.as_fd())),
        // The child ends by itself, for the server does not keep its socket.
        Err(error) => refuse(socket, &error.into()),
    }
}

/// Says why there is no child.
fn refuse(socket: &UnixStream, error: &io::Error) -> io::Result<()> {
    let errno = error.raw_os_error().unwrap_or(libc::EIO).unsigned_abs();
    handover::give(socket, errno, None)
}

/// Has the server run a script: a helper starts no process.
fn ask(stream: &Mutex<UnixStream>, script: String, time: Duration, limit: usize) -> Ran {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    let text = serde_json::to_string(&Script { script, seconds: time.as_secs_f64() });
    let text = text.map_err(|error| error.to_string())?;
    frame::put(&mut *stream, Kind::Script, &text).map_err(|error| error.to_string())?;
    match frame::take(&mut *stream, limit) {
        Ok((Kind::Ran, ran)) => serde_json::from_str(&ran).map_err(|error| error.to_string())?,
        // Nobody knows any more who is to say what.
        _ => python::exit(1),
    }
}

/// Does one job after the other.
fn serve(stream: &mut UnixStream, session: &Session<'_>, limit: usize) -> Result<(), InmateError> {
    loop {
        let work = match frame::take(stream, limit) {
            Ok((Kind::Job, work)) => work,
            Err(FrameError::Gone(_)) => return Ok(()),
            _ => return Err(InmateError::Orders),
        };
        let Work { state, options } = serde_json::from_str(&work).map_err(|_| InmateError::Orders)?;
        let answer = session.resume(&state, &options)?;
        session.settle()?;
        if frame::put(stream, Kind::Answer, &answer).is_err() {
            return Ok(());
        }
    }
}
