//! Why an extraction failed.

use serde::Deserialize;

use super::Limit;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal,)*) => {
        /// What `pyenv/sluice/errors.py` makes of an exception. The names are the contract's codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
        pub enum PageErrorKind { $($(#[doc = $doc])* #[serde(rename = $code)] $name,)* }

        impl PageErrorKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The contract's code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

kinds! {
    /// The request itself can't be met, such as a selector with a wrong syntax.
    BadRequest = "bad_request",
    /// No extractor takes the URL.
    UnsupportedUrl = "unsupported_url",
    /// The post is not there.
    NotFound = "not_found",
    /// The post is not for everybody.
    Private = "private",
    /// The site wants an account.
    LoginRequired = "login_required",
    /// The site does not serve this country.
    GeoRestricted = "geo_restricted",
    /// The site wants a proof of age.
    AgeRestricted = "age_restricted",
    /// The broadcast has not begun, or is over.
    NotLive = "not_live",
    /// Anything else that yt-dlp raised.
    ExtractionFailed = "extraction_failed",
    /// The selector matches nothing that can be streamed.
    FormatUnavailable = "format_unavailable",
    /// The site refuses this server's address.
    UpstreamBlocked = "upstream_blocked",
    /// The site failed.
    UpstreamError = "upstream_error",
    /// The site did not answer.
    UpstreamTimeout = "upstream_timeout",
    /// The time for the extraction is over.
    ExtractionTimeout = "extraction_timeout",
    /// It leads to an address that this server does not connect to.
    BlockedAddress = "blocked_address",
    /// The page goes beyond one of [`Limits`](super::Limits).
    LimitExceeded = "limit_exceeded",
    /// Our Python code failed.
    Internal = "internal",
}

/// What yt-dlp said of a page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PageError {
    /// Its class.
    pub kind: PageErrorKind,
    /// For people; holds no path, address, token, cookie or traceback.
    pub message: String,
    /// For the log alone: where our Python code failed.
    #[serde(default)]
    pub trace: Option<String>,
    /// Seconds after which another try may do.
    #[serde(default)]
    pub retry_after: Option<u32>,
    /// Of [`PageErrorKind::LimitExceeded`]: which.
    #[serde(default)]
    pub limit: Option<Limit>,
}

impl PageError {
    fn new(kind: PageErrorKind, message: &str) -> Self {
        Self { kind, message: message.to_owned(), trace: None, retry_after: None, limit: None }
    }

    /// Only an extractor takes the page which takes any host, and those are switched off.
    pub(super) fn unsupported() -> Self {
        Self::new(PageErrorKind::UnsupportedUrl, "No extractor takes this URL")
    }

    /// It leads where this server does not connect to.
    pub(super) fn forbidden() -> Self {
        let message = "The page leads to an address that this server does not connect to";
        Self::new(PageErrorKind::BlockedAddress, message)
    }

    /// It wants more of the network than it may have.
    pub(super) fn over(limit: Limit, message: String) -> Self {
        Self { limit: Some(limit), ..Self::new(PageErrorKind::LimitExceeded, &message) }
    }

    /// The page has kept others from being extracted, and there is nobody to go on with it.
    pub(super) fn held() -> Self {
        let message = "The page keeps the extractors busy for too long (MAX_HOLD)";
        Self { limit: Some(Limit::Hold), ..Self::new(PageErrorKind::LimitExceeded, message) }
    }

    /// The page ends the processes that read it.
    pub(super) fn crashed() -> Self {
        Self::new(PageErrorKind::ExtractionFailed, "The extractor broke down on this page")
    }
}

/// Why there is no extraction.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExtractError {
    /// The page, or the site, did not give it.
    #[error("{}", .0.message)]
    Page(PageError),
    /// `YTDLP_TIMEOUT` passed.
    #[error("the extraction took longer than {0} s")]
    Timeout(u64),
    /// The queue is full.
    #[error("too many extractions are waiting")]
    Overloaded,
    /// Python does not let go of the interpreter.
    #[error("the extractors do not answer at present")]
    Stalled,
    /// The pool is closed.
    #[error("the server is shutting down")]
    Closed,
    /// A bug of ours; the text is for the log alone.
    #[error("internal error: {0}")]
    Bug(String),
}

impl ExtractError {
    /// The contract's code, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Page(error) => error.kind.as_str(),
            Self::Timeout(_) => "extraction_timeout",
            Self::Overloaded | Self::Stalled => "overloaded",
            Self::Closed => "draining",
            Self::Bug(_) => "internal",
        }
    }
}
