//! One segment after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::sleep_until;

use super::error::RelayError;
use super::listed::{Listed, Look, is_same_map};
use super::load::read_into;
use super::part::Part;
use super::piece::{ByList, Place, Shared};
use super::resume::Progress;
use super::source::{Heal, Source};
use crate::playlist::{Decryptor, Map, Segment};

/// How much longer than bytes a live list's gaps may last: breaks for advertisements.
const GAPS: u32 = 10;

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
            if bytes.len() > had {
                self.progress.advance(&Bytes::copy_from_slice(&bytes[had..]));
            }
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
    /// Number of the last one, and what came before it.
    last: Option<u64>,
    map: Option<Arc<Map>>,
    /// Number of the segment that it was sent for.
    mapped: Option<u64>,
    silence: Duration,
    /// The request's, for the log.
    pub(super) span: tracing::Span,
}

impl Feed {
    /// All segments of a list, or of a live one those from now on.
    pub(super) fn new(listed: Listed) -> Self {
        let (next, silence) = (listed.start(), listed.means().silence);
        let span = tracing::Span::current();
        Self {
            listed: Arc::new(Mutex::new(listed)),
            next,
            last: None,
            map: None,
            mapped: None,
            silence,
            span,
        }
    }

    /// Opens what comes next; none after the last. After an error it can be tried again.
    pub(super) async fn next(&mut self) -> Result<Option<Stretch>, RelayError> {
        let since = Instant::now();
        while let Some(segment) = self.segment().await? {
            // RFC 8216bis §4.4.4.7: there is nothing to be had.
            if segment.gap {
                self.next += 1;
                if since.elapsed() > GAPS * self.silence {
                    return Err(RelayError::NoNews);
                }
                continue;
            }
            if let Some(map) = self.missing_map(&segment).await {
                let stretch = self.open(Place::MapOf(self.next)).await?;
                (self.map, self.mapped) = (Some(map), Some(self.next));
                return Ok(Some(stretch));
            }
            let stretch = self.open(Place::Segment(self.next)).await?;
            (self.last, self.map) = (Some(self.next), segment.map);
            self.next += 1;
            return Ok(Some(stretch));
        }
        Ok(None)
    }

    /// The next segment, once it is listed; none where the list ends before it.
    async fn segment(&self) -> Result<Option<Segment>, RelayError> {
        let since = Instant::now();
        let mut trouble = None;
        loop {
            // The list is free for others while this waits.
            let look = self.listed.lock().await.look(self.next)?;
            let again = match look {
                Look::Here(segment) => return Ok(Some(segment)),
                Look::End => return Ok(None),
                Look::NotYet(again) => again,
            };
            if since.elapsed() > self.silence {
                return Err(trouble.unwrap_or(RelayError::NoNews));
            }
            sleep_until(again.into()).await;
            let before = trouble.is_some();
            trouble = self.listed.lock().await.reload().await?;
            if let Some(error) = trouble.as_ref().filter(|_| !before) {
                tracing::info!(%error, "the broadcast's list can't be had for now");
            }
        }
    }

    /// What has to come before a segment and has not. Addresses are compared within one list where that can be, for the
    /// next one may sign them anew.
    async fn missing_map(&self, segment: &Segment) -> Option<Arc<Map>> {
        let map = segment.map.clone().filter(|_| self.mapped != Some(self.next))?;
        let changes = match &self.map {
            Some(sent) => {
                let listed = self.listed.lock().await;
                let changes = self.last.and_then(|last| listed.changes_map(last, segment));
                !is_same_map(Some(sent), Some(&map)) && changes.unwrap_or(true)
            }
            None => true,
        };
        changes.then_some(map)
    }

    async fn open(&self, place: Place) -> Result<Stretch, RelayError> {
        let mut listed = self.listed.lock().await;
        let piece = listed.piece_healed(place).await?;
        let (client, link) = (listed.means().client.clone(), listed.link_to(&piece.url));
        let (range, cipher) = (piece.range.clone(), piece.cipher);
        let renewals = listed.renewals();
        drop(listed);
        let by_list = ByList { listed: Arc::clone(&self.listed), place, piece, renewals };
        let heal = Heal::ByList(Box::new(by_list));
        let source = Source { client, link, heal };
        let progress = Progress::unopened(source, range.as_ref(), self.silence);
        let lock = cipher.map(|cipher| Decryptor::new(cipher.key, cipher.iv));
        Stretch::open(Box::new(progress), lock).await
    }
}
