//! The guard: a SOCKS5 listener on loopback, and the only proxy that yt-dlp knows.
//!
//! Every connection of Python's is made here, by the same policy and the same egresses as those of streams. A user name
//! stands for a worker (or a helper) and the way by which its present extraction leaves, so that connections which it
//! keeps serve later extractions that leave by the same way, and no others. Passwords are random, and end with the
//! process.

mod doubted;
mod forward;
mod metered;
mod tunnel;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::connector::ConnectError;
use super::dial::Dialer;
use super::outing::Outing;
use super::route::{Family, Way};
use super::socks::{self, Login};

/// Longest wait for a client's three messages.
const HELLO: Duration = Duration::from_secs(10);
/// Users that a desk keeps at most: one for each of the ways that its extractions left by last.
const MAX_USERS: usize = 4;
/// Bytes of a password.
const PASSWORD: usize = 16;

/// Who may use the guard, and what for at present.
pub(super) struct User {
    name: String,
    password: String,
    way: Way,
    outing: Mutex<Option<Arc<Outing>>>,
    /// That of the last connection, which may be kept for other extractions.
    family: Mutex<Option<Family>>,
    /// Changes when all connections are to end.
    cuts: watch::Sender<u64>,
}

impl User {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Outing>>> {
        self.outing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outing(&self) -> Option<Arc<Outing>> {
        self.lock().clone()
    }

    /// Ends all connections, if they are those of this outing.
    pub(super) fn cut(&self, outing: &Outing) {
        if self.lock().as_deref().is_some_and(|present| std::ptr::eq(present, outing)) {
            self.cut_all();
        }
    }

    fn family(&self) -> MutexGuard<'_, Option<Family>> {
        self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self, outing: &Outing, family: Family) {
        *self.family() = Some(family);
        outing.connected(family);
    }

    /// Notes that the present outing's connection came to nothing after all.
    fn refused(&self, error: &ConnectError) {
        if let Some(outing) = self.outing() {
            outing.refused(error);
        }
    }

    fn cut_all(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// Counts bytes of the present outing; whether there may be more.
    fn spend(&self, bytes: u64) -> bool {
        self.lock().as_ref().is_none_or(|outing| outing.spend(bytes))
    }
}

struct Shared {
    address: SocketAddr,
    dialer: Dialer,
    timeout: Duration,
    users: Mutex<HashMap<String, Arc<User>>>,
    desks: AtomicU64,
    random: SystemRandom,
    dials: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
}

impl Shared {
    fn users(&self) -> MutexGuard<'_, HashMap<String, Arc<User>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has this name and password.
    fn user(&self, login: &Login) -> Option<Arc<User>> {
        let user = self.users().get(&login.user).cloned()?;
        // In the same time, however much of it is right.
        bool::from(user.password.as_bytes().ct_eq(&login.password)).then_some(user)
    }
}

/// What has gone through the guard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuardStats {
    /// Connections that were made.
    pub dials: u64,
    /// Connections that were not, for whatever reason.
    pub refused: u64,
    /// Bytes in both directions together.
    pub bytes: u64,
}

/// A handle on the guard.
#[derive(Clone)]
pub struct Guard(Arc<Shared>);

impl Guard {
    /// Listens on a free port of loopback. To be called on a tokio runtime. `timeout`: of one connection.
    pub(super) fn start(dialer: Dialer, timeout: Duration) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let guard = Self(Arc::new(Shared {
            address: listener.local_addr()?,
            dialer,
            timeout,
            users: Mutex::default(),
            desks: AtomicU64::new(0),
            random: SystemRandom::new(),
            dials: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }));
        tracing::info!("the guard of extractions listens on {}", guard.0.address);
        tokio::spawn(listen(TcpListener::from_std(listener)?, Arc::clone(&guard.0)));
        Ok(guard)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// A place for a worker.
    pub fn desk(&self) -> Desk {
        let number = self.0.desks.fetch_add(1, Ordering::Relaxed);
        Desk { shared: Arc::clone(&self.0), number, made: 0, users: Vec::new(), present: None }
    }

    /// What has gone through it so far.
    pub fn stats(&self) -> GuardStats {
        GuardStats {
            dials: self.0.dials.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
            bytes: self.0.bytes.load(Ordering::Relaxed),
        }
    }
}

/// A worker's place at the guard: its users, and the one whose turn it is.
pub struct Desk {
    shared: Arc<Shared>,
    number: u64,
    made: u64,
    /// The one that was used last comes last.
    users: Vec<Arc<User>>,
    present: Option<Arc<User>>,
}

impl Desk {
    /// Begins an extraction, and gives the URL of the proxy for it. Fails where there is no randomness.
    pub fn begin(&mut self, outing: &Arc<Outing>) -> io::Result<String> {
        self.end();
        let user = match self.users.iter().position(|user| user.way == *outing.way()) {
            Some(index) => self.users.remove(index),
            None => self.enrol(outing.way().clone())?,
        };
        if !outing.is_drawn() {
            self.users.push(Arc::clone(&user));
            if self.users.len() > MAX_USERS {
                let oldest = self.users.remove(0);
                self.dismiss(&oldest);
            }
        }
        *user.lock() = Some(Arc::clone(outing));
        if let Some(family) = *user.family() {
            outing.expect(family);
        }
        outing.serve(&user);
        // It may have been closed in this moment.
        if outing.is_closed() {
            user.cut(outing);
        }
        let url = format!("socks5h://{}:{}@{}", user.name, user.password, self.shared.address);
        self.present = Some(user);
        Ok(url)
    }

    /// Ends it: what it has left open may serve another that leaves by the same way.
    pub fn end(&mut self) {
        let Some(user) = self.present.take() else { return };
        let outing = user.lock().take();
        let closed = outing.as_ref().is_some_and(|outing| outing.is_closed());
        if closed {
            user.cut_all();
        }
        if outing.is_some_and(|outing| outing.is_drawn()) {
            self.dismiss(&user);
        }
    }

    fn enrol(&mut self, way: Way) -> io::Result<Arc<User>> {
        let mut bytes = [0; PASSWORD];
        self.shared.random.fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"))?;
        let password = bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let name = format!("worker{}.{}", self.number, self.made);
        self.made += 1;
        let (outing, family, cuts) = (Mutex::default(), Mutex::default(), watch::Sender::new(0));
        let user = Arc::new(User { name, password, way, outing, family, cuts });
        self.shared.users().insert(user.name.clone(), Arc::clone(&user));
        Ok(user)
    }

    fn dismiss(&self, user: &User) {
        self.shared.users().remove(&user.name);
        user.cut_all();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.end();
        for user in &self.users {
            self.dismiss(user);
        }
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Err(error) = attend(client, &shared).await {
                        tracing::debug!(%error, "a client of the guard");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the guard can't take a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection of Python's.
async fn attend(
    mut client: TcpStream,
    shared: &Arc<Shared>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    client.set_nodelay(true)?;
    let accepted = socks::accept(&mut client, |login| shared.user(login));
    let accepted = tokio::time::timeout(HELLO, accepted).await??;
    let (user, cuts) = (Arc::clone(&accepted.user), accepted.user.cuts.subscribe());
    tunnel::run(client, accepted, cuts, shared)
        .await
        .map_err(|error| format!("{}: {error}", user.name).into())
}
