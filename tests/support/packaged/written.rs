//! Playlists, manifests and tags that ffmpeg does not write.

use super::MANIFEST;
use bytes::Bytes;
use std::collections::BTreeMap;

/// A whole playlist of segments of a second.
pub(super) fn playlist(parts: &[String]) -> String {
    let lines: String = parts.iter().map(|part| format!("#EXTINF:1.000000,\n{part}\n")).collect();
    format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n{lines}#EXT-X-ENDLIST\n")
}

/// An ID3v2.4 tag with the time of a segment of packed sound (RFC 8216 §3.4), of 90 kHz.
pub(super) fn transport_timestamp(ticks: u64) -> Vec<u8> {
    let owner = b"com.apple.streaming.transportStreamTimestamp\0";
    let frame_size = owner.len() + 8;
    let synchsafe = |size: usize| {
        [(size >> 21) as u8, (size >> 14 & 127) as u8, (size >> 7 & 127) as u8, (size & 127) as u8]
    };
    let mut tag = b"ID3\x04\x00\x00".to_vec();
    tag.extend(synchsafe(10 + frame_size));
    tag.extend(b"PRIV");
    tag.extend(synchsafe(frame_size));
    tag.extend([0, 0]);
    tag.extend(owner);
    tag.extend(ticks.to_be_bytes());
    tag
}

/// The files of a representation as ffmpeg names them, its beginning first.
pub(super) fn representation(files: &BTreeMap<String, Bytes>, id: &str) -> Vec<String> {
    let chunks = files.keys().filter(|name| name.starts_with(&format!("chunk-stream{id}-")));
    std::iter::once(format!("init-stream{id}.m4s")).chain(chunks.cloned()).collect()
}

/// The manifest of ffmpeg's files with every template replaced by the list of what it stands for.
pub(super) fn segment_lists(files: &BTreeMap<String, Bytes>) -> String {
    let manifest = String::from_utf8(files[MANIFEST].to_vec()).unwrap();
    let mut pieces = manifest.split("<SegmentTemplate");
    let mut text = pieces.next().unwrap().to_owned();
    for (id, piece) in pieces.enumerate() {
        let parts = representation(files, &id.to_string());
        let urls: String = parts[1..].iter().map(|part| format!("<SegmentURL media=\"{part}\"/>")).collect();
        text.push_str(&format!(
            "<SegmentList timescale=\"1\" duration=\"1\"><Initialization sourceURL=\"{}\"/>{urls}</SegmentList>",
            parts[0]
        ));
        text.push_str(piece.split_once("</SegmentTemplate>").unwrap().1);
    }
    text
}
