//! What clients are told of their rate (draft-ietf-httpapi-ratelimit-headers-10).

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::admission::Allowance;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// `RateLimit-Policy: "extractions";q=30;w=60` (so many in so many seconds), and
/// `RateLimit: "extractions";r=29;t=2` (so many are left, and in so many seconds there is one more).
pub(super) fn tell(allowance: Allowance, headers: &mut HeaderMap) {
    let Allowance { rate, remaining, seconds } = allowance;
    let policy = format!("\"extractions\";q={};w={}", rate.count, rate.per.as_secs());
    let left = format!("\"extractions\";r={remaining};t={seconds}");
    for (name, value) in [(POLICY, policy), (LEFT, left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}
