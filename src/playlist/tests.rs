use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::*;

const LIMITS: Limits = Limits { bytes: 1 << 20, segments: 1000 };

fn read(text: &str) -> Result<Media, PlaylistError> {
    with(text, &Extras::default())
}

fn with(text: &str, extras: &Extras) -> Result<Media, PlaylistError> {
    let base = Url::parse("https://cdn.example/a/list.m3u8?x=1").unwrap();
    match Playlist::parse(format!("#EXTM3U\n{text}").as_bytes(), &base, extras, &LIMITS)? {
        Playlist::Media(media) => Ok(media),
        Playlist::Master(_) => panic!("{text} is a master playlist"),
    }
}

fn all(media: &Media) -> Vec<Segment> {
    let numbers = media.segments.first()..media.segments.end();
    numbers.map(|number| media.segments.get(number).unwrap()).collect()
}

fn url(path: &str) -> Url {
    Url::parse(&format!("https://cdn.example/a/{path}")).unwrap()
}

fn iv(number: u128) -> [u8; 16] {
    number.to_be_bytes()
}

fn from(path: &str) -> KeyFrom {
    KeyFrom::Url(url(path))
}

fn key_of(key: &Option<Arc<Key>>) -> Option<KeyFrom> {
    key.as_ref().map(|key| key.from.clone())
}

#[test]
fn a_playlist_is_read() {
    let text = "\u{feff}#EXTM3U\r\n#EXT-X-VERSION:3\r\n#EXT-X-TARGETDURATION:10\r\n#EXT-X-MEDIA-SEQUENCE:7\r\n\r\n\
                #EXTINF:9.009,first\r\n1.ts\r\n# a remark\r\n#EXT-X-UNKNOWN:A=1\r\n#EXT-X-DISCONTINUITY\r\n\
                #EXTINF:3.003,\r\nhttp://other.example/2.ts\r\n#EXT-X-ENDLIST";
    let found = Playlist::parse(text.as_bytes(), &url("list.m3u8"), &Extras::default(), &LIMITS);
    let Ok(Playlist::Media(media)) = found else { panic!("{found:?}") };
    assert!(media.ended);
    assert_eq!((media.segments.first(), media.segments.end(), media.start()), (7, 9, 7));
    assert_eq!(media.target, Duration::from_secs(10));
    let segment =
        |url, number| Segment { url, range: None, key: None, iv: iv(number), map: None, gap: false };
    let other = Url::parse("http://other.example/2.ts").unwrap();
    assert_eq!(all(&media), [segment(url("1.ts"), 7), segment(other, 8)]);
    assert_eq!(
        (media.segments.get(6), media.segments.get(9), media.segments.get(u64::MAX)),
        (None, None, None)
    );
}

#[test]
fn without_segments_it_is_a_playlist_too() {
    let media = read("#EXT-X-MEDIA-SEQUENCE:5").unwrap();
    assert_eq!((media.segments.first(), media.segments.end(), media.start(), media.ended), (5, 5, 5, false));
    assert!(read("#EXT-X-PLAYLIST-TYPE:VOD").unwrap().ended);
    assert!(!read("#EXT-X-PLAYLIST-TYPE:EVENT").unwrap().ended);
}

#[test]
fn parts_of_files_continue() {
    let text = "#EXT-X-BYTERANGE:10@5\na\n#EXT-X-BYTERANGE:20\na\n#EXT-X-BYTERANGE:1@0\nb\n#EXT-X-BYTERANGE:2\nb\nb\n";
    let ranges: Vec<_> = all(&read(text).unwrap()).into_iter().map(|segment| segment.range).collect();
    assert_eq!(ranges, [Some(5..15), Some(15..35), Some(0..1), Some(1..3), None]);
    for (text, expected) in [
        ("#EXT-X-BYTERANGE:10\na", PlaylistError::Range),
        ("#EXT-X-BYTERANGE:10@0\na\n#EXT-X-BYTERANGE:10\nb", PlaylistError::Range),
        ("#EXT-X-BYTERANGE:10@0\na\na\n#EXT-X-BYTERANGE:10\na", PlaylistError::Range),
        ("#EXT-X-BYTERANGE:0@5\na", PlaylistError::Range),
        ("#EXT-X-BYTERANGE:2@18446744073709551614\na", PlaylistError::Range),
        ("#EXT-X-BYTERANGE:1@18446744073709551616\na", PlaylistError::Number),
        ("#EXT-X-BYTERANGE:-1@5\na", PlaylistError::Number),
        ("#EXT-X-MAP:URI=\"a\",BYTERANGE=\"0@5\"\na", PlaylistError::Range),
    ] {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
    assert!(read("#EXT-X-BYTERANGE:1@18446744073709551614\na").is_ok());
}

#[test]
fn keys_and_vectors_hold_until_the_next() {
    let text = "#EXT-X-MEDIA-SEQUENCE:258\na\n#EXT-X-KEY:METHOD=AES-128,URI=\"k1\"\nb\nc\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"k1\",IV=0xff\nd\n#EXT-X-KEY:METHOD=AES-128,URI=\"k2\"\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"k3\"\ne\n#EXT-X-KEY:METHOD=NONE\nf";
    let found: Vec<_> = all(&read(text).unwrap()).iter().map(|one| (key_of(&one.key), one.iv)).collect();
    let expected = [
        (None, iv(258)),
        (Some(from("k1")), iv(259)),
        (Some(from("k1")), iv(260)),
        (Some(from("k1")), iv(255)),
        (Some(from("k3")), iv(262)),
        (None, iv(263)),
    ];
    assert_eq!(found, expected);
    assert_eq!(found[1].1[14..], [1, 3]);
}

#[test]
fn maps_have_parts_and_keys_of_their_own() {
    let text = "a\n#EXT-X-MAP:URI=\"m\",BYTERANGE=\"10\"\nb\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n\
                #EXT-X-MAP:URI=\"m\",BYTERANGE=\"10@20\"\n#EXT-X-KEY:METHOD=NONE\nc\nd\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"l\"\n#EXT-X-MAP:URI=\"n\"\ne\nf";
    let segments = all(&read(text).unwrap());
    let maps: Vec<_> = segments.iter().map(|segment| segment.map.as_deref().cloned()).collect();
    let key = |path| Some(Arc::new(Key { from: from(path) }));
    let first = Map { url: url("m"), range: Some(0..10), key: None, iv: iv(0) };
    let second = Map { url: url("m"), range: Some(20..30), key: key("k"), iv: iv(1) };
    let third = Map { url: url("n"), range: None, key: key("l"), iv: iv(4) };
    assert_eq!(
        maps,
        [None, Some(first), Some(second.clone()), Some(second), Some(third.clone()), Some(third)]
    );
    assert_eq!((&segments[2].key, &segments[4].key), (&None, &key("l")));
    assert_eq!(read("#EXT-X-MAP:BYTERANGE=\"1@0\"\na").unwrap_err(), PlaylistError::Attribute("URI"));
    assert_eq!(read("#EXT-X-MAP:URI=\"file:///m\"\na").unwrap_err(), PlaylistError::Address);
}

#[test]
fn gaps_and_advertisements_are_counted_and_left_out() {
    let text = "#EXT-X-GAP\na\nb\n#ANVATO-SEGMENT-INFO: type=ad\n#EXT-X-BYTERANGE:1@0\nc\nd\n#ANVATO-SEGMENT-INFO: type=master\n\
                e\n#UPLYNK-SEGMENT:0123,00000000,ad\nf\n#UPLYNK-SEGMENT:0123,00000001,segment\ng";
    let gaps: Vec<_> = all(&read(text).unwrap()).iter().map(|segment| segment.gap).collect();
    assert_eq!(gaps, [true, false, true, true, false, true, false]);
}

#[test]
fn what_the_extractor_knows_is_used() {
    let text = "#EXT-X-KEY:METHOD=AES-128,URI=\"k?s=1\",IV=0x5\n#EXT-X-MAP:URI=\"m\"\na?t=0\n";
    let query = |text: &str| Some(text.to_owned());
    let extras = Extras { segment_query: query("t=1"), ..Extras::default() };
    let read = |extras: &Extras| all(&with(text, extras).unwrap()).remove(0);
    let segment = read(&extras);
    assert_eq!((segment.url, &segment.map.unwrap().url), (url("a?t=1"), &url("m?t=1")));
    assert_eq!(key_of(&segment.key), Some(from("k?s=1&t=1")));
    let segment = read(&Extras { key_query: query("s=2"), ..extras.clone() });
    assert_eq!((segment.url, key_of(&segment.key)), (url("a?t=1"), Some(from("k?s=2"))));
    let aes = |uri: Option<&str>, key: Option<&str>| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Some(HlsAes { uri: text(uri), key: text(key), iv: query("0x7") })
    };
    let segment = read(&Extras { aes: aes(Some("https://cdn.example/a/l"), None), ..extras.clone() });
    assert_eq!((key_of(&segment.key), segment.iv), (Some(from("l")), iv(7)));
    let segment = read(&Extras { aes: aes(None, Some(&"0f".repeat(16))), ..extras });
    assert_eq!((key_of(&segment.key), segment.iv), (Some(KeyFrom::Bytes([15; 16])), iv(7)));
    assert_eq!(key_of(&segment.map.unwrap().key), Some(KeyFrom::Bytes([15; 16])));
}

#[test]
fn a_client_begins_three_targets_before_the_end() {
    let live = |head: &str, durations: &[u32]| {
        let lines: String = durations.iter().map(|seconds| format!("#EXTINF:{seconds},\na\n")).collect();
        read(&format!("#EXT-X-MEDIA-SEQUENCE:100\n{head}\n{lines}")).unwrap()
    };
    for (head, durations, expected) in [
        ("#EXT-X-TARGETDURATION:4", &[4, 4, 4, 4, 4][..], 102),
        ("#EXT-X-TARGETDURATION:4", &[4, 4, 4], 100),
        ("#EXT-X-TARGETDURATION:4", &[4, 4], 100),
        ("#EXT-X-TARGETDURATION:4", &[4, 3, 3, 3, 3], 101),
        ("", &[1, 4, 1, 4, 4, 4], 103),
        ("", &[0, 0, 0], 100),
        ("#EXT-X-ENDLIST", &[4, 4, 4, 4, 4], 100),
    ] {
        assert_eq!(live(head, durations).start(), expected, "{head} {durations:?}");
    }
    for (head, durations, target, pace) in [
        ("#EXT-X-TARGETDURATION:4", &[4, 2][..], 4000, 4000),
        ("#EXT-X-TARGETDURATION:60", &[4, 2], 60_000, 4000),
        ("#EXT-X-TARGETDURATION:4", &[60], 4000, 4000),
        ("#EXT-X-TARGETDURATION:0", &[0], 1000, 1000),
        ("#EXT-X-TARGETDURATION:6", &[], 6000, 6000),
        ("", &[5, 3], 5000, 5000),
        ("#EXT-X-TARGETDURATION:18446744073709551615", &[], u64::from(u32::MAX), u64::from(u32::MAX)),
    ] {
        let media = live(head, durations);
        let pace = Duration::from_millis(pace);
        assert_eq!(media.target, Duration::from_millis(target), "{head} {durations:?}");
        assert_eq!(
            (media.reload_after(true), media.reload_after(false)),
            (pace, pace / 2),
            "{head} {durations:?}"
        );
    }
}

#[test]
fn limits_hold() {
    let base = url("list.m3u8");
    let parse = |text: &str, limits: &Limits| {
        Playlist::parse(text.as_bytes(), &base, &Extras::default(), limits).err()
    };
    let segments = format!("#EXTM3U\n{}", "a\n".repeat(1000));
    let limits = |bytes, segments| Limits { bytes, segments };
    assert_eq!(parse(&segments, &limits(segments.len(), 1000)), None);
    assert_eq!(parse(&segments, &limits(segments.len() - 1, 1000)), Some(PlaylistError::TooLong));
    assert_eq!(parse(&segments, &limits(segments.len(), 999)), Some(PlaylistError::TooManySegments));
    let million = format!("#EXTM3U\n{}", "a\n".repeat(1_000_000));
    assert_eq!(parse(&million, &limits(8 << 20, 100_000)), Some(PlaylistError::TooManySegments));
    for (text, expected) in [
        ("#EXT-X-MEDIA-SEQUENCE:18446744073709551615\na", PlaylistError::Number),
        ("#EXT-X-MEDIA-SEQUENCE:18446744073709551616", PlaylistError::Number),
        ("#EXTINF:99999999999999999999,\na", PlaylistError::Number),
        ("#EXT-X-TARGETDURATION:99999999999999999999\na", PlaylistError::Number),
        ("#EXT-X-FAXS-CM:x\na", PlaylistError::Encryption("FAXS-CM".to_owned())),
        ("file:///etc/passwd", PlaylistError::Address),
    ] {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
    let last = read("#EXT-X-MEDIA-SEQUENCE:18446744073709551614\na").unwrap();
    assert_eq!(last.segments.get(u64::MAX - 1).map(|segment| segment.url), Some(url("a")));
    assert_eq!(parse("a\n#EXTM3U", &LIMITS), Some(PlaylistError::NotAPlaylist));
}

/// The same of ordinary playlists as the crate m3u8-rs, where that tells. It says keys and maps of the first segment that
/// they hold for alone.
#[test]
fn other_readers_read_the_same() {
    for text in [
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:3\n#EXTINF:6.0,\na.ts\n#EXTINF:5.5,x\nb.ts?c=1\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI=\"i.mp4\",BYTERANGE=\"9@1\"\n#EXTINF:6,\n#EXT-X-BYTERANGE:7@10\n\
         v.mp4\n#EXTINF:6,\n#EXT-X-BYTERANGE:8@17\nv.mp4\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1f\n#EXTINF:9,\na\n#EXTINF:9,\nb\n\
         #EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:9,\nc\n#EXT-X-ENDLIST\n",
    ] {
        let ours = read(text.strip_prefix("#EXTM3U\n").unwrap()).unwrap();
        let theirs = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
        assert_eq!(ours.segments.first(), theirs.media_sequence);
        assert_eq!((ours.target.as_secs(), ours.ended), (theirs.target_duration, theirs.end_list));
        let segments = all(&ours);
        assert_eq!(segments.len(), theirs.segments.len());
        for (ours, theirs) in segments.iter().zip(&theirs.segments) {
            let part =
                |range: &m3u8_rs::ByteRange| range.offset.unwrap()..range.offset.unwrap() + range.length;
            assert_eq!((&ours.url, &ours.range), (&url(&theirs.uri), &theirs.byte_range.as_ref().map(part)));
            if let Some(key) = &theirs.key {
                assert_eq!(key_of(&ours.key), key.uri.as_deref().map(from));
                assert!(
                    key.iv.as_deref().is_none_or(|said| parse::initialization_vector(said) == Some(ours.iv))
                );
            }
            if let Some(map) = &theirs.map {
                let ours = ours.map.as_ref().unwrap();
                assert_eq!((&ours.url, &ours.range), (&url(&map.uri), &map.byte_range.as_ref().map(part)));
            }
        }
    }
}
