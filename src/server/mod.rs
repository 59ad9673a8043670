//! The raw hyper server: listeners, the accept loop, connections, and the drain.
//!
//! A connection is admitted (`crowd`), greeted (`greet`: TLS, and which HTTP it is) and served (`http1`, `http2`).

mod crowd;
mod drain;
mod files;
mod greet;
mod http1;
mod http2;
mod io;
mod listen;
mod manager;
mod seat;
mod service;
mod signals;
mod tls;
mod wire;

use std::convert::Infallible;
use std::io as std_io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};

use crate::api::Api;
use crate::api::client::{ClientConnection, Outlet};
use crowd::{Bounds, Crowd};
use drain::Drain;
use io::ConnectionIo;
use service::Requests;
use tls::Tls;

pub use files::{Room, file_limits, files_for, room, room_within_limit};
pub use listen::{Entrance, ListenError, bind, is_not_here, try_address};
pub use manager::Manager;
pub use signals::Signals;
pub use tls::{TlsError, TlsFiles};

/// Longest wait for a request's head, from the connection's start or the last answer's end.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Least size of hyper's buffer per connection in bytes: the longest head (beyond it hyper answers 431 without a
/// body).
const MIN_BUFFER: usize = 24 << 10;
/// Pause after an accept that failed for want of files or memory: trying again at once would only spin.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// Connections that a listener accepts in a row before others (listeners, the service manager's watchdog) have their
/// turn: all are of one task, whose share of the runtime a flood at one listener would use up.
const ACCEPT_BATCH: u32 = 32;

/// How often the loop of a listener comes round where nobody comes, so that it can be told from one that hangs.
const BEAT: Duration = Duration::from_secs(2);

/// How long a client may take nothing of what is there for it, where another finds no room. The kernel says that it
/// takes something each 64 KiB or sooner, which one with 10 kB/s does in less.
const STALL_PATIENCE: Duration = Duration::from_secs(10);

/// Settings of this room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// What TLS is spoken with; unset, there is none.
    pub tls: Option<TlsFiles>,
    /// How long streams may finish after a signal.
    pub drain: Duration,
    /// Longest time that a client may take nothing of what is sent to it.
    pub idle: Duration,
    /// Bytes of a response that are collected before they are written, per connection.
    pub buffer: usize,
    /// Connections at a time; unset, as many as the limit on open files leaves room for.
    pub max_connections: Option<usize>,
    /// Connections at a time of an address, or of an IPv6 network of 64 bits.
    pub max_connections_per_address: usize,
    /// Peers that many clients are behind.
    pub trusted_proxies: Vec<IpNet>,
}

/// Serves until `shutdown` is ready; then accepts nothing more and gives streams the drain's time to finish.
/// `connections`: at a time.
pub async fn run(
    entrance: Entrance,
    api: Arc<Api>,
    settings: &Settings,
    connections: usize,
    manager: Manager,
    shutdown: impl Future<Output = ()>,
) {
    let Entrance { listeners, tls } = entrance;
    let bounds = Bounds {
        per_address: settings.max_connections_per_address,
        all: connections,
        patience: STALL_PATIENCE.min(settings.idle),
        trusted_proxies: settings.trusted_proxies.clone(),
    };
    let hall = Hall {
        crowd: Crowd::new(bounds, Arc::clone(api.counters())),
        api: Arc::clone(&api),
        tls: tls.map(Arc::new),
        drain: Drain::default(),
        limits: Limits { idle: settings.idle, buffer: settings.buffer.max(MIN_BUFFER) },
        beats: listeners.iter().map(|_| AtomicU64::new(0)).collect(),
        started: Instant::now(),
    };
    let accepting =
        join_all(listeners.iter().zip(&hall.beats).map(|(listener, beat)| hall.accept(listener, beat)));
    let follow = async {
        match &hall.tls {
            Some(tls) => tls.follow().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = shutdown => {}
        _ = accepting => {}
        () = follow => {}
        never = manager.tend(|| api.summary(), || hall.is_alive() && api.is_alive()) => never,
    }
    // New clients are refused from here on, and go to another server if there is one.
    drop(listeners);
    api.drain();
    let drain = settings.drain;
    let left = hall.drain.left();
    tracing::info!(connections = left, seconds = drain.as_secs(), "draining");
    manager.stopping(drain.as_secs()).await;
    let drained = tokio::select! {
        drained = tokio::time::timeout(drain, hall.drain.run()) => drained,
        never = manager.tend(|| format!("draining: {}", api.summary()), || api.is_alive()) => never,
    };
    match drained {
        Ok(()) => tracing::info!("drained"),
        Err(_) => tracing::warn!("the drain's time is over; what still runs is cut off"),
    }
}

/// What connections are let into.
struct Hall {
    crowd: Crowd,
    api: Arc<Api>,
    tls: Option<Arc<Tls>>,
    drain: Drain,
    limits: Limits,
    /// When each listener's loop last came round, in milliseconds from the start.
    beats: Vec<AtomicU64>,
    started: Instant,
}

impl Hall {
    /// Whether all loops have come round of late: within three beats.
    fn is_alive(&self) -> bool {
        let late = self.now().saturating_sub(3 * millis(BEAT));
        self.beats.iter().all(|beat| beat.load(Ordering::Relaxed) >= late)
    }

    fn now(&self) -> u64 {
        millis(self.started.elapsed())
    }

    async fn accept(&self, listener: &TcpListener, beat: &AtomicU64) -> Infallible {
        let mut in_a_row = 0;
        loop {
            if in_a_row == ACCEPT_BATCH {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
            in_a_row += 1;
            let accepted = tokio::time::timeout(BEAT, listener.accept()).await;
            beat.store(self.now(), Ordering::Relaxed);
            match accepted {
                Ok(Ok((stream, peer))) => self.enter(stream, peer),
                // Nobody came.
                Err(_) => {}
                Ok(Err(error)) if is_of_one_connection(&error) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "can't accept");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    fn enter(&self, stream: TcpStream, peer: SocketAddr) {
        // Without an address of its own it is gone already.
        let Ok(local) = stream.local_addr() else { return };
        let Some(presence) = self.crowd.admit(peer.ip()) else { return };
        let tls = self.tls.clone();
        let client = ClientConnection { peer, local, tls: tls.is_some(), outlet: Outlet::default() };
        let io = ConnectionIo::new(stream, client.outlet.clone(), Arc::clone(&presence), self.limits.idle);
        let requests = Requests { api: Arc::clone(&self.api), client, presence: Arc::clone(&presence) };
        let greeted = greet::greet(io, tls, requests, self.limits, self.drain.watcher());
        presence.greeted_by(tokio::spawn(greeted).abort_handle());
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Errors that concern a client that has already left again (accept(2)).
fn is_of_one_connection(error: &std_io::Error) -> bool {
    use std_io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Limits of a connection.
#[derive(Clone, Copy)]
struct Limits {
    idle: Duration,
    buffer: usize,
}
