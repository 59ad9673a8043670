//! Where a stream's bytes come from: a link, and the way to a new one when the CDN no longer honours it.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use http::StatusCode;

use super::range::ByteRange;
use super::upstream::{self, Ask, RelayError, Reply};
use crate::egress::Client;
use crate::telemetry::Metrics;
use crate::ticket::{Item, Link};

/// Shortest time between two new links of one stream.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// Extracts a page again, and gives the link that an item of it has now. So the relay can heal a link without
/// knowing the extractor.
pub type Renew = Arc<
    dyn Fn(String, Item) -> BoxFuture<'static, Result<Link, Box<dyn StdError + Send + Sync>>> + Send + Sync,
>;

/// A file, as a ticket names it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Address of the page that holds it.
    pub page: String,
    /// Which part of the page it is.
    pub item: Item,
    /// Where the page said that it is.
    pub link: Link,
}

/// What became of an attempt to have a new link.
pub(super) enum Renewal {
    Done,
    TooSoon,
    Failed,
}

pub(super) struct Source {
    pub(super) client: Client,
    pub(super) origin: Origin,
    pub(super) renew: Renew,
    pub(super) renewed: Option<Instant>,
    pub(super) metrics: Arc<Metrics>,
}

impl Source {
    pub(super) async fn fetch(&self, ask: &Ask) -> Result<Reply, RelayError> {
        upstream::fetch(&self.client, &self.origin.link, ask).await
    }

    /// The same, and once more with a new link if the CDN does not honour this one.
    pub(super) async fn fetch_healed(&mut self, ask: &Ask) -> Result<Reply, RelayError> {
        match self.fetch(ask).await {
            Err(refused) if is_stale(&refused) => match self.renew(&refused).await {
                Renewal::Done => self.fetch(ask).await,
                Renewal::TooSoon | Renewal::Failed => Err(refused),
            },
            reply => reply,
        }
    }

    /// Has the page extracted again.
    pub(super) async fn renew(&mut self, refused: &RelayError) -> Renewal {
        if self.renewed.is_some_and(|last| last.elapsed() < RENEWAL_PAUSE) {
            return Renewal::TooSoon;
        }
        self.renewed = Some(Instant::now());
        let Origin { page, item, .. } = &self.origin;
        let renewed = (self.renew)(page.clone(), item.clone()).await;
        self.metrics.link_renewed(renewed.is_ok());
        match renewed {
            Ok(link) => {
                tracing::info!(%refused, "the link was stale; the page gave a new one");
                self.origin.link = link;
                Renewal::Done
            }
            Err(error) => {
                tracing::info!(%refused, %error, "the link is stale, and the page gives no new one");
                Renewal::Failed
            }
        }
    }

    /// What to ask for, to have the bytes from `first` up to `end`, or to the end of the file: not more than the
    /// site serves at full speed, but always more than `least` bytes.
    pub(super) fn window(&self, first: u64, end: Option<u64>, least: u64) -> ByteRange {
        let chunk = self.origin.link.chunk.map(|chunk| first.saturating_add(chunk.get().max(2 * least)));
        match (chunk, end) {
            (None, None) => ByteRange::From(first),
            (Some(stop), None) | (None, Some(stop)) => ByteRange::Between(first, stop.saturating_sub(1)),
            (Some(chunk), Some(end)) => ByteRange::Between(first, chunk.min(end).saturating_sub(1)),
        }
    }
}

/// Whether another link may do: a CDN answers so once one has expired, or the way out that the page was fetched by is of no
/// use any more.
pub(super) fn is_stale(error: &RelayError) -> bool {
    const STALE: [StatusCode; 4] =
        [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::GONE];
    match error {
        RelayError::Status(status) => STALE.contains(status),
        RelayError::Egress(error) => error.is_ways_own(),
        _ => false,
    }
}
