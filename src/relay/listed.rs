//! The list of a stream's segments: had, read, followed while it grows, and had again when its links are stale.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::sleep_until;
use url::Url;

use super::content::{Content, List, Listing};
use super::error::RelayError;
use super::load::load;
use super::source::{Heal, Page, Renewal, Source, is_stale};
use crate::egress::Client;
use crate::playlist::{Extras, Key, KeyFrom, Limits, Map, Media, Playlist, Segment, best};
use crate::ticket::Link;

/// Bytes of a key of AES-128.
const KEY_LENGTH: usize = 16;

/// A list, for all who are about its segments.
pub(super) type Shared = Arc<Mutex<Listed>>;

/// What segments are fetched by, and what bounds that.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) client: Client,
    pub(super) limits: Limits,
    /// Longest wait for bytes, and for a live list to grow.
    pub(super) silence: Duration,
}

/// A list of segments, as it is now.
pub(super) struct Listed {
    means: Means,
    page: Page,
    listing: Listing,
    /// The media playlist's own link, which a master playlist may have named.
    link: Link,
    media: Media,
    /// When it was read, and whether it held anything new.
    read: Instant,
    changed: bool,
    /// How often the page was extracted again.
    renewals: u32,
    key: Option<(Arc<Key>, [u8; KEY_LENGTH])>,
}

impl Listed {
    /// Has the list, from the page's new link where the old one is refused.
    pub(super) async fn open(means: Means, mut page: Page, listing: Listing) -> Result<Self, RelayError> {
        let had = read(&means, &listing).await;
        let (listing, renewals, (link, media)) = match had {
            Err(refused) if is_stale(&refused) => match page.renew(&refused).await {
                Ok(Content::Segments(listing)) => {
                    let had = read(&means, &listing).await?;
                    (listing, 1, had)
                }
                _ => return Err(refused),
            },
            had => (listing, 0, had?),
        };
        let read = Instant::now();
        Ok(Self { means, page, listing, link, media, read, changed: true, renewals, key: None })
    }

    /// The same list, as if it were complete.
    pub(super) fn taken_as_complete(mut self) -> Self {
        self.media.ended = true;
        self
    }

    /// The number of the segment that a new client begins with.
    pub(super) fn start(&self) -> u64 {
        self.media.start()
    }

    /// The segment of a number; none after the last. Of a live list, waits for it.
    pub(super) async fn segment(&mut self, number: u64) -> Result<Option<Segment>, RelayError> {
        let since = Instant::now();
        loop {
            if number < self.media.segments.first() {
                return Err(RelayError::Behind);
            }
            if let Some(segment) = self.media.segments.get(number) {
                return Ok(Some(segment));
            }
            if self.media.ended {
                return Ok(None);
            }
            if since.elapsed() > self.means.silence {
                return Err(RelayError::NoNews);
            }
            sleep_until((self.read + self.media.reload_after(self.changed)).into()).await;
            self.reload().await?;
        }
    }

    async fn reload(&mut self) -> Result<(), RelayError> {
        let List::Hls(extras) = &self.listing.list else { return Ok(()) };
        let extras = Arc::clone(extras);
        let media = match read_media(&self.means, &mut self.link, &extras).await {
            Err(refused) if is_stale(&refused) => match self.have_again(&refused).await {
                Renewal::Done => return Ok(()),
                Renewal::TooSoon | Renewal::Failed => return Err(refused),
            },
            media => media?,
        };
        self.take(media);
        Ok(())
    }

    fn take(&mut self, media: Media) {
        self.changed = media.ended || media.segments.end() != self.media.segments.end();
        self.media = media;
        self.read = Instant::now();
    }

    /// Has the page extracted again, and reads the list that it names now.
    async fn have_again(&mut self, refused: &RelayError) -> Renewal {
        let listing = match self.page.renew(refused).await {
            Ok(Content::Segments(listing)) => listing,
            Ok(Content::File(_)) => return Renewal::Failed,
            Err(renewal) => return renewal,
        };
        match read(&self.means, &listing).await {
            Ok((link, media)) => {
                (self.listing, self.link) = (listing, link);
                self.take(media);
                self.renewals += 1;
                self.key = None;
                Renewal::Done
            }
            Err(error) => {
                tracing::info!(%error, "the new list can't be read");
                Renewal::Failed
            }
        }
    }

    /// The bytes of a key; the last one is remembered.
    pub(super) async fn key(&mut self, key: &Arc<Key>) -> Result<[u8; KEY_LENGTH], RelayError> {
        let url = match &key.from {
            KeyFrom::Bytes(bytes) => return Ok(*bytes),
            KeyFrom::Url(url) => url,
        };
        if let Some((known, bytes)) = &self.key
            && known == key
        {
            return Ok(*bytes);
        }
        let loaded = load(&self.means, &self.link_to(url), KEY_LENGTH).await;
        let (_, bytes) = loaded.map_err(|error| match error {
            RelayError::TooLong(_) => RelayError::Key,
            error => error,
        })?;
        let bytes = <[u8; KEY_LENGTH]>::try_from(bytes).map_err(|_| RelayError::Key)?;
        self.key = Some((Arc::clone(key), bytes));
        Ok(bytes)
    }

    fn link_to(&self, url: &Url) -> Link {
        Link { url: url.as_str().to_owned(), chunk: None, ..self.link.clone() }
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The segment of this number.
    Segment(u64),
    /// What comes before it.
    MapOf(u64),
}

/// A way for a segment to a new link: the list that named it.
pub(super) struct ByList {
    listed: Shared,
    place: Place,
    /// [`Listed::renewals`] when the link was made.
    renewals: u32,
}

impl ByList {
    /// The link that this part of the list has now, after the list was had again.
    pub(super) async fn renew(&mut self, refused: &RelayError) -> Result<Link, Renewal> {
        let mut listed = self.listed.lock().await;
        if listed.renewals == self.renewals {
            match listed.have_again(refused).await {
                Renewal::Done => {}
                renewal => return Err(renewal),
            }
        }
        self.renewals = listed.renewals;
        let segment = |number| listed.media.segments.get(number).ok_or(Renewal::Failed);
        let url = match self.place {
            Place::Segment(number) => segment(number)?.url,
            Place::MapOf(number) => segment(number)?.map.ok_or(Renewal::Failed)?.url.clone(),
        };
        Ok(listed.link_to(&url))
    }
}

/// A source of a part of a list.
pub(super) async fn source(shared: &Shared, place: Place, url: &Url) -> Source {
    let listed = shared.lock().await;
    let heal = Heal::ByList(ByList { listed: Arc::clone(shared), place, renewals: listed.renewals });
    Source { client: listed.means.client.clone(), link: listed.link_to(url), heal }
}

/// Whether two segments want the same thing to come before them.
pub(super) fn is_same_map(one: Option<&Arc<Map>>, other: Option<&Arc<Map>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    }
}

/// Reads what a page names: a playlist, perhaps by way of a master playlist, or the page's own list.
async fn read(means: &Means, listing: &Listing) -> Result<(Link, Media), RelayError> {
    let mut link = listing.link.clone();
    let extras = match &listing.list {
        List::Fragments(fragments) => return Ok((link, Media::from_fragments(fragments, &means.limits)?)),
        List::Hls(extras) => extras,
    };
    let playlist = match &extras.playlist {
        Some(text) => {
            let base = Url::parse(&link.url).map_err(|_| RelayError::BadLink)?;
            parsed(text.clone().into_bytes(), base, extras, means).await?
        }
        None => read_playlist(means, &mut link, extras).await?,
    };
    let variants = match playlist {
        Playlist::Media(media) => return Ok((link, media)),
        Playlist::Master(variants) => variants,
    };
    let variant = best(&variants).ok_or(RelayError::NoSegments)?;
    link.url = variant.url.as_str().to_owned();
    let media = read_media(means, &mut link, extras).await?;
    Ok((link, media))
}

async fn read_media(means: &Means, link: &mut Link, extras: &Arc<Extras>) -> Result<Media, RelayError> {
    match read_playlist(means, link, extras).await? {
        Playlist::Media(media) => Ok(media),
        // RFC 8216 §4.3.4.2: a variant is a media playlist. Others would lead on and on.
        Playlist::Master(_) => Err(RelayError::Nested),
    }
}

async fn read_playlist(means: &Means, link: &mut Link, extras: &Arc<Extras>) -> Result<Playlist, RelayError> {
    let (base, text) = load(means, link, means.limits.bytes).await?;
    parsed(text, base, extras, means).await
}

/// Playlists of this many bytes are read beside the connections' threads: it takes them a millisecond.
const LONG: usize = 256 << 10;

async fn parsed(
    text: Vec<u8>,
    base: Url,
    extras: &Arc<Extras>,
    means: &Means,
) -> Result<Playlist, RelayError> {
    if text.len() < LONG {
        return Ok(Playlist::parse(&text, &base, extras, &means.limits)?);
    }
    let (extras, limits) = (Arc::clone(extras), means.limits);
    let parsing = tokio::task::spawn_blocking(move || Playlist::parse(&text, &base, &extras, &limits));
    Ok(parsing.await.map_err(|_| RelayError::Broken)??)
}
