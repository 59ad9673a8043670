//! The limits of an extraction, and of what it leads to.

use super::{Reader, values};
use crate::extract::Limits;
use crate::playlist;

impl Reader<'_> {
    /// Of the lists of segments that streams are made of.
    pub(super) fn playlists(&mut self) -> playlist::Limits {
        playlist::Limits {
            bytes: self.value("MAX_PLAYLIST_BYTES", values::number(64 << 10, 1 << 30)),
            segments: self.value("MAX_SEGMENTS", values::number(1, 10_000_000)),
        }
    }

    pub(super) fn limits(&mut self) -> Limits {
        let bytes = || values::number(64 << 10, 1 << 30);
        let number = || values::number(1, 1_000_000);
        Limits {
            page_bytes: self.value("MAX_PAGE_BYTES", bytes()),
            job_bytes: self.value("MAX_JOB_BYTES", bytes()),
            formats: self.value("MAX_FORMATS", number()),
            fragments: self.value("MAX_FRAGMENTS", number()),
            job_fragments: self.value("MAX_JOB_FRAGMENTS", number()),
            images: self.value("MAX_IMAGES", number()),
            subtitles: self.value("MAX_SUBTITLES", number()),
            entries: self.value("MAX_ENTRIES", values::number(1, 10_000)),
            requests: self.value("MAX_REQUESTS", values::number(1, 10_000)),
            redirects: self.value("MAX_REDIRECTS", values::number(1, 50)),
            handoffs: self.value("MAX_HANDOFFS", values::number(1, 50)),
            result_bytes: self.value("MAX_RESULT_BYTES", bytes()),
            // yt-dlp needs some two hundred for itself; 10,000 fit in a thread's stack.
            depth: self.value("MAX_DEPTH", values::number(500, 10_000)),
        }
    }
}
