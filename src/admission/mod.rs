//! Who may come in, and how much: keys, limits for each client, and sites.
//!
//! A client is a key, else an address (of version 6, its /64 network). Nothing here knows HTTP.

mod account;
mod address;
mod keys;
mod limits;
mod sites;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use account::Accounts;
pub use account::StreamPass;
pub use address::is_near;
use address::network;
pub use keys::{Key, Keys, KeysError, new_key};
pub use limits::{Allowance, Limits, Rate, bytes};
pub use sites::{Site, Sites};

/// How often the file of keys is looked at, and what nobody needs any more is forgotten.
const TIDY: Duration = Duration::from_secs(2);

/// Settings of this room.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Keys, one of which has to be shown by whoever has a page extracted; none: nobody has to.
    pub keys_file: Option<PathBuf>,
    /// Whether clients beyond the machine's own network are served without a key.
    pub public: bool,
    /// What each client may have that shows no key, and each key of which the file says nothing else.
    pub limits: Limits,
    /// What pages may be of; none: of any site.
    pub sites: Option<Sites>,
}

/// Why a client is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It shows a key that is none of the file's.
    #[error("the key is not known")]
    UnknownKey,
    /// It shows none.
    #[error("a key is required: Authorization: Bearer KEY, or X-API-Key: KEY")]
    NoKey,
    /// There are no keys, and the server is not for everybody.
    #[error(
        "this server is not open to the public; its operator can give out keys (API_KEYS_FILE), or open it (PUBLIC=on)"
    )]
    NotPublic,
    /// It has had its extractions for the moment.
    #[error("no more than {0} for this client")]
    Rate(Allowance),
    /// It has as many streams as it may.
    #[error("no more than {0} streams at a time for this client")]
    Streams(u32),
    /// It has had its bytes for the day.
    #[error("no more than {limit} bytes a day for this client")]
    Bytes {
        /// How many it may have.
        limit: u64,
        /// Seconds until there are more.
        seconds: u32,
    },
}

impl Refusal {
    /// Every [`label`](Self::label).
    pub const LABELS: [&str; 6] = ["unknown_key", "no_key", "not_public", "rate", "streams", "bytes"];

    /// A short name for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_key",
            Self::NoKey => "no_key",
            Self::NotPublic => "not_public",
            Self::Rate(_) => "rate",
            Self::Streams(_) => "streams",
            Self::Bytes { .. } => "bytes",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key that it has shown.
    pub key: Option<Arc<Key>>,
    /// Its address.
    pub address: IpAddr,
    /// Whether it is beyond the machine's own network, as far as can be told.
    pub is_stranger: bool,
}

impl Caller {
    /// Somebody at this very machine.
    pub fn here() -> Self {
        Self { key: None, address: Ipv4Addr::LOCALHOST.into(), is_stranger: false }
    }
}

/// A handle on the room.
pub struct Admission {
    keys: Option<Keys>,
    public: bool,
    strangers: Arc<Accounts>,
    sites: Option<Sites>,
    hasher: RandomState,
}

impl Admission {
    /// Reads the keys.
    pub fn new(settings: &Settings) -> Result<Self, KeysError> {
        let keys = settings.keys_file.as_deref().map(|path| Keys::read(path, settings.limits)).transpose()?;
        Ok(Self {
            keys,
            public: settings.public,
            strangers: Arc::new(Accounts::new(settings.limits)),
            sites: settings.sites.clone(),
            hasher: RandomState::new(),
        })
    }

    /// Reads the keys anew when their file changes, and forgets clients that have stayed away, for as long as somebody
    /// else has a handle. To be called on a tokio runtime.
    pub fn keep_tidy(self: &Arc<Self>) {
        let room = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TIDY).await;
                let Some(room) = room.upgrade() else { return };
                // Files, and a walk through what may be long.
                let tidied = tokio::task::spawn_blocking(move || room.tidy()).await;
                if let Err(error) = tidied {
                    tracing::error!(%error, "the keys are not looked after any more");
                    return;
                }
            }
        });
    }

    fn tidy(&self) {
        if let Some(keys) = &self.keys {
            keys.refresh();
        }
        self.strangers.tidy();
    }

    /// Who shows keys, or none, from an address. `is_stranger`: that it may be another's, or is of the public internet.
    pub fn caller<'a>(
        &self,
        shown: impl Iterator<Item = &'a [u8]>,
        address: IpAddr,
        is_stranger: bool,
    ) -> Result<Caller, Refusal> {
        let mut key = None;
        // Without keys of its own, who has one for another server is no worse than who has none.
        if let Some(keys) = &self.keys {
            let mut shown = shown.peekable();
            let shows = shown.peek().is_some();
            key = shown.find_map(|shown| keys.find(shown));
            if shows && key.is_none() {
                return Err(Refusal::UnknownKey);
            }
        }
        Ok(Caller { key, address, is_stranger })
    }

    /// Whether a caller may have pages extracted at all.
    pub fn admit(&self, caller: &Caller) -> Result<(), Refusal> {
        match caller.key {
            Some(_) => Ok(()),
            None if self.keys.is_some() => Err(Refusal::NoKey),
            None if caller.is_stranger && !self.public => Err(Refusal::NotPublic),
            None => Ok(()),
        }
    }

    /// Counts a page of an admitted caller; gives what is left of its rate, if it has one.
    pub fn extraction(&self, caller: &Caller) -> Result<Option<Allowance>, Refusal> {
        match &caller.key {
            Some(key) => key.account.extraction(),
            None => self.strangers.extraction(network(caller.address)),
        }
    }

    /// Lets a caller have a stream; it ends with the pass.
    pub fn stream(&self, caller: &Caller) -> Result<StreamPass, Refusal> {
        match &caller.key {
            Some(key) => StreamPass::of_key(key),
            None => StreamPass::of_address(&self.strangers, network(caller.address)),
        }
    }

    /// Whether a page of this host may be extracted for a caller, as far as can be told before it is.
    pub fn may_be_allowed(&self, caller: &Caller, host: &str) -> bool {
        self.lists(caller).all(|sites| sites.may_allow(host))
    }

    /// Whether a caller may have what an extractor has found on a page of this host.
    pub fn allows(&self, caller: &Caller, extractor: Option<&str>, host: &str) -> bool {
        self.lists(caller).all(|sites| sites.allows(extractor, host))
    }

    fn lists<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Sites> {
        self.sites.iter().chain(caller.key.as_ref().and_then(|key| key.sites.as_ref()))
    }

    /// A number that is a caller's own, most likely.
    pub fn number(&self, caller: &Caller) -> u64 {
        match &caller.key {
            Some(key) => self.hasher.hash_one(&*key.name),
            None => self.hasher.hash_one(network(caller.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_label_of_the_list() {
        let rate = "30/m".parse().unwrap();
        let refusals = [
            Refusal::UnknownKey,
            Refusal::NoKey,
            Refusal::NotPublic,
            Refusal::Rate(Allowance { rate, remaining: 0, seconds: 2 }),
            Refusal::Streams(1),
            Refusal::Bytes { limit: 1, seconds: 1 },
        ];
        assert_eq!(refusals.map(|refusal| refusal.label()), Refusal::LABELS);
    }
}
