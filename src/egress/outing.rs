//! One extraction's traffic: by which egress it leaves, how much of it there is, and what it was refused.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::connector::ConnectError;
use super::exits::{Blame, Exits};
use super::guard::User;
use super::route::{Family, Route, Way};

/// How much one extraction may take.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Connections.
    pub dials: u64,
    /// Bytes, in both directions together, as they travel.
    pub bytes: u64,
}

/// Why an extraction had less of the network than it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It wanted to go where this server does not connect to.
    Address,
    /// More connections than it may.
    Dials,
    /// More bytes than it may.
    Bytes,
    /// The egress does not work.
    Egress,
    /// The egress does not work, or the site behind it.
    Doubt,
    /// The site has no address that the egress can reach.
    Family,
}

const NO_FAMILY: u8 = 0;

/// One extraction's way out, from its first connection to its last.
pub struct Outing {
    exits: Arc<Exits>,
    exit: usize,
    way: Way,
    egress: Option<Arc<str>>,
    site: String,
    most: Most,
    dials: AtomicU64,
    bytes: AtomicU64,
    family: AtomicU8,
    /// Whether a connection was made that was not kept by one before it.
    connected: AtomicBool,
    forbidden: AtomicBool,
    broken: AtomicBool,
    doubtful: AtomicBool,
    unreachable: AtomicBool,
    closed: AtomicBool,
    given_back: AtomicBool,
    /// Who has connections of it at present.
    user: Mutex<Weak<User>>,
}

impl Outing {
    pub(super) fn new(exits: Arc<Exits>, exit: usize, site: &str, most: Most) -> Self {
        let (way, egress) = exits.way(exit);
        Self {
            exits,
            exit,
            way,
            egress,
            site: site.to_owned(),
            most,
            dials: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            family: AtomicU8::new(NO_FAMILY),
            connected: AtomicBool::new(false),
            forbidden: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            doubtful: AtomicBool::new(false),
            unreachable: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            given_back: AtomicBool::new(false),
            user: Mutex::default(),
        }
    }

    /// What the extraction's tickets say of it.
    pub fn route(&self) -> Route {
        let family = match self.family.load(Ordering::Relaxed) {
            4 => Some(Family::V4),
            6 => Some(Family::V6),
            _ => None,
        };
        Route { egress: self.egress.clone(), family }
    }

    /// The egress, for logs.
    pub fn name(&self) -> &str {
        self.exits.name(self.exit)
    }

    /// What it was denied, the gravest first.
    pub fn denied(&self) -> Option<Denied> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        match () {
            () if is(&self.forbidden) => Some(Denied::Address),
            () if self.dials.load(Ordering::Relaxed) > self.most.dials => Some(Denied::Dials),
            () if self.bytes.load(Ordering::Relaxed) > self.most.bytes => Some(Denied::Bytes),
            () if is(&self.broken) => Some(Denied::Egress),
            () if is(&self.doubtful) => Some(Denied::Doubt),
            // Where something else could be reached, it was no matter of the site's own.
            () if is(&self.unreachable) && !is(&self.connected) => Some(Denied::Family),
            () => None,
        }
    }

    /// Connections, and bytes in both directions, so far.
    pub fn used(&self) -> (u64, u64) {
        (self.dials.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Ends all connections of it, and lets it make no more: who reads from one gets an error at once. Its egress has no
    /// more to do with it, even where a worker does not come back from it.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.give_back();
        let user = self.user.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(user) = user {
            user.cut(self);
        }
    }

    /// The site has answered.
    pub fn served(&self) {
        self.exits.served(self.exit, &self.site);
    }

    /// Something seems to be wrong with the egress. Whether there is another to try.
    pub fn blamed(&self, blame: Blame) -> bool {
        self.exits.blamed(self.exit, &self.site, blame);
        self.exits.has_another(&self.site, self.exit)
    }

    /// It was the egress: `other` had what it had not.
    pub fn confirmed(&self, blame: Blame, other: &Self) {
        // Of a network, one address may be blocked and the others not.
        if other.exit != self.exit {
            self.exits.confirmed(self.exit, &self.site, blame);
        }
    }

    fn give_back(&self) {
        if !self.given_back.swap(true, Ordering::Relaxed) {
            self.exits.give_back(self.exit);
        }
    }

    pub(super) fn exit(&self) -> usize {
        self.exit
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Whether its way is for it alone.
    pub(super) fn is_drawn(&self) -> bool {
        matches!(self.way, Way::From(_)) && self.egress.as_deref().is_some_and(|name| name != self.name())
    }

    pub(super) fn serve(&self, user: &Arc<User>) {
        *self.user.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(user);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Counts a connection; whether it may be made.
    pub(super) fn dial(&self) -> bool {
        !self.is_closed() && self.dials.fetch_add(1, Ordering::Relaxed) < self.most.dials
    }

    pub(super) fn connected(&self, family: Family) {
        self.connected.store(true, Ordering::Relaxed);
        self.expect(family);
    }

    /// That of connections which are kept for it.
    pub(super) fn expect(&self, family: Family) {
        let number = match family {
            Family::V4 => 4,
            Family::V6 => 6,
        };
        self.family.store(number, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, error: &ConnectError) {
        match error {
            ConnectError::Forbidden(_) => self.forbidden.store(true, Ordering::Relaxed),
            ConnectError::Egress(_) => self.broken.store(true, Ordering::Relaxed),
            ConnectError::Doubtful(_) => self.doubtful.store(true, Ordering::Relaxed),
            ConnectError::Family => self.unreachable.store(true, Ordering::Relaxed),
            ConnectError::Timeout | ConnectError::Failed(_) => {}
        }
    }

    /// Counts bytes; whether there may be more.
    pub(super) fn spend(&self, bytes: u64) -> bool {
        let used = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.most.bytes {
            self.closed.store(true, Ordering::Relaxed);
        }
        !self.is_closed()
    }
}

impl std::fmt::Debug for Outing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Outing({})", self.name())
    }
}

impl Drop for Outing {
    fn drop(&mut self) {
        self.give_back();
    }
}
