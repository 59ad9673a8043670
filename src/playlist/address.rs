//! Addresses as they are written in a playlist, and what they stand for.

use url::Url;
use url::form_urlencoded;

use super::PlaylistError;

/// Longest address as it is written, and longest base: what servers are asked to read at least (RFC 9110 §4.1). It bounds
/// what a segment can cost, for each of them may repeat the base.
const MAX_ADDRESS: usize = 8000;

/// How what is written becomes an address.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    base: Url,
    prefix: String,
    suffix: String,
    segment_query: Query,
    key_query: Query,
}

impl Addresses {
    /// Relative to `base`; nothing is put around them.
    pub(super) fn new(base: &Url) -> Result<Self, PlaylistError> {
        if base.as_str().len() > MAX_ADDRESS {
            return Err(PlaylistError::Address);
        }
        let none = Query::default;
        let addresses = Self {
            base: web(base.clone())?,
            prefix: String::new(),
            suffix: String::new(),
            segment_query: none(),
            key_query: none(),
        };
        Ok(addresses)
    }

    /// Put around addresses of segments before they are resolved.
    pub(super) fn within(mut self, prefix: &str, suffix: &str) -> Self {
        self.prefix = prefix.to_owned();
        self.suffix = suffix.to_owned();
        self
    }

    /// Merged into the queries of segments and maps, and of keys. Keys get that of segments where they have none of their
    /// own, as in `yt_dlp/downloader/hls.py`.
    pub(super) fn with_queries(mut self, segments: Option<&str>, keys: Option<&str>) -> Self {
        self.segment_query = Query::of(segments.unwrap_or_default());
        self.key_query = Query::of(keys.unwrap_or_default());
        if self.key_query.is_empty() {
            self.key_query = self.segment_query.clone();
        }
        self
    }

    /// Of a segment.
    pub(super) fn segment(&self, written: &str) -> Result<Url, PlaylistError> {
        if self.prefix.is_empty() && self.suffix.is_empty() {
            return self.map(written);
        }
        self.map(&[&self.prefix, written, &self.suffix].concat())
    }

    /// Of a map.
    pub(super) fn map(&self, written: &str) -> Result<Url, PlaylistError> {
        self.plain(written).map(|url| self.segment_query.merged_into(url))
    }

    /// Of a key.
    pub(super) fn key(&self, written: &str) -> Result<Url, PlaylistError> {
        self.plain(written).map(|url| self.key_query.merged_into(url))
    }

    /// Of anything else: resolved, and nothing more.
    pub(super) fn plain(&self, written: &str) -> Result<Url, PlaylistError> {
        if written.len() > MAX_ADDRESS {
            return Err(PlaylistError::Address);
        }
        self.base.join(written).map_err(|_| PlaylistError::Address).and_then(web)
    }

    /// Bytes of memory beside those of the value itself, about.
    pub(super) fn bytes(&self) -> usize {
        let queries = self.segment_query.bytes() + self.key_query.bytes();
        self.base.as_str().len() + self.prefix.len() + self.suffix.len() + queries
    }
}

fn web(url: Url) -> Result<Url, PlaylistError> {
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(PlaylistError::Address) }
}

/// Parameters in the order in which their names come first. As Python's `parse_qs` reads them: those without a value are
/// left out.
#[derive(Debug, Clone, Default)]
struct Query(Vec<(String, Vec<String>)>);

impl Query {
    fn of(text: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if value.is_empty() {
                continue;
            }
            match query.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value.into_owned()),
                None => query.0.push((name.into_owned(), vec![value.into_owned()])),
            }
        }
        query
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In place of those of the same name, else behind the others: `update_url_query` of `yt_dlp/utils/_utils.py`.
    fn merged_into(&self, mut url: Url) -> Url {
        if self.is_empty() {
            return url;
        }
        let mut merged = Self::of(url.query().unwrap_or_default());
        for (name, values) in &self.0 {
            match merged.0.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => old.clone_from(values),
                None => merged.0.push((name.clone(), values.clone())),
            }
        }
        let mut written = form_urlencoded::Serializer::new(String::new());
        for (name, values) in &merged.0 {
            written.extend_pairs(values.iter().map(|value| (name, value)));
        }
        // Python leaves `~` as it is and writes `*` out, other than WHATWG's URLs; a signature may have either.
        url.set_query(Some(&written.finish().replace("%7E", "~").replace('*', "%2A")));
        url
    }

    fn bytes(&self) -> usize {
        let pair = |(name, values): &(String, Vec<String>)| {
            size_of::<(String, Vec<String>)>()
                + name.len()
                + values.iter().map(|value| size_of::<String>() + value.len()).sum::<usize>()
        };
        self.0.iter().map(pair).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses::new(&Url::parse("https://cdn.example/a/b.m3u8?token=1").unwrap()).unwrap()
    }

    #[test]
    fn relative_addresses_are_resolved() {
        for (written, expected) in [
            ("c.ts", "https://cdn.example/a/c.ts"),
            ("/c.ts?x=1", "https://cdn.example/c.ts?x=1"),
            ("../../c.ts", "https://cdn.example/c.ts"),
            ("?x=1", "https://cdn.example/a/b.m3u8?x=1"),
            ("//other.example/c.ts", "https://other.example/c.ts"),
            ("http://other.example/c.ts", "http://other.example/c.ts"),
            ("a b.ts", "https://cdn.example/a/a%20b.ts"),
        ] {
            assert_eq!(addresses().segment(written).unwrap().as_str(), expected, "{written:?}");
        }
        let long = "x".repeat(MAX_ADDRESS + 1);
        for written in [
            "file:///etc/passwd",
            "data:text/plain,x",
            "skd://key",
            "ftp://h/x",
            "https://",
            "javascript:1",
            &long,
        ] {
            assert_eq!(addresses().segment(written), Err(PlaylistError::Address), "{written:?}");
        }
        for base in ["file:///a.m3u8", "data:,x", &format!("https://h/{long}")] {
            assert!(Addresses::new(&Url::parse(base).unwrap()).is_err(), "{base:?}");
        }
    }

    /// The expected ones are what `update_url_query(url, parse_qs(query))` gave.
    #[test]
    fn queries_are_merged_as_yt_dlp_does() {
        for (written, query, expected) in [
            ("c.ts", "a=1", "c.ts?a=1"),
            ("c.ts?a=0&b=2&a=3", "a=1", "c.ts?a=1&b=2"),
            ("c.ts?b=2&gone=&bare", "a=1&a=2", "c.ts?b=2&a=1&a=2"),
            ("c.ts?b=x%2By+z#part", "a=%C3%A9", "c.ts?b=x%2By+z&a=%C3%A9#part"),
            ("c.ts?Policy=e_-~*", "S=a~b%2Fc", "c.ts?Policy=e_-~%2A&S=a~b%2Fc"),
            ("c.ts?gone=", "", "c.ts?gone="),
            ("c.ts?kept=", "a=", "c.ts?kept="),
        ] {
            let addresses = addresses().with_queries(Some(query), None);
            let expected = format!("https://cdn.example/a/{expected}");
            assert_eq!(addresses.segment(written).unwrap().as_str(), expected, "{written:?} {query:?}");
            assert_eq!(addresses.key(written).unwrap().as_str(), expected, "{written:?} {query:?}");
        }
        let both = addresses().with_queries(Some("a=1"), Some("b=2"));
        assert_eq!(both.map("c").unwrap().query(), Some("a=1"));
        assert_eq!(both.key("c").unwrap().query(), Some("b=2"));
    }
}
