//! Lists of fragments: what yt-dlp makes of a DASH manifest (`fragments` of a format).

use serde::{Deserialize, Serialize};

use super::{Limits, Media, PlaylistError};

/// Addresses of fragments, packed: the i-th is `prefix`, the i-th of `lines` and `suffix`, resolved against `base`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragments {
    /// What the addresses are relative to; `http` or `https`.
    pub base: String,
    /// How all of them begin.
    #[serde(default)]
    pub prefix: String,
    /// How all of them end.
    #[serde(default)]
    pub suffix: String,
    /// One line for each, separated by line feeds. It may end in a tab and `first-last`: a byte range, both included.
    pub lines: String,
}

impl Media {
    /// An ended playlist of these fragments, numbered from 0.
    pub fn from_fragments(fragments: &Fragments, limits: &Limits) -> Result<Self, PlaylistError> {
        let _ = (fragments, limits);
        Err(PlaylistError::NotAPlaylist)
    }
}
