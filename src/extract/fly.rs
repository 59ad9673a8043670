//! One extraction, from the queue to the cache and to all who wait for it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::RecvError;

use super::cache::{Outcome, Wanted};
use super::flight::Announce;
use super::pool::{Answer, Call, Failure, Pending, Refused};
use super::quarantine::{self, Job};
use super::queue::{Asker, Priority};
use super::{Ask, ExtractError, Extracted, Extraction, Inner, PageError, PageUrl, bug, outings, work};
use crate::egress::{Blame, Outing};
use crate::telemetry::CacheLookup;

/// Least time that a second try is worth beginning with.
const LEAST_LEFT: Duration = Duration::from_secs(2);

/// What is the same for all parts of an extraction.
struct Trip<'a, S> {
    ask: &'a Ask,
    announce: &'a Announce<S>,
    asker: Asker,
    priority: Priority,
    deadline: Instant,
    /// Key of yt-dlp's extractor, as soon as a worker has said it. A helper, which a page may have taken over, is not
    /// asked.
    extractor: OnceLock<String>,
}

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
        self.metrics.cache_looked_up(CacheLookup::Hit);
        Some(outcome)
    }

    /// Extracts, and tells everybody who is aboard.
    pub(super) async fn fly(self: Arc<Self>, ask: Ask, announce: Announce<S>, wanted: Wanted, asker: Asker) {
        let started = Instant::now();
        let crash = self.flights.guard(&ask, &announce);
        let priority = match wanted {
            // A stream waits in its middle.
            Wanted::Renewed => Priority::Urgent,
            Wanted::Known | Wanted::Fresh => Priority::Ordinary,
        };
        let deadline = started + self.timeout;
        let trip =
            Trip { ask: &ask, announce: &announce, asker, priority, deadline, extractor: OnceLock::new() };
        let Some(outcome) = self.tried(&trip).await else {
            return crash.disarm();
        };
        // What was not begun says nothing about how long it takes.
        if !matches!(outcome, Err(ExtractError::Overloaded | ExtractError::Stalled | ExtractError::Closed)) {
            let label = outcome.as_ref().map_or_else(ExtractError::label, |_| "ok");
            self.metrics.extraction(trip.extractor.get().map(String::as_str), label, started.elapsed());
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

    /// Extracts by one egress, and once more by another where that one may be to blame; nothing where everybody left.
    async fn tried(&self, trip: &Trip<'_, S>) -> Option<Outcome<S>> {
        let site = trip.ask.page.site();
        let first = Arc::new(self.egress.outing(site, None, self.most)?);
        let (outcome, blame) = self.judged(trip, &first).await?;
        let Some(blame) = blame else { return Some(outcome) };
        let in_time = trip.deadline.saturating_duration_since(Instant::now()) > LEAST_LEFT;
        let second = match first.blamed(blame) && in_time {
            true => self.egress.outing(site, Some(&first), self.most).map(Arc::new),
            false => None,
        };
        let Some(second) = second else { return Some(outcome) };
        tracing::info!(egress = first.name(), site, "tried again by another egress");
        let (again, blame_again) = self.judged(trip, &second).await?;
        if let Some(blame) = blame_again {
            second.blamed(blame);
        } else if outings::is_of_page(&again) {
            first.confirmed(blame, &second);
        }
        // That of the first says more than that the second did not work, or had no time left.
        Some(match (blame_again, &again) {
            (None, Ok(_) | Err(ExtractError::Page(_))) => again,
            _ => outcome,
        })
    }

    /// What comes of an egress, and whether that is its fault.
    async fn judged(&self, trip: &Trip<'_, S>, outing: &Arc<Outing>) -> Option<(Outcome<S>, Option<Blame>)> {
        let outcome = self.once(trip, outing).await?;
        Some(outings::judged(outcome, outing))
    }

    async fn once(&self, trip: &Trip<'_, S>, outing: &Arc<Outing>) -> Option<Outcome<S>> {
        let ask = trip.ask;
        // Whoever still reads from a connection of it at its end, reads no more.
        let _end = Closing(outing);
        let (url, outing) = (ask.page.as_str().to_owned(), Arc::clone(outing));
        let call = Call::Extract { url, offset: ask.offset, limit: ask.limit, outing: Arc::clone(&outing) };
        let job = match self.submit(call, trip.asker, trip.priority, trip.deadline) {
            Ok(job) => job,
            Err(error) => return Some(Err(error)),
        };
        let withdraw = || self.pool.withdraw(job.number);
        let answer = self.wait(trip, job.answer, withdraw).await?;
        self.extracted(trip, self.answered(answer), &outing).await
    }

    /// Waits for a job: nothing where everybody left before it was begun, and in the second place where its time is up.
    async fn wait<T>(
        &self,
        trip: &Trip<'_, S>,
        mut answer: Receiver<T>,
        withdraw: impl Fn() -> bool,
    ) -> Option<Option<Result<T, RecvError>>> {
        let late = tokio::time::sleep_until(trip.deadline.into());
        tokio::pin!(late);
        let mut begun = false;
        loop {
            tokio::select! {
                // Where both are there, the answer is.
                biased;
                answer = &mut answer => return Some(Some(answer)),
                () = &mut late => return Some(None),
                () = trip.announce.closed(), if !begun => {
                    let withdrawn = || {
                        begun = !withdraw();
                        !begun
                    };
                    if self.flights.abandon(trip.ask, trip.announce, withdrawn) {
                        return None;
                    }
                    // Begun, or boarded again in that moment.
                }
            }
        }
    }

    /// Has a helper go on with a job; nothing where everybody left before it did.
    async fn quarantined(&self, trip: &Trip<'_, S>, job: Job) -> Option<Result<String, ExtractError>> {
        let Some(quarantine) = &self.quarantine else {
            return Some(Err(ExtractError::Page(PageError::unsupported())));
        };
        let deadline = job.deadline;
        let answer = match quarantine.submit(job) {
            Ok(job) => {
                let withdraw = || quarantine.withdraw(job.number);
                match self.wait(trip, job.answer, withdraw).await? {
                    Some(Ok(answer)) => answer,
                    // Nobody begins what comes too late, be it by a moment.
                    Some(Err(_)) if Instant::now() < deadline => Err(quarantine::Refused::Closed),
                    Some(Err(_)) | None => return Some(Err(ExtractError::Timeout(self.timeout.as_secs()))),
                }
            }
            Err(refused) => Err(refused),
        };
        Some(answer.map_err(|refused| match refused {
            quarantine::Refused::Full => ExtractError::Overloaded,
            quarantine::Refused::Closed => ExtractError::Closed,
            quarantine::Refused::Down => ExtractError::Stalled,
            quarantine::Refused::Crashed => ExtractError::Page(PageError::crashed()),
        }))
    }

    pub(super) fn submit(
        &self,
        call: Call,
        asker: Asker,
        priority: Priority,
        deadline: Instant,
    ) -> Result<Pending, ExtractError> {
        if self.pulse.is_stalled() {
            return Err(ExtractError::Stalled);
        }
        self.pool.submit(call, asker, priority, deadline).map_err(|refused| match refused {
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
            Some(Ok(answer)) => answer.map_err(|failure| match failure {
                Failure::Bug(error) => bug(error),
                Failure::Displaced => ExtractError::Overloaded,
            }),
        }
    }

    /// What Python's answer means, after a helper has gone on with it where one has to; nothing where everybody left.
    async fn extracted(
        &self,
        trip: &Trip<'_, S>,
        answer: Result<String, ExtractError>,
        outing: &Arc<Outing>,
    ) -> Option<Outcome<S>> {
        let read = |answer: &str, extractor: &OnceLock<String>| work::read::<Extraction>(answer, extractor);
        let (answer, mut extraction) = match answer
            .and_then(|answer| Ok((read(&answer, &trip.extractor)?, answer)))
        {
            Err(error) => return Some(Err(error)),
            Ok((work::Answer::Done(extraction), answer)) => (answer, extraction),
            Ok((work::Answer::HandOff { held: true, .. }, _)) if self.quarantine.is_none() => {
                return Some(Err(ExtractError::Page(PageError::held())));
            }
            Ok((work::Answer::HandOff { state, .. }, _)) => {
                let outing = Arc::clone(outing);
                let Trip { ask: Ask { offset, limit, .. }, asker, priority, deadline, .. } = *trip;
                let job = Job { state, offset: *offset, limit: *limit, asker, priority, deadline, outing };
                let answer = self.quarantined(trip, job).await?;
                match answer.and_then(|answer| Ok((read(&answer, &OnceLock::new())?.done()?, answer))) {
                    Err(error) => return Some(Err(error)),
                    Ok((extraction, answer)) => (answer, extraction),
                }
            }
        };
        extraction.leave_by(&outing.route());
        let (sealed, bytes) = (self.seal)(&trip.ask.page, &extraction);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        // The texts of the answer, once more as a structure.
        Some(Ok(Arc::new(Extracted { number, extraction, sealed, bytes: answer.len() * 3 / 2 + bytes })))
    }
}

/// Ends an extraction's connections when it is dropped, unless its worker has done so.
struct Closing<'a>(&'a Outing);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
