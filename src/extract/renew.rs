//! New links for streams whose old ones the CDN no longer honours.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::{ExtractError, Extraction, Extractor, PageUrl, Priority};
use crate::ticket::{Item, Link};

/// How long an extraction serves other streams of the same page, too: a page whose links all fail must not cost one
/// for each request.
const SHARED: Duration = Duration::from_secs(5);

/// An extraction that everybody who needs it waits for.
type Flight = OnceCell<Result<Arc<Extraction>, Arc<ExtractError>>>;

/// Extractions for streams, by page, and when they began.
#[derive(Default)]
pub(super) struct Renewals(Mutex<HashMap<String, (Instant, Arc<Flight>)>>);

impl Renewals {
    /// The flight of a page: the one under way or just landed, else a new one.
    fn join(&self, page: &str) -> Arc<Flight> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flights.retain(|_, (began, flight)| began.elapsed() < SHARED || Arc::strong_count(flight) > 1);
        let (_, flight) = flights.entry(page.to_owned()).or_insert_with(|| (Instant::now(), Arc::default()));
        Arc::clone(flight)
    }
}

impl Extractor {
    /// Extracts a page again, ahead of new jobs, and gives the link that an item of it has now. Streams that ask
    /// for the same page at the same time share one extraction.
    pub async fn renew(&self, page: &str, item: &Item) -> Result<Link, Box<dyn StdError + Send + Sync>> {
        let url = PageUrl::parse(page)?;
        let flight = self.renewals.join(page);
        // Where the one that extracts leaves, the next of those that wait takes over.
        let extracting = || async { self.extract_as(&url, Priority::Urgent).await.map_err(Arc::new) };
        let extraction = flight.get_or_init(extracting).await.clone()?;
        extraction.link(item).cloned().ok_or_else(|| "the page has it no more".into())
    }
}
