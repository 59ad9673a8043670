//! What a request's head must be, beyond what hyper sees to: how long, and for whom (RFC 9112 §3, §6.1).

use std::net::Ipv6Addr;

use http::header::{HOST, TRANSFER_ENCODING};
use http::{Method, Request, Uri, Version};

use crate::api::error::{ApiError, Code};

/// Longest path and query that is taken, in bytes: a token and room for more.
pub(super) const MAX_URI: usize = 8 << 10;
/// Longest headers that are taken, in bytes, names and values together.
pub(super) const MAX_HEADERS: usize = 8 << 10;

/// Checks a request's head. hyper's buffer has room for more than the limits, so that it is we who answer.
pub(in crate::api) fn check_head<B>(request: &Request<B>) -> Result<(), ApiError> {
    if request.uri().path_and_query().map_or(0, |path| path.as_str().len()) > MAX_URI {
        return Err(ApiError::new(Code::UriTooLong, format!("the URI is longer than {MAX_URI} bytes")));
    }
    let length: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length > MAX_HEADERS {
        let detail = format!("the headers are longer than {MAX_HEADERS} bytes");
        return Err(ApiError::new(Code::HeadersTooLarge, detail));
    }
    // What follows a head that can be read in two ways may be read in two ways, too.
    let refuse = |detail| Err(ApiError::new(Code::BadRequest, detail).closing());
    if !has_one_host(request) {
        return refuse("a request has one Host header, which holds a host");
    }
    if !is_plainly_coded(request) {
        return refuse("the one transfer coding that is understood is `chunked`");
    }
    if !is_ours(request.method(), request.uri()) {
        return refuse("the request's target is neither a path nor a URL of this server");
    }
    Ok(())
}

/// RFC 9112 §3.2.
fn has_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// Whether a text is `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2). It may be empty.
fn is_host(text: &[u8]) -> bool {
    let (host_is_fine, rest) = match text.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let address = std::str::from_utf8(&rest[..end]).ok();
            (address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok()), &rest[end + 1..])
        }
        None => {
            let (name, rest) =
                text.split_at(text.iter().position(|byte| *byte == b':').unwrap_or(text.len()));
            (is_name(name), rest)
        }
    };
    let port_is_fine =
        rest.is_empty() || rest.strip_prefix(b":").is_some_and(|port| port.iter().all(u8::is_ascii_digit));
    host_is_fine && port_is_fine
}

/// `reg-name`, to which addresses of v4 belong.
fn is_name(mut text: &[u8]) -> bool {
    while let Some((first, rest)) = text.split_first() {
        text = match first {
            b'%' => match rest.split_first_chunk::<2>() {
                Some((digits, rest)) if digits.iter().all(u8::is_ascii_hexdigit) => rest,
                _ => return false,
            },
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => rest,
            _ => return false,
        };
    }
    true
}

/// Whether a body comes as it is or in chunks. hyper sees to it that `chunked` is the last coding; what others come
/// before it, and whether more than once, it does not ask.
fn is_plainly_coded<B>(request: &Request<B>) -> bool {
    let values = request.headers().get_all(TRANSFER_ENCODING);
    let mut codings = values
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|coding| coding.trim_ascii())
        // RFC 9110 §5.6.1.2.
        .filter(|coding| !coding.is_empty());
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// RFC 9112 §3.2: a path; a URL, as proxies are asked for; for CONNECT a host, and for OPTIONS an asterisk.
fn is_ours(method: &Method, target: &Uri) -> bool {
    match (target.scheme_str(), target.authority()) {
        (Some("http" | "https"), Some(authority)) => {
            !authority.host().is_empty() && is_host(authority.as_str().as_bytes())
        }
        (None, None) => target.path() != "*" || method == Method::OPTIONS,
        (None, Some(_)) => method == Method::CONNECT,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(request: http::request::Builder) -> Result<(), Code> {
        check_head(&request.body(()).unwrap()).map_err(|error| error.code)
    }

    fn host(uri: impl Into<String>) -> http::request::Builder {
        Request::get(uri.into()).header(HOST, "a.example")
    }

    #[test]
    fn heads_have_limits() {
        assert_eq!(code(host("/".repeat(MAX_URI))), Ok(()));
        assert_eq!(code(host("/".repeat(MAX_URI + 1))), Err(Code::UriTooLong));
        assert_eq!(code(host("/").header("x", "y".repeat(MAX_HEADERS - 14))), Ok(()));
        assert_eq!(code(host("/").header("x", "y".repeat(MAX_HEADERS))), Err(Code::HeadersTooLarge));
    }

    #[test]
    fn a_request_has_one_host() {
        assert_eq!(code(host("/").header(HOST, "b.example")), Err(Code::BadRequest));
        assert_eq!(code(Request::get("/")), Err(Code::BadRequest));
        assert_eq!(code(Request::get("/").version(Version::HTTP_10)), Ok(()));
        assert_eq!(code(Request::get("/").header(HOST, "a b")), Err(Code::BadRequest));
    }

    #[test]
    fn hosts_are_told_from_what_is_none() {
        for text in
            ["", "a", "a.example:80", "a:", "_a~!$&'()*+,;=%41", "[::1]", "[2001:db8::1]:8080", "127.0.0.1:1"]
        {
            assert!(is_host(text.as_bytes()), "{text}");
        }
        for text in [
            "a b", "u@a", "a/b", "a:b", "a:80:80", "a:-1", "[::1", "::1", "[::1]a", "[::1]:x", "[a]", "[]",
            "%4", "%zz", "http://a", "a?", "a#", "\"a\"", "<a>", "a\\b", "é",
        ] {
            assert!(!is_host(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn chunked_is_the_one_coding() {
        let coded = |value: &str| code(host("/").header(TRANSFER_ENCODING, value)).is_ok();
        for value in ["chunked", "Chunked", ", chunked ,"] {
            assert!(coded(value), "{value}");
        }
        for value in ["gzip", "gzip, chunked", "chunked, chunked", "identity,chunked", "chunked;a=b"] {
            assert!(!coded(value), "{value}");
        }
        let twice = host("/").header(TRANSFER_ENCODING, "chunked").header(TRANSFER_ENCODING, "chunked");
        assert_eq!(code(twice), Err(Code::BadRequest));
    }

    #[test]
    fn targets_have_the_form_that_their_method_asks_for() {
        let ours = |method: Method, target: &str| is_ours(&method, &target.parse().unwrap());
        for target in ["/", "//a/b", "http://a.example", "https://a.example:8443/b?c", "http://[::1]/"] {
            assert!(ours(Method::GET, target), "{target}");
        }
        for target in ["*", "a", "a:80", "ftp://a/b", "http://u@a/b", "http://u:p@a/b", "http://:80/b"] {
            assert!(!ours(Method::GET, target), "{target}");
        }
        assert!(ours(Method::OPTIONS, "*") && ours(Method::CONNECT, "a:80"));
    }
}
