//! Links of an answer: each names a part of an extraction by a sealed ticket.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::filename::{Part, Subject, Template, name};
use super::{Api, ApiError, filename};
use crate::extract::{By, Extracted, Extraction, Format, PageUrl, Seal};
use crate::ticket::{Item, Link, Sealer, Ticket};

/// A link, and the token in it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StreamLink {
    /// Absolute URL.
    pub(super) stream: String,
    /// Its token alone.
    pub(super) token: String,
}

/// Tokens of all that an extraction holds, under the names that the server gives.
#[derive(Debug)]
pub struct Tokens {
    tokens: HashMap<Item, String>,
    /// When they end, in Unix seconds.
    expires_at: u64,
}

/// Seals the tickets of an extraction, once for all who ask for it.
pub fn sealed_by(sealer: Arc<Sealer>) -> Seal<Tokens> {
    Box::new(move |page, extraction| {
        let expires_at = sealer.expiry();
        let mut tokens = HashMap::new();
        let mut bytes = 0;
        for item in extraction.items() {
            let sealed = ticket(page, extraction, item.clone(), None).map(|ticket| sealer.seal(&ticket));
            match sealed {
                Some(Ok(Some(token))) => {
                    bytes += token.len() + size_of::<(Item, String)>();
                    tokens.insert(item, token);
                }
                Some(Err(error)) => tracing::error!(%error, "a ticket was not sealed"),
                Some(Ok(None)) | None => {}
            }
        }
        (Tokens { tokens, expires_at }, bytes)
    })
}

/// Makes the links of one answer.
pub(super) struct Tickets<'a> {
    pub(super) api: &'a Api,
    pub(super) page: &'a PageUrl,
    pub(super) extracted: &'a Extracted<Tokens>,
    pub(super) base_url: &'a str,
    /// For the names of all files.
    pub(super) template: Option<&'a Template>,
}

impl Tickets<'_> {
    /// When the first of the links ends, in Unix seconds: by the site's word, or with its token.
    pub(super) fn expires_at(&self) -> u64 {
        let tokens = self.extracted.sealed.expires_at;
        self.extracted.extraction.expires_at.map_or(tokens, |links| links.min(tokens))
    }

    /// A link to an item of the extraction; none where `/stream` could not relay it.
    pub(super) fn link(&self, item: Item) -> Result<Option<StreamLink>, ApiError> {
        let token = match self.template {
            None => self.extracted.sealed.tokens.get(&item).cloned(),
            Some(_) => match ticket(self.page, &self.extracted.extraction, item, self.template) {
                Some(ticket) => self.api.sealer.seal(&ticket)?,
                None => None,
            },
        };
        Ok(token.map(|token| StreamLink { stream: format!("{}/stream?data={token}", self.base_url), token }))
    }
}

/// The ticket of an item of an extraction.
pub(super) fn ticket(
    page: &PageUrl,
    extraction: &Extraction,
    item: Item,
    template: Option<&Template>,
) -> Option<Ticket> {
    let (link, by, _) = extraction.source(&item)?;
    let filename = named(extraction, &item, link, template);
    // A list of segments is had again from the page: it would not fit, and may be another by then.
    let link = (by == By::File).then(|| link.clone());
    Some(Ticket { page: page.as_str().to_owned(), item, filename, link })
}

/// The file name of an item of an extraction.
pub(super) fn named(
    extraction: &Extraction,
    item: &Item,
    link: &Link,
    template: Option<&Template>,
) -> String {
    let page = &extraction.metadata;
    let subject = match item {
        Item::Format(id) => match extraction.format(id) {
            Some(format) if is_sound_in_segments(format) => {
                return filename::with_extension(
                    &name(&Subject::format(page, &format.info), template),
                    &["m4a"],
                );
            }
            Some(format) => Subject::format(page, &format.info),
            None => Subject::other(page, None, ""),
        },
        Item::Thumbnail | Item::Image(_) | Item::Avatar(_) => {
            Subject::other(page, part(item), filename::ext_of(&link.url).unwrap_or("jpg"))
        }
        Item::Subtitle { ext, .. } => Subject::other(page, part(item), ext),
    };
    name(&subject, template)
}

/// Whether yt-dlp calls a format `mp4`, which it would make of the segments, although they hold sound alone.
fn is_sound_in_segments(Format { info, delivery, .. }: &Format) -> bool {
    delivery.by != Some(By::File) && !info.has_picture() && info.ext.as_deref() == Some("mp4")
}

/// The name that a literal template gives to an item that has one already.
pub(super) fn renamed(item: &Item, filename: &str, literal: &Template) -> String {
    filename::renamed(filename, part(item), literal)
}

fn part(item: &Item) -> Option<Part<'_>> {
    match item {
        Item::Format(_) | Item::Thumbnail => None,
        Item::Image(index) => Some(Part::Number(index.saturating_add(1))),
        Item::Avatar(_) => Some(Part::Word("avatar")),
        Item::Subtitle { language, .. } => Some(Part::Language(language)),
    }
}
