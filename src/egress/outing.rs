//! One extraction's traffic: by which egress it leaves, how much of it there is, and what it was refused.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::connector::ConnectError;
use super::exits::Exits;
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
    forbidden: AtomicBool,
    broken: AtomicBool,
    unreachable: AtomicBool,
    closed: AtomicBool,
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
            forbidden: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            unreachable: AtomicBool::new(false),
            closed: AtomicBool::new(false),
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
            () if is(&self.unreachable) => Some(Denied::Family),
            () => None,
        }
    }

    /// Connections, and bytes in both directions, so far.
    pub fn used(&self) -> (u64, u64) {
        (self.dials.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Ends all connections of it, and lets it make no more: who reads from one gets an error at once.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let user = self.user.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(user) = user {
            user.cut(self);
        }
    }

    /// The site has answered.
    pub fn served(&self) {
        self.exits.served(self.exit, &self.site);
    }

    /// The site does not want this egress. Whether there is another to try.
    pub fn blocked(&self) -> bool {
        self.exits.blocked(self.exit, &self.site);
        self.exits.has_another(&self.site, self.exit)
    }

    /// The egress did not work. Whether there is another to try.
    pub fn broke(&self) -> bool {
        self.exits.broken(self.exit);
        self.exits.has_another(&self.site, self.exit)
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
        self.exits.give_back(self.exit);
    }
}
