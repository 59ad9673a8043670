//! Where the bytes of an extraction's items are, as the relay wants to know it.

use crate::extract::{By, Extraction};
use crate::relay::{Content, List, Listing};
use crate::ticket::Item;

/// What an item is made of; nothing where the page has it no more, or it can't be streamed.
pub fn content(extraction: &Extraction, item: &Item) -> Option<Content> {
    let (link, by, delivery) = extraction.source(item)?;
    let link = link.clone();
    let list = match by {
        By::File => return Some(Content::File(link)),
        By::Hls => List::Hls(delivery.hls.clone()),
        By::Fragments => List::Fragments(delivery.fragments.clone()?),
    };
    // yt-dlp, too, takes a list then for what it is at that moment.
    let complete = extraction.metadata.is_live == Some(false);
    Some(Content::Segments(Listing { link, list, complete }))
}
