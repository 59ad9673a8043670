//! How much of everything one extraction may take (`pyenv/sluice/limits.py` counts).

use serde::{Deserialize, Serialize};

/// The most of everything; the setting of each is its name in capitals after `MAX_`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Bytes of one answer of a site, decoded.
    pub page_bytes: u64,
    /// Bytes of all answers that an extraction reads, decoded, and of what manifests unfold to.
    pub job_bytes: u64,
    /// Formats of a page.
    pub formats: u64,
    /// Fragments of a format.
    pub fragments: u64,
    /// Fragments of all formats that an extraction finds.
    pub job_fragments: u64,
    /// Thumbnails of a page, or photos of a post.
    pub images: u64,
    /// Files of subtitles of a page.
    pub subtitles: u64,
    /// Entries of a playlist in one answer. The only one that nothing fails by.
    pub entries: u32,
    /// Requests of an extraction, redirects included.
    pub requests: u64,
    /// Redirects of one request.
    pub redirects: u64,
    /// Times that an extractor hands a page on to another one.
    pub handoffs: u64,
    /// Bytes of JSON that Python gives back.
    pub result_bytes: u64,
    /// Calls within calls, which is what it takes to read nested data.
    pub depth: u32,
}

macro_rules! limit {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// A limit that an extraction went beyond.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Limit { $($(#[doc = $doc])* $name,)* }

        impl Limit {
            /// Every limit.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

limit! {
    /// [`Limits::page_bytes`].
    PageBytes = "page_bytes",
    /// [`Limits::job_bytes`].
    JobBytes = "job_bytes",
    /// [`Limits::formats`].
    Formats = "formats",
    /// [`Limits::fragments`].
    Fragments = "fragments",
    /// [`Limits::job_fragments`].
    JobFragments = "job_fragments",
    /// [`Limits::images`].
    Images = "images",
    /// [`Limits::subtitles`].
    Subtitles = "subtitles",
    /// [`Limits::requests`].
    Requests = "requests",
    /// [`Limits::redirects`].
    Redirects = "redirects",
    /// [`Limits::handoffs`].
    Handoffs = "handoffs",
    /// [`Limits::result_bytes`].
    ResultBytes = "result_bytes",
    /// [`Limits::depth`].
    Depth = "depth",
    /// [`Settings::max_hold`](super::Settings), where there are no helpers.
    Hold = "hold",
    /// Memory of a helper ([`GenericSettings::memory`](super::GenericSettings)).
    Memory = "memory",
}
