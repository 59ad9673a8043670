//! New links for streams whose old ones the CDN no longer honours.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;

use super::{ExtractError, Extraction, Extractor, PageUrl, Priority};
use crate::ticket::{Item, Link};

/// An extraction that everybody who needs it waits for.
type Flight = OnceCell<Result<Arc<Extraction>, Arc<ExtractError>>>;

/// Extractions under way for streams, by page.
#[derive(Default)]
pub(super) struct Renewals(Mutex<HashMap<String, Weak<Flight>>>);

impl Renewals {
    /// The flight of a page: the one under way, else a new one.
    fn join(&self, page: &str) -> Arc<Flight> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(page).and_then(Weak::upgrade) {
            return flight;
        }
        // Those that have landed meanwhile.
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::new(Flight::new());
        flights.insert(page.to_owned(), Arc::downgrade(&flight));
        flight
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
