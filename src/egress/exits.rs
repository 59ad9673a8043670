//! The list of egresses, and which of them is whose turn.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pause::Pause;
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

/// What is wrong with an egress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// A site does not want requests from it.
    Blocked,
    /// It does not work.
    Broken,
    /// It does not work, or the site behind it.
    Doubtful,
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
    fn pauses(&self, site: &str, now: Instant) -> impl Iterator<Item = &Pause> {
        self.sites.get(site).into_iter().chain(&self.failing).filter(move |pause| pause.lasts(now))
    }

    /// Until when a site should not be asked by it.
    fn cooling(&self, site: &str, now: Instant) -> Option<Instant> {
        self.pauses(site, now).map(|pause| pause.until).max()
    }

    fn block(&mut self, site: &str, now: Instant, sure: bool) {
        let pause = Pause::after(self.sites.get(site).copied(), now, BLOCKED, sure);
        if self.sites.len() >= MAX_SITES && !self.sites.contains_key(site) {
            let next = self.sites.iter().min_by_key(|(_, pause)| pause.until).map(|(site, _)| site.clone());
            next.and_then(|next| self.sites.remove(&next));
        }
        self.sites.insert(site.to_owned(), pause);
    }

    fn fail(&mut self, now: Instant, sure: bool) {
        self.failing = Some(Pause::after(self.failing, now, BROKEN, sure));
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
    /// Whether the operator has listed them.
    listed: bool,
    turns: AtomicU64,
}

impl Exits {
    /// None in the list: the machine's own choice.
    pub(super) fn new(mut kinds: Vec<Kind>) -> Self {
        let listed = !kinds.is_empty();
        if !listed {
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
        Self { exits: exits.collect(), listed, turns: AtomicU64::new(1) }
    }

    /// Takes one for an extraction: not `but`, not cooling for the site if possible, then the one with least to do, then
    /// the one that has not been taken for longest. None where there is no other than `but`.
    pub(super) fn take(&self, site: &str, but: Option<usize>) -> Option<usize> {
        let now = Instant::now();
        let index = self.others(but).min_by_key(|index| {
            let state = self.exits[*index].lock();
            (state.cooling(site, now), state.under_way, state.chosen)
        })?;
        let mut state = self.exits[index].lock();
        state.chosen = self.turns.fetch_add(1, Ordering::Relaxed);
        state.under_way += 1;
        state.extractions += 1;
        Some(index)
    }

    /// Those but one; a network alone has other addresses.
    fn others(&self, but: Option<usize>) -> impl Iterator<Item = usize> {
        let alone = self.exits.len() == 1 && matches!(self.exits[0].kind, Kind::Prefix(_));
        (0..self.exits.len()).filter(move |index| alone || Some(*index) != but)
    }

    /// Whether there is another than `but` that is not known to be of no use for a site.
    pub(super) fn has_another(&self, site: &str, but: usize) -> bool {
        let now = Instant::now();
        self.others(Some(but))
            .any(|index| !self.exits[index].lock().pauses(site, now).any(|pause| pause.sure))
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

    /// Something is wrong with it, so far as can be told before another was tried.
    pub(super) fn blamed(&self, index: usize, site: &str, blame: Blame) {
        match blame {
            Blame::Blocked => {
                let mut state = self.exits[index].lock();
                state.blocked += 1;
                state.block(site, Instant::now(), false);
            }
            Blame::Broken => self.broken(index, true),
            Blame::Doubtful => self.broken(index, false),
        }
    }

    /// It was this one's fault, and not the page's: another had what it had not.
    pub(super) fn confirmed(&self, index: usize, site: &str, blame: Blame) {
        let mut state = self.exits[index].lock();
        match blame {
            Blame::Blocked => state.block(site, Instant::now(), true),
            Blame::Broken | Blame::Doubtful => state.fail(Instant::now(), true),
        }
    }

    /// It does not work, or `sure` is false, and it may be the site.
    pub(super) fn broken(&self, index: usize, sure: bool) {
        let mut state = self.exits[index].lock();
        state.broken += 1;
        state.fail(Instant::now(), sure);
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
            way if !self.listed => (way, None),
            way => (way, Some(Arc::clone(&exit.name))),
        }
    }

    /// The egress that a route names, and how it leaves; none where there is no such egress any more.
    pub(super) fn resolve(&self, route: &Route) -> Option<(usize, Way)> {
        let found = |index: usize, way: Way| Some((index, way));
        let Some(name) = &route.egress else {
            // The page was fetched while none was listed. Where one is now, nothing leaves past it.
            let direct = self.exits.iter().position(|exit| exit.kind == Kind::Direct).unwrap_or(0);
            return found(direct, self.exits.get(direct)?.kind.way());
        };
        if let Some(index) = self.exits.iter().position(|exit| exit.name == *name) {
            return found(index, self.exits[index].kind.way());
        }
        let address: Ipv6Addr = name.parse().ok()?;
        let is_ours = |exit: &Exit| matches!(exit.kind, Kind::Prefix(network) if network.contains(&address));
        found(self.exits.iter().position(is_ours)?, Way::From(IpAddr::V6(address)))
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
        exits.blamed(1, "a", Blame::Blocked);
        for _ in 0..9 {
            let index = exits.take("a", Some(0)).unwrap();
            assert_eq!(index, 2);
            exits.give_back(index);
        }
        // It may have been the page.
        exits.blamed(2, "a", Blame::Blocked);
        assert!(exits.has_another("a", 0));
        exits.confirmed(1, "a", Blame::Blocked);
        exits.confirmed(2, "a", Blame::Blocked);
        assert!(!exits.has_another("a", 0) && exits.has_another("a", 2));
        exits.served(2, "a");
        // Another site knows nothing of it, and where all are blocked, the one that is free first is taken.
        assert_eq!(exits.take("b", Some(0)), Some(1));
        exits.blamed(0, "a", Blame::Blocked);
        exits.blamed(2, "a", Blame::Broken);
        assert!(!exits.has_another("a", 0));
        assert_eq!(exits.take("a", None), Some(2), "5 s, others a minute");
        exits.served(1, "a");
        assert_eq!(exits.take("a", None), Some(1));
    }

    #[test]
    fn a_network_alone_is_another_to_itself_and_an_address_is_not() {
        let alone = Exits::new(vec![Kind::Prefix("2a11:0:1::/64".parse().unwrap())]);
        assert!(alone.has_another("a", 0) && alone.take("a", Some(0)) == Some(0));
        let address = exits(&["11.0.0.1"]);
        assert!(!address.has_another("a", 0) && address.take("a", Some(0)).is_none());
    }

    #[test]
    fn the_sites_that_are_remembered_are_bounded_and_the_next_to_end_goes_first() {
        let exits = exits(&["11.0.0.1", "11.0.0.2"]);
        exits.confirmed(1, "first", Blame::Blocked);
        exits.confirmed(1, "first", Blame::Blocked);
        for site in 0..2 * MAX_SITES {
            exits.blamed(1, &site.to_string(), Blame::Blocked);
        }
        assert_eq!(exits.exits[1].lock().sites.len(), MAX_SITES);
        exits.confirmed(1, "last", Blame::Blocked);
        assert!(!exits.has_another("last", 0));
    }

    #[test]
    fn names_lead_back_to_ways() {
        let network = "2a11:0:1::/64".parse().unwrap();
        let exits =
            Exits::new(vec![Kind::Address("11.0.0.1".parse().unwrap()), Kind::Prefix(network), Kind::Direct]);
        for index in 0..3 {
            let (way, egress) = exits.way(index);
            assert_eq!(exits.resolve(&Route { egress, family: None }), Some((index, way)));
        }
        assert_eq!(
            exits.resolve(&Route::default()),
            Some((2, Way::Direct)),
            "of a page before there was a list"
        );
        let (first, _) = self::exits(&["11.0.0.1", "11.0.0.2"]).resolve(&Route::default()).unwrap();
        assert_eq!(first, 0);
        let route = |name: &str| Route { egress: Some(name.into()), family: None };
        assert_eq!(exits.resolve(&route("2a11:0:2::1")), None);
        assert_eq!(exits.resolve(&route("gone")), None);
    }
}
