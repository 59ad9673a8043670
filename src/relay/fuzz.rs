//! What must hold of byte ranges, whatever a client or an upstream writes. A check that fails panics.
//!
//! `scripts/fuzz` calls this with what it comes upon, and the property tests with what they make up.

use http::header::{CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue};

use super::range::{ByteRange, ContentRange};

/// A length, and then the value of a header: as a client may ask, and as an upstream may answer.
pub fn range(data: &[u8]) {
    let Some((total, value)) = data.split_first_chunk::<8>() else { return };
    let Ok(header) = HeaderValue::from_bytes(value) else { return };
    let total = u64::from_le_bytes(*total);
    asked(&header, total);
    answered(&header);
}

/// Says the same as [`meant`], at that length and at some others.
fn asked(header: &HeaderValue, total: u64) {
    let found = ByteRange::of(&HeaderMap::from_iter([(RANGE, header.clone())]));
    let meant = meant(header.as_bytes());
    assert_eq!(found.is_some(), meant.is_some(), "{header:?}");
    let twice = HeaderMap::from_iter([(RANGE, header.clone()), (RANGE, header.clone())]);
    assert_eq!(ByteRange::of(&twice), None, "two of them");
    let (Some(range), Some(meant)) = (found, meant) else { return };
    for total in [total, total % 1000, 0, 1, u64::MAX] {
        let within = range.within(total).map(|range| (range.start, range.end - 1));
        assert_eq!(within, meant.offsets(total), "{header:?} of {total}");
    }
    // As it is passed on to an upstream.
    let passed_on = HeaderValue::try_from(range.header()).map(|value| HeaderMap::from_iter([(RANGE, value)]));
    assert!(passed_on.is_ok_and(|headers| ByteRange::of(&headers) == Some(range)), "{range:?}");
}

/// The numbers of a range as they are written, each at most what 64 bits hold.
struct Meant {
    first: Option<u64>,
    last: Option<u64>,
}

impl Meant {
    /// First and last offset in a whole of so many bytes.
    fn offsets(&self, total: u64) -> Option<(u64, u64)> {
        let end = total.checked_sub(1)?;
        let (first, last) = match (self.first, self.last) {
            (Some(first), last) => (first, last.unwrap_or(u64::MAX).min(end)),
            (None, count) => (total.saturating_sub(count?), end),
        };
        (first <= last).then_some((first, last))
    }
}

/// RFC 9110 §14.1.1 and §14.1.2, byte by byte and written down a second time:
/// `"bytes" "=" *( OWS "," ) OWS [ 1*DIGIT ] "-" [ 1*DIGIT ] *( OWS "," ) OWS`, with blanks around the unit, too.
fn meant(value: &[u8]) -> Option<Meant> {
    let mut left = value;
    skip(&mut left, b" \t");
    for expected in b"bytes" {
        let (byte, rest) = left.split_first()?;
        if byte.to_ascii_lowercase() != *expected {
            return None;
        }
        left = rest;
    }
    skip(&mut left, b" \t");
    left = left.strip_prefix(b"=")?;
    skip(&mut left, b" \t,");
    let first = number(&mut left);
    left = left.strip_prefix(b"-")?;
    let last = number(&mut left);
    skip(&mut left, b" \t,");
    if !left.is_empty() || first.is_none() && last.is_none() {
        return None;
    }
    match (first, last) {
        (Some(first), Some(last)) if first > last => None,
        _ => Some(Meant { first, last }),
    }
}

fn skip(left: &mut &[u8], bytes: &[u8]) {
    while let Some((byte, rest)) = left.split_first()
        && bytes.contains(byte)
    {
        *left = rest;
    }
}

fn number(left: &mut &[u8]) -> Option<u64> {
    let mut found: Option<u64> = None;
    while let Some((byte @ b'0'..=b'9', rest)) = left.split_first() {
        let digit = u64::from(byte - b'0');
        found = Some(found.unwrap_or(0).saturating_mul(10).saturating_add(digit));
        *left = rest;
    }
    found
}

/// A range that an upstream says is one of the file, and is read again as it was.
fn answered(header: &HeaderValue) {
    let read = |value: HeaderValue| ContentRange::of(&HeaderMap::from_iter([(CONTENT_RANGE, value)]));
    let Some(found) = read(header.clone()) else { return };
    let written = match &found {
        ContentRange::Unsatisfied(total) => format!("bytes */{total}"),
        ContentRange::Part(range, total) => {
            assert!(range.start < range.end, "{header:?}");
            assert!(total.is_none_or(|total| range.end <= total), "{header:?}");
            let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
            format!("bytes {}-{}/{total}", range.start, range.end - 1)
        }
    };
    assert!(HeaderValue::try_from(&written).is_ok_and(|value| read(value) == Some(found)), "{header:?}");
}
