//! A limit on silence: a timer that costs next to nothing while there is progress.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Waits for something that may not stay away for longer than a limit.
#[derive(Debug)]
pub(crate) struct Silence {
    limit: Duration,
    /// Since when nothing came; unset while things go on.
    since: Option<Instant>,
    /// Made at the first wait. It may fire early, and is then set anew: to set it at each wait would cost more.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// For a longest silence of `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: None }
    }

    /// Something came.
    pub(crate) fn end(&mut self) {
        self.since = None;
    }

    /// To be called whenever there is nothing: ready once that has been so for the whole limit.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_an_unbroken_silence_counts() {
        let limit = Duration::from_secs(10);
        let mut silence = Silence::new(limit);
        let start = Instant::now();
        for _ in 0..5 {
            let waited = tokio::time::timeout(limit / 2, poll_fn(|cx| silence.poll(cx))).await;
            assert!(waited.is_err());
            silence.end();
        }
        poll_fn(|cx| silence.poll(cx)).await;
        assert_eq!(start.elapsed(), limit / 2 * 5 + limit);
    }
}
