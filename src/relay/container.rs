//! What segments are joined to, by their first bytes: extractors often do not know, or say what yt-dlp makes of them.

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// MPEG-2 transport stream (ISO/IEC 13818-1).
    Ts,
    /// Fragmented MP4 (ISO/IEC 14496-12).
    Mp4,
    /// WebM, or Matroska.
    Webm,
    /// AAC in ADTS frames (ISO/IEC 13818-7).
    Aac,
    /// MPEG audio.
    Mp3,
}

/// Bytes of a packet of a transport stream.
const TS_PACKET: usize = 188;
/// Every packet's first byte.
const TS_SYNC: u8 = 0x47;

impl Container {
    /// Extensions that fit, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Ts => &["ts", "m2ts", "m2t"],
            Self::Mp4 => &["mp4", "m4a", "m4v", "mov"],
            Self::Webm => &["webm", "mkv", "weba", "mka"],
            Self::Aac => &["aac"],
            Self::Mp3 => &["mp3"],
        }
    }

    /// The kind of file that begins with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        // RFC 8216 §3.4: packed audio begins with an ID3 tag.
        let bytes = &bytes[id3_length(bytes).min(bytes.len())..];
        match *bytes {
            [TS_SYNC, ..] if bytes.get(TS_PACKET).is_none_or(|next| *next == TS_SYNC) => Some(Self::Ts),
            [_, _, _, _, a, b, c, d, ..] if is_box([a, b, c, d]) => Some(Self::Mp4),
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Some(Self::Webm),
            // Twelve bits of ones, and a layer: 0 is ADTS.
            [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some(Self::Aac),
            [0xFF, second, ..] if second & 0xE0 == 0xE0 => Some(Self::Mp3),
            _ => None,
        }
    }
}

/// Boxes that files and segments of MP4 begin with.
fn is_box(name: [u8; 4]) -> bool {
    [b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"prft", b"free"].contains(&&name)
}

/// Bytes of an ID3 tag at the beginning (id3.org, ID3v2 §3.1: the length in seven bits of each byte, without the head).
fn id3_length(bytes: &[u8]) -> usize {
    match *bytes {
        [b'I', b'D', b'3', _, _, _, a, b, c, d, ..] => {
            10 + [a, b, c, d].iter().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7F))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        let mut ts = vec![TS_SYNC; TS_PACKET + 1];
        assert_eq!(Container::of(&ts), Some(Container::Ts));
        assert_eq!(Container::of(&ts[..100]), Some(Container::Ts));
        ts[TS_PACKET] = 0;
        assert_eq!(Container::of(&ts), None);
        for (bytes, kind) in [
            (&b"\0\0\0\x18ftypiso5"[..], Some(Container::Mp4)),
            (b"\0\0\0\x18stypmsdh", Some(Container::Mp4)),
            (b"\x1A\x45\xDF\xA3\x01", Some(Container::Webm)),
            (b"\xFF\xF1\x50", Some(Container::Aac)),
            (b"ID3\x04\0\0\0\0\0\x02xx\xFF\xF1\x50", Some(Container::Aac)),
            (b"ID3\x04\0\0\0\0\x7F\x7F\xFF\xF1\x50", None),
            (b"\xFF\xFB\x90", Some(Container::Mp3)),
            (b"WEBVTT\n", None),
            (b"<html>", None),
            (b"", None),
        ] {
            assert_eq!(Container::of(bytes), kind, "{bytes:?}");
        }
    }
}
