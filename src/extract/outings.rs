//! What an extraction's outcome says of its way out, and the other way round.

use super::cache::Outcome;
use super::{ExtractError, Limit, PageError, PageErrorKind};
use crate::egress::{Blame, Denied, Outing};

/// The outcome as the client should hear it, and whether the egress is to blame.
pub(super) fn judged<S>(outcome: Outcome<S>, outing: &Outing) -> (Outcome<S>, Option<Blame>) {
    let kind = match &outcome {
        Ok(_) => {
            outing.served();
            return (outcome, None);
        }
        Err(ExtractError::Page(error)) => Some(error.kind),
        // The site may be slow, or the proxy.
        Err(ExtractError::Timeout(_)) => None,
        Err(_) => return (outcome, None),
    };
    if kind == Some(PageErrorKind::UpstreamBlocked) {
        return (outcome, Some(Blame::Blocked));
    }
    // Of other errors the page itself is the cause, whatever else was not to be had.
    if kind.is_some_and(|kind| !may_be_the_networks(kind)) {
        return (outcome, None);
    }
    let error = match (outing.denied(), kind) {
        (Some(Denied::Egress), _) => return (outcome, Some(Blame::Broken)),
        (Some(Denied::Doubt), _) => return (outcome, Some(Blame::Doubtful)),
        (None, _) | (_, None) => return (outcome, None),
        (Some(Denied::Address), _) => PageError::forbidden(),
        (Some(Denied::Dials), _) => {
            PageError::over(Limit::Requests, "The page needs too many connections (MAX_REQUESTS)".to_owned())
        }
        (Some(Denied::Bytes), _) => {
            PageError::over(Limit::JobBytes, "The page needs too many bytes (MAX_JOB_BYTES)".to_owned())
        }
        // It is the site that has none, and others may get there.
        (Some(Denied::Family), _) => return (outcome, Some(Blame::Blocked)),
    };
    (Err(ExtractError::Page(error)), None)
}

/// Whether an outcome is the page's own: what any egress that works would have had.
pub(super) fn is_of_page<S>(outcome: &Outcome<S>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(ExtractError::Page(error)) => !may_be_the_networks(error.kind),
        Err(_) => false,
    }
}

fn may_be_the_networks(kind: PageErrorKind) -> bool {
    use PageErrorKind::{ExtractionFailed, UnsupportedUrl, UpstreamError, UpstreamTimeout};
    matches!(kind, ExtractionFailed | UnsupportedUrl | UpstreamError | UpstreamTimeout)
}
