//! The bytes of a film: made from a seed and an offset, so that any slice of any length can be had without
//! keeping the whole.

use bytes::Bytes;
use std::fmt::Write as _;
use std::ops::Range;

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

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match &self.source {
            Source::Seeded { len, .. } => *len,
            Source::Held(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes of `range`. Past the end a seeded film goes on and a held one is zeros, so that a server that
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
    fn a_changed_entity_differs_everywhere() {
        let media = Media::of(vec![1, 2, 3]);
        assert!(media.bytes(0..3).iter().zip(media.changed().bytes(0..3)).all(|(a, b)| *a != b));
        assert_eq!(media.bytes(2..5), [3, 0, 0]);
    }
}
