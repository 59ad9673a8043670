//! One extraction, from the queue to the cache and to all who wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot::error::RecvError;

use super::cache::{Outcome, Wanted};
use super::flight::Announce;
use super::pool::{Answer, Call, Pending, Priority, Refused};
use super::quarantine::{self, Job};
use super::{Ask, ExtractError, Extracted, Extraction, Inner, PageError, PageUrl, bug, work};

impl<S: Send + Sync + 'static> Inner<S> {
    /// What has no parts is known as this, whatever part of it was asked for.
    pub(super) fn whole(&self, page: PageUrl) -> Ask {
        Ask { page, offset: 0, limit: self.max_entries }
    }

    pub(super) fn known(&self, ask: &Ask, wanted: Wanted) -> Option<Outcome<S>> {
        // What is no playlist has no parts.
        let whole = || {
            let outcome = self.cache.get(&self.whole(ask.page.clone()), wanted)?;
            outcome.as_ref().is_ok_and(|known| !known.extraction.is_playlist()).then_some(outcome)
        };
        let outcome = self.cache.get(ask, wanted).or_else(whole)?;
        self.metrics.extraction_found("cache");
        Some(outcome)
    }

    /// Extracts, and tells everybody who is aboard.
    pub(super) async fn fly(self: Arc<Self>, ask: Ask, announce: Announce<S>, wanted: Wanted) {
        let started = Instant::now();
        let crash = self.flights.guard(&ask, &announce);
        let priority = match wanted {
            // A stream waits in its middle.
            Wanted::Renewed => Priority::Urgent,
            Wanted::Known | Wanted::Fresh => Priority::Ordinary,
        };
        let call = Call::Extract { url: ask.page.as_str().to_owned(), offset: ask.offset, limit: ask.limit };
        let outcome = match self.submit(call, priority, started + self.timeout) {
            Err(error) => Err(error),
            Ok(job) => match self.wait(&ask, &announce, job, started + self.timeout).await {
                None => return crash.disarm(),
                Some(answer) => self.extracted(&ask, answer, priority, started + self.timeout).await,
            },
        };
        // What was not begun says nothing about how long it takes.
        if !matches!(outcome, Err(ExtractError::Overloaded | ExtractError::Stalled | ExtractError::Closed)) {
            self.metrics.extraction(outcome.as_ref().err().map(ExtractError::label), started.elapsed());
        }
        if let Err(ExtractError::Page(PageError { limit: Some(limit), .. })) = &outcome {
            self.metrics.limit_exceeded(limit.as_str());
        }
        let has_parts = outcome.as_ref().is_ok_and(|known| known.extraction.is_playlist());
        let question = if has_parts || outcome.is_err() { ask.clone() } else { self.whole(ask.page.clone()) };
        self.cache.put(question, wanted, &outcome);
        crash.disarm();
        self.flights.land(&ask, &announce, outcome);
    }

    /// Waits for a job; nothing where everybody left before it was begun.
    async fn wait(
        &self,
        ask: &Ask,
        announce: &Announce<S>,
        mut job: Pending,
        deadline: Instant,
    ) -> Option<Result<String, ExtractError>> {
        let late = tokio::time::sleep_until(deadline.into());
        tokio::pin!(late);
        let mut begun = false;
        loop {
            let answer = tokio::select! {
                answer = &mut job.answer => Some(answer),
                () = &mut late => None,
                () = announce.closed(), if !begun => {
                    let withdraw = || {
                        begun = !self.pool.withdraw(&job);
                        !begun
                    };
                    if self.flights.abandon(ask, announce, withdraw) {
                        return None;
                    }
                    // Begun, or boarded again in that moment.
                    continue;
                }
            };
            return Some(self.answered(answer));
        }
    }

    /// Has a helper go on with a job.
    async fn quarantined(&self, job: Job, held: bool) -> Result<String, ExtractError> {
        let Some(quarantine) = &self.quarantine else {
            return Err(ExtractError::Page(if held { PageError::held() } else { PageError::unsupported() }));
        };
        quarantine.run(job).await.map_err(|refused| match refused {
            quarantine::Refused::Full => ExtractError::Overloaded,
            quarantine::Refused::Closed => ExtractError::Closed,
            quarantine::Refused::Down => ExtractError::Stalled,
            quarantine::Refused::Overdue => ExtractError::Timeout(self.timeout.as_secs()),
            quarantine::Refused::Crashed => ExtractError::Page(PageError::crashed()),
        })
    }

    pub(super) fn submit(
        &self,
        call: Call,
        priority: Priority,
        deadline: Instant,
    ) -> Result<Pending, ExtractError> {
        if self.pulse.is_stalled() {
            return Err(ExtractError::Stalled);
        }
        self.pool.submit(call, priority, deadline).map_err(|refused| match refused {
            Refused::Full => ExtractError::Overloaded,
            Refused::Closed => ExtractError::Closed,
        })
    }

    /// What became of a job; none is one whose time is up.
    pub(super) fn answered(&self, answer: Option<Result<Answer, RecvError>>) -> Result<String, ExtractError> {
        match answer {
            None => Err(ExtractError::Timeout(self.timeout.as_secs())),
            Some(Err(_)) if self.pool.is_closed() => Err(ExtractError::Closed),
            Some(Err(_)) => Err(bug("the worker was lost")),
            Some(Ok(answer)) => answer.map_err(bug),
        }
    }

    async fn extracted(
        &self,
        ask: &Ask,
        answer: Result<String, ExtractError>,
        priority: Priority,
        deadline: Instant,
    ) -> Outcome<S> {
        let mut answer = answer?;
        let extraction: Extraction = match work::read(&answer)? {
            work::Answer::Done(extraction) => extraction,
            work::Answer::HandOff { state, held } => {
                let job = Job { state, offset: ask.offset, limit: ask.limit, priority, deadline };
                answer = self.quarantined(job, held).await?;
                work::read(&answer)?.done()?
            }
        };
        let (sealed, bytes) = (self.seal)(&ask.page, &extraction);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        // The texts of the answer, once more as a structure.
        Ok(Arc::new(Extracted { number, extraction, sealed, bytes: answer.len() * 3 / 2 + bytes }))
    }
}
