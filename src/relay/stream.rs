//! The body of a stream, as hyper reads it: bytes from the upstream, and from the next one when that breaks.
//!
//! Nothing is read before hyper asks, so an upstream is held back by a client that does not read, and there is no
//! task or queue between the two. Dropping the body closes the upstream at once.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::Settings;
use super::ahead::Ahead;
use super::budget::Budget;
use super::error::RelayError;
use super::feed::{Feed, Stretch};
use super::part::Part;
use super::resume::Progress;
use crate::playlist::Decryptor;
use crate::silence::Silence;
use crate::telemetry::StreamGuard;

/// The body could not be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream broke before the body was complete")]
pub struct Broken;

/// Of a segment, bytes to come at which the next one is opened: a round trip's worth, on a fast line. Opened earlier it
/// would only hold a connection, and what a connection holds.
const NEAR_END: u64 = 1 << 20;

enum State {
    Reading(Part, Box<Progress>),
    /// Whether for a break, or because a response came to its proper end.
    Reopening(bool, BoxFuture<'static, (Box<Progress>, Result<Part, RelayError>)>),
    /// Between two segments.
    Turning,
    Ended,
    /// The error has been given. Why, for who has told the client nothing yet.
    Broken(Option<Box<RelayError>>),
}

/// What there is beside the file that is being read, where that is one of several segments.
struct Segments {
    ahead: Ahead,
    /// Of the one that is being read.
    lock: Option<Decryptor>,
}

/// The bytes that a client asked for. A body that can't be completed ends in an error.
pub struct StreamBody {
    state: State,
    /// Nothing for a single file.
    segments: Option<Box<Segments>>,
    /// Bytes that were looked at, and come first.
    first: Option<Bytes>,
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
        let mut body = Self::reading(part, Box::new(progress), settings, guard, permit);
        body.left = body.known_left();
        body
    }

    /// Segments: `stretch` is the first of them, and `feed` gives the others.
    pub(super) fn of_segments(
        Stretch { part, progress, lock }: Stretch,
        feed: Feed,
        settings: &Settings,
        guard: StreamGuard,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let mut body = Self::reading(part, progress, settings, guard, permit);
        body.segments = Some(Box::new(Segments { ahead: Ahead::new(feed), lock }));
        body
    }

    fn reading(
        part: Part,
        progress: Box<Progress>,
        settings: &Settings,
        guard: StreamGuard,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        guard.begun();
        Self {
            state: State::Reading(part, progress),
            segments: None,
            first: None,
            left: None,
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

    /// Bytes to come; of segments, nobody knows.
    fn known_left(&self) -> Option<u64> {
        match (&self.state, &self.segments) {
            (State::Reading(_, progress), None) => progress.left(),
            _ => None,
        }
    }

    /// Ends it where its head was all that was wanted.
    pub(super) fn leave(mut self) {
        self.end("complete");
    }

    /// Waits for the first bytes, which still come first.
    pub(super) async fn look(&mut self) -> Result<&[u8], RelayError> {
        let frame = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await;
        let why = match (frame, &mut self.state) {
            (Some(Ok(frame)), _) => {
                self.first = frame.into_data().ok();
                return Ok(self.first.as_deref().unwrap_or_default());
            }
            (None, _) => RelayError::NoSegments,
            (Some(Err(_)), State::Broken(why)) => why.take().map_or(RelayError::Broken, |why| *why),
            (Some(Err(_)), _) => RelayError::Broken,
        };
        Err(why)
    }

    /// Counts what the upstream gave, and gives what is for the client: nothing, where it takes more to decrypt it.
    fn deliver(&mut self, data: Bytes) -> Option<Frame<Bytes>> {
        if let State::Reading(_, progress) = &mut self.state {
            progress.advance(&data);
            self.left = self.known_left();
        }
        let data = match self.segments.as_mut().and_then(|segments| segments.lock.as_mut()) {
            Some(lock) => lock.push(data),
            None => data,
        };
        (!data.is_empty()).then(|| self.hand_out(data))
    }

    fn hand_out(&mut self, data: Bytes) -> Frame<Bytes> {
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

    /// Opens the next segment while this one still comes.
    fn look_ahead(&mut self, cx: &mut Context<'_>) {
        let Some(segments) = &mut self.segments else { return };
        let is_near = match &self.state {
            State::Reading(_, progress) => progress.left().is_none_or(|left| left <= NEAR_END),
            _ => false,
        };
        // Once begun with, it is gone on with whatever happens: it may hold the list, which a new link is had from.
        if is_near || segments.ahead.is_opening() {
            segments.ahead.poll(cx);
        }
    }

    /// A file has been read to its end. Of a segment, gives what only the end could tell.
    fn turn(&mut self) -> Result<Option<Frame<Bytes>>, Broken> {
        let Some(segments) = &mut self.segments else {
            self.end("complete");
            return Ok(None);
        };
        self.state = State::Turning;
        self.silence.end();
        let Some(lock) = segments.lock.take() else { return Ok(None) };
        match lock.finish() {
            Ok(data) => Ok((!data.is_empty()).then(|| self.hand_out(data))),
            Err(_) => Err(self.break_off(RelayError::Cipher)),
        }
    }

    fn break_off(&mut self, error: RelayError) -> Broken {
        self.span.in_scope(|| tracing::info!(%error, "the stream can't go on"));
        self.end("upstream_broken");
        self.state = State::Broken(Some(Box::new(error)));
        Broken
    }

    fn end(&mut self, outcome: &'static str) {
        self.state = State::Ended;
        self.guard.ended(outcome);
        self.span.in_scope(|| tracing::debug!(outcome, "stream ended"));
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if let Some(data) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        this.look_ahead(cx);
        loop {
            match &mut this.state {
                State::Reading(part, progress) => {
                    ready!(this.budget.poll_below(this.room, cx));
                    match part.poll_data(cx) {
                        Poll::Ready(Ok(Some(data))) => {
                            this.silence.end();
                            if let Some(frame) = this.deliver(data) {
                                return Poll::Ready(Some(Ok(frame)));
                            }
                        }
                        Poll::Ready(Ok(None)) if progress.is_complete(part) => {
                            if let Some(frame) = this.turn().transpose() {
                                return Poll::Ready(Some(frame));
                            }
                        }
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
                    (progress, Ok(part)) => {
                        if *broken {
                            this.resumes += 1;
                            this.guard.resumed();
                        }
                        this.state = State::Reading(part, progress);
                        this.left = this.known_left();
                    }
                    (_, Err(error)) => return Poll::Ready(Some(Err(this.break_off(error)))),
                },
                State::Turning => {
                    let Some(segments) = &mut this.segments else { return Poll::Ready(None) };
                    match ready!(segments.ahead.poll_open(cx)) {
                        Ok(Some(Stretch { part, progress, lock })) => {
                            segments.lock = lock;
                            this.state = State::Reading(part, progress);
                            this.look_ahead(cx);
                        }
                        Ok(None) => this.end("complete"),
                        Err(error) => return Poll::Ready(Some(Err(this.break_off(error)))),
                    }
                }
                State::Ended | State::Broken(_) => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended) && self.first.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        if !matches!(self.state, State::Ended | State::Broken(_)) {
            self.end("client_gone");
        }
    }
}
