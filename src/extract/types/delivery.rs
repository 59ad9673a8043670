//! How the bytes of formats and subtitles are had.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::playlist::{Extras, Fragments};

/// How bytes are had (`pyenv/sluice/delivery.py`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Delivery {
    /// Unset: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// How the extractor wants the playlist read.
    #[serde(default, skip_serializing)]
    pub hls: Arc<Extras>,
    /// The segments, where the page lists them.
    #[serde(default, skip_serializing)]
    pub fragments: Option<Arc<Fragments>>,
}

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The file.
    File,
    /// An HLS playlist.
    Hls,
    /// Nothing of use by itself: the page lists the segments.
    Fragments,
}
