//! The log of a child process, line by line, as something to wait on.

use std::io::{BufRead as _, BufReader};
use std::process::ChildStderr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for a log line or the end of the process. Reaching it is a failure, whatever the machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
    closing: bool,
}

/// What a process has written to stderr.
#[derive(Default)]
pub struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

impl Log {
    /// Reads `stderr` to its end on a thread of its own.
    pub fn follow(stderr: ChildStderr) -> Arc<Log> {
        let log = Arc::new(Log::default());
        let writer = log.clone();
        std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            // A log need not be UTF-8: it may quote what a client sent.
            while let Ok(1..) = stderr.read_until(b'\n', &mut line) {
                writer.state.lock().unwrap().lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                writer.changed.notify_all();
                line.clear();
                if writer.state.lock().unwrap().closing {
                    break;
                }
            }
            drop(stderr);
            writer.state.lock().unwrap().ended = true;
            writer.changed.notify_all();
        });
        log
    }

    /// Closes the pipe after the next line: what the process writes then fails.
    pub fn close_after_next(&self) {
        self.state.lock().unwrap().closing = true;
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap().lines.clone()
    }

    /// Blocks until a line holds `text`; the first such line. Panics after [`PATIENCE`] or at the end of the log.
    pub fn wait_for(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(line) = state.lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                let why = if state.ended { "the process ended" } else { "still running" };
                let lines = state.lines.join("\n");
                drop(state);
                panic!("no {text:?} in the log, {why}:\n{lines}");
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Blocks until the process has closed its stderr; whether that came within [`PATIENCE`].
    pub fn wait_for_end(&self) -> bool {
        let state = self.state.lock().unwrap();
        !self.changed.wait_timeout_while(state, PATIENCE, |state| !state.ended).unwrap().1.timed_out()
    }
}
