//! The bound of a stream in bytes: what was taken from the upstream and is not yet with the client's socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;

/// What a piece costs at least, in bytes: its places in queues. Without it a CDN that sends single bytes would
/// fill memory within the bound.
const MIN_COST: usize = 512;

/// Counts the bytes that are under way.
#[derive(Default)]
pub(super) struct Budget(Arc<Shared>);

#[derive(Default)]
struct Shared {
    held: AtomicUsize,
    waiting: AtomicWaker,
}

/// Bytes under way: they count until the last of them is dropped, which the client's connection does once they
/// are written.
struct Counted {
    bytes: Bytes,
    budget: Arc<Shared>,
}

impl Budget {
    /// Waits until no more than `limit` bytes are under way. For one waiter.
    pub(super) fn poll_below(&self, limit: usize, cx: &mut Context<'_>) -> Poll<()> {
        let is_below = || !self.is_above(limit);
        if is_below() {
            return Poll::Ready(());
        }
        self.0.waiting.register(cx.waker());
        // It may have fallen meanwhile, with nobody there to be woken.
        if is_below() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether more than `limit` bytes are under way.
    pub(super) fn is_above(&self, limit: usize) -> bool {
        self.0.held.load(Ordering::Acquire) > limit
    }

    /// Counts `bytes` until they are dropped.
    pub(super) fn count(&self, bytes: Bytes) -> Bytes {
        self.0.held.fetch_add(cost(&bytes), Ordering::AcqRel);
        Bytes::from_owner(Counted { bytes, budget: Arc::clone(&self.0) })
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(cost(&self.bytes), Ordering::AcqRel);
        self.budget.waiting.wake();
    }
}

fn cost(bytes: &Bytes) -> usize {
    bytes.len().max(MIN_COST)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn what_is_under_way_counts_until_it_is_dropped() {
        let budget = &Budget::default();
        let is_below = async |limit| poll_fn(|cx| Poll::Ready(budget.poll_below(limit, cx).is_ready())).await;
        let large = budget.count(Bytes::from(vec![7; 1000]));
        let small = budget.count(Bytes::from_static(b"x"));
        assert_eq!((&large[..], &small[..]), (&[7; 1000][..], &b"x"[..]));
        assert!(is_below(1000 + MIN_COST).await && !is_below(1000 + MIN_COST - 1).await);
        // A slice of it is still under way.
        let rest = large.slice(999..);
        drop((large, small));
        assert!(!is_below(999).await);
        drop(rest);
        assert!(is_below(0).await);
    }

    #[tokio::test]
    async fn a_waiter_hears_of_room() {
        let budget = Budget::default();
        let bytes = budget.count(Bytes::from(vec![0; 1000]));
        let waiting = tokio::spawn(async move { poll_fn(|cx| budget.poll_below(999, cx)).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(bytes);
        waiting.await.unwrap();
    }
}
