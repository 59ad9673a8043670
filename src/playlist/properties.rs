//! The checks of [`fuzz`](super::fuzz) with playlists that are made up to come far, and playlists that are written from
//! segments and read again.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

use super::{Extras, Key, KeyFrom, Limits, Map, Playlist, Segment, fuzz};

const BASE: &str = "https://cdn.example/a/list.m3u8";

/// Digits, most often few, sometimes around what 64 bits hold.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        19 => (0..2000_u64).prop_map(|number| number.to_string()),
        1 => select(vec!["", "-1", "1.5", "0x1", "18446744073709551615", "18446744073709551616"]).prop_map(str::to_owned),
    ]
}

fn address() -> impl Strategy<Value = String> {
    let known = [
        "a.ts",
        "b.ts",
        "/c.ts?x=2",
        "//other.example/d.ts",
        "http://other.example/e.ts",
        "k",
        "../../f",
        "é",
    ];
    let bad = ["file:///x", "skd://k", "data:,x", "http://", "https://[", "javascript:1", "http:g.ts", "h:i"];
    prop_oneof![
        30 => select(known.to_vec()).prop_map(str::to_owned),
        8 => (0..100_u32).prop_map(|number| format!("video/segment-{number:04}.ts?token=0123456789")),
        1 => "[a-z0-9:/?#@.%\\\\ \t]{1,12}",
        1 => select(bad.to_vec()).prop_map(str::to_owned),
    ]
}

/// A line of a playlist, or nearly.
fn line() -> impl Strategy<Value = String> {
    let range = || {
        (number(), weighted(0.8, number()))
            .prop_map(|(length, offset)| offset.map_or(length.clone(), |offset| format!("{length}@{offset}")))
    };
    let method = prop_oneof![20 => Just("AES-128"), 6 => Just("NONE"), 1 => select(vec!["SAMPLE-AES", ""])];
    let iv = prop_oneof![12 => "0x[0-9a-f]{1,32}", 1 => "[0-9a-fx]{0,34}"];
    let key = (method, address(), of(iv)).prop_map(|(method, address, iv)| {
        let iv = iv.map_or(String::new(), |iv| format!(",IV={iv}"));
        format!("#EXT-X-KEY:METHOD={method},URI=\"{address}\"{iv}")
    });
    let map = (address(), weighted(0.3, range())).prop_map(|(address, range)| {
        let range = range.map_or(String::new(), |range| format!(",BYTERANGE=\"{range}\""));
        format!("#EXT-X-MAP:URI=\"{address}\"{range}")
    });
    let bare = [
        "#EXT-X-ENDLIST",
        "#EXT-X-GAP",
        "#EXT-X-DISCONTINUITY",
        "",
        "# a remark",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ];
    let ads = ["#UPLYNK-SEGMENT:1,ad", "#UPLYNK-SEGMENT:1,segment", "#ANVATO-SEGMENT-INFO: type=ad"];
    prop_oneof![
        40 => address(),
        8 => number().prop_map(|number| format!("#EXTINF:{number}.5,title")),
        6 => range().prop_map(|range| format!("#EXT-X-BYTERANGE:{range}")),
        6 => key,
        4 => map,
        1 => number().prop_map(|number| format!("#EXT-X-MEDIA-SEQUENCE:{number}")),
        1 => number().prop_map(|number| format!("#EXT-X-TARGETDURATION:{number}")),
        1 => number().prop_map(|number| format!("#EXT-X-STREAM-INF:BANDWIDTH={number},AUDIO=\"a\"")),
        6 => select([&bare[..], &ads[..]].concat()).prop_map(str::to_owned),
        1 => "[ -~]{0,20}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let start = prop_oneof![19 => Just("#EXTM3U\n"), 1 => select(vec!["", "\u{feff}#EXTM3U\r\n"])];
    let ending = select(vec!["\n", "\r\n", "\n\n"]);
    (start, vec(line(), 0..25), ending)
        .prop_map(|(start, lines, ending)| format!("{start}{}", lines.join(ending)))
}

/// A key: its name, and its vector where that is said.
type MadeKey = (u8, Option<u128>);

/// A map: its name, its part of the file, and its key, whose vector is said.
type MadeMap = (u8, Option<Range<u64>>, Option<(u8, u128)>);

/// What a segment is made of, to be written as tags.
#[derive(Debug, Clone)]
struct Made {
    address: String,
    range: Option<Range<u64>>,
    key: Option<MadeKey>,
    map: Option<MadeMap>,
    gap: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let start = || prop_oneof![0..1000_u64, any::<u64>()].prop_map(|start| start.min(u64::MAX - 900));
    let range = || (start(), 1..900_u64).prop_map(|(start, length)| start..start + length);
    let address = prop_oneof![
        5 => (0..200_000_u32).prop_map(|number| format!("video/segment-{number}.ts?token=0123456789abcdef")),
        1 => "[a-z]{1,3}",
        1 => "https://[a-z]{1,5}\\.example/[a-z/]{0,20}",
    ];
    let key = weighted(0.6, (0..3_u8, of(any::<u128>())));
    let map = weighted(0.4, (0..3_u8, of(range()), of((0..3_u8, 0..3_u128))));
    (address, weighted(0.4, range()), key, map, any::<bool>())
        .prop_map(|(address, range, key, map, gap)| Made { address, range, key, map, gap })
}

/// Puts it behind that one: the same file, its next part, and the same key.
fn follow(made: &mut Made, before: &Made) {
    made.address.clone_from(&before.address);
    made.key = before.key;
    let ranges = before.range.as_ref().zip(made.range.as_ref());
    let next = ranges.map(|(before, own)| before.end..before.end.saturating_add(own.end - own.start));
    made.range = next.filter(|range| !range.is_empty());
}

/// An `EXT-X-KEY`, and what it says.
fn key_tag(text: &mut String, key: Option<MadeKey>) -> Option<Arc<Key>> {
    let Some((name, iv)) = key else {
        text.push_str("#EXT-X-KEY:METHOD=NONE\n");
        return None;
    };
    let iv = iv.map_or(String::new(), |iv| format!(",IV=0x{iv:032X}"));
    writeln!(text, "#EXT-X-KEY:METHOD=AES-128,URI=\"key-{name}\"{iv}").unwrap();
    Some(Arc::new(Key { from: KeyFrom::Url(resolved(&format!("key-{name}"))) }))
}

/// An `EXT-X-MAP` with its own key, and what it says.
fn map_tag(text: &mut String, (name, range, key): &MadeMap) -> Arc<Map> {
    let held = key_tag(text, key.map(|(name, iv)| (name, Some(iv))));
    let part =
        range.as_ref().map(|range| format!(",BYTERANGE=\"{}@{}\"", range.end - range.start, range.start));
    writeln!(text, "#EXT-X-MAP:URI=\"map-{name}\"{}", part.unwrap_or_default()).unwrap();
    let iv = key.map_or([0; 16], |(_, iv)| iv.to_be_bytes());
    Arc::new(Map { url: resolved(&format!("map-{name}")), range: range.clone(), key: held, iv })
}

fn resolved(address: &str) -> Url {
    Url::parse(BASE).unwrap().join(address).unwrap()
}

/// The text of these, and what they are.
fn written(first: u64, all: &[Made]) -> (String, Vec<Segment>) {
    let mut text = format!("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-TARGETDURATION:4\n");
    let mut segments: Vec<Segment> = vec![];
    let mut before: Option<&Made> = None;
    for (sequence, made) in (first..).zip(all) {
        let held = segments.last().and_then(|segment| segment.map.clone());
        let map = made.map.as_ref().map(|map| map_tag(&mut text, map)).or(held);
        let key = key_tag(&mut text, made.key);
        let iv = made.key.and_then(|(_, iv)| iv).unwrap_or(sequence.into()).to_be_bytes();
        if let Some(range) = &made.range {
            let end = before
                .filter(|before| before.address == made.address)
                .and_then(|before| before.range.as_ref());
            let follows = end.is_some_and(|before| before.end == range.start);
            let offset = if follows { String::new() } else { format!("@{}", range.start) };
            writeln!(text, "#EXT-X-BYTERANGE:{}{offset}", range.end - range.start).unwrap();
        }
        text.push_str(if made.gap { "#EXT-X-GAP\n" } else { "" });
        writeln!(text, "#EXTINF:4,\n{}", made.address).unwrap();
        let (url, range) = (resolved(&made.address), made.range.clone());
        segments.push(Segment { url, range, key, iv, map, gap: made.gap });
        before = Some(made);
    }
    (text, segments)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_text_is_read_or_is_an_error(text in text(), noise in vec(any::<u8>(), 0..200)) {
        fuzz::playlist(text.as_bytes());
        fuzz::playlist(&noise);
        fuzz::playlist(&[b"#EXTM3U\n", &noise[..]].concat());
        fuzz::playlist(&[text.as_bytes(), &noise].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read(
        first in prop_oneof![0..1000_u64, Just(u64::MAX - 200)],
        mut all in vec(made(), 0..150),
        runs in vec(any::<bool>(), 150),
    ) {
        for index in 1..all.len() {
            let (before, rest) = all.split_at_mut(index);
            if runs[index] {
                follow(&mut rest[0], &before[index - 1]);
            }
        }
        let (text, expected) = written(first, &all);
        let limits = Limits { bytes: text.len(), segments: all.len() };
        let base = Url::parse(BASE).unwrap();
        let found = Playlist::parse(text.as_bytes(), &base, &Extras::default(), &limits);
        let Ok(Playlist::Media(media)) = found else { panic!("{found:?}") };
        let numbers = media.segments.first()..media.segments.end();
        let found: Vec<_> = numbers.map(|number| media.segments.get(number).unwrap()).collect();
        prop_assert_eq!(found, expected);
    }
}
