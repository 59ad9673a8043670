//! How long an egress is left alone.

use std::time::{Duration, Instant};

/// A growing pause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) until: Instant,
    /// That of the last one whose cause was sure; zero before the first.
    length: Duration,
    /// Whether another egress was better off: otherwise it may have been the page's fault.
    pub(super) sure: bool,
}

impl Pause {
    /// The first, or the one that follows the last.
    pub(super) fn after(
        last: Option<Pause>,
        now: Instant,
        (least, most): (Duration, Duration),
        sure: bool,
    ) -> Self {
        // Jobs that were under way say the same once more.
        if let Some(last) = last.filter(|last| last.lasts(now) && (last.sure || !sure)) {
            return last;
        }
        // Who has been well for as long as it had to rest begins anew.
        let recent = last.filter(|last| now < last.until + last.length.max(least));
        let length = recent.map_or(Duration::ZERO, |last| last.length);
        match sure {
            false => Self { until: now + least, length, sure },
            true => {
                let length = (length * 2).clamp(least, most);
                Self { until: now + length, length, sure }
            }
        }
    }

    pub(super) fn lasts(self, now: Instant) -> bool {
        now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

    #[test]
    fn pauses_grow_only_with_new_failures() {
        let now = Instant::now();
        let first = Pause::after(None, now, RANGE, true);
        assert_eq!(first.length, RANGE.0);
        let same = Pause::after(Some(first), now + RANGE.0 / 2, RANGE, true);
        assert_eq!((same.until, same.length), (first.until, first.length));
        let mut last = first;
        for expected in [120, 240, 480, 960, 1920, 3600, 3600] {
            last = Pause::after(Some(last), last.until, RANGE, true);
            assert_eq!(last.length.as_secs(), expected);
        }
        let later = last.until + last.length;
        assert_eq!(Pause::after(Some(last), later, RANGE, true).length, RANGE.0);
    }

    #[test]
    fn what_may_be_the_pages_fault_never_grows_but_is_remembered() {
        let now = Instant::now();
        let mut last = Pause::after(None, now, RANGE, false);
        for _ in 0..5 {
            last = Pause::after(Some(last), last.until, RANGE, false);
            assert!(!last.sure);
        }
        let sure = Pause::after(Some(last), last.until, RANGE, true);
        assert_eq!(sure.until - last.until, RANGE.0);
        let unsure = Pause::after(Some(sure), sure.until, RANGE, false);
        assert_eq!(unsure.until - sure.until, RANGE.0);
        let sure = Pause::after(Some(unsure), sure.until, RANGE, true);
        assert_eq!(sure.length, RANGE.0 * 2, "it goes on from the last one that was sure");
    }
}
