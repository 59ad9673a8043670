//! What became of a try to have the bytes that follow, and whether another one may do better.

use http::StatusCode;

use super::error::RelayError;
use super::source::is_stale;
use crate::egress::EgressError;

/// Why a try did not give the bytes that follow.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It may be over soon.
    #[error("{0}")]
    Passing(RelayError),
    /// The link has expired.
    #[error("{0}")]
    Stale(RelayError),
    /// It will not get better.
    #[error("{0}")]
    Final(RelayError),
    /// The file is another one now, or there is no telling.
    #[error("the file has changed")]
    Changed,
    /// The answer does not carry the tag that was to vouch for it.
    #[error("the answer carries no entity tag")]
    Untagged,
    /// The CDN sends nothing but the whole, and that is too much to skip.
    #[error("the site's server does not serve ranges")]
    NoRanges,
}

impl Failure {
    /// Whether the same may do in a while.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Passing(_))
    }

    /// What to say where nothing was sent yet.
    pub(super) fn into_error(self) -> RelayError {
        match self {
            Self::Passing(error) | Self::Stale(error) | Self::Final(error) => error,
            Self::Changed | Self::Untagged | Self::NoRanges => RelayError::WrongPart,
        }
    }
}

impl From<RelayError> for Failure {
    fn from(error: RelayError) -> Self {
        match &error {
            RelayError::Status(status) => match *status {
                _ if is_stale(&error) => Self::Stale(error),
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                    Self::Passing(error)
                }
                status if status.is_server_error() => Self::Passing(error),
                _ => Self::Final(error),
            },
            RelayError::Egress(EgressError::Address) => Self::Final(error),
            RelayError::Egress(_) if is_stale(&error) => Self::Stale(error),
            RelayError::Egress(egress) if egress.is_forbidden() => Self::Final(error),
            RelayError::Egress(_) | RelayError::Broken | RelayError::NoRoom => Self::Passing(error),
            RelayError::WrongPart => Self::Changed,
            _ => Self::Final(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_pass_are_told_from_those_that_stay() {
        let of = |status: u16| Failure::from(RelayError::Status(StatusCode::from_u16(status).unwrap()));
        assert!([401, 403, 404, 410].map(of).iter().all(|it| matches!(it, Failure::Stale(_))));
        assert!([408, 425, 429, 500, 503].map(of).iter().all(|it| matches!(it, Failure::Passing(_))));
        assert!([400, 304, 416, 451].map(of).iter().all(|it| matches!(it, Failure::Final(_))));
        assert!(matches!(Failure::from(RelayError::WrongPart), Failure::Changed));
        assert!(matches!(Failure::from(RelayError::Egress(EgressError::Timeout)), Failure::Passing(_)));
    }
}
