//! A channel for one body, bounded in bytes: one sender, one receiver, no copy.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// What a piece costs at least, in bytes: its place in the queue and its share of a buffer. Without it a CDN
/// that sends single bytes would fill memory within the bound.
const PIECE: usize = 512;

/// The body could not be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream broke before the body was complete")]
pub struct Broken;

/// The receiver was dropped: nobody wants the bytes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    Complete,
    Broken,
}

struct State {
    queue: VecDeque<Bytes>,
    /// Cost of what is in `queue`, in bytes.
    held: usize,
    sending: Sending,
    receiving: bool,
    /// The sender, waiting for room.
    for_room: Option<Waker>,
    /// The sender, waiting for the receiver's end.
    for_end: Option<Waker>,
    receiver: Option<Waker>,
}

struct Shared {
    state: Mutex<State>,
    limit: usize,
}

impl Shared {
    /// No panic can happen while the lock is held, so its poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel that holds at most `limit` bytes (but always one piece), for a body of `length` bytes where that is known.
pub(super) fn channel(limit: usize, length: Option<u64>) -> (Sender, Receiver) {
    let state = State {
        queue: VecDeque::new(),
        held: 0,
        sending: Sending::Open,
        receiving: true,
        for_room: None,
        for_end: None,
        receiver: None,
    };
    let shared = Arc::new(Shared { state: Mutex::new(state), limit: limit.max(1) });
    (Sender(Arc::clone(&shared)), Receiver { shared, left: length })
}

/// The pump's end. Dropped before [`Sender::complete`], it breaks the body.
pub(super) struct Sender(Arc<Shared>);

impl Sender {
    /// Sends all of `bytes`, in pieces where they are more than the channel holds; waits for room.
    pub(super) async fn send(&mut self, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            std::future::poll_fn(|cx| self.poll_send(cx, &mut bytes)).await?;
        }
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), Gone>> {
        let mut state = self.0.lock();
        if !state.receiving {
            return Poll::Ready(Err(Gone));
        }
        let room = self.0.limit.saturating_sub(state.held);
        if room == 0 {
            state.for_room = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let piece = bytes.split_to(bytes.len().min(room));
        state.held += cost(&piece);
        state.queue.push_back(piece);
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
        Poll::Ready(Ok(()))
    }

    /// Waits until the receiver is gone.
    pub(super) async fn closed(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.0.lock();
            if !state.receiving {
                return Poll::Ready(());
            }
            state.for_end = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the body clean, after what is still in the channel.
    pub(super) fn complete(self) {
        self.end(Sending::Complete);
    }

    fn end(&self, how: Sending) {
        let mut state = self.0.lock();
        if state.sending == Sending::Open {
            state.sending = how;
        }
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.end(Sending::Broken);
    }
}

/// The body of a stream, as hyper reads it. Dropping it tells the pump.
pub struct Receiver {
    shared: Arc<Shared>,
    /// Bytes still to come, where the length is known.
    left: Option<u64>,
}

impl Body for Receiver {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut state = self.shared.lock();
        let Some(bytes) = state.queue.pop_front() else {
            return match state.sending {
                Sending::Complete => Poll::Ready(None),
                Sending::Broken => Poll::Ready(Some(Err(Broken))),
                Sending::Open => {
                    state.receiver = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        state.held -= cost(&bytes);
        let sender = state.for_room.take();
        drop(state);
        wake(sender);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        let state = self.shared.lock();
        state.queue.is_empty() && state.sending == Sending::Complete
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.receiving = false;
        state.queue.clear();
        state.held = 0;
        let wakers = [state.for_room.take(), state.for_end.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
    }
}

fn cost(piece: &Bytes) -> usize {
    piece.len().max(PIECE)
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn next(body: &mut Receiver) -> Option<Result<Bytes, Broken>> {
        body.frame().await.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn ends_clean_only_when_told() {
        let (mut sender, mut body) = channel(10, None);
        sender.send(Bytes::from_static(b"whole")).await.unwrap();
        sender.complete();
        assert_eq!(next(&mut body).await, Some(Ok("whole".into())));
        assert_eq!(next(&mut body).await, None);

        let (mut sender, mut body) = channel(10, Some(9));
        sender.send(Bytes::from_static(b"half")).await.unwrap();
        drop(sender);
        assert_eq!(next(&mut body).await, Some(Ok("half".into())));
        assert_eq!(next(&mut body).await, Some(Err(Broken)));
    }

    #[tokio::test]
    async fn never_holds_more_than_its_limit() {
        const LIMIT: usize = 2000;
        for chunk in [1, 100, 1500, 10_000] {
            let (mut sender, mut body) = channel(LIMIT, None);
            let whole: Vec<u8> = (0..30_000_u32).map(|at| at.to_le_bytes()[0]).collect();
            let parts: Vec<Bytes> = whole.chunks(chunk).map(Bytes::copy_from_slice).collect();
            let sending = tokio::spawn(async move {
                for part in parts {
                    sender.send(part).await.unwrap();
                }
                sender.complete();
            });
            let mut all = Vec::new();
            let mut fullest = 0;
            loop {
                // Lets the sender put in all that it may.
                tokio::task::yield_now().await;
                let (held, pieces) = {
                    let state = body.shared.lock();
                    (state.held, state.queue.len())
                };
                assert!(
                    held < LIMIT + PIECE && pieces <= LIMIT / PIECE + 1,
                    "{held} bytes in {pieces} pieces"
                );
                fullest = fullest.max(held);
                let Some(piece) = next(&mut body).await else { break };
                all.extend_from_slice(&piece.unwrap());
            }
            assert_eq!(all, whole);
            assert!(fullest >= LIMIT, "the sender never filled it");
            sending.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_waiting_sender_hears_that_the_receiver_has_gone() {
        let (mut sender, body) = channel(1, None);
        sender.send(Bytes::from_static(b"x")).await.unwrap();
        let sending = tokio::spawn(async move { sender.send(Bytes::from_static(b"y")).await });
        tokio::task::yield_now().await;
        drop(body);
        assert_eq!(sending.await.unwrap(), Err(Gone));
        let (sender, body) = channel(1, None);
        let closed = tokio::spawn(async move { sender.closed().await });
        drop(body);
        closed.await.unwrap();
    }

    #[test]
    fn counts_down_what_is_left() {
        let (_sender, body) = channel(10, Some(7));
        assert_eq!(body.size_hint().exact(), Some(7));
    }
}
