//! Going on at the exact byte after an upstream broke, and being sure that it is the same file.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::sleep;

use super::MAX_SKIP;
use super::entity::Entity;
use super::error::RelayError;
use super::failure::Failure;
use super::part::Part;
use super::source::{Renewal, Source};
use super::upstream::{Ask, Reply};

/// Longest pauses before each try, in milliseconds. When all have been used without a new byte, the stream breaks.
const PAUSES: [u64; 5] = [50, 250, 750, 2000, 4000];

/// Bytes that are kept, to be compared where no strong validator tells that the file is the same.
const KEPT: usize = 4096;

/// The last bytes that the client got.
#[derive(Default)]
struct Tail(Bytes);

impl Tail {
    fn push(&mut self, data: &Bytes) {
        if data.len() >= KEPT {
            self.0 = data.slice(data.len() - KEPT..);
            return;
        }
        let old = &self.0[self.0.len().saturating_sub(KEPT - data.len())..];
        let mut joined = BytesMut::with_capacity(old.len() + data.len());
        joined.extend_from_slice(old);
        joined.extend_from_slice(data);
        self.0 = joined.freeze();
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Where a stream stands in its file, and all that a new response is judged by.
pub(super) struct Progress {
    source: Source,
    entity: Entity,
    /// Offset of the next byte that the client gets.
    next: u64,
    /// One past the last; unset where nobody knows.
    end: Option<u64>,
    tail: Tail,
    /// Tries since the last new byte.
    tries: usize,
    /// Whether the last response was all of what was asked for, so that it is no break if more is to come.
    as_asked: bool,
    /// Whether the link is not the one that the stream began with: another host may have tags of its own.
    renewed: bool,
    /// Whether the CDN leaves the tag out where it sends a part.
    untagged: bool,
    /// Whether nobody has been told anything of the file yet, so that it may still be any.
    unseen: bool,
    /// Where it ends by the list that names it.
    listed_end: Option<u64>,
    /// Whether the last response has brought nothing so far.
    barren: bool,
    silence: Duration,
}

impl Progress {
    /// A stream that begins at `next`. `silence`: longest wait for bytes.
    pub(super) fn new(
        source: Source,
        entity: Entity,
        next: u64,
        end: Option<u64>,
        silence: Duration,
    ) -> Self {
        let as_asked = source.chunk().is_some();
        Self {
            source,
            entity,
            next,
            end,
            tail: Tail::default(),
            tries: 0,
            as_asked,
            renewed: false,
            untagged: false,
            unseen: false,
            listed_end: None,
            barren: false,
            silence,
        }
    }

    /// A file, or a range of it, of which nothing is known and nothing was asked for yet. It opens with
    /// [`Progress::reopen`].
    pub(super) fn unopened(source: Source, range: Option<&Range<u64>>, silence: Duration) -> Self {
        let (next, end) = range.map_or((0, None), |range| (range.start, Some(range.end)));
        let progress = Self::new(source, Entity::default(), next, end, silence);
        Self { as_asked: true, unseen: true, listed_end: end, ..progress }
    }

    /// The client gets these bytes.
    pub(super) fn advance(&mut self, data: &Bytes) {
        (self.unseen, self.barren) = (false, false);
        self.next += data.len() as u64;
        self.tail.push(data);
        self.tries = 0;
    }

    /// Whether a part that has ended was the last.
    pub(super) fn is_complete(&self, part: &Part) -> bool {
        self.left().map_or_else(|| part.is_open_ended(), |left| left == 0)
    }

    /// Bytes to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.end.map(|end| end.saturating_sub(self.next))
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Asks for what follows, `broken` or because a response came to its proper end before the file did. An error
    /// where it can't be had, or can't be trusted.
    pub(super) async fn reopen(mut self: Box<Self>, broken: bool) -> (Box<Self>, Result<Part, RelayError>) {
        // A server that sends less than it is asked for, again and again, is not to be asked without a pause.
        let mut is_try = broken || self.barren || !self.as_asked;
        let mut last = RelayError::Broken;
        // Nobody knows which bytes of a broadcast would come.
        if self.source.link.no_resume && self.tail.len() > 0 {
            return (self, Err(last));
        }
        loop {
            if is_try {
                let Some(longest) = PAUSES.get(self.tries) else {
                    tracing::info!(offset = self.next, "the upstream stays broken");
                    return (self, Err(last));
                };
                self.tries += 1;
                sleep(Duration::from_millis(fastrand::u64(longest / 2..=*longest))).await;
            }
            is_try = true;
            let failure = match self.attempt().await {
                Ok(part) => {
                    self.barren = true;
                    return (self, Ok(part));
                }
                Err(failure) => failure,
            };
            let hope = match &failure {
                Failure::Passing(_) => true,
                Failure::Stale(refused) => match self.source.renew(refused).await {
                    Renewal::Done => {
                        self.renewed = true;
                        is_try = false;
                        true
                    }
                    Renewal::TooSoon => true,
                    Renewal::Failed => false,
                },
                Failure::Untagged => {
                    self.untagged = true;
                    is_try = false;
                    true
                }
                Failure::Final(_) | Failure::Changed | Failure::NoRanges => false,
            };
            tracing::info!(offset = self.next, tries = self.tries, %failure, "can't go on yet");
            last = failure.into_error();
            if !hope {
                return (self, Err(last));
            }
        }
    }

    async fn attempt(&mut self) -> Result<Part, Failure> {
        if self.unseen {
            self.end = self.listed_end;
        }
        let validator = self.entity.strong_etag().filter(|_| !self.renewed && !self.untagged).cloned();
        let vouched = validator.is_some();
        let overlap = if vouched { 0 } else { self.tail.len() };
        let from = self.next - overlap;
        let range = self.source.window(from, self.end, overlap);
        // A range that is all of it would be one more thing for a server to get wrong.
        let is_part = !self.unseen || from > 0 || self.end.is_some();
        let part = (is_part && !self.source.link.no_resume).then_some(range);
        let ask = Ask { range: part, if_range: validator, ..Ask::default() };
        let reply = self.source.fetch(&ask).await?;
        if let Reply::Part(_, entity, _) | Reply::Whole(entity, _) = &reply
            && !self.unseen
        {
            if self.entity.contradicts(entity, self.renewed) {
                return Err(Failure::Changed);
            }
            if vouched && entity.strong_etag().is_none() {
                return Err(Failure::Untagged);
            }
        }
        if let Reply::Part(_, entity, _) | Reply::Whole(entity, _) = &reply
            && entity.total.zip(self.end).is_some_and(|(total, end)| total < end)
        {
            // A list may name bytes that the file does not have.
            return Err(Failure::Changed);
        }
        let (part, entity) = match reply {
            Reply::OutOfRange(total) => match self.end {
                // It was cut just before the mark of its end.
                None if total == Some(self.next) => return Ok(Part::empty()),
                _ => return Err(Failure::Changed),
            },
            Reply::Part(got, entity, body) => {
                let asked = range.within(entity.total.unwrap_or(u64::MAX)).ok_or(Failure::Changed)?;
                if got.start != from || got.end > asked.end {
                    return Err(Failure::Changed);
                }
                self.as_asked = got.end == asked.end;
                let part = Part::new(body, Some(got.end - from));
                (self.join(part, 0, overlap).await?, entity)
            }
            Reply::Whole(..) if from > MAX_SKIP => return Err(Failure::NoRanges),
            Reply::Whole(entity, body) => {
                let mut part = Part::new(body, entity.total);
                if let Some(end) = self.end {
                    part.cut_to(end);
                }
                (self.join(part, from, overlap).await?, entity)
            }
        };
        // Now that it is known to be the same file, what it says of itself holds for the next time.
        match self.unseen {
            true => self.entity = entity.clone(),
            false => self.entity.total = self.entity.total.or(entity.total),
        }
        self.end = self.end.or(self.entity.total);
        Ok(part)
    }

    /// Skips what nobody wants, and compares what the client has.
    async fn join(&self, mut part: Part, skip: u64, overlap: u64) -> Result<Part, Failure> {
        let mut again = BytesMut::new();
        let joining = async {
            part.take(skip, self.silence, |_| {}).await?;
            part.take(overlap, self.silence, |data| again.extend_from_slice(data)).await
        };
        joining.await.map_err(|_| RelayError::Broken)?;
        match again == self.tail.0[..usize::try_from(overlap).unwrap_or(0)] {
            true => Ok(part),
            false => Err(Failure::Changed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_bytes_however_they_came() {
        let whole: Vec<u8> = (0..20_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        for size in [1, 7, 1000, KEPT - 1, KEPT, KEPT + 1, 20_000] {
            let mut tail = Tail::default();
            for (index, data) in whole.chunks(size).enumerate() {
                tail.push(&Bytes::copy_from_slice(data));
                let at = index * size + data.len();
                assert_eq!(tail.0, whole[at.saturating_sub(KEPT)..at], "pieces of {size}, at {at}");
            }
        }
    }
}
