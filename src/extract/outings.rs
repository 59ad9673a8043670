//! What an extraction's outcome says of its way out, and the other way round.

use super::cache::Outcome;
use super::{ExtractError, Limit, PageError, PageErrorKind};
use crate::egress::{Denied, Outing};

/// The outcome as the client should hear it, and whether another egress may do better.
pub(super) fn judged<S>(outcome: Outcome<S>, outing: &Outing) -> (Outcome<S>, bool) {
    let kind = match &outcome {
        Ok(_) => {
            outing.served();
            return (outcome, false);
        }
        Err(ExtractError::Page(error)) => error.kind,
        // The site may be slow, or the proxy.
        Err(_) => return (outcome, outing.denied() == Some(Denied::Egress) && outing.broke()),
    };
    if kind == PageErrorKind::UpstreamBlocked {
        return (outcome, outing.blocked());
    }
    // Of other errors the page itself is the cause, whatever else was not to be had.
    if !may_be_the_networks(kind) {
        return (outcome, false);
    }
    let error = match outing.denied() {
        None => return (outcome, false),
        Some(Denied::Address) => PageError::forbidden(),
        Some(Denied::Dials) => {
            PageError::over(Limit::Requests, "The page needs too many connections (MAX_REQUESTS)".to_owned())
        }
        Some(Denied::Bytes) => {
            PageError::over(Limit::JobBytes, "The page needs too many bytes (MAX_JOB_BYTES)".to_owned())
        }
        Some(Denied::Egress) => return (outcome, outing.broke()),
        // It is the site that has none, and others may get there.
        Some(Denied::Family) => return (outcome, outing.blocked()),
    };
    (Err(ExtractError::Page(error)), false)
}

fn may_be_the_networks(kind: PageErrorKind) -> bool {
    use PageErrorKind::{ExtractionFailed, UnsupportedUrl, UpstreamError, UpstreamTimeout};
    matches!(kind, ExtractionFailed | UnsupportedUrl | UpstreamError | UpstreamTimeout)
}
