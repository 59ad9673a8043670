//! Whether Python can be had at all: C code that holds the interpreter's lock (a pattern that backtracks) stops every
//! worker, and nothing that needs the lock can tell.
//!
//! One thread takes the lock every now and then, and for every order to stop a worker; how long it has been waiting
//! can be read without the lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often the lock is asked for.
const INTERVAL: Duration = Duration::from_millis(250);
/// A wait for the lock that is no longer taken for a busy time's.
const STALL: Duration = Duration::from_secs(5);

/// Work for the thread.
type Order = Box<dyn FnOnce() + Send>;

/// The view from outside.
pub(super) struct Pulse {
    orders: Sender<Order>,
    waiting: Arc<Waiting>,
}

struct Waiting {
    epoch: Instant,
    /// Milliseconds from `epoch` to the beginning of the present wait, and 1; 0 while there is none.
    since: AtomicU64,
    /// Milliseconds of the longest wait that is over.
    longest: AtomicU64,
}

impl Waiting {
    fn millis(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Pulse {
    /// `beat` takes the lock and gives it back; it is called from a thread of its own until the `Pulse` is dropped.
    pub(super) fn start(beat: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let waiting =
            Arc::new(Waiting { epoch: Instant::now(), since: AtomicU64::new(0), longest: AtomicU64::new(0) });
        let (sender, orders) = channel::<Order>();
        let told = Arc::clone(&waiting);
        thread::Builder::new().name("extract-pulse".into()).spawn(move || {
            loop {
                let order = match orders.recv_timeout(INTERVAL) {
                    Ok(order) => Some(order),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                let since = told.millis();
                told.since.store(since + 1, Ordering::Relaxed);
                match order {
                    Some(order) => order(),
                    None => beat(),
                }
                told.longest.fetch_max(told.millis() - since, Ordering::Relaxed);
                told.since.store(0, Ordering::Relaxed);
            }
        })?;
        Ok(Self { orders: sender, waiting })
    }

    /// Has something done under the lock, without waiting for it.
    pub(super) fn order(&self, order: impl FnOnce() + Send + 'static) {
        // Without the thread there is nobody to stop, either.
        let _ = self.orders.send(Box::new(order));
    }

    /// Whether the lock has not been had for [`STALL`].
    pub(super) fn is_stalled(&self) -> bool {
        self.wait() >= STALL
    }

    /// The longest wait for the lock so far, the present one among them: about the longest that somebody held it.
    pub(super) fn longest(&self) -> Duration {
        self.wait().max(Duration::from_millis(self.waiting.longest.load(Ordering::Relaxed)))
    }

    /// How long the lock has been waited for by now.
    pub(super) fn wait(&self) -> Duration {
        match self.waiting.since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis((self.waiting.millis() + 1).saturating_sub(since)),
        }
    }
}
