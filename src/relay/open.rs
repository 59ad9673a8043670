//! The start of a stream: what the client wants, what the CDN has, and what the client is told.

use std::ops::Range;
use std::time::Duration;

use http::HeaderMap;

use super::container::Container;
use super::entity::{Conditions, Entity, Verdict};
use super::error::RelayError;
use super::part::Part;
use super::range::ByteRange;
use super::reach::{Pass, Reached};
use super::resume::Progress;
use super::source::{Origin, Source};
use super::stream::StreamBody;
use super::upstream::{Ask, Reply};
use super::{MAX_SKIP, Relay};
use crate::egress::ResponseBody;

/// The part of a request that decides which bytes are sent (RFC 9110 §13, §14).
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The head alone.
    pub(super) head: bool,
    range: Option<ByteRange>,
    pub(super) conditions: Conditions,
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
    /// What segments are joined to, as far as their first bytes tell; none of a single file.
    pub container: Option<Container>,
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

    pub(super) fn without_body(sent: Sent, entity: Entity) -> Self {
        Self { sent, entity, body: None, container: None }
    }
}

/// What came of asking for a range.
enum Answer {
    Found(Box<Found>),
    /// The file turned out not to be the one that the range is of.
    AnotherFile,
    /// The CDN can't be relied upon for ranges of this file; what it sends of the whole may do.
    NoRanges,
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
        let pass = self.pass()?;
        match self.reach(origin) {
            Reached::File(source) => self.open_file(pass, source, wanted).await,
            Reached::Segments(page, listing) => self.open_segments(pass, page, listing, wanted).await,
        }
    }

    async fn open_file(
        &self,
        (guard, permit): Pass,
        mut source: Source,
        wanted: &Wanted,
    ) -> Result<Opened, RelayError> {
        let mut range = wanted.range.filter(|_| !source.link.no_resume);
        let from_the_end = matches!(range, Some(ByteRange::Last(_)));
        let in_chunks = source.chunk().is_some();
        if wanted.head
            || wanted.conditions.decide_the_answer()
            || range == Some(ByteRange::Last(0))
            || from_the_end && in_chunks
        {
            let entity = bounded(look(&mut source).await?, &source);
            match wanted.conditions.judge(&entity) {
                Verdict::Failed => return Err(RelayError::PreconditionFailed),
                Verdict::NotModified => return Ok(Opened::without_body(Sent::NotModified, entity)),
                Verdict::Send if wanted.head => return Ok(Opened::without_body(Sent::Whole, entity)),
                Verdict::Send => {}
            }
            if !wanted.conditions.allow_range(&entity) {
                range = None;
            }
            if let (Some(ByteRange::Last(_)), Some(total)) = (range, entity.total) {
                let part = range.and_then(|range| range.within(total));
                let part = part.ok_or(RelayError::Unsatisfiable { total: Some(total) })?;
                range = Some(ByteRange::Between(part.start, part.end - 1));
            }
        }

        let silence = self.settings.idle;
        let answer = match find(&mut source, range, wanted, silence).await? {
            Answer::AnotherFile => find(&mut source, None, wanted, silence).await?,
            answer => answer,
        };
        let Found { sent, entity, part } = match answer {
            Answer::Found(found) => *found,
            Answer::NoRanges => find_whole(&mut source, range, silence).await?,
            Answer::AnotherFile => return Err(RelayError::WrongPart),
        };
        let entity = bounded(entity, &source);
        // It may be another server that answers now than the one that was looked at.
        match wanted.conditions.judge(&entity) {
            Verdict::Failed => return Err(RelayError::PreconditionFailed),
            Verdict::NotModified => return Ok(Opened::without_body(Sent::NotModified, entity)),
            Verdict::Send => {}
        }
        let (next, end) = match &sent {
            Sent::Part(range) => (range.start, Some(range.end)),
            _ => (0, entity.total),
        };
        if end == Some(next) {
            return Ok(Opened::without_body(sent, entity));
        }
        let progress = Progress::new(source, entity.clone(), next, end, silence);
        let body = StreamBody::new(part, progress, &self.settings, guard, permit);
        Ok(Opened { sent, entity, body: Some(body), container: None })
    }
}

/// What holds of a file also where it may not be gone on with.
fn bounded(entity: Entity, source: &Source) -> Entity {
    match source.link.no_resume {
        true => Entity { takes_ranges: false, ..entity },
        false => entity,
    }
}

/// Looks at a file by fetching its first byte: CDNs refuse `HEAD`.
pub(super) async fn look(source: &mut Source) -> Result<Entity, RelayError> {
    let ask = Ask { range: Some(ByteRange::Between(0, 0)), ..Ask::default() };
    let error = match source.fetch_healed(&ask).await {
        Ok(Reply::Whole(entity, body) | Reply::Part(Range { start: 0, end: 1 }, entity, body)) => {
            body.discard().await;
            return Ok(entity);
        }
        // An empty file has no first byte, and some servers know no ranges at all.
        Ok(Reply::Part(..) | Reply::OutOfRange(_)) => RelayError::WrongPart,
        Err(error @ (RelayError::Status(_) | RelayError::WrongPart)) => error,
        Err(error) => return Err(error),
    };
    match source.fetch(&Ask::default()).await {
        Ok(Reply::Whole(entity, body)) => {
            body.discard().await;
            Ok(entity)
        }
        _ => Err(error),
    }
}

/// Asks for the whole, and takes what is wanted out of it.
async fn find_whole(
    source: &mut Source,
    range: Option<ByteRange>,
    silence: Duration,
) -> Result<Found, RelayError> {
    let Reply::Whole(entity, body) = source.fetch_healed(&Ask::default()).await? else {
        return Err(RelayError::WrongPart);
    };
    found_whole(range, entity, body, silence).await
}

/// Asks for a range, or, where none is wanted, for all of it.
async fn find(
    source: &mut Source,
    range: Option<ByteRange>,
    wanted: &Wanted,
    silence: Duration,
) -> Result<Answer, RelayError> {
    let ask = Ask { range: first_window(source, range), if_range: if_range(range, wanted), ..Ask::default() };
    match source.fetch_healed(&ask).await? {
        // RFC 9110 §13.1.5: of another file there is no range to be out of.
        Reply::OutOfRange(_)
            if ask.if_range.is_some() && !wanted.conditions.allow_range(&look(source).await?) =>
        {
            Ok(Answer::AnotherFile)
        }
        Reply::OutOfRange(total) => match (range, total) {
            // Clients take a 416 for the end of the file: it must be certain.
            (Some(range), Some(total)) if range.within(total).is_none() => {
                Err(RelayError::Unsatisfiable { total: Some(total) })
            }
            (Some(_), Some(_)) => Err(RelayError::WrongPart),
            // Or only the window of a site that serves in chunks was out of range.
            (_, None) | (None, Some(0)) => Ok(Answer::NoRanges),
            (None, Some(_)) => Err(RelayError::WrongPart),
        },
        Reply::Part(_, entity, _) if range.is_some() && !wanted.conditions.allow_range(&entity) => {
            Ok(Answer::AnotherFile)
        }
        Reply::Part(got, entity, body) => found_part(range, got, entity, body),
        Reply::Whole(entity, body) => {
            let range = range.filter(|_| wanted.conditions.allow_range(&entity));
            let found = found_whole(range, entity, body, silence).await?;
            Ok(Answer::Found(Box::new(found)))
        }
    }
}

fn first_window(source: &Source, range: Option<ByteRange>) -> Option<ByteRange> {
    match range {
        None if source.chunk().is_none() => None,
        None => Some(source.window(0, None, 0)),
        Some(ByteRange::From(first)) => Some(source.window(first, None, 0)),
        Some(ByteRange::Between(first, last)) => Some(source.window(first, last.checked_add(1), 0)),
        last => last,
    }
}

fn if_range(range: Option<ByteRange>, wanted: &Wanted) -> Option<http::HeaderValue> {
    range.and_then(|_| wanted.conditions.if_range().cloned())
}

/// The CDN sent a part. It must begin where the wanted bytes do; what is missing at its end is asked for later, as
/// long as it is known how much that is.
fn found_part(
    range: Option<ByteRange>,
    got: Range<u64>,
    entity: Entity,
    body: ResponseBody,
) -> Result<Answer, RelayError> {
    let span = match (range, entity.total) {
        (Some(range), Some(total)) => range.within(total),
        (None, Some(total)) => Some(0..total),
        (Some(ByteRange::Between(first, last)), None) if got.end > last => Some(first..last + 1),
        (_, None) => return Ok(Answer::NoRanges),
    };
    let span = span.filter(|span| span.start == got.start).ok_or(RelayError::WrongPart)?;
    let mut part = Part::new(body, Some(got.end - got.start));
    part.cut_to(span.end - span.start);
    let sent = if range.is_some() { Sent::Part(span) } else { Sent::Whole };
    Ok(Answer::Found(Box::new(Found { sent, entity, part })))
}

/// The CDN sent all of it. Where only a part is wanted, what comes before it is skipped if that is cheap.
async fn found_whole(
    range: Option<ByteRange>,
    entity: Entity,
    body: ResponseBody,
    silence: Duration,
) -> Result<Found, RelayError> {
    let total = entity.total;
    let mut part = Part::new(body, total);
    if total == Some(0) {
        part.finish().await.map_err(|_| RelayError::Broken)?;
    }
    let (Some(range), Some(total)) = (range, total) else {
        return Ok(Found { sent: Sent::Whole, entity, part });
    };
    let span = range.within(total).ok_or(RelayError::Unsatisfiable { total: Some(total) })?;
    if span.start > MAX_SKIP {
        return Ok(Found { sent: Sent::Whole, entity, part });
    }
    part.cut_to(span.end);
    part.take(span.start, silence, |_| {}).await.map_err(|_| RelayError::Broken)?;
    Ok(Found { sent: Sent::Part(span), entity, part })
}
