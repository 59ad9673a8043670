//! Media playlists (RFC 8216 §4.3.3): the segments of a video.

use std::time::Duration;

use super::Segments;

/// The segments of a video, as far as they are there.
#[derive(Debug, Clone)]
pub struct Media {
    /// The segments.
    pub segments: Segments,
    /// Whether none will be added.
    pub ended: bool,
    /// Longest duration of a segment, rounded, at least a second.
    pub target: Duration,
    pub(super) start: u64,
    pub(super) pace: Duration,
}

impl Media {
    /// The sequence number where a new client begins: the first if ended, else so that three target durations are left
    /// (RFC 8216 §6.3.3), or the first where there are not as many.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How long to wait from one load of the playlist to the next (RFC 8216 §6.3.4); half as long where the last load
    /// brought nothing new.
    pub fn reload_after(&self, changed: bool) -> Duration {
        if changed { self.pace } else { self.pace / 2 }
    }
}
