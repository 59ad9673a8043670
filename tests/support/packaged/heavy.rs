//! Packages with more in them than buffers hold. Decoders are not meant to see them.

use super::{KEY, Package, encrypted};
use bytes::Bytes;

impl Package {
    /// The same with every piece so many times as long: its bytes over and over.
    pub fn heavy(&self, times: usize) -> Package {
        let mut heavy = self.clone();
        for part in &self.parts {
            heavy.files.insert(part.clone(), self.files[part].repeat(times).into());
        }
        let pieces = self.parts.iter().map(|part| self.files[part].repeat(times));
        heavy.whole = Bytes::from(pieces.collect::<Vec<_>>().concat());
        if self.in_ranges() {
            let playlist = scaled(&self.playlist(), times as u64);
            heavy.files.insert(self.index.to_owned(), playlist.into());
        }
        heavy
    }

    /// The same, encrypted by the number of each piece.
    pub fn encrypted_by_sequence(&self) -> Package {
        let mut other = self.clone();
        for (index, part) in self.parts.iter().enumerate() {
            other
                .files
                .insert(part.clone(), encrypted(&self.files[part], KEY, (index as u128).to_be_bytes()));
        }
        let tag = "#EXT-X-MEDIA-SEQUENCE:0\n";
        let with_key = format!("{tag}#EXT-X-KEY:METHOD=AES-128,URI=\"{}\"\n", super::KEY_FILE);
        other.files.insert(self.index.to_owned(), self.playlist().replace(tag, &with_key).into());
        other.files.insert(super::KEY_FILE.to_owned(), Bytes::from_static(KEY));
        other
    }
}

/// A playlist whose byte ranges are so many times as long, and as far in.
fn scaled(playlist: &str, times: u64) -> String {
    let scale = |range: &str| {
        let (length, offset) = range.split_once('@').unwrap();
        let [length, offset] = [length, offset].map(|number| number.parse::<u64>().unwrap() * times);
        format!("{length}@{offset}")
    };
    let line = |line: &str| {
        if let Some(range) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            return format!("#EXT-X-BYTERANGE:{}\n", scale(range));
        }
        match line.split_once("BYTERANGE=\"") {
            Some((before, rest)) => format!("{before}BYTERANGE=\"{}\"\n", scale(rest.trim_end_matches('"'))),
            None => format!("{line}\n"),
        }
    };
    playlist.lines().map(line).collect()
}
