//! Cross-origin requests (the Fetch standard, §3.2).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::{self, Body};

const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, RateLimit, RateLimit-Policy, \
     Retry-After, X-Filename, X-Request-Id",
);
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, Range, \
     X-API-Key",
);
/// A day: browsers cap it as they like.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Origins whose pages may read answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All.
    Any,
    /// Those listed, as browsers write them: `https://host[:port]`.
    Listed(Vec<String>),
}

impl Origins {
    /// Adds the headers that let a page of `origin` read the answer, if it may.
    pub(super) fn allow(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        let origin = match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(listed) => {
                response.append(VARY, HeaderValue::from_static("Origin"));
                origin.filter(|origin| listed.iter().any(|one| one == *origin)).cloned()
            }
        };
        if let Some(origin) = origin {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// The answer to a preflight request, or to a plain `OPTIONS`.
pub(super) fn preflight(methods: &'static str) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(origins: &Origins, origin: &'static str) -> Option<HeaderValue> {
        let mut response = HeaderMap::new();
        origins.allow(Some(&HeaderValue::from_static(origin)), &mut response);
        response.remove(ACCESS_CONTROL_ALLOW_ORIGIN)
    }

    #[test]
    fn listed_origins_alone_may_read() {
        assert_eq!(answer(&Origins::Any, "https://a.example").unwrap(), "*");
        let listed = Origins::Listed(vec!["https://a.example".into()]);
        assert_eq!(answer(&listed, "https://a.example").unwrap(), "https://a.example");
        assert_eq!(answer(&listed, "https://a.example.org"), None);
    }
}
