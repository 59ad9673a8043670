//! The list of egresses, and which of them is whose turn.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::route::{Kind, Route, Way};

/// How long an egress is left alone that a site has blocked; doubled with each time in a row, up to the second.
const BLOCKED: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// The same for one that does not work at all.
const BROKEN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// Most sites that an egress is remembered to be blocked by.
const MAX_SITES: usize = 1000;

/// How an egress fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitStats {
    /// Its name: an address, a network, a proxy without its credentials, or `direct`.
    pub name: String,
    /// Extractions under way by it.
    pub under_way: usize,
    /// Extractions begun by it.
    pub extractions: u64,
    /// Times that a site has blocked it.
    pub blocked: u64,
    /// Times that it did not work.
    pub broken: u64,
    /// Sites that it is kept from at present.
    pub cooling: usize,
    /// Whether it does not work at present.
    pub failing: bool,
}

/// A growing pause.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Pause {
    /// The first, or one longer than the last.
    fn after(last: Option<Pause>, now: Instant, (least, most): (Duration, Duration)) -> Self {
        let length = match last {
            // Who has been well for as long as it had to rest begins anew.
            Some(last) if now < last.until + last.length => match now < last.until {
                // Jobs that were under way say the same once more.
                true => return last,
                false => (last.length * 2).min(most),
            },
            _ => least,
        };
        Self { until: now + length, length }
    }

    fn lasts(self, now: Instant) -> bool {
        now < self.until
    }
}

#[derive(Default)]
struct State {
    under_way: usize,
    extractions: u64,
    blocked: u64,
    broken: u64,
    /// When it was last chosen, as a number that grows.
    chosen: u64,
    sites: HashMap<String, Pause>,
    failing: Option<Pause>,
}

impl State {
    /// Until when a site should not be asked by it.
    fn cooling(&self, site: &str, now: Instant) -> Option<Instant> {
        let site = self.sites.get(site).filter(|pause| pause.lasts(now));
        let failing = self.failing.as_ref().filter(|pause| pause.lasts(now));
        site.into_iter().chain(failing).map(|pause| pause.until).max()
    }
}

struct Exit {
    name: Arc<str>,
    kind: Kind,
    state: Mutex<State>,
}

impl Exit {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All egresses, in the operator's order.
pub(super) struct Exits {
    exits: Vec<Exit>,
    turns: AtomicU64,
}

impl Exits {
    /// None in the list: the machine's own choice.
    pub(super) fn new(mut kinds: Vec<Kind>) -> Self {
        if kinds.is_empty() {
            kinds.push(Kind::Direct);
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        let exits = kinds.into_iter().map(|kind| {
            let name = kind.to_string();
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            // Proxies that differ by their credentials.
            let name = if *count > 1 { format!("{name}#{count}") } else { name };
            Exit { name: name.into(), kind, state: Mutex::default() }
        });
        Self { exits: exits.collect(), turns: AtomicU64::new(1) }
    }

    /// Takes one for an extraction: not `but`, not cooling for the site if possible, then the one with least to do, then
    /// the one that has not been taken for longest. None where there is no other than `but`.
    pub(super) fn take(&self, site: &str, but: Option<usize>) -> Option<usize> {
        let now = Instant::now();
        let others = (0..self.exits.len()).filter(|index| Some(*index) != but);
        let index = others.min_by_key(|index| {
            let state = self.exits[*index].lock();
            (state.cooling(site, now), state.under_way, state.chosen)
        })?;
        let mut state = self.exits[index].lock();
        state.chosen = self.turns.fetch_add(1, Ordering::Relaxed);
        state.under_way += 1;
        state.extractions += 1;
        Some(index)
    }

    /// Whether there is another than `but` that is not cooling for a site.
    pub(super) fn has_another(&self, site: &str, but: usize) -> bool {
        let now = Instant::now();
        let mut others = (0..self.exits.len()).filter(|index| *index != but);
        others.any(|index| self.exits[index].lock().cooling(site, now).is_none())
    }

    /// Gives back what [`Exits::take`] took.
    pub(super) fn give_back(&self, index: usize) {
        self.exits[index].lock().under_way -= 1;
    }

    /// A site has answered an extraction.
    pub(super) fn served(&self, index: usize, site: &str) {
        let mut state = self.exits[index].lock();
        state.sites.remove(site);
        state.failing = None;
    }

    /// A site does not want requests from it.
    pub(super) fn blocked(&self, index: usize, site: &str) {
        let now = Instant::now();
        let mut state = self.exits[index].lock();
        state.blocked += 1;
        if state.sites.len() >= MAX_SITES {
            state.sites.retain(|_, pause| pause.lasts(now));
        }
        if state.sites.len() < MAX_SITES {
            let pause = Pause::after(state.sites.get(site).copied(), now, BLOCKED);
            state.sites.insert(site.to_owned(), pause);
        }
    }

    /// It does not work.
    pub(super) fn broken(&self, index: usize) {
        let mut state = self.exits[index].lock();
        state.broken += 1;
        state.failing = Some(Pause::after(state.failing, Instant::now(), BROKEN));
    }

    pub(super) fn name(&self, index: usize) -> &str {
        &self.exits[index].name
    }

    /// How an extraction leaves, and how that is called.
    pub(super) fn way(&self, index: usize) -> (Way, Option<Arc<str>>) {
        let exit = &self.exits[index];
        match exit.kind.way() {
            Way::From(address) if matches!(exit.kind, Kind::Prefix(_)) => {
                (Way::From(address), Some(address.to_string().into()))
            }
            way if index == 0 => (way, None),
            way => (way, Some(Arc::clone(&exit.name))),
        }
    }

    /// The way that a route names; none where there is no such egress any more.
    pub(super) fn resolve(&self, route: &Route) -> Option<Way> {
        let Some(name) = &route.egress else {
            // The first, unless it draws: then nobody knows what was drawn.
            return self.exits.first().map(|exit| exit.kind.way());
        };
        if let Some(exit) = self.exits.iter().find(|exit| exit.name == *name) {
            return Some(exit.kind.way());
        }
        let address: Ipv6Addr = name.parse().ok()?;
        let is_ours = |exit: &Exit| matches!(exit.kind, Kind::Prefix(network) if network.contains(&address));
        self.exits.iter().any(is_ours).then_some(Way::From(IpAddr::V6(address)))
    }

    pub(super) fn stats(&self) -> Vec<ExitStats> {
        let now = Instant::now();
        let stats = self.exits.iter().map(|exit| {
            let state = exit.lock();
            ExitStats {
                name: exit.name.to_string(),
                under_way: state.under_way,
                extractions: state.extractions,
                blocked: state.blocked,
                broken: state.broken,
                cooling: state.sites.values().filter(|pause| pause.lasts(now)).count(),
                failing: state.failing.is_some_and(|pause| pause.lasts(now)),
            }
        });
        stats.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exits(addresses: &[&str]) -> Exits {
        Exits::new(addresses.iter().map(|text| Kind::Address(text.parse().unwrap())).collect())
    }

    #[test]
    fn turns_are_even_and_blocked_ones_are_left_out() {
        let exits = exits(&["11.0.0.1", "11.0.0.2", "11.0.0.3"]);
        let mut taken = [0; 3];
        for _ in 0..30 {
            let index = exits.take("a", None).unwrap();
            taken[index] += 1;
            exits.give_back(index);
        }
        assert_eq!(taken, [10; 3]);
        exits.blocked(1, "a");
        for _ in 0..9 {
            let index = exits.take("a", Some(0)).unwrap();
            assert_eq!(index, 2);
            exits.give_back(index);
        }
        assert!(exits.has_another("a", 0) && exits.has_another("a", 2));
        // Another site knows nothing of it, and where all are blocked, the one that is free first is taken.
        assert_eq!(exits.take("b", Some(0)), Some(1));
        exits.blocked(0, "a");
        exits.broken(2);
        assert!(!exits.has_another("a", 0));
        assert_eq!(exits.take("a", None), Some(2), "5 s, others a minute");
        exits.served(1, "a");
        assert_eq!(exits.take("a", None), Some(1));
    }

    #[test]
    fn pauses_grow_only_with_new_failures() {
        let now = Instant::now();
        let first = Pause::after(None, now, BLOCKED);
        assert_eq!(first.length, BLOCKED.0);
        let same = Pause::after(Some(first), now + BLOCKED.0 / 2, BLOCKED);
        assert_eq!((same.until, same.length), (first.until, first.length));
        let mut last = first;
        for expected in [120, 240, 480, 960, 1920, 3600, 3600] {
            last = Pause::after(Some(last), last.until, BLOCKED);
            assert_eq!(last.length.as_secs(), expected);
        }
        let later = last.until + last.length;
        assert_eq!(Pause::after(Some(last), later, BLOCKED).length, BLOCKED.0);
    }

    #[test]
    fn names_lead_back_to_ways() {
        let network = "2a11:0:1::/64".parse().unwrap();
        let exits =
            Exits::new(vec![Kind::Address("11.0.0.1".parse().unwrap()), Kind::Prefix(network), Kind::Direct]);
        for index in 0..3 {
            let (way, egress) = exits.way(index);
            assert_eq!(exits.resolve(&Route { egress, family: None }), Some(way));
        }
        let route = |name: &str| Route { egress: Some(name.into()), family: None };
        assert_eq!(exits.resolve(&route("2a11:0:2::1")), None);
        assert_eq!(exits.resolve(&route("gone")), None);
    }
}
