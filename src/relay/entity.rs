//! What an upstream says of a file, and the conditions that clients put on it (RFC 9110 §8.8, §13).

use std::cmp::Ordering;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CONTENT_TYPE, DATE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A file on the CDN, as a response's head describes it.
#[derive(Debug, Clone, Default)]
pub struct Entity {
    /// Bytes of the whole, where the CDN says so.
    pub total: Option<u64>,
    /// The CDN's content type.
    pub content_type: Option<HeaderValue>,
    /// As the CDN wrote it.
    pub etag: Option<HeaderValue>,
    /// As the CDN wrote it.
    pub last_modified: Option<HeaderValue>,
    /// Whether the CDN has shown, or says, that it serves byte ranges.
    pub takes_ranges: bool,
    /// Whether the body is packed.
    pub(super) gzip: bool,
    pub(super) date: Option<HeaderValue>,
}

impl Entity {
    pub(super) fn new(headers: &HeaderMap, total: Option<u64>) -> Self {
        // Visible ASCII alone: what else may stand there serves nobody.
        // Copied, since a value is a slice of the connection's buffer and would keep all of it for the stream's life.
        let get = |name: HeaderName| HeaderValue::from_str(headers.get(name)?.to_str().ok()?).ok();
        let says_ranges =
            get(ACCEPT_RANGES).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"bytes"));
        Self {
            total,
            content_type: get(CONTENT_TYPE),
            etag: get(ETAG).filter(|value| opaque(text(value)).is_some()),
            last_modified: get(LAST_MODIFIED),
            takes_ranges: says_ranges,
            gzip: false,
            date: get(DATE),
        }
    }

    /// The entity tag, if it changes with every change of the bytes (RFC 9110 §8.8.1).
    pub(super) fn strong_etag(&self) -> Option<&HeaderValue> {
        self.etag.as_ref().filter(|value| is_strong(text(value)))
    }

    /// Whether what another response says of the same file shows that it is another one now. `moved`: it comes
    /// from another address, whose clock and weak tags say nothing about this one's.
    pub(super) fn contradicts(&self, other: &Self, moved: bool) -> bool {
        let differ = |one: Option<&HeaderValue>, two: Option<&HeaderValue>| {
            one.zip(two).is_some_and(|(one, two)| one != two)
        };
        if self.total.zip(other.total).is_some_and(|(one, two)| one != two) {
            return true;
        }
        if let (Some(own), Some(other)) = (self.strong_etag(), other.strong_etag()) {
            return own != other;
        }
        !moved
            && (differ(self.last_modified.as_ref(), other.last_modified.as_ref())
                || differ(self.etag.as_ref(), other.etag.as_ref()))
    }

    fn modified(&self) -> Option<SystemTime> {
        time(self.last_modified.as_ref()?)
    }
}

/// What a client's conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it.
    Send,
    /// The client has it.
    NotModified,
    /// It is not what the client expects.
    Failed,
}

/// The conditions of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions(HeaderMap);

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut own = HeaderMap::new();
        for name in [IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE] {
            for value in headers.get_all(&name) {
                own.append(&name, value.clone());
            }
        }
        Self(own)
    }

    /// Whether there are conditions on the answer as a whole, which a look at the file must decide first.
    pub(super) fn decide_the_answer(&self) -> bool {
        self.0.keys().any(|name| *name != IF_RANGE)
    }

    /// RFC 9110 §13.2.2, steps 1 to 4.
    pub(super) fn judge(&self, entity: &Entity) -> Verdict {
        let strong = |tag: &str| entity.strong_etag().is_some_and(|own| text(own) == tag);
        let weak = |tag: &str| entity.etag.as_ref().is_some_and(|own| opaque(text(own)) == opaque(tag));
        if self.0.contains_key(IF_MATCH) {
            if !self.lists(IF_MATCH, strong) {
                return Verdict::Failed;
            }
        } else if self.compare(IF_UNMODIFIED_SINCE, entity) == Some(Ordering::Greater) {
            return Verdict::Failed;
        }
        if self.0.contains_key(IF_NONE_MATCH) {
            if self.lists(IF_NONE_MATCH, weak) {
                return Verdict::NotModified;
            }
        } else if self.compare(IF_MODIFIED_SINCE, entity).is_some_and(Ordering::is_le) {
            return Verdict::NotModified;
        }
        Verdict::Send
    }

    /// Whether the range that was asked for may be served (RFC 9110 §13.1.5).
    pub(super) fn allow_range(&self, entity: &Entity) -> bool {
        let Some(value) = self.0.get(IF_RANGE) else { return true };
        if is_strong(text(value)) {
            return entity.strong_etag() == Some(value);
        }
        // A date counts as it stands, and only if the file can't have changed twice in that second (§8.8.2.2).
        let is_exact = time(value).is_some() && entity.last_modified.as_ref() == Some(value);
        let date = entity.date.as_ref().and_then(time);
        is_exact && date.zip(entity.modified()).is_none_or(|(date, modified)| date > modified)
    }

    /// The `If-Range` that an upstream can judge.
    pub(super) fn if_range(&self) -> Option<&HeaderValue> {
        self.0.get(IF_RANGE)
    }

    /// Whether a list of entity tags is `*` or holds one that `matches`.
    fn lists(&self, name: HeaderName, matches: impl Fn(&str) -> bool) -> bool {
        let tags = self.0.get_all(name).into_iter().flat_map(|value| tags(text(value)));
        tags.into_iter().any(|tag| tag == "*" || matches(tag))
    }

    /// How the file's last change stands to a date; none where either is not known.
    fn compare(&self, name: HeaderName, entity: &Entity) -> Option<Ordering> {
        let mut values = self.0.get_all(name).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        Some(entity.modified()?.cmp(&time(value)?))
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// An IMF-fixdate, or one of the two old forms (RFC 9110 §5.6.7).
fn time(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

fn is_strong(tag: &str) -> bool {
    tag.starts_with('"') && opaque(tag).is_some()
}

/// The quoted part of an entity tag (RFC 9110 §8.8.3).
fn opaque(tag: &str) -> Option<&str> {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', ' '])).then_some(quoted)
}

/// The elements of a list of entity tags. A comma may stand inside of a tag.
fn tags(list: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return tags;
        }
        let quote = rest.find('"').filter(|at| rest[..*at].trim_start_matches("W/").is_empty());
        let end = quote.and_then(|start| Some(start + 2 + rest[start + 1..].find('"')?));
        let end = end.unwrap_or_else(|| rest.find(',').unwrap_or(rest.len()));
        tags.push(rest[..end].trim_end());
        rest = &rest[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Tue, 01 Sep 2026 10:00:00 GMT";
    const MODIFIED: &str = "Wed, 02 Sep 2026 10:00:00 GMT";
    const AFTER: &str = "Thu, 03 Sep 2026 10:00:00 GMT";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn entity(etag: &str) -> Entity {
        Entity::new(&headers(&[(ETAG, etag), (LAST_MODIFIED, MODIFIED)]), Some(10))
    }

    #[test]
    fn conditions_are_judged_in_their_order() {
        use Verdict::{Failed, NotModified, Send};
        let strong = "\"a,b\"";
        for (etag, conditions, expected) in [
            (strong, &[][..], Send),
            (strong, &[(IF_NONE_MATCH, "\"a,b\"")], NotModified),
            (strong, &[(IF_NONE_MATCH, "W/\"a,b\"")], NotModified),
            (strong, &[(IF_NONE_MATCH, "\"x\", \"a,b\"")], NotModified),
            (strong, &[(IF_NONE_MATCH, "*")], NotModified),
            (strong, &[(IF_NONE_MATCH, "\"a\", \"b\"")], Send),
            (strong, &[(IF_NONE_MATCH, "a,b")], Send),
            (strong, &[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, AFTER)], Send),
            (strong, &[(IF_MODIFIED_SINCE, AFTER)], NotModified),
            (strong, &[(IF_MODIFIED_SINCE, MODIFIED)], NotModified),
            (strong, &[(IF_MODIFIED_SINCE, BEFORE)], Send),
            (strong, &[(IF_MODIFIED_SINCE, "yesterday")], Send),
            (strong, &[(IF_MATCH, "\"a,b\"")], Send),
            (strong, &[(IF_MATCH, "*")], Send),
            (strong, &[(IF_MATCH, "W/\"a,b\"")], Failed),
            ("W/\"a\"", &[(IF_MATCH, "W/\"a\"")], Failed),
            (strong, &[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "\"a,b\"")], Failed),
            (strong, &[(IF_UNMODIFIED_SINCE, BEFORE)], Failed),
            (strong, &[(IF_UNMODIFIED_SINCE, MODIFIED)], Send),
            (strong, &[(IF_MATCH, "\"a,b\""), (IF_UNMODIFIED_SINCE, BEFORE)], Send),
        ] {
            let verdict = Conditions::of(&headers(conditions)).judge(&entity(etag));
            assert_eq!(verdict, expected, "{etag} {conditions:?}");
        }
    }

    #[test]
    fn a_range_needs_a_strong_validator() {
        for (etag, if_range, expected) in [
            ("\"a\"", "\"a\"", true),
            ("\"a\"", "\"b\"", false),
            ("\"a\"", "W/\"a\"", false),
            ("W/\"a\"", "W/\"a\"", false),
            ("\"a\"", MODIFIED, true),
            ("\"a\"", AFTER, false),
            ("\"a\"", "nonsense", false),
        ] {
            let conditions = Conditions::of(&headers(&[(IF_RANGE, if_range)]));
            assert_eq!(conditions.allow_range(&entity(etag)), expected, "{etag} {if_range}");
        }
        let fresh = Entity::new(&headers(&[(LAST_MODIFIED, MODIFIED), (DATE, MODIFIED)]), None);
        assert!(!Conditions::of(&headers(&[(IF_RANGE, MODIFIED)])).allow_range(&fresh));
        assert!(Conditions::default().allow_range(&entity("\"a\"")));
    }

    #[test]
    fn another_file_is_told_by_what_both_say() {
        let with = |etag: &str, date: &str, total| {
            Entity::new(&headers(&[(ETAG, etag), (LAST_MODIFIED, date)]), Some(total))
        };
        let own = with("\"a\"", MODIFIED, 10);
        assert!(!own.contradicts(&with("\"a\"", MODIFIED, 10), false));
        assert!(own.contradicts(&with("\"a\"", MODIFIED, 11), true));
        assert!(own.contradicts(&with("\"b\"", MODIFIED, 10), true));
        assert!(!own.contradicts(&with("\"a\"", AFTER, 10), false));
        let weak = with("W/\"a\"", MODIFIED, 10);
        assert!(weak.contradicts(&with("W/\"a\"", AFTER, 10), false));
        assert!(!weak.contradicts(&with("W/\"a\"", AFTER, 10), true));
        assert!(!own.contradicts(&Entity::default(), false));
        assert!(weak.contradicts(&with("W/\"b\"", MODIFIED, 10), false));
    }
}
