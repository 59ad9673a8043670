//! Byte ranges (RFC 9110 §14): what a client asks for, and what an upstream says that it sent.

use std::ops::Range;

use http::HeaderMap;
use http::header::{CONTENT_RANGE, RANGE};

/// One byte range, as asked for. Whether it can be had depends on the length of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteRange {
    /// `bytes=first-`
    From(u64),
    /// `bytes=first-last`, the last included.
    Between(u64, u64),
    /// `bytes=-count`: so many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// The range of a request. None where there is none, or where it is to be ignored: another unit, several
    /// ranges, or a text that is not valid (RFC 9110 §14.2).
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(RANGE).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (unit, set) = value.to_str().ok()?.split_once('=')?;
        // Range units are case-insensitive, and a list may have empty elements (§14.1, §5.6.1.2).
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let mut ranges = set.split(',').map(str::trim).filter(|range| !range.is_empty());
        let (range, None) = (ranges.next()?, ranges.next()) else { return None };
        let (first, last) = range.split_once('-')?;
        match (position(first)?, position(last)?) {
            (Some(first), None) => Some(Self::From(first)),
            (Some(first), Some(last)) if first <= last => Some(Self::Between(first, last)),
            (None, Some(count)) => Some(Self::Last(count)),
            _ => None,
        }
    }

    /// The offsets of the range in a whole of `total` bytes; none where it holds no byte of it.
    pub(super) fn within(self, total: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first) => first..total,
            Self::Between(first, last) => first..total.min(last.saturating_add(1)),
            Self::Last(count) => total.saturating_sub(count)..total,
        };
        (!range.is_empty()).then_some(range)
    }

    /// The value of a `Range` header.
    pub(super) fn header(self) -> String {
        match self {
            Self::From(first) => format!("bytes={first}-"),
            Self::Between(first, last) => format!("bytes={first}-{last}"),
            Self::Last(count) => format!("bytes=-{count}"),
        }
    }
}

/// Digits alone, or nothing. A number beyond 64 bits is beyond any file, too.
fn position(text: &str) -> Option<Option<u64>> {
    match text {
        "" => Some(None),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Some(text.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

/// What `Content-Range` says (RFC 9110 §14.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ContentRange {
    /// These offsets of a whole of so many bytes, where that is known.
    Part(Range<u64>, Option<u64>),
    /// The range that was asked for lies outside of a whole of so many bytes.
    Unsatisfied(u64),
}

impl ContentRange {
    /// Of a response; none where it is absent or makes no sense.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_RANGE).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (unit, text) = value.to_str().ok()?.split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let number = |text: &str| position(text.trim()).flatten();
        let (range, total) = text.split_once('/')?;
        if range.trim() == "*" {
            return number(total).map(Self::Unsatisfied);
        }
        let (first, last) = range.split_once('-')?;
        let range = number(first)?..number(last)?.checked_add(1)?;
        let total = match total.trim() {
            "*" => None,
            total => Some(number(total)?),
        };
        let makes_sense = !range.is_empty() && total.is_none_or(|total| range.end <= total);
        makes_sense.then_some(Self::Part(range, total))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_valid_range_counts_and_all_else_is_ignored() {
        for (value, expected) in [
            ("bytes=0-0", Some(ByteRange::Between(0, 0))),
            ("bytes=5-", Some(ByteRange::From(5))),
            ("bytes=-5", Some(ByteRange::Last(5))),
            ("bytes=-0", Some(ByteRange::Last(0))),
            ("Bytes=1-2", Some(ByteRange::Between(1, 2))),
            ("bytes= 1-2 ", Some(ByteRange::Between(1, 2))),
            ("bytes=,1-2,", Some(ByteRange::Between(1, 2))),
            ("bytes=0-99999999999999999999999", Some(ByteRange::Between(0, u64::MAX))),
            ("bytes=2-1", None),
            ("bytes=-", None),
            ("bytes=", None),
            ("bytes=0-1,3-4", None),
            ("bytes=+1-2", None),
            ("bytes=1 - 2", None),
            ("bytes=a-b", None),
            ("bytes 0-1", None),
            ("items=0-1", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(ByteRange::of(&headers), expected, "{value:?}");
        }
        let one = || HeaderValue::from_static("bytes=0-1");
        let mut twice = HeaderMap::from_iter([(RANGE, one())]);
        twice.append(RANGE, one());
        assert_eq!(ByteRange::of(&twice), None);
    }

    #[test]
    fn ranges_are_clipped_to_the_whole() {
        for (range, total, expected) in [
            (ByteRange::From(0), 10, Some(0..10)),
            (ByteRange::From(9), 10, Some(9..10)),
            (ByteRange::From(10), 10, None),
            (ByteRange::From(0), 0, None),
            (ByteRange::Between(2, 4), 10, Some(2..5)),
            (ByteRange::Between(2, u64::MAX), 10, Some(2..10)),
            (ByteRange::Between(10, 11), 10, None),
            (ByteRange::Last(3), 10, Some(7..10)),
            (ByteRange::Last(30), 10, Some(0..10)),
            (ByteRange::Last(0), 10, None),
            (ByteRange::Last(1), 0, None),
        ] {
            assert_eq!(range.within(total), expected, "{range:?} of {total}");
        }
    }

    #[test]
    fn content_ranges_that_make_no_sense_say_nothing() {
        for (value, expected) in [
            ("bytes 0-0/10", Some(ContentRange::Part(0..1, Some(10)))),
            ("bytes 2-9/10", Some(ContentRange::Part(2..10, Some(10)))),
            ("bytes 2-9/*", Some(ContentRange::Part(2..10, None))),
            ("bytes */10", Some(ContentRange::Unsatisfied(10))),
            ("bytes 2-10/10", None),
            ("bytes 3-2/10", None),
            ("bytes */*", None),
            ("bytes 0-/10", None),
            ("bytes=0-1/10", None),
            ("items 0-1/10", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static(value))]);
            assert_eq!(ContentRange::of(&headers), expected, "{value:?}");
        }
    }
}
