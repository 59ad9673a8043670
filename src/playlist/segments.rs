//! What a playlist's segments are, and how they are kept.

use std::ops::Range;
use std::sync::Arc;

use url::Url;

/// A segment of a video: a file or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where it is; `http` or `https`.
    pub url: Url,
    /// Which bytes of it, where not all of them. Never empty.
    pub range: Option<Range<u64>>,
    /// What it is encrypted with, if it is.
    pub key: Option<Arc<Key>>,
    /// Initialization vector: as the playlist says, else the sequence number, big-endian (RFC 8216 §5.2).
    pub iv: [u8; 16],
    /// What initializes it, if anything: sent where it is not that of the segment before.
    pub map: Option<Arc<Map>>,
    /// Whether it is to be left out: it is missing (`EXT-X-GAP`), or it is an advertisement.
    pub gap: bool,
}

/// A media initialization section (`EXT-X-MAP`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// Where it is; `http` or `https`.
    pub url: Url,
    /// Which bytes of it, where not all of them. Never empty.
    pub range: Option<Range<u64>>,
    /// What it is encrypted with, if it is.
    pub key: Option<Arc<Key>>,
    /// Initialization vector.
    pub iv: [u8; 16],
}

/// The key of AES-128 in CBC mode with PKCS#7 padding (RFC 8216 §4.3.2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it is had from.
    pub from: KeyFrom,
}

/// Where a key is had from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFrom {
    /// 16 bytes at this address; `http` or `https`.
    Url(Url),
    /// The extractor knew it.
    Bytes([u8; 16]),
}

/// Segments of consecutive sequence numbers, kept in about the bytes in which their addresses differ.
#[derive(Debug, Clone)]
pub struct Segments {
    first: u64,
    count: u64,
}

impl Segments {
    /// Sequence number of the first one, or of the first to come where there are none.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the last sequence number.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }

    /// The segment of this number; none where it is not in the playlist.
    pub fn get(&self, sequence: u64) -> Option<Segment> {
        let _ = sequence;
        None
    }

    /// Bytes of memory that they take, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}
