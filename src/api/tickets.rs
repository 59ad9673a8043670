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
        let Some(token) = self.api.sealer.seal(&ticket)? else { return Ok(None) };
        Ok(Some(StreamLink { stream: format!("{}/stream?data={token}", self.base_url), token }))
    }
}

/// The ticket of an item of an extraction.
pub(super) fn ticket(page: &PageUrl, extraction: &Extraction, item: Item) -> Option<Ticket> {
    let link = extraction.link(&item)?.clone();
    let (language, ext) = match &item {
        Item::Format(id) => (None, extraction.format(id).and_then(|format| format.info.ext.as_deref())),
        Item::Thumbnail => (None, Some(filename::ext_of(&link.url).unwrap_or("jpg"))),
        Item::Subtitle { language, ext } => (Some(language.as_str()), Some(ext.as_str())),
    };
    let filename = filename::name(&extraction.metadata, language, ext.unwrap_or_default());
    Some(Ticket { page: page.as_str().to_owned(), item, filename, link: Some(link) })
}
