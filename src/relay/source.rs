//! Where a stream's bytes come from: a link, and the way to a new one when the CDN no longer honours it.

use std::error::Error as StdError;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use http::StatusCode;

use super::content::Content;
use super::error::RelayError;
use super::piece::ByList;
use super::range::ByteRange;
use super::upstream::{self, Ask, Reply};
use crate::egress::Client;
use crate::telemetry::Metrics;
use crate::ticket::{Item, Link};

/// Shortest time between two new links of one stream.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// Extracts a page again, and gives what an item of it is now. So the relay can heal a link without knowing the
/// extractor.
pub type Renew = Arc<
    dyn Fn(String, Item) -> BoxFuture<'static, Result<Content, Box<dyn StdError + Send + Sync>>>
        + Send
        + Sync,
>;

/// What a ticket names.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Address of the page that holds it.
    pub page: String,
    /// Which part of the page it is.
    pub item: Item,
    /// Where the page said that it is.
    pub content: Content,
}

/// What became of an attempt to have a new link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewal {
    Done,
    TooSoon,
    Failed,
}

/// The page that a stream is of, and the way to have it extracted again.
pub(super) struct Page {
    pub(super) address: String,
    pub(super) item: Item,
    pub(super) renew: Renew,
    pub(super) renewed: Option<Instant>,
    pub(super) metrics: Arc<Metrics>,
}

impl Page {
    /// Has the page extracted again; not more often than each [`RENEWAL_PAUSE`].
    pub(super) async fn renew(&mut self, refused: &RelayError) -> Result<Content, Renewal> {
        if self.renewed.is_some_and(|last| last.elapsed() < RENEWAL_PAUSE) {
            return Err(Renewal::TooSoon);
        }
        self.renewed = Some(Instant::now());
        let renewed = (self.renew)(self.address.clone(), self.item.clone()).await;
        self.metrics.link_renewed(renewed.is_ok());
        match renewed {
            Ok(content) => {
                tracing::info!(%refused, "the link was stale; the page gave a new one");
                Ok(content)
            }
            Err(error) => {
                tracing::info!(%refused, %error, "the link is stale, and the page gives no new one");
                Err(Renewal::Failed)
            }
        }
    }
}

/// Who knows a new link.
pub(super) enum Heal {
    /// The page, of a single file.
    ByPage(Page),
    /// The list, of one of its segments.
    ByList(Box<ByList>),
}

/// A link that bytes are had by, and who knows a new one.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) link: Link,
    pub(super) heal: Heal,
}

impl Source {
    pub(super) async fn fetch(&self, ask: &Ask) -> Result<Reply, RelayError> {
        upstream::fetch(&self.client, &self.link, ask).await
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

    /// Has a new link.
    pub(super) async fn renew(&mut self, refused: &RelayError) -> Renewal {
        let renewed = match &mut self.heal {
            Heal::ByPage(page) => match page.renew(refused).await {
                Ok(Content::File(link)) => Ok(link),
                // What was a file is a list now: other bytes.
                Ok(Content::Segments(_)) => Err(Renewal::Failed),
                Err(renewal) => Err(renewal),
            },
            Heal::ByList(list) => list.renew(refused).await,
        };
        match renewed {
            Ok(link) => {
                self.link = link;
                Renewal::Done
            }
            Err(renewal) => renewal,
        }
    }

    /// Bytes per request, where the CDN wants that.
    pub(super) fn chunk(&self) -> Option<NonZeroU64> {
        self.link.chunk.filter(|_| !self.link.no_resume)
    }

    /// What to ask for, to have the bytes from `first` up to `end`, or to the end of the file: not more than the
    /// site serves at full speed, but always more than `least` bytes.
    pub(super) fn window(&self, first: u64, end: Option<u64>, least: u64) -> ByteRange {
        let chunk = self.chunk().map(|chunk| first.saturating_add(chunk.get().max(2 * least)));
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
