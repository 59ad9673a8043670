//! How much a client may have.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::Quota;
use governor::middleware::StateSnapshot;

const DAY: u64 = 86_400;

/// So many in a time; as many at once, and then one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In what time: a second, a minute, an hour, or a day.
    pub per: Duration,
}

impl Rate {
    pub(super) fn quota(self) -> Quota {
        #[expect(clippy::expect_used, reason = "a count of 32 bits divides a second into more than nothing")]
        let quota = Quota::with_period(self.per / self.count.get()).expect("a period");
        quota.allow_burst(self.count)
    }
}

impl FromStr for Rate {
    type Err = String;

    /// As `30/m`: `s`, `m`, `h` or `d`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (count, unit) = text.split_once('/').unwrap_or_default();
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => DAY,
            _ => 0,
        };
        match count.parse::<NonZeroU32>() {
            Ok(count) if seconds > 0 && count.get() <= 1_000_000 => {
                Ok(Self { count, per: Duration::from_secs(seconds) })
            }
            _ => Err(format!("{text:?} is no rate such as 30/m (s, m, h, d; 1000000 at most)")),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "second",
            60 => "minute",
            3600 => "hour",
            _ => "day",
        };
        write!(formatter, "{} extractions per {unit}", self.count)
    }
}

/// What a client may have. Nothing means: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Extractions.
    pub rate: Option<Rate>,
    /// Streams at a time.
    pub streams: Option<NonZeroU32>,
    /// Bytes of streams from midnight to midnight, UTC.
    pub bytes: Option<u64>,
}

/// Bytes, as a number or with one of K, M, G, T after it (1024, and so on).
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.char_indices().next_back() {
        Some((end, 'K' | 'k')) => (&text[..end], 10),
        Some((end, 'M' | 'm')) => (&text[..end], 20),
        Some((end, 'G' | 'g')) => (&text[..end], 30),
        Some((end, 'T' | 't')) => (&text[..end], 40),
        _ => (text, 0),
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    number.filter(|number| *number > 0).ok_or_else(|| format!("{text:?} is no number of bytes such as 50G"))
}

/// What is left of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The rate.
    pub rate: Rate,
    /// How many it has left at once.
    pub remaining: u32,
    /// Seconds until there is one more; none where nothing is lacking.
    pub seconds: u32,
}

impl Allowance {
    pub(super) fn left(rate: Rate, snapshot: &StateSnapshot) -> Self {
        let remaining = snapshot.remaining_burst_capacity();
        let each = rate.per / rate.count.get();
        let seconds = if remaining < rate.count.get() { whole_seconds(each) } else { 0 };
        Self { rate, remaining, seconds }
    }

    pub(super) fn used_up(rate: Rate, wait: Duration) -> Self {
        Self { rate, remaining: 0, seconds: whole_seconds(wait) }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rate.fmt(formatter)
    }
}

/// Upwards: who comes back then is not too early.
fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_told() {
        for (text, told) in [
            ("30/m", "30 extractions per minute"),
            ("1/s", "1 extractions per second"),
            ("1000000/d", "1000000 extractions per day"),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), told);
        }
        for text in ["", "30", "0/m", "-1/m", "30/x", "30/", "/m", "1000001/s", "1.5/m", "30 /m"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
