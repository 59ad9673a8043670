//! What comes next in a stream of segments, opened while the one before it is still being sent.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tracing::Instrument;

use super::error::RelayError;
use super::feed::{Feed, Stretch};

type Opened = (Feed, Result<Option<Stretch>, RelayError>);

/// What comes next, opened ahead of time.
pub(super) struct Ahead {
    state: AheadState,
    /// Whether a failure counts: there is no more time for another try.
    is_due: bool,
}

enum AheadState {
    /// Nobody has begun with it.
    Idle(Feed),
    Opening(BoxFuture<'static, Opened>),
    Open(Box<Opened>),
    /// It has been taken.
    Taken,
}

impl Ahead {
    pub(super) fn new(feed: Feed) -> Self {
        Self { state: AheadState::Idle(feed), is_due: false }
    }

    /// Begins with it, and goes on with it as far as that goes without waiting.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            match std::mem::replace(&mut self.state, AheadState::Taken) {
                AheadState::Idle(mut feed) => {
                    let span = feed.span.clone();
                    let opening = async move {
                        let opened = feed.next().await;
                        (feed, opened)
                    };
                    self.state = AheadState::Opening(Box::pin(opening.instrument(span)));
                }
                AheadState::Opening(mut opening) => match opening.as_mut().poll(cx) {
                    Poll::Ready(opened) => self.state = AheadState::Open(Box::new(opened)),
                    Poll::Pending => {
                        self.state = AheadState::Opening(opening);
                        return;
                    }
                },
                done => {
                    self.state = done;
                    return;
                }
            }
        }
    }

    /// Whether it was begun with and is not there yet: then it may hold what others wait for.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.state, AheadState::Opening(_))
    }

    /// Waits for it. What failed ahead of time is tried once more now that it is needed.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Stretch>, RelayError>> {
        // What fails from here on, fails when it is needed.
        self.is_due |= !matches!(self.state, AheadState::Open(_));
        loop {
            self.poll(cx);
            match std::mem::replace(&mut self.state, AheadState::Taken) {
                AheadState::Open(opened) => {
                    let (feed, opened) = *opened;
                    self.state = AheadState::Idle(feed);
                    if opened.is_err() && !std::mem::replace(&mut self.is_due, true) {
                        continue;
                    }
                    self.is_due = false;
                    return Poll::Ready(opened);
                }
                AheadState::Taken => return Poll::Ready(Ok(None)),
                pending => {
                    self.state = pending;
                    return Poll::Pending;
                }
            }
        }
    }
}
