//! Lists of segments as they are had and read: playlists, perhaps by way of a master playlist, or the page's own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use url::Url;

use super::content::{List, Listing};
use super::error::RelayError;
use super::load::{Loaded, load, unpacked};
use crate::egress::Client;
use crate::playlist::{Extras, Limits, Media, Playlist, PlaylistError, best};
use crate::ticket::Link;

/// Lists of more bytes than these are read beside the connections' threads: up to here it takes about a millisecond.
const LONG: usize = 16 << 10;

/// What lists and segments are fetched by, and what bounds that.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) client: Client,
    pub(super) limits: Limits,
    /// Longest wait for bytes, and for a live list to grow.
    pub(super) silence: Duration,
    /// A permit per KiB of all lists.
    pub(super) room: Arc<Semaphore>,
}

impl Means {
    /// Room for so many bytes among all lists.
    pub(super) fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, RelayError> {
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib(bytes));
        room.map_err(|_| RelayError::NoRoom)
    }

    /// Makes a room larger or smaller: who has some does not have to leave it to newcomers.
    pub(super) fn fit(&self, room: &mut OwnedSemaphorePermit, bytes: usize) -> Result<(), RelayError> {
        let (had, wanted) = (room.num_permits(), kib(bytes) as usize);
        if had < wanted {
            let more = u32::try_from(wanted - had).unwrap_or(u32::MAX);
            let more = Arc::clone(&self.room).try_acquire_many_owned(more);
            room.merge(more.map_err(|_| RelayError::NoRoom)?);
        } else {
            drop(room.split(had - wanted));
        }
        Ok(())
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes >> 10).unwrap_or(u32::MAX).saturating_add(1)
}

/// A list that was read.
pub(super) struct Read {
    /// The media playlist's own link, which a master playlist may have named.
    pub(super) link: Link,
    pub(super) media: Media,
    /// Bytes of its text.
    pub(super) text: usize,
}

impl Read {
    /// Bytes of memory that it takes for as long as a stream follows it; of one that grows, with the next text.
    pub(super) fn bytes(&self, listing: &Listing) -> usize {
        let given = match &listing.list {
            List::Fragments(fragments) => fragments.lines.len(),
            List::Hls(extras) => extras.playlist.as_ref().map_or(0, String::len),
        };
        let next = if self.media.ended { 0 } else { self.text };
        self.media.segments.bytes() + given + next
    }
}

/// Reads what a page names.
pub(super) async fn read(means: &Means, listing: &Listing) -> Result<Read, RelayError> {
    let link = listing.link.clone();
    let extras = match &listing.list {
        List::Fragments(fragments) => {
            let (fragments, limits) = (Arc::clone(fragments), means.limits);
            let is_long = fragments.lines.len() > LONG;
            let media = apart(is_long, move || Media::from_fragments(&fragments, &limits)).await?;
            return Ok(Read { link, media, text: 0 });
        }
        List::Hls(extras) => extras,
    };
    let (playlist, text) = match &extras.playlist {
        Some(text) => {
            let is_long = text.len() > LONG;
            let base = Url::parse(&link.url).map_err(|_| RelayError::BadLink)?;
            let (text, extras, limits) = (text.clone(), Arc::clone(extras), means.limits);
            let read = move || Playlist::parse(text.as_bytes(), &base, &extras, &limits);
            (apart(is_long, read).await?, 0)
        }
        None => read_playlist(means, &link, extras, 0).await?,
    };
    match playlist {
        Playlist::Media(media) => Ok(Read { link, media, text }),
        Playlist::Master(variants) => {
            let variant = best(&variants).ok_or(RelayError::NoSegments)?;
            reread(means, &link_to(&listing.link, &variant.url), extras, 0).await
        }
    }
}

/// Reads a media playlist, again or as a master playlist names it. There is room already for `free` bytes of its text.
pub(super) async fn reread(
    means: &Means,
    link: &Link,
    extras: &Arc<Extras>,
    free: usize,
) -> Result<Read, RelayError> {
    match read_playlist(means, link, extras, free).await? {
        (Playlist::Media(media), text) => Ok(Read { link: link.clone(), media, text }),
        // RFC 8216 §4.3.4.2: a variant is a media playlist. Others would lead on and on.
        (Playlist::Master(_), _) => Err(RelayError::Nested),
    }
}

/// A link to what a list names, with all that goes along with the list. Credentials stay with the server that they were
/// given to (RFC 9110 §15.4 on redirects, whose reasons are the same).
pub(super) fn link_to(listing: &Link, url: &Url) -> Link {
    let mut link = Link { url: url.as_str().to_owned(), chunk: None, ..listing.clone() };
    if Url::parse(&listing.url).map_or(true, |own| own.origin() != url.origin()) {
        link.headers.retain(|name, _| !name.eq_ignore_ascii_case("authorization"));
    }
    link
}

/// A playlist, and the bytes of its text.
async fn read_playlist(
    means: &Means,
    link: &Link,
    extras: &Arc<Extras>,
    free: usize,
) -> Result<(Playlist, usize), RelayError> {
    let too_long = |error| match error {
        RelayError::TooLong(_) => PlaylistError::TooLong.into(),
        error => error,
    };
    let loaded = load(means, link, means.limits.bytes, free).await.map_err(too_long)?;
    let (extras, limits) = (Arc::clone(extras), means.limits);
    apart(loaded.bytes.len() > LONG || loaded.gzip, move || {
        // Whose room is given up with it.
        let Loaded { url, bytes, gzip, .. } = &loaded;
        let text: Cow<'_, [u8]> = match gzip {
            false => bytes.into(),
            true => unpacked(bytes, limits.bytes).map_err(too_long)?.into(),
        };
        Ok::<_, RelayError>((Playlist::parse(&text, url, &extras, &limits)?, text.len()))
    })
    .await
}

/// Does what takes long beside the connections' threads.
async fn apart<T: Send + 'static, E: Into<RelayError> + Send + 'static>(
    is_long: bool,
    read: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, RelayError> {
    let read = match is_long {
        false => read(),
        true => spawn_blocking(read).await.map_err(|_| RelayError::Broken)?,
    };
    read.map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_where_they_were_given() {
        let listing: Link = serde_json::from_value(serde_json::json!({
            "url": "https://a.example/list.m3u8",
            "http_headers": {"authorization": "Bearer x", "Referer": "https://page.example/"},
        }))
        .unwrap();
        for (url, stays) in [
            ("https://a.example/1.ts", true),
            ("https://a.example:444/1.ts", false),
            ("http://a.example/1.ts", false),
            ("https://b.example/1.ts", false),
        ] {
            let link = link_to(&listing, &Url::parse(url).unwrap());
            assert_eq!(link.headers.contains_key("authorization"), stays, "{url}");
            assert!(link.headers.contains_key("Referer") && link.url == url);
        }
    }
}
