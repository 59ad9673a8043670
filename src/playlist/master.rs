//! Master playlists (RFC 8216 §4.3.4): the same video in several qualities.

use std::collections::HashSet;

use url::Url;

use super::PlaylistError;
use super::address::Addresses;
use super::parse::{attribute, lines, tag};

/// Most variants; players list some tens.
const MAX_VARIANTS: usize = 1000;

/// How names of codecs of sound begin: `parse_codecs` of `yt_dlp/utils/_utils.py`.
const SOUND: [&str; 14] = [
    "flac", "mp4a", "opus", "vorbis", "mp3", "aac", "ac-4", "ac-3", "ec-3", "eac3", "dtsc", "dtse", "dtsh",
    "dtsl",
];

/// One quality, with a playlist of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its playlist; `http` or `https`.
    pub url: Url,
    /// Peak bits per second, as the playlist says; 0 where it does not.
    pub bandwidth: u64,
    /// Whether its segments hold the sound, as far as the playlist says.
    pub has_own_sound: bool,
}

/// The one of most bandwidth among those whose sound is inside, else of all; the first one of several such.
pub fn best(variants: &[Variant]) -> Option<&Variant> {
    variants.iter().rev().max_by_key(|variant| (variant.has_own_sound, variant.bandwidth))
}

/// Whether the playlist lists variants and no segments. The tag that each media playlist must have (§4.3.3.1) goes first, as
/// in `_parse_m3u8_formats_and_subtitles` of `yt_dlp/extractor/common.py`.
pub(super) fn is_master(text: &str) -> bool {
    let mut found = false;
    for line in lines(text) {
        match tag(line).0 {
            "#EXT-X-TARGETDURATION" => return false,
            "#EXT-X-STREAM-INF" => found = true,
            _ => {}
        }
    }
    found
}

/// Reads the lines of a master playlist. Queries for segments are not merged into addresses of playlists.
pub(super) fn read(text: &str, addresses: &Addresses) -> Result<Vec<Variant>, PlaylistError> {
    let inside = groups_inside(text);
    let mut variants = Vec::new();
    let mut next = None;
    for line in lines(text) {
        if !line.starts_with('#') {
            let Some(list) = next.take() else { continue };
            if variants.len() == MAX_VARIANTS {
                return Err(PlaylistError::TooManyVariants);
            }
            let bandwidth = attribute(list, "BANDWIDTH").and_then(|text| text.parse().ok()).unwrap_or(0);
            let has_own_sound = has_own_sound(list, &inside);
            variants.push(Variant { url: addresses.plain(line)?, bandwidth, has_own_sound });
        } else if let ("#EXT-X-STREAM-INF", list) = tag(line) {
            next = Some(list);
        }
    }
    Ok(variants)
}

/// Groups of sounds of which one has no playlist of its own, so that it is in the variants' segments (§4.3.4.2.1).
fn groups_inside(text: &str) -> HashSet<&str> {
    let tags = lines(text).map(tag).filter(|(name, _)| *name == "#EXT-X-MEDIA");
    let sounds = tags.filter(|(_, list)| attribute(list, "TYPE") == Some("AUDIO"));
    let inside = sounds.filter(|(_, list)| attribute(list, "URI").is_none());
    inside.filter_map(|(_, list)| attribute(list, "GROUP-ID")).collect()
}

/// Not where it is in a group with playlists of its own, and not where the codecs are said and none is one of sound.
fn has_own_sound(list: &str, inside: &HashSet<&str>) -> bool {
    if attribute(list, "AUDIO").is_some_and(|group| !inside.contains(group)) {
        return false;
    }
    attribute(list, "CODECS").is_none_or(|codecs| {
        let mut names = codecs.split(',').map(|name| name.trim().to_ascii_lowercase());
        names.any(|name| SOUND.iter().any(|sound| name.starts_with(sound)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variants(text: &str) -> Result<Vec<Variant>, PlaylistError> {
        assert!(is_master(text), "{text}");
        read(text, &Addresses::new(&Url::parse("https://cdn.example/a/master.m3u8").unwrap()).unwrap())
    }

    #[test]
    fn the_best_one_has_its_sound_inside() {
        let found = variants(
            r#"#EXTM3U
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="apart",NAME="en",URI="en.m3u8"
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="inside",NAME="en",DEFAULT=YES
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="inside",NAME="fr",URI="fr.m3u8"
            #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="apart",NAME="en",URI="en.vtt.m3u8"
            #EXT-X-STREAM-INF:BANDWIDTH=9000,AUDIO="apart",CODECS="avc1.4d401f,mp4a.40.2"
            1.m3u8
            #EXT-X-STREAM-INF:BANDWIDTH=5000,AUDIO="inside"

            # a remark
            2.m3u8
            #EXT-X-STREAM-INF:BANDWIDTH=4000,CODECS="avc1.4d401f, mp4a.40.2"
            https://other.example/3.m3u8
            ignored.m3u8
            #EXT-X-STREAM-INF:BANDWIDTH=6000,CODECS="avc1.4d401f"
            4.m3u8
            #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=99999,URI="5.m3u8"
            #EXT-X-STREAM-INF:BANDWIDTH=99999999999999999999
            6.m3u8"#,
        );
        let found = found.unwrap();
        let said: Vec<_> =
            found.iter().map(|one| (one.url.as_str(), one.bandwidth, one.has_own_sound)).collect();
        let expected = [
            ("https://cdn.example/a/1.m3u8", 9000, false),
            ("https://cdn.example/a/2.m3u8", 5000, true),
            ("https://other.example/3.m3u8", 4000, true),
            ("https://cdn.example/a/4.m3u8", 6000, false),
            ("https://cdn.example/a/6.m3u8", 0, true),
        ];
        assert_eq!(said, expected);
        assert_eq!(best(&found), found.get(1));
        assert_eq!(best(&found[..1]), found.first());
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn variants_are_few_and_have_addresses() {
        let many = |count| format!("#EXTM3U\n{}", "#EXT-X-STREAM-INF:\na\n".repeat(count));
        assert_eq!(variants(&many(MAX_VARIANTS)).map(|found| found.len()), Ok(MAX_VARIANTS));
        assert_eq!(variants(&many(MAX_VARIANTS + 1)), Err(PlaylistError::TooManyVariants));
        assert_eq!(variants("#EXT-X-STREAM-INF:\nfile:///x"), Err(PlaylistError::Address));
        assert_eq!(variants("#EXT-X-STREAM-INF:"), Ok(vec![]));
        assert!(!is_master("#EXTM3U\na.ts"));
        assert!(!is_master("#EXT-X-STREAM-INF:\na\n#EXT-X-TARGETDURATION:1"));
    }
}
