//! The helper's own side: the same binary, started by the server as `sluice quarantine` with a socket as its standard
//! input. It ends when the server does.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::frame::{self, FrameError, Kind};
use crate::confine::{self, ConfineError, Limits};
use crate::extract::python::{self, Interpreter, PythonError, RunScript, Session};

/// Stack of the thread that extracts, in bytes, as a worker's of the server.
const STACK: usize = 8 << 20;

/// What a helper is told at its start.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Folder of the Python runtime and package.
    pub(super) pyenv: PathBuf,
    /// What `sluice.start` takes.
    pub(super) config: String,
    /// Most bytes of memory of its own.
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

/// Why a helper ends before it is told to.
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
    /// There is no thread to be had.
    #[error("no thread: {0}")]
    Thread(io::Error),
}

/// Takes jobs until the server hangs up.
pub fn run() -> Result<(), InmateError> {
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(InmateError::NoServer)?;
    let mut stream = UnixStream::from(socket);
    stream.local_addr().map_err(InmateError::NoServer)?;
    // By this thread, which makes all others.
    confine::renounce()?;
    confine::private()?;
    let thread = thread::Builder::new().name("extract".into()).stack_size(STACK);
    let worker = thread.spawn(move || {
        let result = obey(&mut stream);
        if let Err(error) = &result {
            // So that the server's log has the reason; it may be gone, too.
            let _ = frame::put(&mut stream, Kind::Answer, &error.to_string());
        }
        result
    });
    worker.map_err(InmateError::Thread)?.join().unwrap_or(Err(InmateError::Orders))
}

fn obey(stream: &mut UnixStream) -> Result<(), InmateError> {
    let Ok((Kind::Start, orders)) = frame::take(stream, usize::MAX >> 1) else {
        return Err(InmateError::Orders);
    };
    let orders: Orders = serde_json::from_str(&orders).map_err(|_| InmateError::Orders)?;
    let limit = orders.limit;
    let asking = Mutex::new(stream.try_clone().map_err(InmateError::NoServer)?);
    let run: RunScript = Box::new(move |script, time| ask(&asking, script, time, limit));
    let (interpreter, _) = Interpreter::start(&orders.pyenv, || (orders.config, Some(run)))?;
    interpreter.with_session(|session| {
        confine::helper(&Limits { data: Some(orders.memory), ..Limits::default() })?;
        if frame::put(stream, Kind::Ready, "").is_err() {
            return Ok(());
        }
        // A first job that comes meanwhile would have had to wait for this anyway.
        session.warm_embeds()?;
        python::trim();
        serve(stream, session, limit)
    })?
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
