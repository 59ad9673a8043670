//! Errors of the other rooms, as clients see them.

use http::StatusCode;

use super::{ApiError, Code};
use crate::admission::Refusal;
use crate::api::filename::TemplateError;
use crate::extract::{ExtractError, PageErrorKind, PageUrlError};
use crate::playlist::PlaylistError;
use crate::relay::RelayError;
use crate::ticket::{KeyError, TokenError};

/// Seconds after which one of a client's streams may have ended.
const RETRY_STREAM: u32 = 5;

impl From<PageUrlError> for ApiError {
    fn from(error: PageUrlError) -> Self {
        let code = match error {
            PageUrlError::Scheme => Code::UnsupportedUrl,
            PageUrlError::Malformed
            | PageUrlError::TooLong
            | PageUrlError::Userinfo
            | PageUrlError::Smuggled => Code::BadRequest,
        };
        Self::new(code, error.to_string())
    }
}

impl From<TemplateError> for ApiError {
    fn from(error: TemplateError) -> Self {
        Self::new(Code::BadRequest, error.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (code, retry_after) = match &refusal {
            Refusal::UnknownKey | Refusal::NoKey | Refusal::NotPublic => (Code::Unauthorized, None),
            Refusal::Rate(allowance) => (Code::RateLimited, Some(allowance.seconds)),
            Refusal::Streams(_) => (Code::RateLimited, Some(RETRY_STREAM)),
            Refusal::Bytes { seconds, .. } => (Code::RateLimited, Some(*seconds)),
        };
        Self { retry_after, ..Self::new(code, refusal.to_string()) }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Invalid => Code::InvalidToken,
            TokenError::Expired => Code::ExpiredToken,
        };
        Self::new(code, error.to_string())
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        Self::internal(error)
    }
}

impl From<ExtractError> for ApiError {
    fn from(error: ExtractError) -> Self {
        match error {
            ExtractError::Page(error) => {
                let mut answer = Self::new(page_code(error.kind), error.message);
                answer.retry_after = error.retry_after.or(answer.retry_after);
                answer
            }
            ExtractError::Timeout(_) => Self::new(Code::ExtractionTimeout, error.to_string()),
            ExtractError::Overloaded | ExtractError::Stalled => {
                Self::new(Code::Overloaded, error.to_string())
            }
            ExtractError::Closed => Self::new(Code::Draining, error.to_string()),
            ExtractError::Bug(error) => Self::internal(error),
        }
    }
}

fn page_code(kind: PageErrorKind) -> Code {
    match kind {
        PageErrorKind::BadRequest => Code::BadRequest,
        PageErrorKind::UnsupportedUrl => Code::UnsupportedUrl,
        PageErrorKind::NotFound => Code::NotFound,
        PageErrorKind::Private => Code::Private,
        PageErrorKind::LoginRequired => Code::LoginRequired,
        PageErrorKind::GeoRestricted => Code::GeoRestricted,
        PageErrorKind::AgeRestricted => Code::AgeRestricted,
        PageErrorKind::NotLive => Code::NotLive,
        PageErrorKind::ExtractionFailed => Code::ExtractionFailed,
        PageErrorKind::FormatUnavailable => Code::FormatUnavailable,
        PageErrorKind::UpstreamBlocked => Code::UpstreamBlocked,
        PageErrorKind::UpstreamError => Code::UpstreamError,
        PageErrorKind::UpstreamTimeout => Code::UpstreamTimeout,
        PageErrorKind::ExtractionTimeout => Code::ExtractionTimeout,
        PageErrorKind::BlockedAddress => Code::BlockedAddress,
        PageErrorKind::LimitExceeded => Code::LimitExceeded,
        PageErrorKind::Internal => Code::Internal,
    }
}

impl From<RelayError> for ApiError {
    fn from(error: RelayError) -> Self {
        let code = match &error {
            RelayError::Egress(error) if error.is_forbidden() => Code::BlockedAddress,
            RelayError::Egress(error) if error.is_timeout() => Code::UpstreamTimeout,
            RelayError::Status(StatusCode::TOO_MANY_REQUESTS) => Code::UpstreamBlocked,
            RelayError::Unsatisfiable { .. } => Code::RangeNotSatisfiable,
            RelayError::PreconditionFailed => Code::PreconditionFailed,
            RelayError::Full | RelayError::NoRoom => Code::Overloaded,
            RelayError::TooLong(_)
            | RelayError::Playlist(PlaylistError::TooLong | PlaylistError::TooManySegments) => {
                Code::LimitExceeded
            }
            RelayError::NoNews => Code::UpstreamTimeout,
            _ => Code::UpstreamError,
        };
        tracing::info!(error = &error as &dyn std::error::Error, "no stream");
        let total = match &error {
            RelayError::Unsatisfiable { total } => *total,
            _ => None,
        };
        Self { total, ..Self::new(code, error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::PageError;

    #[test]
    fn metrics_call_failures_what_clients_hear() {
        let page = |kind: &PageErrorKind| {
            let message = String::new();
            ExtractError::Page(PageError {
                kind: *kind,
                message,
                trace: None,
                retry_after: None,
                limit: None,
            })
        };
        let own = [
            ExtractError::Timeout(30),
            ExtractError::Overloaded,
            ExtractError::Stalled,
            ExtractError::Closed,
            ExtractError::Bug(String::new()),
        ];
        for error in PageErrorKind::ALL.iter().map(page).chain(own) {
            assert_eq!(error.label(), ApiError::from(error).code.as_str());
        }
    }
}
