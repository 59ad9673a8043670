//! What an item of a page is made of: one file, or segments that follow each other.

use std::sync::Arc;

use crate::playlist::{Extras, Fragments};
use crate::ticket::Link;

/// The bytes of an item, by where they are.
#[derive(Debug, Clone)]
pub enum Content {
    /// One file.
    File(Link),
    /// Segments, one after the other.
    Segments(Listing),
}

impl Content {
    /// The file's link, or that of the list.
    pub fn link(&self) -> &Link {
        match self {
            Self::File(link) | Self::Segments(Listing { link, .. }) => link,
        }
    }
}

/// Segments, by the list that names them.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The playlist; of fragments, what they are fetched with. Headers and cookies are the segments', too.
    pub link: Link,
    /// Which segments.
    pub list: List,
    /// Whether nothing is added to them, also where the list does not say that it ends: the page is no broadcast.
    pub complete: bool,
}

/// Who lists segments.
#[derive(Debug, Clone)]
pub enum List {
    /// An HLS playlist (RFC 8216), read as the extractor wants it read.
    Hls(Arc<Extras>),
    /// The page itself: yt-dlp's `fragments`.
    Fragments(Arc<Fragments>),
}
