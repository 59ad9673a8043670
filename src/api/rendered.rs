//! Answers as bytes, for those who ask for a page that many ask for.

use bytes::Bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::error::ApiError;

/// Which answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Extract,
    Tiktok,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    /// The extraction's.
    number: u64,
    shape: Shape,
    base_url: String,
}

/// Answers by extraction and by what their links begin with.
pub(super) struct Rendered(Cache<Key, Bytes>);

impl Rendered {
    /// Holds at most that many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let weigh = |key: &Key, answer: &Bytes| {
            u32::try_from(answer.len() + key.base_url.len() + size_of::<Key>()).unwrap_or(u32::MAX)
        };
        // Not moka's own policy: answers of extractions that were renewed, however often they were asked for, have to
        // make room.
        let policy = EvictionPolicy::lru();
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).eviction_policy(policy).build())
    }

    /// The answer for an extraction that was known before it was asked for; `make` makes it the first time.
    pub(super) fn answer(
        &self,
        number: u64,
        shape: Shape,
        base_url: &str,
        make: impl FnOnce() -> Result<Bytes, ApiError>,
    ) -> Result<Bytes, ApiError> {
        let key = Key { number, shape, base_url: base_url.to_owned() };
        if let Some(answer) = self.0.get(&key) {
            return Ok(answer);
        }
        let answer = make()?;
        self.0.insert(key, answer.clone());
        Ok(answer)
    }
}
