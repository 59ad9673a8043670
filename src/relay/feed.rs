//! One segment after the other, each opened before the one before it has ended.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tracing::Instrument;

use super::error::RelayError;
use super::listed::{Listed, Place, Shared, is_same_map, source};
use super::load::read_into;
use super::part::Part;
use super::resume::Progress;
use crate::playlist::{Decryptor, Key, Map, Segment};

/// A segment, or what comes before segments, once its head has come.
pub(super) struct Stretch {
    pub(super) part: Part,
    pub(super) progress: Box<Progress>,
    /// Where it is encrypted.
    pub(super) lock: Option<Decryptor>,
}

impl Stretch {
    /// Opens what was not asked for yet.
    pub(super) async fn open(progress: Box<Progress>, lock: Option<Decryptor>) -> Result<Self, RelayError> {
        let (progress, part) = progress.reopen(false).await;
        Ok(Self { part: part?, progress, lock })
    }

    /// All of it, decrypted, after what `bytes` holds; at most `most` bytes in all. Goes on after breaks.
    pub(super) async fn read_into(
        mut self,
        bytes: &mut Vec<u8>,
        most: usize,
        silence: Duration,
    ) -> Result<(), RelayError> {
        let begin = bytes.len();
        loop {
            let had = bytes.len();
            let read = read_into(bytes, &mut self.part, most, silence).await;
            self.progress.advance(&Bytes::copy_from_slice(&bytes[had..]));
            let broken = match read {
                Ok(()) if self.progress.is_complete(&self.part) => break,
                Ok(()) => false,
                Err(RelayError::Broken) => true,
                Err(error) => return Err(error),
            };
            let (progress, part) = self.progress.reopen(broken).await;
            (self.progress, self.part) = (progress, part?);
        }
        if let Some(mut lock) = self.lock {
            let plain = lock.push(Bytes::from(bytes.split_off(begin)));
            bytes.extend_from_slice(&plain);
            bytes.extend_from_slice(&lock.finish().map_err(|_| RelayError::Cipher)?);
        }
        Ok(())
    }
}

/// The segments that are still to come.
pub(super) struct Feed {
    listed: Shared,
    /// Number of the next segment.
    next: u64,
    /// What has come before the segments so far.
    map: Option<Arc<Map>>,
    silence: Duration,
    /// The request's, for the log.
    span: tracing::Span,
}

impl Feed {
    /// All segments of a list, or of a live one those from now on.
    pub(super) fn new(listed: Listed, silence: Duration) -> Self {
        let (next, span) = (listed.start(), tracing::Span::current());
        Self { listed: Arc::new(Mutex::new(listed)), next, map: None, silence, span }
    }

    /// Opens what comes next; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Stretch>, RelayError> {
        loop {
            let number = self.next;
            let Some(segment) = self.listed.lock().await.segment(number).await? else { return Ok(None) };
            // RFC 8216bis §4.4.4.7: there is nothing to be had.
            if segment.gap {
                self.next += 1;
                continue;
            }
            if !is_same_map(self.map.as_ref(), segment.map.as_ref())
                && let Some(map) = segment.map.clone()
            {
                let stretch = self.open_map(number, &map).await?;
                self.map = Some(map);
                return Ok(Some(stretch));
            }
            self.next += 1;
            return self.open_segment(number, &segment).await.map(Some);
        }
    }

    async fn open_map(&self, number: u64, map: &Map) -> Result<Stretch, RelayError> {
        let source = source(&self.listed, Place::MapOf(number), &map.url).await;
        let progress = Progress::unopened(source, map.range.as_ref(), self.silence);
        self.open(progress, map.key.as_ref(), map.iv).await
    }

    async fn open_segment(&self, number: u64, segment: &Segment) -> Result<Stretch, RelayError> {
        let source = source(&self.listed, Place::Segment(number), &segment.url).await;
        let progress = Progress::unopened(source, segment.range.as_ref(), self.silence);
        self.open(progress, segment.key.as_ref(), segment.iv).await
    }

    async fn open(
        &self,
        progress: Progress,
        key: Option<&Arc<Key>>,
        iv: [u8; 16],
    ) -> Result<Stretch, RelayError> {
        let lock = match key {
            Some(key) => Some(Decryptor::new(self.listed.lock().await.key(key).await?, iv)),
            None => None,
        };
        Stretch::open(Box::new(progress), lock).await
    }
}

type Opened = (Feed, Result<Option<Stretch>, RelayError>);

/// What comes next, opened ahead of time.
pub(super) enum Ahead {
    /// Nobody has begun with it.
    Idle(Feed),
    Opening(BoxFuture<'static, Opened>),
    Open(Box<Opened>),
    /// It has been taken.
    Taken,
}

impl Ahead {
    /// Begins with it, and goes on with it as far as that goes without waiting.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            match std::mem::replace(self, Self::Taken) {
                Self::Idle(mut feed) => {
                    let span = feed.span.clone();
                    let opening = async move {
                        let opened = feed.next().await;
                        (feed, opened)
                    };
                    *self = Self::Opening(Box::pin(opening.instrument(span)));
                }
                Self::Opening(mut opening) => match opening.as_mut().poll(cx) {
                    Poll::Ready(opened) => *self = Self::Open(Box::new(opened)),
                    Poll::Pending => {
                        *self = Self::Opening(opening);
                        return;
                    }
                },
                done => {
                    *self = done;
                    return;
                }
            }
        }
    }

    /// Whether it was begun with and is not there yet.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self, Self::Opening(_))
    }

    /// Waits for it.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Stretch>, RelayError>> {
        self.poll(cx);
        match std::mem::replace(self, Self::Taken) {
            Self::Open(opened) => {
                let (feed, opened) = *opened;
                *self = Self::Idle(feed);
                Poll::Ready(opened)
            }
            Self::Taken => Poll::Ready(Ok(None)),
            pending => {
                *self = pending;
                Poll::Pending
            }
        }
    }
}
