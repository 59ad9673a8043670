//! Connections that are kept for the next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::connector::{Peer, Stream};
use super::exchange::poll_byte;

/// How long an unused connection is kept.
const MAX_IDLE: Duration = Duration::from_secs(30);
/// Unused connections kept per peer.
const MAX_PER_PEER: usize = 64;
/// Unused connections kept in all.
const MAX_KEPT: usize = 128;

struct Idle {
    stream: Stream,
    since: Instant,
}

#[derive(Default)]
struct Kept {
    /// Oldest first.
    by_peer: HashMap<Peer, Vec<Idle>>,
    count: usize,
    /// Whether a task closes what has been kept for too long.
    swept: bool,
}

/// Shared by all handles on the way out.
#[derive(Default)]
pub(super) struct Pool(Mutex<Kept>);

impl Pool {
    /// The map and its count agree between any two statements, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to `peer` that was used last, if one still stands.
    pub(super) fn take(&self, peer: &Peer) -> Option<Stream> {
        let mut kept = self.lock();
        loop {
            let idle = kept.by_peer.get_mut(peer)?.pop()?;
            kept.count -= 1;
            let mut stream = idle.stream;
            if idle.since.elapsed() < MAX_IDLE && is_quiet(&mut stream) {
                return Some(stream);
            }
        }
    }

    /// Keeps a connection on which nothing is under way. Beyond the limits it is closed instead.
    pub(super) fn put(self: &Arc<Self>, peer: Peer, stream: Stream) {
        let mut kept = self.lock();
        if kept.count >= MAX_KEPT {
            return;
        }
        let of_peer = kept.by_peer.entry(peer).or_default();
        if of_peer.len() >= MAX_PER_PEER {
            return;
        }
        of_peer.push(Idle { stream, since: Instant::now() });
        kept.count += 1;
        if !kept.swept {
            kept.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what has been kept for too long; whether there is anything left.
    fn close_old(&self) -> bool {
        let mut kept = self.lock();
        let mut left = 0;
        kept.by_peer.retain(|_, of_peer| {
            of_peer.retain_mut(|idle| idle.since.elapsed() < MAX_IDLE && is_quiet(&mut idle.stream));
            left += of_peer.len();
            !of_peer.is_empty()
        });
        kept.count = left;
        kept.swept = left > 0;
        kept.swept
    }
}

/// Runs for as long as there is something to close.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(MAX_IDLE / 4).await;
        if !pool.upgrade().is_some_and(|pool| pool.close_old()) {
            return;
        }
    }
}

/// Whether the other side has neither ended the connection nor sent what nobody asked for.
fn is_quiet(stream: &mut Stream) -> bool {
    poll_byte(stream, &mut Context::from_waker(Waker::noop())).is_pending()
}
