//! The way to what a ticket names: a place among the streams, and the means to fetch it.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::Relay;
use super::content::{Content, Listing};
use super::error::RelayError;
use super::lists::Means;
use super::source::{Heal, Origin, Page, Source};
use crate::telemetry::StreamGuard;

/// A place among the streams.
pub(super) type Pass = (StreamGuard, OwnedSemaphorePermit);

/// What an origin leads to.
pub(super) enum Reached {
    File(Source),
    Segments(Page, Listing),
}

impl Relay {
    pub(super) fn pass(&self) -> Result<Pass, RelayError> {
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| RelayError::Full)?;
        Ok((self.metrics.stream(), permit))
    }

    pub(super) fn reach(&self, Origin { page, item, content }: Origin) -> Reached {
        let (renew, metrics) = (Arc::clone(&self.renew), Arc::clone(&self.metrics));
        let page = Page { address: page, item, renew, renewed: None, metrics };
        match content {
            Content::File(link) => {
                Reached::File(Source { client: self.client.clone(), link, heal: Heal::ByPage(page) })
            }
            Content::Segments(listing) => Reached::Segments(page, listing),
        }
    }

    pub(super) fn means(&self) -> Means {
        Means {
            client: self.client.clone(),
            limits: self.settings.playlists,
            silence: self.settings.idle,
            room: Arc::clone(&self.lists),
        }
    }
}
