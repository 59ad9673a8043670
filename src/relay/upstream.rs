//! The request to the CDN: headers, cookies, redirects, and the checks of the answer's head.

use std::ops::Range;
use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, EXPECT, HOST,
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION,
    PROXY_AUTHORIZATION, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Body as _;
use url::Url;

use super::cookies;
use super::entity::Entity;
use super::error::RelayError;
use super::range::{ByteRange, ContentRange};
use crate::egress::{Client, EgressError, ResponseBody};
use crate::ticket::Link;

/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Longest wait for the head of the answer, over all redirects.
const DEADLINE: Duration = Duration::from_secs(60);

/// Headers of a format that are ours, or the connection's, to set.
const NOT_FORWARDED: [HeaderName; 19] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    EXPECT,
    HOST,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    PROXY_AUTHORIZATION,
    RANGE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What is asked of the CDN.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    /// Unset: the whole.
    pub(super) range: Option<ByteRange>,
    /// Goes with `range`: if the file is another one, the CDN is to send the whole (RFC 9110 §13.1.5).
    pub(super) if_range: Option<HeaderValue>,
    /// Whether a body that is packed by gzip will do: some servers have no other.
    pub(super) takes_gzip: bool,
}

/// A head that is good, and the body to come.
#[derive(Debug)]
pub(super) enum Reply {
    /// All of the file.
    Whole(Entity, ResponseBody),
    /// These offsets of it. A length that the body announces agrees with them.
    Part(Range<u64>, Entity, ResponseBody),
    /// There is nothing in the range that was asked for, in a file of so many bytes.
    OutOfRange(Option<u64>),
}

/// Asks for a link's bytes. Gives up after [`DEADLINE`].
pub(super) async fn fetch(client: &Client, link: &Link, ask: &Ask) -> Result<Reply, RelayError> {
    fetch_from(client, link, ask).await.map(|(_, reply)| reply)
}

/// The same, with the address that answered.
pub(super) async fn fetch_from(client: &Client, link: &Link, ask: &Ask) -> Result<(Url, Reply), RelayError> {
    if link.not_before.is_some() {
        tokio::time::sleep(link.wait()).await;
    }
    tokio::time::timeout(DEADLINE, follow(client, link, ask)).await.map_err(|_| EgressError::Timeout)?
}

async fn follow(client: &Client, link: &Link, ask: &Ask) -> Result<(Url, Reply), RelayError> {
    let mut url = Url::parse(&link.url).map_err(|_| RelayError::BadLink)?;
    let first_origin = url.origin();
    for _ in 0..=MAX_REDIRECTS {
        let same_origin = url.origin() == first_origin;
        let response = client.send(&link.route, &request(link, &url, same_origin, ask)?).await?;
        // Not a redirect, although of its class (RFC 9110 §15.4): nobody asked whether anything was modified.
        if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
            let reply = check(response, &url, ask)?;
            return Ok((url, reply));
        }
        url = redirect(&url, response.headers()).ok_or(RelayError::BadLink)?;
        response.into_body().discard().await;
    }
    Err(RelayError::Redirects)
}

fn request(link: &Link, url: &Url, same_origin: bool, ask: &Ask) -> Result<Request<()>, RelayError> {
    let mut address = url.clone();
    address.set_fragment(None);
    // RFC 9110 §4.2.4. What can't be taken out of a URL with a host is not in it.
    let _ = (address.set_username(""), address.set_password(None));
    let uri: Uri = address.as_str().parse().map_err(|_| RelayError::BadLink)?;
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    for (name, value) in &link.headers {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
            continue;
        };
        if !NOT_FORWARDED.contains(&name) && (same_origin || name != AUTHORIZATION) {
            headers.insert(name, value);
        }
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(range) = ask.range.and_then(|range| HeaderValue::try_from(range.header()).ok()) {
        headers.insert(RANGE, range);
        if let Some(validator) = &ask.if_range {
            headers.insert(IF_RANGE, validator.clone());
        }
    }
    if let Some(mut value) =
        cookies::header(&link.cookies, url).and_then(|value| HeaderValue::try_from(value).ok())
    {
        value.set_sensitive(true);
        headers.insert(COOKIE, value);
    }
    Ok(request)
}

/// Where a redirect leads; never from https to http, which would show the cookies' owner to the network.
fn redirect(from: &Url, headers: &HeaderMap) -> Option<Url> {
    // Not always ASCII, whatever RFC 9110 §10.2.2 says.
    let to = from.join(std::str::from_utf8(headers.get(LOCATION)?.as_bytes()).ok()?).ok()?;
    match (from.scheme(), to.scheme()) {
        ("http", "http" | "https") | ("https", "https") => Some(to),
        _ => None,
    }
}

fn check(response: Response<ResponseBody>, url: &Url, ask: &Ask) -> Result<Reply, RelayError> {
    let (head, body) = response.into_parts();
    let headers = &head.headers;
    let asked_for_part = ask.range.is_some();
    match head.status {
        StatusCode::OK => {
            let gzip = ask.takes_gzip && is_gzip(headers);
            if !gzip {
                check_encoding(headers)?;
            }
            check_framing(headers, &body, url)?;
            let total = body.size_hint().exact();
            Ok(Reply::Whole(Entity { gzip, ..Entity::new(headers, total) }, body))
        }
        StatusCode::PARTIAL_CONTENT if asked_for_part => {
            check_encoding(headers)?;
            check_framing(headers, &body, url)?;
            let Some(ContentRange::Part(range, total)) = ContentRange::of(headers) else {
                return Err(RelayError::WrongPart);
            };
            if body.size_hint().exact().is_some_and(|length| length != range.end - range.start) {
                return Err(RelayError::WrongPart);
            }
            let entity = Entity { takes_ranges: true, ..Entity::new(headers, total) };
            Ok(Reply::Part(range, entity, body))
        }
        StatusCode::RANGE_NOT_SATISFIABLE if asked_for_part => match ContentRange::of(headers) {
            Some(ContentRange::Unsatisfied(total)) => Ok(Reply::OutOfRange(Some(total))),
            _ => Ok(Reply::OutOfRange(None)),
        },
        status => Err(RelayError::Status(status)),
    }
}

fn all_are(headers: &HeaderMap, name: HeaderName, only: &[u8]) -> bool {
    headers.get_all(name).iter().all(|value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(only))
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_ENCODING) && all_are(headers, CONTENT_ENCODING, b"gzip")
}

/// Checks that the body is what it says.
fn check_encoding(headers: &HeaderMap) -> Result<(), RelayError> {
    if all_are(headers, CONTENT_ENCODING, b"identity") { Ok(()) } else { Err(RelayError::Encoded) }
}

/// Checks that the body's end can be told from a cut.
fn check_framing(headers: &HeaderMap, body: &ResponseBody, url: &Url) -> Result<(), RelayError> {
    // Any other transfer coding would make hyper read until the connection ends (RFC 9112 §6.3).
    if !all_are(headers, TRANSFER_ENCODING, b"chunked") {
        return Err(RelayError::Encoded);
    }
    let framed = headers.contains_key(TRANSFER_ENCODING) || body.size_hint().exact().is_some();
    // Without framing only TLS's close_notify tells the end (rustls reports its absence as an error).
    match framed || url.scheme() == "https" {
        true => Ok(()),
        false => Err(RelayError::Unframed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Route;
    use crate::ticket::Cookie;

    fn link() -> Link {
        let headers = [
            ("Referer", "https://page.example/"),
            ("accept-encoding", "gzip"),
            ("Host", "evil.example"),
            ("Range", "bytes=0-1"),
            ("Authorization", "Bearer x"),
            ("Bad\nName", "x"),
            ("Bad-Value", "x\r\ny: z"),
        ];
        Link {
            url: "https://cdn.example/a".into(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            chunk: None,
            not_before: None,
            no_resume: false,
            route: Route::default(),
            cookies: vec![Cookie {
                name: "c".into(),
                value: "1".into(),
                domain: ".cdn.example".into(),
                path: "/".into(),
                secure: true,
            }],
        }
    }

    #[test]
    fn requests_carry_what_belongs_to_their_host() {
        let if_range = Some(HeaderValue::from_static("\"v\""));
        let whole = Ask { if_range, ..Ask::default() };
        let part = Ask { range: Some(ByteRange::Between(1, 2)), ..whole.clone() };
        let own = request(&link(), &Url::parse("https://cdn.example/a#b").unwrap(), true, &whole).unwrap();
        assert_eq!(own.uri(), "https://cdn.example/a");
        assert_eq!(own.headers()["referer"], "https://page.example/");
        assert_eq!(own.headers()["accept-encoding"], "identity");
        assert_eq!(own.headers()["cookie"], "c=1");
        assert_eq!(own.headers()["authorization"], "Bearer x");
        assert_eq!(own.headers().len(), 4);
        let other = request(&link(), &Url::parse("https://other.example/a").unwrap(), false, &part).unwrap();
        assert!(!other.headers().contains_key("cookie"));
        assert!(!other.headers().contains_key("authorization"));
        assert_eq!(other.headers()["range"], "bytes=1-2");
        assert_eq!(other.headers()["if-range"], "\"v\"");
    }

    #[test]
    fn redirects_do_not_fall_back_to_http() {
        for (from, to, goes) in [
            ("https://a.example/x/y", "z", Some("https://a.example/x/z")),
            ("https://a.example/x", "//b.example/", Some("https://b.example/")),
            ("http://a.example/x", "https://a.example/", Some("https://a.example/")),
            ("https://a.example/x", "http://a.example/", None),
            ("https://a.example/x", "file:///etc/passwd", None),
            ("http://a.example/x", "ftp://a.example/", None),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(to).unwrap())]);
            let to = redirect(&Url::parse(from).unwrap(), &headers);
            assert_eq!(to.as_ref().map(Url::as_str), goes);
        }
    }
}
