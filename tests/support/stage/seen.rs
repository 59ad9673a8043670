//! The record of what reached the stage, and waiting for something to reach it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for something to be seen. Far above what any test needs on a loaded machine: reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that a failure shows.
const SHOWN: usize = 20;

/// How the other side spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// How an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is under way, or held back by a fault.
    Playing,
    /// All that the script meant to send was handed to the socket.
    Finished,
    /// A fault ended the connection.
    Cut,
    /// The client left before the answer was out.
    ClientGone,
    /// Unknown host, missing proxy credentials, or a TLS handshake that the client gave up.
    Refused,
}

/// One request, or one refused `CONNECT`.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Number of the connection that it came on.
    pub connection: u64,
    /// Where the connection came from.
    pub from: SocketAddr,
    /// Where the connection was made to.
    pub to: SocketAddr,
    pub host: String,
    pub port: u16,
    pub scheme: Scheme,
    pub method: String,
    /// Path and query; for a refused `CONNECT`, `host:port`.
    pub target: String,
    pub headers: Vec<(String, String)>,
    /// Status of the answer; 0 before there is one.
    pub status: u16,
    /// Body bytes handed to the socket so far.
    pub written: u64,
    pub outcome: Outcome,
}

impl Seen {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The first byte that was asked for: of `Range: bytes=A-` and `bytes=A-B`, else 0.
    pub fn range_start(&self) -> u64 {
        let first = self.header("range").and_then(|line| line.strip_prefix("bytes=")?.split_once('-'));
        first.map_or(0, |(first, _)| first.parse().unwrap())
    }
}

/// The first value under `name`, in any case.
pub(super) fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Connection number → host of its last request (empty before the first).
pub(super) type OpenConnections = HashMap<u64, String>;

#[derive(Default)]
struct Record {
    seen: Vec<Seen>,
    open: OpenConnections,
    next_connection: u64,
}

/// Everything seen since the start, shared by all connections.
pub(super) struct Log {
    record: Mutex<Record>,
    changed: Condvar,
    remember: bool,
}

impl Log {
    pub(super) fn new(remember: bool) -> Log {
        Log { record: Mutex::default(), changed: Condvar::new(), remember }
    }

    pub(super) fn seen(&self, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        self.record.lock().unwrap().seen.iter().filter(|seen| wanted(seen)).cloned().collect()
    }

    pub(super) fn connections(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.record.lock().unwrap().open.values().filter(|host| wanted(host)).count()
    }

    /// Blocks until `enough` holds; panics with the record when it does not in [`PATIENCE`].
    pub(super) fn wait_for(&self, enough: impl Fn(&[Seen], &OpenConnections) -> bool) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        let mut record = self.record.lock().unwrap();
        while !enough(&record.seen, &record.open) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (count, open) = (record.seen.len(), record.open.len());
                let last = record.seen[count.saturating_sub(SHOWN)..].to_vec();
                drop(record);
                panic!(
                    "not seen in {PATIENCE:?}; {open} connections open; {count} seen, the last: {last:#?}"
                );
            }
            record = self.changed.wait_timeout(record, left).unwrap().0;
        }
        record.seen.clone()
    }

    pub(super) fn begin(self: &Arc<Self>, seen: Seen) -> Exchange {
        let index = self.remember.then(|| {
            let mut record = self.record.lock().unwrap();
            record.seen.push(seen);
            record.seen.len() - 1
        });
        self.changed.notify_all();
        Exchange { log: self.clone(), index }
    }

    pub(super) fn connected(self: &Arc<Self>, ends: Ends) -> Connection {
        let mut record = self.record.lock().unwrap();
        let number = record.next_connection;
        record.next_connection += 1;
        record.open.insert(number, String::new());
        Connection { log: self.clone(), number, ends }
    }
}

/// The record of one exchange. Dropped while still playing, it counts as [`Outcome::ClientGone`].
pub(super) struct Exchange {
    log: Arc<Log>,
    index: Option<usize>,
}

impl Exchange {
    pub(super) fn answered(&self, status: u16) {
        self.update(|seen| seen.status = status);
    }

    pub(super) fn wrote(&self, bytes: u64) {
        self.update(|seen| seen.written += bytes);
    }

    pub(super) fn end(self, outcome: Outcome) {
        self.update(|seen| seen.outcome = outcome);
    }

    fn update(&self, change: impl FnOnce(&mut Seen)) {
        if let Some(index) = self.index {
            change(&mut self.log.record.lock().unwrap().seen[index]);
            self.log.changed.notify_all();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.update(|seen| {
            if seen.outcome == Outcome::Playing {
                seen.outcome = Outcome::ClientGone;
            }
        });
    }
}

/// The addresses of a connection, v4 ones as such.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// Counts an open connection for as long as it lives.
pub(super) struct Connection {
    log: Arc<Log>,
    number: u64,
    ends: Ends,
}

impl Connection {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn ends(&self) -> Ends {
        self.ends
    }

    pub(super) fn talks_to(&self, host: &str) {
        self.log.record.lock().unwrap().open.insert(self.number, host.to_owned());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.log.record.lock().unwrap().open.remove(&self.number);
        self.log.changed.notify_all();
    }
}
