//! The list of a stream's segments: followed while it grows, and had again when its links are stale.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use url::Url;

use super::content::{Content, List, Listing};
use super::error::RelayError;
use super::lists::{self, Means, Read, read, reread};
use super::load::load;
use super::piece::{Cipher, Piece, Place};
use super::source::{Page, Renewal, is_stale};
use crate::playlist::{Key, KeyFrom, Map, PlaylistError, Segment};
use crate::ticket::Link;

/// Bytes of a key of AES-128.
const KEY_LENGTH: usize = 16;

/// Longest time from one load of a live list to the next, whatever it says of itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A list of segments, as it is now.
pub(super) struct Listed {
    means: Means,
    page: Page,
    listing: Listing,
    now: Read,
    /// When it was read, and whether it held anything new.
    since: Instant,
    changed: bool,
    /// Whether nothing is added to it, whatever it says.
    complete: bool,
    /// How often the page was extracted again.
    renewals: u32,
    key: Option<(Arc<Key>, [u8; KEY_LENGTH])>,
    /// Its room among all lists.
    room: OwnedSemaphorePermit,
}

/// What is at a number.
pub(super) enum Look {
    Here(Segment),
    /// The list ends before it.
    End,
    /// It may be there after another load, at this time.
    NotYet(Instant),
}

impl Listed {
    /// Has the list, from the page's new link where the old one is refused.
    pub(super) async fn open(means: Means, mut page: Page, listing: Listing) -> Result<Self, RelayError> {
        let (listing, renewals, now) = match read(&means, &listing).await {
            Err(refused) if is_stale(&refused) => match page.renew(&refused).await {
                Ok(Content::Segments(listing)) => {
                    let now = read(&means, &listing).await?;
                    (listing, 1, now)
                }
                _ => return Err(refused),
            },
            now => (listing, 0, now?),
        };
        let complete = listing.complete;
        let room = means.room_for(now.bytes(&listing))?;
        let mut listed = Self {
            room,
            means,
            page,
            listing,
            now,
            since: Instant::now(),
            changed: true,
            complete,
            renewals,
            key: None,
        };
        listed.now.media.ended |= complete;
        Ok(listed)
    }

    /// The number of the segment that a new client begins with.
    pub(super) fn start(&self) -> u64 {
        match self.complete {
            true => self.now.media.segments.first(),
            false => self.now.media.start(),
        }
    }

    pub(super) fn renewals(&self) -> u32 {
        self.renewals
    }

    /// What is at a number that all before it have led to.
    pub(super) fn look(&self, number: u64) -> Result<Look, RelayError> {
        let media = &self.now.media;
        match media.segments.get(number) {
            Some(segment) => Ok(Look::Here(segment)),
            None if number < media.segments.first() => Err(RelayError::Behind),
            None if !media.ended => {
                Ok(Look::NotYet(self.since + media.reload_after(self.changed).min(LONGEST_PAUSE)))
            }
            None if number == media.segments.end() => Ok(Look::End),
            // It has become shorter: what came so far was of another.
            None => Err(RelayError::AnotherList),
        }
    }

    /// Whether a segment wants something else to come before it than the one that was `last`; nothing where that is not
    /// listed any more.
    pub(super) fn changes_map(&self, last: u64, segment: &Segment) -> Option<bool> {
        let before = self.now.media.segments.get(last)?;
        Some(!is_same_map(before.map.as_ref(), segment.map.as_ref()))
    }

    /// Loads the list again. Gives what kept it from being had where that may pass.
    pub(super) async fn reload(&mut self) -> Result<Option<RelayError>, RelayError> {
        let List::Hls(extras) = &self.listing.list else { return Ok(None) };
        let error = match reread(&self.means, &self.now.link, extras, self.now.text).await {
            Ok(now) => match self.take(now) {
                Ok(()) => return Ok(None),
                Err(error) => error,
            },
            Err(refused) if is_stale(&refused) => match self.have_again(&refused).await {
                Renewal::Done => return Ok(None),
                Renewal::TooSoon | Renewal::Failed => refused,
            },
            Err(error) => error,
        };
        // Not sooner than after a list that brought something: it is trouble enough.
        (self.since, self.changed) = (Instant::now(), true);
        if may_pass(&error) { Ok(Some(error)) } else { Err(error) }
    }

    fn take(&mut self, mut now: Read) -> Result<(), RelayError> {
        self.means.fit(&mut self.room, now.bytes(&self.listing))?;
        self.changed = now.media.segments.end() != self.now.media.segments.end();
        now.media.ended |= self.complete;
        self.now = now;
        self.since = Instant::now();
        Ok(())
    }

    /// Has the page extracted again, and reads the list that it names now.
    pub(super) async fn have_again(&mut self, refused: &RelayError) -> Renewal {
        let listing = match self.page.renew(refused).await {
            Ok(Content::Segments(listing)) => listing,
            Ok(Content::File(_)) => return Renewal::Failed,
            Err(renewal) => return renewal,
        };
        let now = match read(&self.means, &listing).await {
            Ok(now) => now,
            Err(error) => {
                tracing::info!(%error, "the new list can't be read");
                return Renewal::Failed;
            }
        };
        if !Span::of(&self.now).goes_on_as(Span::of(&now)) {
            tracing::info!("the new list is another one");
            return Renewal::Failed;
        }
        let before = std::mem::replace(&mut self.listing, listing);
        if let Err(error) = self.take(now) {
            tracing::info!(%error, "no room for the new list");
            self.listing = before;
            return Renewal::Failed;
        }
        self.renewals += 1;
        self.key = None;
        Renewal::Done
    }

    /// Where a part of the list is. A key that is refused is asked for where the page says now.
    pub(super) async fn piece_healed(&mut self, place: Place) -> Result<Piece, RelayError> {
        match self.piece(place).await {
            Err(refused) if is_stale(&refused) => match self.have_again(&refused).await {
                Renewal::Done => self.piece(place).await,
                Renewal::TooSoon | Renewal::Failed => Err(refused),
            },
            piece => piece,
        }
    }

    /// Where a part of the list is.
    pub(super) async fn piece(&mut self, place: Place) -> Result<Piece, RelayError> {
        let segment = self.now.media.segments.get(place.number()).ok_or(RelayError::Behind)?;
        let (url, range, key, iv) = match (place, segment.map) {
            (Place::Segment(_), _) => (segment.url, segment.range, segment.key, segment.iv),
            (Place::MapOf(_), Some(map)) => (map.url.clone(), map.range.clone(), map.key.clone(), map.iv),
            (Place::MapOf(_), None) => return Err(RelayError::AnotherList),
        };
        let cipher = match key {
            Some(key) => Some(Cipher { key: self.key(&key).await?, iv }),
            None => None,
        };
        Ok(Piece { url, range, cipher })
    }

    /// The bytes of a key; the last one is remembered.
    async fn key(&mut self, key: &Arc<Key>) -> Result<[u8; KEY_LENGTH], RelayError> {
        let url = match &key.from {
            KeyFrom::Bytes(bytes) => return Ok(*bytes),
            KeyFrom::Url(url) => url,
        };
        if let Some((known, bytes)) = &self.key
            && known == key
        {
            return Ok(*bytes);
        }
        let loaded = load(&self.means, &self.link_to(url), KEY_LENGTH, KEY_LENGTH).await;
        let loaded = loaded.map_err(|error| match error {
            RelayError::TooLong(_) => RelayError::Key,
            error => error,
        })?;
        let bytes = <[u8; KEY_LENGTH]>::try_from(loaded.bytes).map_err(|_| RelayError::Key)?;
        self.key = Some((Arc::clone(key), bytes));
        Ok(bytes)
    }

    pub(super) fn link_to(&self, url: &Url) -> Link {
        lists::link_to(&self.listing.link, url)
    }

    pub(super) fn means(&self) -> &Means {
        &self.means
    }
}

/// Which segments a list has.
#[derive(Clone, Copy)]
struct Span {
    first: u64,
    end: u64,
    ended: bool,
}

impl Span {
    fn of(Read { media, .. }: &Read) -> Self {
        Self { first: media.segments.first(), end: media.segments.end(), ended: media.ended }
    }

    /// Whether a list may be this one, had again: a whole one is as long as before, and windows meet, however far one
    /// server is behind another. What begins earlier and has ended is a recording, with numbers of its own.
    fn goes_on_as(self, other: Self) -> bool {
        match self.ended {
            true => (self.first, self.end) == (other.first, other.end),
            false if other.ended && other.first < self.first => false,
            false => other.first <= self.end && self.first <= other.end,
        }
    }
}

/// Whether two segments want the same thing to come before them. A vector is not looked at: one that the tag does not give
/// depends on where the list begins.
pub(super) fn is_same_map(one: Option<&Arc<Map>>, other: Option<&Arc<Map>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            Arc::ptr_eq(one, other) || (&one.url, &one.range) == (&other.url, &other.range)
        }
        (None, None) => true,
        _ => false,
    }
}

/// Whether a live list may be had the next time.
fn may_pass(error: &RelayError) -> bool {
    match error {
        RelayError::Egress(error) => !error.is_forbidden(),
        RelayError::Playlist(
            PlaylistError::Encryption(_) | PlaylistError::TooLong | PlaylistError::TooManySegments,
        )
        | RelayError::Nested => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_had_again_is_told_from_another_one() {
        let whole = |first, end| Span { first, end, ended: true };
        let window = |first, end| Span { first, end, ended: false };
        for (now, other, goes_on) in [
            (whole(0, 500), whole(0, 500), true),
            (whole(0, 500), whole(0, 300), false),
            (whole(0, 500), window(0, 501), false),
            (window(20, 25), window(22, 27), true),
            (window(20, 25), window(17, 22), true),
            (window(20, 25), window(0, 25), true),
            (window(20, 25), window(25, 30), true),
            (window(20, 25), window(26, 31), false),
            (window(20, 25), window(3, 8), false),
            (window(20, 25), whole(21, 26), true),
            (window(20, 25), whole(0, 4000), false),
        ] {
            let said = |span: Span| (span.first, span.end, span.ended);
            assert_eq!(now.goes_on_as(other), goes_on, "{:?} {:?}", said(now), said(other));
        }
    }
}
