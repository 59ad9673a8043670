//! The request to the CDN: headers, cookies, redirects, and the checks of the answer's head.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, EXPECT, HOST,
    HeaderName, LOCATION, PROXY_AUTHORIZATION, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::{Body as _, Incoming};
use url::Url;

use super::cookies;
use crate::egress::{Egress, EgressError};
use crate::ticket::Link;

/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Longest wait for the head of the answer, over all redirects.
const DEADLINE: Duration = Duration::from_secs(60);

/// Headers of a format that are ours, or the connection's, to set.
const NOT_FORWARDED: [HeaderName; 12] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    EXPECT,
    HOST,
    PROXY_AUTHORIZATION,
    RANGE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Why there are no bytes, before the first of them.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// No connection or no response.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The CDN answered with an error.
    #[error("the site's server answered {}", .0.as_u16())]
    Status(StatusCode),
    /// The link, or a redirect, leads to no `http` or `https` URL, or from https to http.
    #[error("the site's link leads nowhere that can be followed")]
    BadLink,
    /// More than [`MAX_REDIRECTS`].
    #[error("the site's server redirects too often")]
    Redirects,
    /// The bytes are packed, so that neither length nor content would be the file's.
    #[error("the site's server sent an encoded body that was not asked for")]
    Encoded,
    /// Neither a length nor chunks nor TLS: a cut could not be told from the end.
    #[error("the site's server gives no way to tell whether the file is whole")]
    Unframed,
}

/// Fetches a link's bytes: the whole of them, from the start. Gives up after [`DEADLINE`].
pub(super) async fn fetch(egress: &Egress, link: &Link) -> Result<Response<Incoming>, RelayError> {
    tokio::time::timeout(DEADLINE, follow(egress, link)).await.map_err(|_| EgressError::Timeout)?
}

async fn follow(egress: &Egress, link: &Link) -> Result<Response<Incoming>, RelayError> {
    let mut url = Url::parse(&link.url).map_err(|_| RelayError::BadLink)?;
    let first_origin = url.origin();
    for _ in 0..=MAX_REDIRECTS {
        let same_origin = url.origin() == first_origin;
        let response = egress.send(request(link, &url, same_origin)?).await?;
        if !response.status().is_redirection() {
            return check(response, &url);
        }
        url = redirect(&url, response.headers()).ok_or(RelayError::BadLink)?;
    }
    Err(RelayError::Redirects)
}

fn request(link: &Link, url: &Url, same_origin: bool) -> Result<Request<Empty<Bytes>>, RelayError> {
    let mut address = url.clone();
    address.set_fragment(None);
    let uri: Uri = address.as_str().parse().map_err(|_| RelayError::BadLink)?;
    let mut request = Request::new(Empty::new());
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
    let to = from.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    match (from.scheme(), to.scheme()) {
        ("http", "http" | "https") | ("https", "https") => Some(to),
        _ => None,
    }
}

fn check(response: Response<Incoming>, url: &Url) -> Result<Response<Incoming>, RelayError> {
    if response.status() != StatusCode::OK {
        return Err(RelayError::Status(response.status()));
    }
    let headers = response.headers();
    let all_are = |name, only: &[u8]| {
        headers.get_all(name).iter().all(|value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(only))
    };
    // Any other transfer coding would also make hyper read until the connection ends (RFC 9112 §6.3).
    if !all_are(CONTENT_ENCODING, b"identity") || !all_are(TRANSFER_ENCODING, b"chunked") {
        return Err(RelayError::Encoded);
    }
    let framed = headers.contains_key(TRANSFER_ENCODING) || response.body().size_hint().exact().is_some();
    // Without framing only TLS's close_notify tells the end (rustls reports its absence as an error).
    if !framed && url.scheme() != "https" {
        return Err(RelayError::Unframed);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let own = request(&link(), &Url::parse("https://cdn.example/a#b").unwrap(), true).unwrap();
        assert_eq!(own.uri(), "https://cdn.example/a");
        assert_eq!(own.headers()["referer"], "https://page.example/");
        assert_eq!(own.headers()["accept-encoding"], "identity");
        assert_eq!(own.headers()["cookie"], "c=1");
        assert_eq!(own.headers()["authorization"], "Bearer x");
        assert_eq!(own.headers().len(), 4);
        let other = request(&link(), &Url::parse("https://other.example/a").unwrap(), false).unwrap();
        assert!(!other.headers().contains_key("cookie"));
        assert!(!other.headers().contains_key("authorization"));
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
