//! Links of an answer: each names a part of an extraction by a sealed ticket.

use serde::Serialize;

use super::{Api, ApiError, filename};
use crate::extract::{Extraction, PageUrl};
use crate::ticket::{Item, Ticket};

/// A link, and the token in it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StreamLink {
    /// Absolute URL.
    pub(super) stream: String,
    /// Its token alone.
    pub(super) token: String,
}

/// Makes the links of one answer.
pub(super) struct Tickets<'a> {
    pub(super) api: &'a Api,
    pub(super) page: &'a PageUrl,
    pub(super) extraction: &'a Extraction,
    pub(super) base_url: &'a str,
}

impl Tickets<'_> {
    /// A link to an item of the extraction; none where `/stream` could not relay it.
    pub(super) fn link(&self, item: Item) -> Result<Option<StreamLink>, ApiError> {
        let Some(ticket) = ticket(self.page, self.extraction, item) else { return Ok(None) };
        let token = self.api.sealer.seal(&ticket)?;
        Ok(Some(StreamLink { stream: format!("{}/stream?data={token}", self.base_url), token }))
    }
}

/// The ticket of an item of an extraction.
pub(super) fn ticket(page: &PageUrl, extraction: &Extraction, item: Item) -> Option<Ticket> {
    let link = extraction.link(&item)?.clone();
    let ext = match &item {
        Item::Format(id) => extraction.format(id).and_then(|format| format.info.ext.clone()),
        Item::Thumbnail => Some(filename::ext_of(&link.url).unwrap_or("jpg").to_owned()),
        Item::Subtitle { language, ext } => Some(format!("{language}.{ext}")),
    };
    let filename = filename::name(&extraction.metadata, &ext.unwrap_or_default());
    Some(Ticket { page: page.as_str().to_owned(), item, filename, link: Some(link) })
}
