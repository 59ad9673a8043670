//! What clients have had.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, RateLimiter};

use super::address::crowd;
use super::{Allowance, Key, Limits, Rate, Refusal};

/// Most addresses that are counted one by one: 40 bytes each. Beyond them, those that are near each other share.
const MAX_ADDRESSES: usize = 300_000;
/// Bytes of a stream that are counted at once.
const BATCH: u64 = 1 << 20;
const DAY: u64 = 86_400;

type OneRate = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;
type ManyRates = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// Streams and bytes of one client.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    streams: u32,
    /// Which the bytes are of, from the epoch on.
    day: u32,
    bytes: u64,
}

impl Used {
    fn begin(&mut self, limits: &Limits, now: u64) -> Result<(), Refusal> {
        self.turn(now);
        if let Some(limit) = limits.bytes.filter(|limit| self.bytes >= *limit) {
            return Err(Refusal::Bytes { limit, seconds: (DAY - now % DAY) as u32 });
        }
        if let Some(limit) = limits.streams.filter(|limit| self.streams >= limit.get()) {
            return Err(Refusal::Streams(limit.get()));
        }
        self.streams += 1;
        Ok(())
    }

    fn spend(&mut self, bytes: u64, now: u64) {
        self.turn(now);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn turn(&mut self, now: u64) {
        let today = (now / DAY) as u32;
        if self.day != today {
            (self.day, self.bytes) = (today, 0);
        }
    }

    fn is_over(&self, now: u64) -> bool {
        self.streams == 0 && (self.bytes == 0 || u64::from(self.day) != now / DAY)
    }
}

/// What a client with a rate is left, or how long it has to wait.
fn allowed(rate: Rate, checked: Result<StateSnapshot, Duration>) -> Result<Option<Allowance>, Refusal> {
    match checked {
        Ok(snapshot) => Ok(Some(Allowance::left(rate, &snapshot))),
        Err(wait) => Err(Refusal::Rate(Allowance::used_up(rate, wait))),
    }
}

/// One client's.
#[derive(Debug)]
pub(super) struct Account {
    limits: Limits,
    rate: Option<(Rate, OneRate)>,
    used: Mutex<Used>,
}

impl Account {
    pub(super) fn new(limits: Limits) -> Self {
        let one = |rate: Rate| (rate, RateLimiter::direct(rate.quota()).with_middleware());
        Self { limits, rate: limits.rate.map(one), used: Mutex::default() }
    }

    /// Goes on from what another has counted of the day. Streams under way end with that one.
    pub(super) fn take_over(&self, other: &Self) {
        *self.lock() = Used { streams: 0, ..*other.lock() };
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn extraction(&self) -> Result<Option<Allowance>, Refusal> {
        let Some((rate, limiter)) = &self.rate else { return Ok(None) };
        let wait = |until: NotUntil<_>| until.wait_time_from(limiter.clock().now());
        allowed(*rate, limiter.check().map_err(wait))
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of all who show no key, by address.
pub(super) struct Accounts {
    limits: Limits,
    rate: Option<(Rate, ManyRates)>,
    used: Mutex<HashMap<IpAddr, Used>>,
    /// Whether there are too many.
    crowded: AtomicBool,
}

impl Accounts {
    pub(super) fn new(limits: Limits) -> Self {
        let many = |rate: Rate| (rate, RateLimiter::dashmap(rate.quota()).with_middleware());
        Self { limits, rate: limits.rate.map(many), used: Mutex::default(), crowded: AtomicBool::new(false) }
    }

    pub(super) fn extraction(&self, client: IpAddr) -> Result<Option<Allowance>, Refusal> {
        let Some((rate, limiter)) = &self.rate else { return Ok(None) };
        let client = if self.crowded.load(Ordering::Relaxed) { crowd(client) } else { client };
        let wait = |until: NotUntil<_>| until.wait_time_from(limiter.clock().now());
        allowed(*rate, limiter.check_key(&client).map_err(wait))
    }

    /// Forgets who has all of its rate again, and has had nothing today.
    pub(super) fn tidy(&self) {
        let now = now();
        let mut used = self.lock();
        used.retain(|_, used| !used.is_over(now));
        if used.capacity() > 4 * used.len() {
            used.shrink_to_fit();
        }
        drop(used);
        if let Some((_, limiter)) = &self.rate {
            limiter.retain_recent();
            limiter.shrink_to_fit();
            self.crowded.store(limiter.len() > MAX_ADDRESSES, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, client: IpAddr) -> Result<IpAddr, Refusal> {
        let mut used = self.lock();
        let is_room = used.len() < MAX_ADDRESSES || used.contains_key(&client);
        let client = if is_room { client } else { crowd(client) };
        used.entry(client).or_default().begin(&self.limits, now()).map(|()| client)
    }
}

enum Holder {
    Nobody,
    Key(Arc<Key>),
    Address(Arc<Accounts>, IpAddr),
}

/// One stream's part of what its client may have, given back when it is dropped.
pub struct StreamPass {
    holder: Holder,
    /// Bytes that are not counted yet.
    bytes: u64,
}

impl StreamPass {
    pub(super) fn of_key(key: &Arc<Key>) -> Result<Self, Refusal> {
        let limits = key.account.limits();
        if limits.streams.is_none() && limits.bytes.is_none() {
            return Ok(Self { holder: Holder::Nobody, bytes: 0 });
        }
        key.account.lock().begin(&limits, now())?;
        Ok(Self { holder: Holder::Key(Arc::clone(key)), bytes: 0 })
    }

    pub(super) fn of_address(accounts: &Arc<Accounts>, client: IpAddr) -> Result<Self, Refusal> {
        if accounts.limits.streams.is_none() && accounts.limits.bytes.is_none() {
            return Ok(Self { holder: Holder::Nobody, bytes: 0 });
        }
        let client = accounts.begin(client)?;
        Ok(Self { holder: Holder::Address(Arc::clone(accounts), client), bytes: 0 })
    }

    /// Counts bytes that go to the client. A stream that has begun is not cut off: there are none for the next.
    pub fn spend(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bytes >= BATCH {
            let bytes = std::mem::take(&mut self.bytes);
            self.with(|used| used.spend(bytes, now()));
        }
    }

    fn with(&self, change: impl FnOnce(&mut Used)) {
        match &self.holder {
            Holder::Nobody => {}
            Holder::Key(key) => change(&mut key.account.lock()),
            Holder::Address(accounts, client) => change(accounts.lock().entry(*client).or_default()),
        }
    }
}

impl Drop for StreamPass {
    fn drop(&mut self) {
        let bytes = self.bytes;
        self.with(|used| {
            used.spend(bytes, now());
            used.streams = used.streams.saturating_sub(1);
        });
    }
}

/// Seconds from the epoch on.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(streams: u32, bytes: u64) -> Limits {
        Limits { rate: None, streams: streams.try_into().ok(), bytes: Some(bytes) }
    }

    #[test]
    fn a_rate_is_had_at_once_and_then_one_by_one() {
        let limits = Limits { rate: Some("3/h".parse().unwrap()), ..Limits::default() };
        let accounts = Accounts::new(limits);
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for left in [2, 1, 0] {
            assert_eq!(accounts.extraction(one).unwrap().unwrap().remaining, left);
        }
        let Err(Refusal::Rate(allowance)) = accounts.extraction(one) else { panic!("a fourth") };
        assert!((1190..=1200).contains(&allowance.seconds), "{}", allowance.seconds);
        assert!(accounts.extraction(other).is_ok());
        accounts.tidy();
        assert!(accounts.extraction(one).is_err(), "it is not forgotten while it counts");
    }

    #[test]
    fn streams_come_back_and_bytes_do_not_before_the_next_day() {
        let accounts = Arc::new(Accounts::new(limits(2, 10)));
        let client = IpAddr::from([192, 0, 2, 1]);
        let pass = || StreamPass::of_address(&accounts, client);
        let (first, mut second) = (pass().unwrap(), pass().unwrap());
        assert!(matches!(pass().err(), Some(Refusal::Streams(2))));
        drop(first);
        second.spend(10);
        drop(second);
        assert!(matches!(pass().err(), Some(Refusal::Bytes { limit: 10, .. })));
        accounts.tidy();
        assert!(pass().is_err(), "it is remembered");
        let mut used = accounts.lock()[&client];
        let tomorrow = (u64::from(used.day) + 1) * DAY;
        assert!(used.is_over(tomorrow) && used.begin(&accounts.limits, tomorrow).is_ok());
    }

    #[test]
    fn who_has_no_limit_is_not_remembered() {
        let accounts = Arc::new(Accounts::new(Limits::default()));
        let pass = StreamPass::of_address(&accounts, IpAddr::from([192, 0, 2, 1])).unwrap();
        assert!(accounts.lock().is_empty());
        drop(pass);
        assert!(accounts.lock().is_empty());
    }

    #[test]
    fn a_crowd_shares_what_one_may_have() {
        let accounts = Arc::new(Accounts::new(limits(1, 10)));
        accounts.lock().extend(
            (0..MAX_ADDRESSES as u32).map(|number| (IpAddr::from(number.to_be_bytes()), Used::default())),
        );
        let pass = |address: [u8; 4]| StreamPass::of_address(&accounts, address.into());
        let first = pass([200, 0, 0, 1]).unwrap();
        assert!(pass([200, 9, 9, 9]).is_err() && pass([201, 0, 0, 1]).is_ok());
        drop(first);
        assert!(pass([200, 9, 9, 9]).is_ok());
        assert!(accounts.lock().len() <= MAX_ADDRESSES + 256);
    }
}
