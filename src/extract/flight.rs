//! One extraction for all who ask for the same at the same time.
//!
//! A flight is a task of its own, so that nobody's leaving ends it for the others. One that everybody has left is
//! taken out of the queue, if no worker has begun it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Ask;
use super::cache::Outcome;

/// Flights under way, by what was asked for.
pub(super) struct Flights<S>(Mutex<HashMap<Ask, Announce<S>>>);

/// The task's end of a flight.
pub(super) type Announce<S> = watch::Sender<Option<Outcome<S>>>;

/// A passenger's end of a flight.
pub(super) struct Aboard<S>(watch::Receiver<Option<Outcome<S>>>);

impl<S> Aboard<S> {
    /// Waits for the outcome; none where the task was lost.
    pub(super) async fn landed(mut self) -> Option<Outcome<S>> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<S> Default for Flights<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Flights<S> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Ask, Announce<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boards the flight that is under way; where there is none, the second part is a new one's, to be flown.
    pub(super) fn board(&self, ask: &Ask) -> (Aboard<S>, Option<Announce<S>>) {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(ask) {
            return (Aboard(flight.subscribe()), None);
        }
        let (announce, aboard) = watch::channel(None);
        flights.insert(ask.clone(), announce.clone());
        (Aboard(aboard), Some(announce))
    }

    /// Gives a flight up that nobody is aboard, if `withdraw` can still call it off. Nobody can board it meanwhile.
    pub(super) fn abandon(&self, ask: &Ask, announce: &Announce<S>, withdraw: impl FnOnce() -> bool) -> bool {
        let mut flights = self.lock();
        let abandoned = announce.is_closed() && withdraw();
        if abandoned {
            flights.remove(ask);
        }
        abandoned
    }

    /// Ends the flight with an error if its task ends without: its passengers would wait for ever, and so would all
    /// who ask for the same later.
    pub(super) fn guard(&self, ask: &Ask, announce: &Announce<S>) -> Crash<'_, S> {
        Crash { flights: self, flight: Some((ask.clone(), announce.clone())) }
    }

    /// Ends a flight: who asks from here on finds the cache, or a new one.
    pub(super) fn land(&self, ask: &Ask, announce: &Announce<S>, outcome: Outcome<S>) {
        self.lock().remove(ask);
        announce.send_replace(Some(outcome));
    }
}

/// Lands a flight when it is dropped, unless it is disarmed.
pub(super) struct Crash<'a, S> {
    flights: &'a Flights<S>,
    flight: Option<(Ask, Announce<S>)>,
}

impl<S> Crash<'_, S> {
    pub(super) fn disarm(mut self) {
        self.flight = None;
    }
}

impl<S> Drop for Crash<'_, S> {
    fn drop(&mut self) {
        if let Some((ask, announce)) = self.flight.take() {
            self.flights.land(&ask, &announce, Err(super::bug("an extraction's task broke")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{ExtractError, PageUrl};

    #[tokio::test]
    async fn a_task_that_breaks_strands_nobody() {
        let flights = Flights::<()>::default();
        let ask = Ask { page: PageUrl::parse("https://a.example/").unwrap(), offset: 0, limit: 1 };
        let (aboard, new) = flights.board(&ask);
        drop(flights.guard(&ask, &new.unwrap()));
        assert!(matches!(aboard.landed().await, Some(Err(ExtractError::Bug(_)))));
        assert!(flights.board(&ask).1.is_some(), "the next one is a new one");
    }

    #[tokio::test]
    async fn a_flight_is_abandoned_only_while_nobody_is_aboard() {
        let flights = Flights::<()>::default();
        let ask = Ask { page: PageUrl::parse("https://a.example/").unwrap(), offset: 0, limit: 1 };
        let (first, new) = flights.board(&ask);
        let announce = new.unwrap();
        assert!(!flights.abandon(&ask, &announce, || true), "somebody is aboard");
        drop(first);
        assert!(!flights.abandon(&ask, &announce, || false), "it is under way");
        let (second, none) = flights.board(&ask);
        assert!(none.is_none());
        drop(second);
        assert!(flights.abandon(&ask, &announce, || true));
        assert!(flights.board(&ask).1.is_some());
    }
}
