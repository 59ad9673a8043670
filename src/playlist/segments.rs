//! What a playlist's segments are, and how they are kept.

use std::ops::Range;
use std::sync::Arc;

use url::Url;

use super::address::Addresses;
use super::keys::Aes;
use super::records::{Records, Writer};
use super::{Limits, PlaylistError};

/// A segment of a video: a file or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where it is; `http` or `https`.
    pub url: Url,
    /// Which bytes of it, where not all of them. Never empty.
    pub range: Option<Range<u64>>,
    /// What it is encrypted with, if it is.
    pub key: Option<Arc<Key>>,
    /// Initialization vector: as the extractor says, else the playlist, else the sequence number, big-endian (RFC 8216 §5.2).
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
    /// Initialization vector: as the extractor or the playlist says, else the number of the first segment that it is for. RFC 8216 §4.3.2.5
    /// wants it said; yt-dlp does without. Zeros where nothing is encrypted, so that a map that is listed again is equal.
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

/// What holds from an `EXT-X-KEY` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyTag {
    /// As it is written; empty where the extractor knows better.
    pub(super) address: Arc<str>,
    pub(super) iv: Option<[u8; 16]>,
}

/// What holds from an `EXT-X-MAP` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MapTag {
    pub(super) address: Arc<str>,
    pub(super) range: Option<Range<u64>>,
    pub(super) key: Option<KeyTag>,
}

/// Segments of consecutive sequence numbers, kept in about the bytes in which their addresses differ.
#[derive(Debug, Clone)]
pub struct Segments {
    first: u64,
    end: u64,
    records: Records,
    keys: Runs<KeyTag>,
    maps: Runs<MapTag>,
    addresses: Addresses,
    aes: Aes,
}

impl Segments {
    /// Sequence number of the first one, or of the first to come where there are none.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// One past the last sequence number.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The segment of this number; none where it is not in the playlist.
    pub fn get(&self, sequence: u64) -> Option<Segment> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        let record = self.records.get(index)?;
        let map = match self.maps.at(index) {
            Some((from, tag)) => Some(Arc::new(self.map(tag, from)?)),
            None => None,
        };
        let (key, iv) = self.key(self.keys.at(index).map(|(_, tag)| tag), sequence)?;
        let url = self.addresses.segment(&record.address).ok()?;
        Some(Segment { url, range: record.range, key, iv, map, gap: record.gap })
    }

    fn map(&self, tag: &MapTag, index: usize) -> Option<Map> {
        let sequence = self.first + index as u64;
        let (key, iv) = self.key(tag.key.as_ref(), sequence)?;
        let iv = if key.is_some() { iv } else { [0; 16] };
        Some(Map { url: self.addresses.map(&tag.address).ok()?, range: tag.range.clone(), key, iv })
    }

    fn key(&self, tag: Option<&KeyTag>, sequence: u64) -> Option<(Option<Arc<Key>>, [u8; 16])> {
        let numbered = u128::from(sequence).to_be_bytes();
        let Some(tag) = tag else { return Some((None, numbered)) };
        let from = match &self.aes.key {
            Some(known) => known.clone(),
            None => KeyFrom::Url(self.addresses.key(&tag.address).ok()?),
        };
        Some((Some(Arc::new(Key { from })), self.aes.iv.or(tag.iv).unwrap_or(numbered)))
    }

    /// Bytes of memory that they take, about.
    pub fn bytes(&self) -> usize {
        let keys = self.keys.bytes(|tag| tag.address.len());
        let maps =
            self.maps.bytes(|tag| tag.address.len() + tag.key.as_ref().map_or(0, |key| key.address.len()));
        size_of::<Self>() + self.records.bytes() + keys + maps + self.addresses.bytes()
    }
}

/// Takes segments, in order.
pub(super) struct Builder {
    writer: Writer,
    keys: Runs<KeyTag>,
    maps: Runs<MapTag>,
    addresses: Addresses,
    aes: Aes,
    most: usize,
}

impl Builder {
    pub(super) fn new(addresses: Addresses, aes: Aes, limits: &Limits) -> Self {
        let (keys, maps) = (Runs::default(), Runs::default());
        Self { writer: Writer::default(), keys, maps, addresses, aes, most: limits.segments }
    }

    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub(super) fn aes(&self) -> &Aes {
        &self.aes
    }

    /// Adds one as it is written, with the key and the map that hold for it.
    pub(super) fn push(
        &mut self,
        address: &str,
        range: Option<Range<u64>>,
        gap: bool,
        key: Option<&KeyTag>,
        map: Option<&MapTag>,
    ) -> Result<(), PlaylistError> {
        let index = self.writer.len();
        if index >= self.most {
            return Err(PlaylistError::TooManySegments);
        }
        self.addresses.segment(address)?;
        self.keys.set(index, key);
        self.maps.set(index, map);
        self.writer.push(address, range, gap);
        Ok(())
    }

    /// All of them; the first one has this number.
    pub(super) fn finish(self, first: u64) -> Result<Segments, PlaylistError> {
        let end = first.checked_add(self.writer.len() as u64).ok_or(PlaylistError::Number)?;
        let (mut keys, mut maps) = (self.keys, self.maps);
        keys.0.shrink_to_fit();
        maps.0.shrink_to_fit();
        let (records, addresses, aes) = (self.writer.finish(), self.addresses, self.aes);
        Ok(Segments { first, end, records, keys, maps, addresses, aes })
    }
}

/// What holds from an index on, until something else does.
#[derive(Debug, Clone)]
struct Runs<T>(Vec<(usize, Option<T>)>);

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone + PartialEq> Runs<T> {
    /// Says what holds from this index on, which is above the one before.
    fn set(&mut self, index: usize, value: Option<&T>) {
        if self.0.last().and_then(|(_, held)| held.as_ref()) != value {
            self.0.push((index, value.cloned()));
        }
    }

    /// What holds there, and since when.
    fn at(&self, index: usize) -> Option<(usize, &T)> {
        let after = self.0.partition_point(|(from, _)| *from <= index);
        let (from, value) = self.0.get(after.checked_sub(1)?)?;
        Some((*from, value.as_ref()?))
    }

    fn bytes(&self, beside: impl Fn(&T) -> usize) -> usize {
        let own = self.0.capacity() * size_of::<(usize, Option<T>)>();
        own + self.0.iter().filter_map(|(_, value)| value.as_ref()).map(beside).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_say_what_holds_since_when() {
        let mut runs = Runs::default();
        for (index, value) in
            [None, None, Some('a'), Some('a'), Some('b'), None, Some('b')].iter().enumerate()
        {
            runs.set(index, value.as_ref());
        }
        assert_eq!(runs.0.len(), 4);
        let found: Vec<_> = (0..8).map(|index| runs.at(index).map(|(from, value)| (from, *value))).collect();
        let (a, b) = (Some((2, 'a')), Some((4, 'b')));
        assert_eq!(found, [None, None, a, a, b, None, Some((6, 'b')), Some((6, 'b'))]);
    }
}
