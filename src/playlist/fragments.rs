//! Lists of fragments: what yt-dlp makes of a DASH manifest (`fragments` of a format).

use std::ops::Range;

use serde::{Deserialize, Serialize};
use url::Url;

use super::address::Addresses;
use super::keys::Aes;
use super::parse::number;
use super::segments::Builder;
use super::{Limits, Media, PlaylistError};

/// Addresses of fragments, packed: the i-th is `prefix`, the i-th of `lines` and `suffix`, resolved against `base`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragments {
    /// What the addresses are relative to; `http` or `https`.
    pub base: String,
    /// How all of them begin.
    #[serde(default)]
    pub prefix: String,
    /// How all of them end.
    #[serde(default)]
    pub suffix: String,
    /// One line for each, separated by line feeds; no line feed behind the last one, for an empty line is a fragment, too.
    /// A line may end in a tab and `first-last`: a byte range, both included.
    pub lines: String,
}

impl Media {
    /// An ended playlist of these fragments, numbered from 0.
    pub fn from_fragments(fragments: &Fragments, limits: &Limits) -> Result<Self, PlaylistError> {
        if fragments.lines.len() > limits.bytes {
            return Err(PlaylistError::TooLong);
        }
        let base = Url::parse(&fragments.base).map_err(|_| PlaylistError::Address)?;
        let addresses = Addresses::new(&base)?.within(&fragments.prefix, &fragments.suffix);
        let mut builder = Builder::new(addresses, Aes::default(), limits);
        for line in fragments.lines.split('\n') {
            let (address, range) = match line.rsplit_once('\t') {
                Some((address, range)) => (address, Some(inclusive(range)?)),
                None => (line, None),
            };
            builder.push(address, range, false, None, None)?;
        }
        builder.finish(0).map(Self::ended)
    }
}

fn inclusive(text: &str) -> Result<Range<u64>, PlaylistError> {
    let (first, last) = text.split_once('-').ok_or(PlaylistError::Range)?;
    let (first, last) = (number(first)?, number(last)?);
    let end = last.checked_add(1).filter(|end| *end > first).ok_or(PlaylistError::Range)?;
    Ok(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 100_000, segments: 1000 };

    fn fragments(lines: &str) -> Fragments {
        Fragments {
            base: "https://cdn.example/a/manifest.mpd".to_owned(),
            prefix: "video/".to_owned(),
            suffix: ".m4s?t=1".to_owned(),
            lines: lines.to_owned(),
        }
    }

    #[test]
    fn addresses_are_put_together() {
        let media = Media::from_fragments(&fragments("init\t0-99\n1\n2\t5-5\n"), &LIMITS).unwrap();
        assert!(media.ended);
        assert_eq!((media.start(), media.segments.first(), media.segments.end()), (0, 0, 4));
        let found: Vec<_> = (0..5).filter_map(|number| media.segments.get(number)).collect();
        let expected = [("init", Some(0..100)), ("1", None), ("2", Some(5..6)), ("", None)];
        assert_eq!(found.len(), expected.len());
        for (segment, (name, range)) in found.iter().zip(expected) {
            assert_eq!(segment.url.as_str(), format!("https://cdn.example/a/video/{name}.m4s?t=1"));
            assert_eq!(
                (&segment.range, &segment.key, &segment.map, segment.gap),
                (&range, &None, &None, false)
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for (lines, expected) in [
            ("a\t5-4", PlaylistError::Range),
            ("a\t5", PlaylistError::Range),
            ("a\t5-", PlaylistError::Number),
            ("a\t0-18446744073709551615", PlaylistError::Range),
            ("a\t0-18446744073709551616", PlaylistError::Number),
            (&"\n".repeat(1000), PlaylistError::TooManySegments),
            (&"a".repeat(100_001), PlaylistError::TooLong),
        ] {
            assert_eq!(
                Media::from_fragments(&fragments(lines), &LIMITS).unwrap_err(),
                expected,
                "{lines:.30?}"
            );
        }
        assert!(Media::from_fragments(&fragments(&"\n".repeat(999)), &LIMITS).is_ok());
        for (base, prefix) in [("", ""), ("file:///x", ""), ("https://h/", "file:///")] {
            let fragments = Fragments { base: base.to_owned(), prefix: prefix.to_owned(), ..fragments("a") };
            assert_eq!(Media::from_fragments(&fragments, &LIMITS).unwrap_err(), PlaylistError::Address);
        }
    }

    #[test]
    fn fifty_thousand_stay_small() {
        let lines: Vec<_> = (0..50_000).map(|number| format!("sq/{number}")).collect();
        let limits = Limits { bytes: 8 << 20, segments: 100_000 };
        let media = Media::from_fragments(&fragments(&lines.join("\n")), &limits).unwrap();
        assert!(media.segments.bytes() < 500_000, "{} bytes", media.segments.bytes());
    }
}
