//! Lines, attribute lists and numbers of playlists (RFC 8216 §4.1, §4.2).

use std::borrow::Cow;

use super::PlaylistError;

/// Digits of an initialization vector: 128 bits.
const IV_DIGITS: usize = 32;

/// A playlist's text without its byte order mark. What is not UTF-8 in it does not matter until it is in an address.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, PlaylistError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let first = bytes.strip_prefix(b"#EXTM3U").ok_or(PlaylistError::NotAPlaylist)?;
    match first.first() {
        None | Some(b'\r' | b'\n' | b' ' | b'\t') => Ok(String::from_utf8_lossy(bytes)),
        Some(_) => Err(PlaylistError::NotAPlaylist),
    }
}

/// Lines that are not blank, without the blanks around them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty())
}

/// Name and value of a tag; an empty value where it has none.
pub(super) fn tag(line: &str) -> (&str, &str) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.trim_end(), value.trim_start())
}

/// The value of an attribute without its quotes; the last one where there are several. One that is empty counts as
/// absent, as in `parse_m3u8_attributes` of `yt_dlp/utils/_utils.py`.
pub(super) fn attribute<'a>(list: &'a str, wanted: &str) -> Option<&'a str> {
    let mut found = None;
    let mut left = list;
    while let Some((name, rest)) = left.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"')?;
                (value, rest.split_once(',').map_or("", |(_, rest)| rest))
            }
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        // What is left of an element without a value stays in front of the next name.
        let name = name.rsplit_once(',').map_or(name, |(_, name)| name);
        if name.trim() == wanted {
            found = Some(value.trim()).filter(|value| !value.is_empty());
        }
        left = rest;
    }
    found
}

/// A decimal integer of at most 64 bits.
pub(super) fn number(text: &str) -> Result<u64, PlaylistError> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PlaylistError::Number);
    }
    text.parse().map_err(|_| PlaylistError::Number)
}

/// `length[@offset]`: bytes (§4.3.2.2).
pub(super) fn byte_range(text: &str) -> Result<(u64, Option<u64>), PlaylistError> {
    match text.split_once('@') {
        Some((length, offset)) => Ok((number(length)?, Some(number(offset)?))),
        None => Ok((number(text)?, None)),
    }
}

/// Seconds, as milliseconds; at most what 32 bits hold, which is 49 days. 0 where no number is in front: yt-dlp does not
/// read durations, and lists of other programs have `-1` for an unknown one.
pub(super) fn milliseconds(text: &str) -> Result<u32, PlaylistError> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let text = text.trim();
    let (whole, rest) = text.split_at(digits(text));
    if whole.is_empty() {
        return Ok(0);
    }
    let decimals = rest.strip_prefix('.').unwrap_or("");
    let decimals = decimals[..digits(decimals)].bytes().chain([b'0'; 3]).take(3);
    let thousandths = decimals.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let milliseconds = number(whole)?.saturating_mul(1000).saturating_add(thousandths);
    Ok(u32::try_from(milliseconds).unwrap_or(u32::MAX))
}

/// 128 bits as at most 32 hexadecimal digits after `0x`; zeros in front may be left out.
pub(super) fn initialization_vector(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    if digits.is_empty() || digits.len() > IV_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_begins_with_its_tag() {
        for bytes in ["#EXTM3U", "\u{feff}#EXTM3U\r\n", "\n#EXTM3U \n", "#EXTM3U\n\u{fffd}"] {
            assert!(text(bytes.as_bytes()).is_ok(), "{bytes:?}");
        }
        for bytes in ["", "#EXTM3U8", "#EXTINF:1,\n#EXTM3U", "<html>", "\u{feff}\u{feff}#EXTM3U"] {
            assert_eq!(text(bytes.as_bytes()), Err(PlaylistError::NotAPlaylist), "{bytes:?}");
        }
        assert!(text(b"#EXTM3U\n\xFF.ts").is_ok_and(|text| text.ends_with(".ts")));
        let found: Vec<_> = lines("a\r\n\r\n \tb \n\n\rc").collect();
        assert_eq!(found, ["a", "b", "c"]);
    }

    #[test]
    fn attributes_are_found_whatever_is_around_them() {
        let list = r#"METHOD=AES-128, URI="a,b=c" ,IV=0x1,junk,,KEYFORMAT="identity",EMPTY="",URI-X=no"#;
        assert_eq!(attribute(list, "METHOD"), Some("AES-128"));
        assert_eq!(attribute(list, "URI"), Some("a,b=c"));
        assert_eq!(attribute(list, "IV"), Some("0x1"));
        assert_eq!(attribute(list, "KEYFORMAT"), Some("identity"));
        assert_eq!(attribute(list, "EMPTY"), None);
        assert_eq!(attribute(list, "b"), None);
        assert_eq!(attribute("A=1,A=2", "A"), Some("2"));
        assert_eq!(attribute(r#"A=1,B="2"#, "B"), None, "no closing quote");
        assert_eq!(attribute("", "A"), None);
    }

    #[test]
    fn numbers_are_digits_within_64_bits() {
        assert_eq!(number(" 007 "), Ok(7));
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "-1", "+1", "1.5", "0x1", "18446744073709551616", "１"] {
            assert_eq!(number(text), Err(PlaylistError::Number), "{text:?}");
        }
        assert_eq!(byte_range("5@7"), Ok((5, Some(7))));
        assert_eq!(byte_range("5"), Ok((5, None)));
        assert_eq!(byte_range("5@"), Err(PlaylistError::Number));
    }

    #[test]
    fn durations_are_cut_to_milliseconds() {
        for (text, expected) in [
            ("9.00990,title", 9009),
            ("10,", 10_000),
            ("0.5", 500),
            ("1.9999", 1999),
            ("-1,", 0),
            (",", 0),
            ("4294967,", 4_294_967_000),
            ("4294968,", u32::MAX),
        ] {
            assert_eq!(milliseconds(text), Ok(expected), "{text:?}");
        }
        assert_eq!(milliseconds("99999999999999999999,"), Err(PlaylistError::Number));
    }

    #[test]
    fn vectors_are_128_bits() {
        let last = |byte| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte];
        assert_eq!(initialization_vector("0x1"), Some(last(1)));
        assert_eq!(
            initialization_vector("0X00000000000000000000000000000Aff").map(|iv| iv[14..].to_vec()),
            Some(vec![10, 255])
        );
        for text in ["", "0x", "12", "0x000000000000000000000000000000000", "0x+1", "0xg"] {
            assert_eq!(initialization_vector(text), None, "{text:?}");
        }
    }
}
