//! A task that keeps a helper, and what it does when the helper is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use super::helper::{Helper, HelperError};
use super::{GRACE, Queued, Refused, Shared};
use crate::egress::Desk;

/// How often a job is begun, where its helper dies of something else than its deadline.
const TRIES: u32 = 3;
/// Pause after a start that failed; doubled with each more, up to [`MAX_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Seat {
    shared: Arc<Shared>,
    helper: Option<Helper>,
    desk: Desk,
    /// Whether it no longer counts as one.
    given_up: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.seats -= usize::from(!self.given_up);
        state.helpers -= usize::from(self.helper.is_some());
    }
}

impl Seat {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let desk = shared.guard.desk();
        Self { shared: Arc::clone(shared), helper: None, desk, given_up: false }
    }

    /// Does jobs until there are none for a while.
    pub(super) async fn live(mut self) {
        while let Some(queued) = self.next().await {
            let busy = Busy::new(&self.shared);
            self.serve(queued).await;
            self.desk.end();
            drop(busy);
            // Not when the next job comes: that one should not have to wait for it.
            let well = {
                let state = self.shared.lock();
                state.failures == 0 && !state.closed
            };
            if well && self.helper.is_none() {
                self.ensure_helper().await;
            }
        }
        self.end("idle").await;
        // Under the lock: who begins another seat comes after this, and so does its order.
        let state = self.shared.lock();
        if state.seats == 0 {
            self.shared.nursery.rest();
        }
    }

    /// Waits for a job. Nothing means that the seat is given up.
    async fn next(&mut self) -> Option<Queued> {
        loop {
            self.rest().await;
            let shared = Arc::clone(&self.shared);
            let called = shared.called.notified();
            tokio::pin!(called);
            // Before the look: who submits after it calls this one.
            called.as_mut().enable();
            let idle = {
                let mut state = shared.lock();
                if state.closed {
                    return None;
                }
                while let Some((_, queued)) = state.jobs.pop() {
                    if !queued.reply.is_closed() {
                        return Some(queued);
                    }
                }
                Idle::new(&shared, &mut state)
            };
            let waited = tokio::select! {
                waited = timeout(shared.settings.idle, called) => waited.is_ok(),
                () = Helper::ended(self.helper.as_mut()) => {
                    drop(idle);
                    self.lose(&HelperError::Died).await;
                    continue;
                }
            };
            drop(idle);
            let mut state = shared.lock();
            if !waited && state.jobs.is_empty() {
                // Under the lock: who submits from here on starts another seat.
                state.seats -= 1;
                self.given_up = true;
                return None;
            }
        }
    }

    /// Waits until a helper may be started again, where the last ones could not be.
    async fn rest(&self) {
        let rested = if self.helper.is_none() { self.shared.lock().rested } else { None };
        if let Some(at) = rested {
            sleep_until(at.into()).await;
        }
    }

    /// Does a job, and keeps its client from waiting for what becomes of the helper.
    async fn serve(&mut self, Queued { job, reply, .. }: Queued) {
        let mut reply = Some(reply);
        let mut answer = |outcome| {
            if let Some(reply) = reply.take() {
                // The client may have left, which is nobody's error.
                let _ = reply.send(outcome);
            }
        };
        let scripts = self.shared.scripts.clone();
        let proxy = match self.desk.begin(&job.outing) {
            Ok(proxy) => proxy,
            Err(error) => {
                tracing::error!(%error, "no way out for a helper");
                return answer(Err(Refused::Down));
            }
        };
        for _ in 0..TRIES {
            let Some(helper) = self.ensure_helper().await else { return answer(Err(Refused::Down)) };
            // Its client has heard that it took too long.
            if Instant::now() >= job.deadline {
                return;
            }
            let outcome = tokio::select! {
                biased;
                outcome = helper.run(job.work(&proxy), scripts.as_ref()) => Some(outcome),
                () = sleep_until((job.deadline + GRACE).into()) => None,
            };
            match outcome {
                Some(Ok(text)) => {
                    answer(Ok(text));
                    return self.settle().await;
                }
                Some(Err(error)) => self.lose(&error).await,
                None => return self.end("deadline").await,
            }
        }
        answer(Err(Refused::Crashed));
    }

    /// Looks at a helper that has done its job: what it keeps, the next page can't have.
    async fn settle(&mut self) {
        let most = self.shared.settings.memory / 4 * 3;
        if self.helper.as_ref().and_then(Helper::data).is_some_and(|bytes| bytes > most) {
            self.end("memory").await;
        }
    }

    /// Starts a helper where there is none.
    async fn ensure_helper(&mut self) -> Option<&mut Helper> {
        if self.helper.is_none() {
            match Helper::start(&self.shared.settings, &self.shared.nursery).await {
                Ok(helper) => {
                    let mut state = self.shared.lock();
                    state.helpers += 1;
                    (state.failures, state.rested) = (0, None);
                    self.helper = Some(helper);
                }
                Err(error) => {
                    tracing::error!(%error, "no helper for pages of any host");
                    self.shared.metrics.helper_ended(error.label());
                    let mut state = self.shared.lock();
                    let pause = PAUSE * 2_u32.saturating_pow(state.failures.min(16));
                    state.failures += 1;
                    state.rested = Some(Instant::now() + pause.min(MAX_PAUSE));
                    if state.is_down() {
                        for queued in state.jobs.drain() {
                            let _ = queued.reply.send(Err(Refused::Down));
                        }
                    }
                }
            }
        }
        self.helper.as_mut()
    }

    /// Gives up a helper that died, or that can't be believed any more.
    async fn lose(&mut self, error: &HelperError) {
        tracing::warn!(%error, "a helper for pages of any host is lost");
        self.end(error.label()).await;
    }

    async fn end(&mut self, reason: &'static str) {
        if let Some(helper) = self.helper.take() {
            self.shared.lock().helpers -= 1;
            self.shared.metrics.helper_ended(reason);
            helper.kill().await;
        }
    }
}

/// Counts a seat as idle.
struct Idle<'a>(&'a Shared);

impl<'a> Idle<'a> {
    fn new(shared: &'a Shared, state: &mut super::State) -> Self {
        state.idle += 1;
        Self(shared)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.lock().idle -= 1;
    }
}

/// Counts a seat as busy.
struct Busy(Arc<Shared>);

impl Busy {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.lock().busy += 1;
        Self(Arc::clone(shared))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}
