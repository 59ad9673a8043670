//! What pages were found to hold, for a while: at most `CACHE_TTL`, and never up to the end of a link.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Moka;

use super::{Ask, ExtractError, Extraction, Limit, PageErrorKind};
use crate::telemetry::CacheSample;

/// How long before its links end an extraction is not handed out any more: who gets a link wants to use it.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a page that is not there is remembered as such, at most: one that is deleted stays so, but what is
/// private today may be public soon.
const NEGATIVE_TTL: Duration = Duration::from_secs(30);
/// How long a broadcast is known as one, at most: it may end at any time, and its links with it.
const LIVE_TTL: Duration = Duration::from_secs(30);
/// How long an extraction that was made for a stream whose link failed serves others of the same page.
const RENEWED: Duration = Duration::from_secs(5);
/// What an entry takes beside the texts in it, in bytes, roughly.
const OVERHEAD: usize = 1024;

/// Settings of the cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheSettings {
    /// Longest life of an entry; zero for no cache.
    pub ttl: Duration,
    /// Most entries.
    pub entries: u64,
    /// Most bytes of all entries together, roughly.
    pub bytes: u64,
}

/// An extraction, and what was made of it once for all who ask.
#[derive(Debug)]
pub struct Extracted<S> {
    /// Different for each extraction of this process.
    pub number: u64,
    /// What the page holds.
    pub extraction: Extraction,
    /// What `seal` made of it.
    pub sealed: S,
    /// Size of all this in bytes, roughly.
    pub(super) bytes: usize,
}

/// What will do for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What is known.
    Known,
    /// What has been extracted since links of the page failed.
    Renewed,
    /// An extraction that is not over yet.
    Fresh,
}

/// How an extraction ended, for everybody who waits for it.
pub(super) type Outcome<S> = Result<Arc<Extracted<S>>, ExtractError>;

struct Kept<S> {
    outcome: Outcome<S>,
    /// When it was made for streams whose link failed.
    renewed: Option<Instant>,
    /// Whether it may be handed out to those who don't know of that.
    known: bool,
    life: Duration,
}

impl<S> Clone for Kept<S> {
    fn clone(&self) -> Self {
        Self { outcome: self.outcome.clone(), renewed: self.renewed, known: self.known, life: self.life }
    }
}

struct Life;

impl<S> Expiry<Ask, Kept<S>> for Life {
    fn expire_after_create(&self, _: &Ask, kept: &Kept<S>, _: Instant) -> Option<Duration> {
        Some(kept.life)
    }

    fn expire_after_update(
        &self,
        _: &Ask,
        kept: &Kept<S>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.life)
    }
}

/// Outcomes by what was asked for.
pub(super) struct Cache<S> {
    kept: Moka<Ask, Kept<S>>,
    /// Renewals that failed while what is kept is still known to others.
    failed: Moka<Ask, Outcome<S>>,
    ttl: Duration,
}

impl<S: Send + Sync + 'static> Cache<S> {
    pub(super) fn new(settings: &CacheSettings) -> Self {
        // moka bounds a cache by weight or by number; a least weight does both.
        let least = u32::try_from(settings.bytes / settings.entries.max(1)).unwrap_or(u32::MAX);
        let weigh = move |ask: &Ask, kept: &Kept<S>| {
            let bytes = kept.outcome.as_ref().map_or(0, |extracted| extracted.bytes);
            let bytes = bytes + ask.page.as_str().len() + OVERHEAD;
            u32::try_from(bytes).unwrap_or(u32::MAX).max(least)
        };
        let kept = Moka::builder()
            .max_capacity(settings.bytes)
            .weigher(weigh)
            .expire_after(Life)
            // moka's own policy turns a newcomer away that was asked for less often than what it would replace; but
            // who has extracted a page streams it next.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let failed = Moka::builder().max_capacity(settings.entries).time_to_live(RENEWED).build();
        Self { kept, failed, ttl: settings.ttl }
    }

    /// What is known, if it will do.
    pub(super) fn get(&self, ask: &Ask, wanted: Wanted) -> Option<Outcome<S>> {
        if wanted == Wanted::Renewed
            && let Some(failed) = self.failed.get(ask)
        {
            return Some(failed);
        }
        let kept = self.kept.get(ask)?;
        let does = match wanted {
            Wanted::Known => kept.known,
            Wanted::Renewed => kept.renewed.is_some_and(|made| made.elapsed() < RENEWED),
            Wanted::Fresh => false,
        };
        does.then_some(kept.outcome)
    }

    /// What it holds. Entries whose time is over count until they are found to be.
    pub(super) fn stats(&self) -> CacheSample {
        CacheSample { entries: self.kept.entry_count(), bytes: self.kept.weighted_size() }
    }

    fn is_known(&self, ask: &Ask) -> bool {
        self.get(ask, Wanted::Known).is_some()
    }

    /// Keeps an outcome for as long as it may be handed out, if that is at all.
    pub(super) fn put(&self, ask: Ask, wanted: Wanted, outcome: &Outcome<S>) {
        let renewed = (wanted == Wanted::Renewed).then(Instant::now);
        let life = match outcome {
            Ok(extracted) => life(&extracted.extraction, self.ttl),
            Err(error) if is_definite(error) => self.ttl.min(NEGATIVE_TTL),
            // Nobody asked the site.
            Err(ExtractError::Overloaded | ExtractError::Stalled | ExtractError::Closed) => return,
            Err(_) if renewed.is_some() && !self.is_known(&ask) => Duration::ZERO,
            // Whatever is known stays known; but a renewal is not tried again at once.
            Err(_) => {
                if renewed.is_some() {
                    self.failed.insert(ask, outcome.clone());
                }
                return;
            }
        };
        // Even where nothing is to be kept: a page whose links all fail must not cost one for each of its streams.
        let known = !life.is_zero();
        let life = if renewed.is_some() { life.max(RENEWED) } else { life };
        if life.is_zero() {
            self.kept.invalidate(&ask);
        } else {
            self.kept.insert(ask, Kept { outcome: outcome.clone(), renewed, known, life });
            // Otherwise the bounds hold a few hundred milliseconds later.
            self.kept.run_pending_tasks();
        }
    }
}

fn life(extraction: &Extraction, ttl: Duration) -> Duration {
    let ttl = if extraction.metadata.is_live == Some(true) { ttl.min(LIVE_TTL) } else { ttl };
    let Some(expires_at) = extraction.expires_at else { return ttl };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ttl.min(Duration::from_secs(expires_at).saturating_sub(now).saturating_sub(MARGIN))
}

/// Whether asking again soon would be answered alike.
fn is_definite(error: &ExtractError) -> bool {
    use PageErrorKind::*;
    let ExtractError::Page(error) = error else { return false };
    // What was going on beside it had a part in these.
    if matches!(error.limit, Some(Limit::Hold | Limit::Memory)) {
        return false;
    }
    matches!(
        error.kind,
        NotFound | Private | LoginRequired | GeoRestricted | AgeRestricted | UnsupportedUrl | LimitExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extraction(mut about: serde_json::Value) -> Extraction {
        about["kind"] = "video".into();
        serde_json::from_value(about).unwrap()
    }

    #[test]
    fn a_broadcast_is_not_known_for_long() {
        let lives = |is_live: bool, ttl| {
            life(&extraction(serde_json::json!({"is_live": is_live})), Duration::from_secs(ttl)).as_secs()
        };
        assert_eq!(lives(true, 300), LIVE_TTL.as_secs());
        assert_eq!(lives(true, 10), 10);
        assert_eq!(lives(false, 300), 300);
    }

    #[test]
    fn no_entry_outlives_its_links() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let ttl = Duration::from_secs(300);
        let lives =
            |expires_at| life(&extraction(serde_json::json!({"expires_at": expires_at})), ttl).as_secs();
        assert_eq!(lives(None), 300);
        assert_eq!(lives(Some(now + 3600)), 300);
        assert!((138..=140).contains(&lives(Some(now + 200))));
        assert_eq!(lives(Some(now + 60)), 0);
        assert_eq!(lives(Some(now - 1)), 0);
        assert_eq!(lives(Some(0)), 0);
    }
}
