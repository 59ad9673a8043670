//! The start of a stream: what the client wants, what the CDN has, and what the client is told.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::timeout;

use super::entity::{Conditions, Entity, Verdict};
use super::part::Part;
use super::range::ByteRange;
use super::resume::Progress;
use super::source::{Origin, Source};
use super::stream::StreamBody;
use super::upstream::{Ask, RelayError, Reply};
use super::{MAX_SKIP, Relay};
use crate::egress::ResponseBody;

/// The part of a request that decides which bytes are sent (RFC 9110 §13, §14).
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The head alone.
    head: bool,
    range: Option<ByteRange>,
    conditions: Conditions,
}

impl Wanted {
    /// What a `GET`, or a `HEAD`, with these headers asks for. Ranges are of no meaning to a `HEAD` (§14.2).
    pub fn of(head: bool, headers: &HeaderMap) -> Self {
        let range = ByteRange::of(headers).filter(|_| !head);
        Self { head, range, conditions: Conditions::of(headers) }
    }
}

/// What the client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// All of it.
    Whole,
    /// The bytes at these offsets.
    Part(Range<u64>),
    /// Nothing: it has the file already.
    NotModified,
}

/// A file whose head was good.
pub struct Opened {
    /// What the client gets.
    pub sent: Sent,
    /// What the CDN says of the file.
    pub entity: Entity,
    /// The bytes; none for a `HEAD`, and where there is nothing to send.
    pub body: Option<StreamBody>,
}

impl Opened {
    /// Bytes that a `GET` would get, where that is known.
    pub fn length(&self) -> Option<u64> {
        match &self.sent {
            Sent::Whole => self.entity.total,
            Sent::Part(range) => Some(range.end - range.start),
            Sent::NotModified => None,
        }
    }

    fn without_body(sent: Sent, entity: Entity) -> Self {
        Self { sent, entity, body: None }
    }
}

/// Bytes of a file, before they are a stream.
struct Found {
    sent: Sent,
    entity: Entity,
    part: Part,
}

impl Relay {
    /// Asks the CDN for what the client wants and waits for the head of its answer.
    pub async fn open(&self, origin: Origin, wanted: &Wanted) -> Result<Opened, RelayError> {
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| RelayError::Full)?;
        let guard = self.metrics.stream();
        let renew = Arc::clone(&self.renew);
        let mut source = Source { egress: self.egress.clone(), origin, renew, renewed: None };

        let mut range = wanted.range;
        let from_the_end = matches!(range, Some(ByteRange::Last(_)));
        let in_chunks = source.origin.link.chunk.is_some();
        if wanted.head
            || wanted.conditions.decide_the_answer()
            || range == Some(ByteRange::Last(0))
            || from_the_end && in_chunks
        {
            let entity = look(&mut source).await?;
            match wanted.conditions.judge(&entity) {
                Verdict::Failed => return Err(RelayError::PreconditionFailed),
                Verdict::NotModified => return Ok(Opened::without_body(Sent::NotModified, entity)),
                Verdict::Send if wanted.head => return Ok(Opened::without_body(Sent::Whole, entity)),
                Verdict::Send => {}
            }
            if let (true, Some(total)) = (from_the_end, entity.total) {
                let part = range.and_then(|range| range.within(total));
                let part = part.ok_or(RelayError::Unsatisfiable { total: Some(total) })?;
                range = Some(ByteRange::Between(part.start, part.end - 1));
            }
        }

        let silence = self.settings.idle;
        let found = match find(&mut source, range, wanted, silence).await? {
            Some(found) => found,
            // The file is not the one that the range is of: the whole of the new one.
            None => find(&mut source, None, wanted, silence).await?.ok_or(RelayError::WrongPart)?,
        };
        let Found { sent, entity, part } = found;
        let (next, end) = match &sent {
            Sent::Part(range) => (range.start, Some(range.end)),
            _ => (0, entity.total),
        };
        let progress = Progress::new(source, entity.clone(), next, end, silence);
        let body = StreamBody::new(part, progress, &self.settings, guard, permit);
        Ok(Opened { sent, entity, body: Some(body) })
    }
}

/// Looks at a file by fetching its first byte: CDNs refuse `HEAD`.
async fn look(source: &mut Source) -> Result<Entity, RelayError> {
    let ask = Ask { range: Some(ByteRange::Between(0, 0)), if_range: None };
    match source.fetch_healed(&ask).await? {
        Reply::Whole(entity, body) => {
            body.discard().await;
            Ok(entity)
        }
        Reply::Part(Range { start: 0, end: 1 }, entity, body) => {
            body.discard().await;
            Ok(entity)
        }
        // An empty file has no first byte.
        Reply::OutOfRange(Some(0)) => match source.fetch(&Ask::default()).await? {
            Reply::Whole(entity, body) => {
                body.discard().await;
                Ok(entity)
            }
            _ => Err(RelayError::WrongPart),
        },
        Reply::Part(..) | Reply::OutOfRange(_) => Err(RelayError::WrongPart),
    }
}

/// Asks for a range, or for the whole. None where the file turns out not to be the one that the range is of.
async fn find(
    source: &mut Source,
    range: Option<ByteRange>,
    wanted: &Wanted,
    silence: Duration,
) -> Result<Option<Found>, RelayError> {
    let ask = Ask { range: first_window(source, range), if_range: if_range(range, wanted) };
    match source.fetch_healed(&ask).await? {
        Reply::OutOfRange(total) => match range {
            Some(range) if total.is_some_and(|total| range.within(total).is_some()) => {
                Err(RelayError::WrongPart)
            }
            Some(_) => Err(RelayError::Unsatisfiable { total }),
            // Only the window of a site that serves in chunks was out of range.
            None if total == Some(0) => match source.fetch(&Ask::default()).await? {
                Reply::Whole(entity, body) => found_whole(None, entity, body).await.map(Some),
                _ => Err(RelayError::WrongPart),
            },
            None => Err(RelayError::WrongPart),
        },
        Reply::Part(got, entity, body) => {
            if range.is_some() && !wanted.conditions.allow_range(&entity) {
                return Ok(None);
            }
            found_part(range, got, entity, body).map(Some)
        }
        Reply::Whole(entity, body) => {
            let range = range.filter(|_| wanted.conditions.allow_range(&entity));
            let found = timeout(silence, found_whole(range, entity, body)).await;
            found.map_err(|_| RelayError::Broken)?.map(Some)
        }
    }
}

fn first_window(source: &Source, range: Option<ByteRange>) -> Option<ByteRange> {
    match range {
        None if source.origin.link.chunk.is_none() => None,
        None => Some(source.window(0, None, 0)),
        Some(ByteRange::From(first)) => Some(source.window(first, None, 0)),
        Some(ByteRange::Between(first, last)) => Some(source.window(first, last.checked_add(1), 0)),
        last => last,
    }
}

fn if_range(range: Option<ByteRange>, wanted: &Wanted) -> Option<http::HeaderValue> {
    range.and_then(|_| wanted.conditions.if_range().cloned())
}

/// The CDN sent a part. It must begin where the wanted bytes do; what is missing at its end is asked for later.
fn found_part(
    range: Option<ByteRange>,
    got: Range<u64>,
    entity: Entity,
    body: ResponseBody,
) -> Result<Found, RelayError> {
    let span = match (range, entity.total) {
        (Some(range), Some(total)) => range.within(total),
        (None, Some(total)) => Some(0..total),
        (Some(ByteRange::Between(first, last)), None) if got.end <= last.saturating_add(1) => {
            Some(first..got.end)
        }
        _ => None,
    };
    let span = span.filter(|span| span.start == got.start && got.end <= span.end);
    let span = span.ok_or(RelayError::WrongPart)?;
    let sent = if range.is_some() { Sent::Part(span) } else { Sent::Whole };
    Ok(Found { sent, entity, part: Part::new(body, Some(got.end - got.start)) })
}

/// The CDN sent all of it. Where only a part is wanted, what comes before it is skipped if that is cheap.
async fn found_whole(
    range: Option<ByteRange>,
    entity: Entity,
    body: ResponseBody,
) -> Result<Found, RelayError> {
    let total = entity.total;
    let mut part = Part::new(body, total);
    let (Some(range), Some(total)) = (range, total) else {
        return Ok(Found { sent: Sent::Whole, entity, part });
    };
    let span = range.within(total).ok_or(RelayError::Unsatisfiable { total: Some(total) })?;
    if span.start > MAX_SKIP {
        return Ok(Found { sent: Sent::Whole, entity, part });
    }
    part.cut_to(span.end);
    part.take(span.start, |_| {}).await.map_err(|_| RelayError::Broken)?;
    Ok(Found { sent: Sent::Part(span), entity, part })
}
