//! The bytes of a film: made from a seed and an offset, so that any slice of any length can be had without
//! keeping the whole.

use bytes::Bytes;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// Step between the states of neighbouring words (splitmix64's increment).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What a changed entity's bytes are XORed with, so that no byte of it equals the original's.
const CHANGED: u8 = 0xA5;

/// Bytes that the stage can send and a test can compare with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Media {
    source: Source,
    flip: u8,
}

#[derive(Clone, Debug)]
enum Source {
    Seeded { seed: u64, len: u64 },
    Held(Bytes),
    Tiled(Arc<[Tile]>),
}

/// A unit over and over, from offset `from` up to `to`.
#[derive(Debug)]
struct Tile {
    unit: Bytes,
    from: u64,
    to: u64,
}

impl Media {
    /// `len` bytes that depend on `seed` and their offset alone.
    pub fn new(seed: u64, len: u64) -> Media {
        Media { source: Source::Seeded { seed, len }, flip: 0 }
    }

    /// The given bytes, for files that a player must understand.
    pub fn of(bytes: impl Into<Bytes>) -> Media {
        Media { source: Source::Held(bytes.into()), flip: 0 }
    }

    /// Each unit so many times, one after the other: a body of any length, even one that practically never ends
    /// (`u64::MAX` times), in the memory of its units.
    pub fn tiled(parts: impl IntoIterator<Item = (Bytes, u64)>) -> Media {
        let mut tiles = Vec::new();
        let mut from = 0_u64;
        for (unit, times) in parts.into_iter().filter(|(unit, times)| !unit.is_empty() && *times > 0) {
            let to = from.saturating_add(times.saturating_mul(unit.len() as u64));
            tiles.push(Tile { unit, from, to });
            from = to;
        }
        Media { source: Source::Tiled(tiles.into()), flip: 0 }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match &self.source {
            Source::Seeded { len, .. } => *len,
            Source::Held(bytes) => bytes.len() as u64,
            Source::Tiled(tiles) => tiles.last().map_or(0, |tile| tile.to),
        }
    }

    /// The bytes of `range`. Past the end a seeded film goes on and any other is zeros, so that a server that
    /// sends more than it announced has something to send.
    pub fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let mut out = vec![0; (range.end - range.start) as usize];
        self.fill(range.start, &mut out);
        out
    }

    /// Lower-case hex SHA-256 of the whole.
    pub fn sha256(&self) -> String {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let mut block = vec![0; 1 << 16];
        let mut at = 0;
        while at < self.len() {
            let part = block.len().min((self.len() - at) as usize);
            self.fill(at, &mut block[..part]);
            digest.update(&block[..part]);
            at += part as u64;
        }
        hex(digest.finish().as_ref())
    }

    /// Another entity of the same length, different in every byte.
    pub(super) fn changed(&self) -> Media {
        Media { source: self.source.clone(), flip: self.flip ^ CHANGED }
    }

    /// Writes the bytes that begin at offset `at`.
    pub(super) fn fill(&self, at: u64, out: &mut [u8]) {
        match &self.source {
            Source::Seeded { seed, .. } => fill_seeded(*seed, at, out),
            Source::Held(bytes) => {
                let from = (at as usize).min(bytes.len());
                let part = out.len().min(bytes.len() - from);
                out[..part].copy_from_slice(&bytes[from..from + part]);
                out[part..].fill(0);
            }
            Source::Tiled(tiles) => fill_tiled(tiles, at, out),
        }
        if self.flip != 0 {
            out.iter_mut().for_each(|byte| *byte ^= self.flip);
        }
    }
}

/// Lower-case hex SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn fill_seeded(seed: u64, at: u64, out: &mut [u8]) {
    let mut index = at / 8;
    let lead = (at % 8) as usize;
    let (first, rest) = out.split_at_mut(if lead == 0 { 0 } else { out.len().min(8 - lead) });
    if !first.is_empty() {
        first.copy_from_slice(&word(seed, index)[lead..lead + first.len()]);
        index += 1;
    }
    for piece in rest.chunks_mut(8) {
        piece.copy_from_slice(&word(seed, index)[..piece.len()]);
        index += 1;
    }
}

fn fill_tiled(tiles: &[Tile], mut at: u64, mut out: &mut [u8]) {
    for tile in &tiles[tiles.partition_point(|tile| tile.to <= at)..] {
        let part = out.len().min(usize::try_from(tile.to - at).unwrap_or(usize::MAX));
        let (here, rest) = out.split_at_mut(part);
        let lead = ((at - tile.from) % tile.unit.len() as u64) as usize;
        let mut done = part.min(tile.unit.len() - lead);
        here[..done].copy_from_slice(&tile.unit[lead..lead + done]);
        while done < part {
            let next = (part - done).min(tile.unit.len());
            here[done..done + next].copy_from_slice(&tile.unit[..next]);
            done += next;
        }
        (at, out) = (at + part as u64, rest);
        if out.is_empty() {
            return;
        }
    }
    out.fill(0);
}

/// The eight bytes at `index * 8`: splitmix64's output for that state.
fn word(seed: u64, index: u64) -> [u8; 8] {
    let mut z = seed.wrapping_add(GOLDEN.wrapping_mul(index.wrapping_add(1)));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_equals_the_whole_there() {
        let media = Media::new(7, 1000);
        let whole = media.bytes(0..1000);
        for (from, to) in [(0, 1), (1, 7), (3, 21), (8, 16), (7, 1000), (999, 1000), (500, 500)] {
            assert_eq!(media.bytes(from..to), whole[from as usize..to as usize], "{from}..{to}");
        }
        assert_eq!(media.sha256(), sha256(&whole));
        assert_ne!(media.sha256(), Media::new(8, 1000).sha256());
    }

    #[test]
    fn tiles_follow_each_other() {
        let units: [&[u8]; 4] = [b"<p>", b"ab", b"", b"."];
        let media = Media::tiled(units.map(Bytes::from_static).into_iter().zip([1, 3, 9, 2]));
        let whole = b"<p>ababab..";
        assert_eq!(media.len(), whole.len() as u64);
        for from in 0..=whole.len() {
            for to in from..=whole.len() {
                assert_eq!(media.bytes(from as u64..to as u64), whole[from..to], "{from}..{to}");
            }
        }
        let endless = Media::tiled([(Bytes::from_static(b"xyz"), u64::MAX)]);
        assert_eq!(endless.bytes(3_000_000_000_001..3_000_000_000_004), b"yzx");
    }

    #[test]
    fn a_changed_entity_differs_everywhere() {
        let media = Media::of(vec![1, 2, 3]);
        assert!(media.bytes(0..3).iter().zip(media.changed().bytes(0..3)).all(|(a, b)| *a != b));
        assert_eq!(media.bytes(2..5), [3, 0, 0]);
    }
}
