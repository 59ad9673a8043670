//! Who is connected: bounds for each address and for all, and who has to go when a new client finds no room.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::seat::{Presence, Seat};
use crate::telemetry::{Metrics, Refusal};

/// Of so many connections one is looked for at a time: looking goes through all of them.
const LOOK_AHEAD: usize = 64;
/// How many are looked for at least: one that has been found may get a request before it is closed.
const LEAST_AHEAD: usize = 4;
/// Pause after a look that found none, in microseconds: in a flood each new connection would have all looked through.
const LOOK_AGAIN: u64 = 50_000;

/// How many connections there may be.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Of one address; of an IPv6 network of 64 bits, which one client may have for itself.
    pub(super) per_address: usize,
    /// Of all.
    pub(super) all: usize,
    /// How long a client may take nothing of what is there for it before it has to make room.
    pub(super) patience: Duration,
    /// Whose connections are those of many clients.
    pub(super) trusted_proxies: Vec<IpNet>,
}

/// The connections of this process.
#[derive(Clone)]
pub(super) struct Crowd(Arc<Inner>);

pub(super) struct Inner {
    bounds: Bounds,
    started: Instant,
    metrics: Arc<Metrics>,
    book: Mutex<Book>,
}

/// An entry goes with its connection, that of an address with its last one.
#[derive(Default)]
struct Book {
    seats: HashMap<u64, Arc<Seat>>,
    addresses: HashMap<IpAddr, usize>,
    next: u64,
    /// Connections that can best be spared, as of the last look: since when, and which.
    oldest: VecDeque<(u64, u64)>,
    /// When they may be looked for again.
    next_look: u64,
}

impl Crowd {
    pub(super) fn new(bounds: Bounds, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner { bounds, started: Instant::now(), metrics, book: Mutex::default() }))
    }

    /// Takes a connection in. If there is no room, it takes the place of the one that has waited longest for a
    /// request, or else of the one whose client has longest taken nothing. `None`: its address has too many, or all
    /// others have requests under way and take the answers.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Arc<Presence>> {
        let inner = &self.0;
        let address = inner.bounds.counted(peer);
        let mut book = inner.book();
        let of_address = address.and_then(|address| book.addresses.get(&address)).copied().unwrap_or(0);
        let refusal = if of_address >= inner.bounds.per_address {
            Some(Refusal::Address)
        } else if book.seats.len() >= inner.bounds.all {
            (!inner.make_room(&mut book)).then_some(Refusal::Full)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            drop(book);
            inner.metrics.connections().refused(refusal);
            return None;
        }
        let number = book.next;
        book.next += 1;
        let seat = Arc::new(Seat::new(address, inner.now()));
        book.seats.insert(number, Arc::clone(&seat));
        if let Some(address) = address {
            *book.addresses.entry(address).or_default() += 1;
        }
        inner.metrics.connections().opened();
        Some(Arc::new(Presence::new(Arc::clone(inner), number, seat)))
    }
}

impl Bounds {
    /// What a peer's connections count under; nothing if many clients may be behind it.
    fn counted(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.trusted_proxies.iter().any(|net| net.contains(&peer)) {
            return None;
        }
        Some(match peer {
            IpAddr::V4(_) => peer,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }
}

impl Inner {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microseconds since the start.
    pub(super) fn now(&self) -> u64 {
        micros(self.started.elapsed())
    }

    /// Closes the connection that can best be spared, if one can.
    fn make_room(&self, book: &mut Book) -> bool {
        for looked in [false, true] {
            if looked {
                let now = self.now();
                if now < book.next_look {
                    return false;
                }
                book.look(now, now.saturating_sub(micros(self.bounds.patience)));
            }
            while let Some((since, number)) = book.oldest.pop_front() {
                let closed = book.seats.get(&number).is_some_and(|seat| seat.close_if_useless_since(since));
                if closed {
                    self.take_out(book, number);
                    self.metrics.connections().closed_for_room();
                    return true;
                }
            }
        }
        false
    }

    /// Forgets a connection that has ended.
    pub(super) fn left(&self, number: u64) {
        self.take_out(&mut self.book(), number);
    }

    fn take_out(&self, book: &mut Book, number: u64) {
        let Some(seat) = book.seats.remove(&number) else { return };
        self.metrics.connections().closed();
        let Some(address) = seat.address() else { return };
        if let Some(count) = book.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                book.addresses.remove(&address);
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Book {
    /// Looks for those that wait for a request, the longest first, or else for those that have been stalled since
    /// before a time: some at once, so that a flood of new connections does not look through all for each.
    fn look(&mut self, now: u64, stalled_before: u64) {
        let waiting = |(number, seat): (&u64, &Arc<Seat>)| Some((seat.waiting_since()?, *number));
        let stalled = |(number, seat): (&u64, &Arc<Seat>)| {
            Some((seat.stalled_since().filter(|since| *since <= stalled_before)?, *number))
        };
        let mut found: Vec<_> = self.seats.iter().filter_map(waiting).collect();
        if found.is_empty() {
            found = self.seats.iter().filter_map(stalled).collect();
        }
        if found.is_empty() {
            self.next_look = now + LOOK_AGAIN;
        }
        let count = self.seats.len() / LOOK_AHEAD + LEAST_AHEAD;
        if count < found.len() {
            found.select_nth_unstable(count);
            found.truncate(count);
        }
        found.sort_unstable();
        self.oldest = found.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn crowd(per_address: usize, all: usize) -> Crowd {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        Crowd::new(Bounds { per_address, all, patience: PATIENCE, trusted_proxies }, Arc::default())
    }

    fn admit(crowd: &Crowd, peer: &str) -> Option<Arc<Presence>> {
        crowd.admit(peer.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_and_no_more() {
        let crowd = crowd(2, 100);
        for (same, other) in [
            (["11.0.0.1", "11.0.0.1", "::ffff:11.0.0.1"], "11.0.0.2"),
            (["2a11::1", "2a11::2", "2a11::ffff:0:0:1"], "2a11:0:0:1::1"),
        ] {
            let first = admit(&crowd, same[0]);
            let second = admit(&crowd, same[1]);
            assert!(first.is_some() && second.is_some());
            assert!(admit(&crowd, same[2]).is_none());
            assert!(admit(&crowd, other).is_some());
            drop(second);
            assert!(admit(&crowd, same[2]).is_some());
        }
        assert!(crowd.0.book().addresses.is_empty() && crowd.0.book().seats.is_empty());
    }

    #[test]
    fn a_proxy_is_many_clients() {
        let crowd = crowd(1, 100);
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"] {
            let many: Vec<_> = (0..5).map(|_| admit(&crowd, peer)).collect();
            assert!(many.iter().all(Option::is_some), "{peer}");
        }
    }

    #[test]
    fn the_one_that_waited_longest_makes_room() {
        let crowd = crowd(100, 3);
        let [busy, first, second] = [(); 3].map(|()| {
            let presence = admit(&crowd, "11.0.0.1").unwrap();
            std::thread::sleep(Duration::from_millis(3));
            presence
        });
        let hold = busy.hold();
        let third = admit(&crowd, "11.0.0.2").unwrap();
        assert_eq!([&busy, &first, &second, &third].map(|it| it.is_closed()), [false, true, false, false]);
        // Its end is not counted twice.
        drop(first);
        assert_eq!(crowd.0.book().seats.len(), 3);
        let holds = [second.hold(), third.hold()];
        assert!(admit(&crowd, "11.0.0.3").is_none(), "all have requests under way");
        drop((hold, holds));
        std::thread::sleep(Duration::from_micros(LOOK_AGAIN));
        assert!(admit(&crowd, "11.0.0.3").is_some());
        assert_eq!(crowd.0.book().addresses.len(), 2);
    }
    #[test]
    fn where_nobody_waits_who_takes_nothing_makes_room() {
        let crowd = crowd(100, 2);
        let [reader, stalled] = [(); 2].map(|()| admit(&crowd, "11.0.0.1").unwrap());
        let _requests = [reader.hold(), stalled.hold()];
        drop(reader.stall());
        let _stall = stalled.stall();
        assert!(admit(&crowd, "11.0.0.2").is_none(), "it has not been stalled for long");
        std::thread::sleep(PATIENCE);
        let third = admit(&crowd, "11.0.0.2").unwrap();
        assert_eq!([&reader, &stalled, &third].map(|it| it.is_closed()), [false, true, false]);
    }
}
