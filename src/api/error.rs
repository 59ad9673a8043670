//! The one table of errors: stable codes, HTTP status codes, and their bodies (RFC 9457).
//!
//! No other file knows a status code of an error.

mod convert;

use http::header::{ALLOW, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::body::{self, Body};

/// Seconds after which a client of an overloaded server may come back.
const RETRY_SOON: u32 = 2;
/// Seconds after which a site that refuses this address may have changed its mind.
const RETRY_BLOCKED: u32 = 60;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Its HTTP status code.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What it means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// Malformed JSON or URL, or a value of the wrong type.
    BadRequest = "bad_request", 400, "The request is malformed";
    /// A required parameter is absent.
    MissingParameter = "missing_parameter", 422, "A parameter is missing";
    /// No extractor takes the URL, or this endpoint does not.
    UnsupportedUrl = "unsupported_url", 400, "The URL is not supported";
    /// The policy forbids the address.
    BlockedAddress = "blocked_address", 403, "The address is not allowed";
    /// A key is required, or another one.
    Unauthorized = "unauthorized", 401, "A key is required";
    /// The client has had what it may for now.
    RateLimited = "rate_limited", 429, "Too much for one client";
    /// The token is forged or damaged.
    InvalidToken = "invalid_token", 400, "The token is not valid";
    /// The token is too old.
    ExpiredToken = "expired_token", 410, "The token has expired";
    /// The site does not have it.
    NotFound = "not_found", 404, "The site has no such page";
    /// It is not for everybody.
    Private = "private", 403, "The page is private";
    /// The site wants an account.
    LoginRequired = "login_required", 403, "The site requires a login";
    /// The site does not serve this country.
    GeoRestricted = "geo_restricted", 451, "The site does not serve this country";
    /// The site wants a proof of age.
    AgeRestricted = "age_restricted", 403, "The site restricts the page by age";
    /// The broadcast has not begun, or is over.
    NotLive = "not_live", 409, "The broadcast is not live";
    /// Anything else that yt-dlp raised.
    ExtractionFailed = "extraction_failed", 502, "The extraction failed";
    /// What the page holds or needs is more than the settings allow.
    LimitExceeded = "limit_exceeded", 502, "The page goes beyond a limit";
    /// The selector matches nothing that can be streamed.
    FormatUnavailable = "format_unavailable", 404, "No such format";
    /// The site refuses this server's address.
    UpstreamBlocked = "upstream_blocked", 503, "The site refuses this server";
    /// The site or its CDN failed before the first byte.
    UpstreamError = "upstream_error", 502, "The site failed";
    /// The site or its CDN did not answer.
    UpstreamTimeout = "upstream_timeout", 504, "The site did not answer in time";
    /// `YTDLP_TIMEOUT` passed.
    ExtractionTimeout = "extraction_timeout", 504, "The extraction took too long";
    /// A queue or stream limit.
    Overloaded = "overloaded", 503, "The server is busy";
    /// The server is shutting down.
    Draining = "draining", 503, "The server is shutting down";
    /// No such path.
    RouteNotFound = "route_not_found", 404, "No such path";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed";
    /// The request's body did not come in time.
    RequestTimeout = "request_timeout", 408, "The request took too long";
    /// The request's body is too large.
    TooLarge = "too_large", 413, "The request is too large";
    /// The request's URI is too long.
    UriTooLong = "uri_too_long", 414, "The request's URI is too long";
    /// The file has no byte in the range that is asked for.
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The range is outside of the file";
    /// `If-Match` or `If-Unmodified-Since` does not hold.
    PreconditionFailed = "precondition_failed", 412, "The file is not the expected one";
    /// The request's headers are too long.
    HeadersTooLarge = "headers_too_large", 431, "The request's headers are too large";
    /// A bug.
    Internal = "internal", 500, "Internal error";
}

/// An error as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct ApiError {
    /// Which.
    pub code: Code,
    /// For people; holds no path, address, token, cookie or traceback.
    pub detail: String,
    retry_after: Option<u32>,
    allow: Option<&'static str>,
    /// Bytes of the file that a range lies outside of.
    total: Option<u64>,
    /// Whether nothing more is read from the connection.
    closes: bool,
}

/// RFC 9457 §3.1, and `code`.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
}

impl ApiError {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = match code {
            Code::Overloaded | Code::Draining => Some(RETRY_SOON),
            Code::UpstreamBlocked => Some(RETRY_BLOCKED),
            _ => None,
        };
        Self { code, detail: detail.into(), retry_after, allow: None, total: None, closes: false }
    }

    pub(super) fn no_route() -> Self {
        Self::new(Code::RouteNotFound, "no such path; /openapi.json lists them")
    }

    /// The page has nothing of the kind.
    pub(super) fn not_there(detail: impl Into<String>) -> Self {
        Self::new(Code::FormatUnavailable, detail)
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(Code::MissingParameter, format!("the parameter `{parameter}` is required"))
    }

    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed, format!("this path takes {allow}")) }
    }

    /// Ends the connection with the answer: where what follows on it might not be meant as a request.
    pub(super) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// A bug: the text goes to the log; the client hears the request's id, by which it is found there.
    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(Code::Internal, "something went wrong in this server")
    }

    /// Says the request's id where the detail is all that there is to go by.
    pub(super) fn with_id(mut self, id: &str) -> Self {
        if self.code == Code::Internal {
            self.detail = format!("{}; its log has more under {id}", self.detail);
        }
        self
    }

    /// `application/problem+json`.
    pub(super) fn into_problem(self) -> Response<Body> {
        let problem = Problem {
            r#type: format!("urn:sluice:error:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.as_str(),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        self.into_response("application/problem+json", body)
    }

    /// The seed's shape, for `/tiktok` alone.
    pub(super) fn into_seed(self) -> Response<Body> {
        let body = json!({
            "code": self.code.status(),
            "message": self.code.title(),
            "status": "error",
            "error": self.code.as_str(),
            "detail": self.detail,
        });
        self.into_response("application/json", body.to_string().into_bytes())
    }

    fn into_response(self, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
        let mut response = Response::new(body::full(body));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.code == Code::Unauthorized {
            // RFC 9110 §15.5.2, RFC 6750 §3.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sluice\""));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // RFC 9110 §15.5.17.
        if let Some(range) =
            self.total.and_then(|total| HeaderValue::try_from(format!("bytes */{total}")).ok())
        {
            headers.insert(CONTENT_RANGE, range);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_their_statuses_are_errors() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        for code in [Code::Overloaded, Code::Draining, Code::UpstreamBlocked] {
            assert!(ApiError::new(code, "").into_problem().headers().contains_key(RETRY_AFTER));
        }
        assert!(!ApiError::new(Code::NotFound, "").into_problem().headers().contains_key(RETRY_AFTER));
    }
}
