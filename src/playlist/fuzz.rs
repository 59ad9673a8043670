//! What must hold of playlists, whatever a site writes. A check that fails panics.
//!
//! `scripts/fuzz` calls this with what it comes upon, and the property tests with what they make up.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use bytes::Bytes;
use url::Url;

use super::{Decryptor, Extras, Fragments, Limits, Media, Playlist, PlaylistError, Segments, best};

const BASE: &str = "https://cdn.example/a/list.m3u8?x=1";
const LIMITS: Limits = Limits { bytes: 2000, segments: 60 };

/// Bytes that a segment takes beside those of its text, at most: a key and a map, each with a vector and a range.
const MAX_OVERHEAD: usize = 400;

/// The text of a playlist; the lines of a list of fragments; and how a text that is encrypted comes in pieces.
pub fn playlist(data: &[u8]) {
    let Ok(base) = Url::parse(BASE) else { panic!("{BASE} is no address") };
    plain(data, &base);
    changed(data, &base);
    fragments(&String::from_utf8_lossy(data), &base);
    decryption(data);
}

/// Says the same as the lines of the text do, read in the simplest way.
fn plain(data: &[u8], base: &Url) {
    let found = Playlist::parse(data, base, &Extras::default(), &LIMITS);
    if data.len() > LIMITS.bytes {
        assert_eq!(found.err(), Some(PlaylistError::TooLong));
        return;
    }
    let media = match found {
        Err(error) => return assert_ne!(error, PlaylistError::TooLong),
        Ok(Playlist::Master(variants)) => {
            assert!(variants.iter().all(|variant| is_web(&variant.url)));
            return assert_eq!(best(&variants).is_none(), variants.is_empty());
        }
        Ok(Playlist::Media(media)) => media,
    };
    holds(&media);
    let text = String::from_utf8_lossy(data);
    let text = text.trim_start_matches('\u{feff}');
    let lines =
        text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let expected: Vec<_> = lines.map(|line| base.join(line).ok()).collect();
    let segments = &media.segments;
    let found: Vec<_> = all(segments).map(|segment| Some(segment.url)).collect();
    assert_eq!(found, expected, "{text}");
    for (number, segment) in (segments.first()..).zip(all(segments)) {
        assert!(segment.key.is_none() || text.contains("AES-128"), "{text}");
        assert!(segment.map.is_none() || text.contains("#EXT-X-MAP"), "{text}");
        assert!(segment.range.is_none() || text.contains("#EXT-X-BYTERANGE"), "{text}");
        assert!(segment.key.is_some() || segment.iv == u128::from(number).to_be_bytes(), "{text}");
    }
    let most = size_of::<Segments>() + BASE.len() + 2 * data.len() + MAX_OVERHEAD * expected.len();
    assert!(segments.bytes() <= most, "{} bytes of {text}", segments.bytes());
}

/// What the extractor knows changes addresses and vectors, and neither how many segments there are nor their parts.
fn changed(data: &[u8], base: &Url) {
    let query = Some(String::from_utf8_lossy(data.get(..20).unwrap_or(data)).into_owned());
    let extras = Extras { segment_query: Some("q=1&x=~".to_owned()), key_query: query, ..Extras::default() };
    let plain = Playlist::parse(data, base, &Extras::default(), &LIMITS);
    let found = Playlist::parse(data, base, &extras, &LIMITS);
    assert_eq!(found.as_ref().err(), plain.as_ref().err());
    let (Ok(Playlist::Media(found)), Ok(Playlist::Media(plain))) = (found, plain) else { return };
    holds(&found);
    assert_eq!(found.segments.end(), plain.segments.end());
    for (found, plain) in all(&found.segments).zip(all(&plain.segments)) {
        assert!(found.url.query_pairs().any(|(name, value)| name == "q" && value == "1"), "{}", found.url);
        assert!(found.url.query_pairs().any(|(name, value)| name == "x" && value == "~"), "{}", found.url);
        assert_eq!((found.url.path(), &found.range, found.iv), (plain.url.path(), &plain.range, plain.iv));
    }
}

fn fragments(text: &str, base: &Url) {
    let (prefix, lines) = text.split_once('|').unwrap_or(("", text));
    let list = Fragments {
        base: base.as_str().to_owned(),
        prefix: prefix.to_owned(),
        suffix: "?s".to_owned(),
        lines: lines.to_owned(),
    };
    let Ok(media) = Media::from_fragments(&list, &LIMITS) else { return };
    holds(&media);
    assert!(media.ended && media.segments.first() == 0);
    assert_eq!(all(&media.segments).count(), lines.split('\n').count());
    for (segment, line) in all(&media.segments).zip(lines.split('\n')) {
        let address = line.rsplit_once('\t').map_or(line, |(address, _)| address);
        assert_eq!(Some(segment.url), base.join(&format!("{prefix}{address}?s")).ok());
        assert_eq!(segment.range.is_some(), line.contains('\t'));
    }
}

/// Of each playlist.
fn holds(media: &Media) {
    let segments = &media.segments;
    let (first, end) = (segments.first(), segments.end());
    assert_eq!(all(segments).count() as u64, end - first);
    assert!(end - first <= LIMITS.segments as u64);
    for outside in [first.checked_sub(1), Some(end), end.checked_add(1), Some(u64::MAX)].into_iter().flatten()
    {
        assert_eq!(segments.get(outside), None);
    }
    for segment in all(segments) {
        let ranges = [Some(&segment.range), segment.map.as_ref().map(|map| &map.range)];
        assert!(ranges.into_iter().flatten().flatten().all(|range| range.start < range.end));
        assert!(is_web(&segment.url) && segment.map.is_none_or(|map| is_web(&map.url)));
    }
    assert!((first..=end).contains(&media.start()) && (!media.ended || media.start() == first));
    assert!(media.target.as_secs() >= 1 && media.reload_after(true).as_secs() >= 1);
    assert!(
        media.reload_after(true) <= media.target && media.reload_after(false) <= media.reload_after(true)
    );
}

fn all(segments: &Segments) -> impl Iterator<Item = super::Segment> {
    (segments.first()..segments.end()).map_while(|number| segments.get(number))
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// What was encrypted comes back, in whatever pieces; and so does the error of what never was.
fn decryption(data: &[u8]) {
    let Some((key, rest)) = data.split_first_chunk::<16>() else { return };
    let Some((iv, text)) = rest.split_first_chunk::<16>() else { return };
    let mut room = [text, &[0; 16]].concat();
    let cipher = cbc::Encryptor::<Aes128>::new(key.into(), iv.into());
    let Ok(encrypted) = cipher.encrypt_padded::<Pkcs7>(&mut room, text.len()) else { panic!("no room") };
    let decrypted = |data: &[u8], sizes: &[u8]| {
        let (mut decryptor, mut plain, mut left) = (Decryptor::new(*key, *iv), Vec::new(), data);
        for size in sizes {
            let piece = left.split_off(..left.len().min(usize::from(*size))).unwrap_or_default();
            plain.extend(decryptor.push(Bytes::copy_from_slice(piece)));
        }
        plain.extend(decryptor.push(Bytes::copy_from_slice(left)));
        decryptor.finish().map(|last| [plain, last.to_vec()].concat())
    };
    assert_eq!(decrypted(encrypted, key).as_deref(), Ok(text));
    assert_eq!(decrypted(text, key), decrypted(text, &[]));
}
