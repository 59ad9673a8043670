//! Master playlists (RFC 8216 §4.3.4): the same video in several qualities.

use url::Url;

/// One quality, with a playlist of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its playlist; `http` or `https`.
    pub url: Url,
    /// Peak bits per second, as the playlist says; 0 where it does not.
    pub bandwidth: u64,
    /// Whether its segments hold the sound, as far as the playlist says.
    pub has_own_sound: bool,
}

/// The one of most bandwidth among those whose sound is inside, else of all.
pub fn best(variants: &[Variant]) -> Option<&Variant> {
    variants.iter().max_by_key(|variant| (variant.has_own_sound, variant.bandwidth))
}
