//! The body of a stream, as hyper reads it: bytes from the upstream, and from the next one when that breaks.
//!
//! Nothing is read before hyper asks, so an upstream is held back by a client that does not read, and there is no
//! task or queue between the two. Dropping the body closes the upstream at once.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::Settings;
use super::budget::Budget;
use super::part::Part;
use super::resume::Progress;
use crate::silence::Silence;
use crate::telemetry::StreamGuard;

/// The body could not be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream broke before the body was complete")]
pub struct Broken;

enum State {
    Reading(Part, Box<Progress>),
    /// Whether for a break, or because a response came to its proper end.
    Reopening(bool, BoxFuture<'static, (Box<Progress>, Option<Part>)>),
    Ended,
    /// The error has been given.
    Broken,
}

/// The bytes that a client asked for. A body that can't be completed ends in an error.
pub struct StreamBody {
    state: State,
    /// Bytes to come, where that is known.
    left: Option<u64>,
    /// Of the upstream.
    silence: Silence,
    budget: Budget,
    /// Most bytes under way at which more are read.
    room: usize,
    /// Pieces below this size are copied, so that they don't keep a whole read buffer alive.
    small: usize,
    /// How often it went on after a break.
    resumes: u32,
    guard: StreamGuard,
    _permit: OwnedSemaphorePermit,
    /// The request's, for the log.
    span: tracing::Span,
}

impl StreamBody {
    pub(super) fn new(
        part: Part,
        progress: Progress,
        settings: &Settings,
        guard: StreamGuard,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        guard.begun();
        Self {
            left: progress.left(),
            state: State::Reading(part, Box::new(progress)),
            silence: Silence::new(settings.idle),
            budget: Budget::default(),
            room: settings.buffer.saturating_sub(settings.read),
            small: settings.read / 2,
            resumes: 0,
            guard,
            _permit: permit,
            span: tracing::Span::current(),
        }
    }

    /// How often it has gone on after its upstream broke.
    pub fn resumes(&self) -> u32 {
        self.resumes
    }

    /// Whether no more is read from the upstream until the client has taken what is under way.
    pub fn is_held_back(&self) -> bool {
        self.budget.is_above(self.room)
    }

    fn deliver(&mut self, data: Bytes) -> Frame<Bytes> {
        if let State::Reading(_, progress) = &mut self.state {
            progress.advance(&data);
            self.left = progress.left();
        }
        self.guard.bytes(data.len() as u64);
        if self.left == Some(0) {
            // hyper does not come back for the end of a body whose length it knows.
            self.end("complete");
        }
        let data = if data.len() < self.small { Bytes::copy_from_slice(&data) } else { data };
        Frame::data(self.budget.count(data))
    }

    fn reopen(&mut self, broken: bool) {
        if let State::Reading(part, progress) = std::mem::replace(&mut self.state, State::Ended) {
            // Its connection is of no more use, and could stand in the way of the next.
            drop(part);
            self.silence.end();
            let reopening = progress.reopen(broken).instrument(self.span.clone());
            self.state = State::Reopening(broken, Box::pin(reopening));
        }
    }

    fn end(&mut self, outcome: &'static str) {
        self.state = State::Ended;
        self.guard.ended(outcome);
        self.span.in_scope(|| tracing::debug!(outcome, "stream ended"));
    }
}

/// Whether a part that has ended was the last.
fn is_complete(part: &Part, progress: &Progress) -> bool {
    progress.left().map_or_else(|| part.is_open_ended(), |left| left == 0)
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Reading(part, progress) => {
                    ready!(this.budget.poll_below(this.room, cx));
                    match part.poll_data(cx) {
                        Poll::Ready(Ok(Some(data))) => {
                            this.silence.end();
                            return Poll::Ready(Some(Ok(this.deliver(data))));
                        }
                        Poll::Ready(Ok(None)) if is_complete(part, progress) => this.end("complete"),
                        Poll::Ready(Ok(None)) => this.reopen(false),
                        Poll::Ready(Err(error)) => {
                            let offset = progress.next();
                            this.span.in_scope(|| tracing::info!(%error, offset, "the upstream broke"));
                            this.reopen(true);
                        }
                        Poll::Pending => {
                            ready!(this.silence.poll(cx));
                            let offset = progress.next();
                            this.span.in_scope(|| tracing::info!(offset, "the upstream fell silent"));
                            this.reopen(true);
                        }
                    }
                }
                State::Reopening(broken, reopening) => match ready!(reopening.as_mut().poll(cx)) {
                    (progress, Some(part)) => {
                        if *broken {
                            this.resumes += 1;
                            this.guard.resumed();
                        }
                        this.left = progress.left();
                        this.state = State::Reading(part, progress);
                    }
                    (_, None) => {
                        this.end("upstream_broken");
                        this.state = State::Broken;
                        return Poll::Ready(Some(Err(Broken)));
                    }
                },
                State::Ended | State::Broken => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        if !matches!(self.state, State::Ended | State::Broken) {
            self.end("client_gone");
        }
    }
}
