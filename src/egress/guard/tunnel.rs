//! From a request to the guard to the end of its connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::TcpStream;
use tokio::sync::watch;
use url::Host;

use super::super::connector::ConnectError;
use super::super::dial::pass;
use super::super::outing::Outing;
use super::super::route::{Family, Proxy, Way};
use super::super::socks::{Accepted, Destination, Reply, reply};
use super::doubted::Doubted;
use super::metered::Metered;
use super::{HELLO, Shared, User, forward};

/// First byte of a TLS handshake (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// Bytes that are moved at a time, to the site and from it.
const BUFFERS: (usize, usize) = (8 << 10, 64 << 10);
/// How long a connection is kept on which nothing moves, and that no extraction has.
const IDLE: Duration = Duration::from_secs(60);
const HTTPS: u16 = 443;

/// Where a connection leads.
enum Opened {
    /// To the site.
    Site(TcpStream),
    /// To a proxy that has been asked for nothing yet: what the client says first tells how it is to be asked.
    Proxy(TcpStream, Arc<Proxy>, Destination),
}

/// Serves a client to its end, or until it is cut off.
pub(super) async fn run(
    mut client: TcpStream,
    accepted: Accepted<Arc<User>>,
    mut cuts: watch::Receiver<u64>,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let Accepted { user, destination, leftover } = accepted;
    // Of an extraction that is over.
    let Some(outing) = user.outing() else { return reply(&mut client, Reply::Failed).await };
    let opened = tokio::select! {
        opened = open(&outing, &user, &destination, shared) => opened,
        _ = cuts.changed() => return Ok(()),
    };
    // It may be kept for others.
    drop(outing);
    let upstream = match opened {
        Ok(upstream) => upstream,
        Err(error) => {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(host = destination.host, port = destination.port, %error, "not connected");
            return reply(&mut client, told(&error)).await;
        }
    };
    shared.dials.fetch_add(1, Ordering::Relaxed);
    reply(&mut client, Reply::Succeeded).await?;
    let client = Metered::new(client, leftover, Arc::clone(&user), Arc::clone(shared));
    let moved = client.moved();
    let work = async {
        match upstream {
            Opened::Site(site) => {
                let proxied = matches!(user.way, Way::Proxy(_));
                let doubt = proxied && client.first().await? == Some(TLS_HANDSHAKE);
                pump(client, Doubted::new(site, doubt.then(|| Arc::clone(&user)))).await
            }
            Opened::Proxy(tcp, proxy, to) => through(client, tcp, &proxy, &to, &user).await,
        }
    };
    let idle = async {
        let mut before = None;
        loop {
            tokio::time::sleep(IDLE).await;
            let now = moved.load(Ordering::Relaxed);
            if user.outing().is_none() && before.replace(now) == Some(now) {
                return;
            }
        }
    };
    tokio::select! {
        ended = work => ended,
        _ = cuts.changed() => Ok(()),
        () = idle => Ok(()),
    }
}

async fn open(
    outing: &Outing,
    user: &User,
    to: &Destination,
    shared: &Shared,
) -> Result<Opened, ConnectError> {
    if !outing.dial() {
        return Err(ConnectError::failed("the extraction may not have more connections"));
    }
    let opened = tokio::time::timeout(shared.timeout, connect(&user.way, to, shared)).await;
    let opened = opened.unwrap_or_else(|late| Err(ConnectError::late(&user.way, late)));
    match &opened {
        Ok(Opened::Site(site)) if !matches!(user.way, Way::Proxy(_)) => {
            if let Ok(peer) = site.peer_addr() {
                user.connected(outing, Family::of(peer.ip()));
            }
        }
        Ok(_) => {}
        Err(error) => outing.refused(error),
    }
    opened
}

async fn connect(way: &Way, to: &Destination, shared: &Shared) -> Result<Opened, ConnectError> {
    let dialer = &shared.dialer;
    match way {
        Way::Proxy(proxy) if dialer.forwards(way) && to.port != HTTPS => {
            dialer.admit(way, &to.host, to.port)?;
            // As it was judged: a proxy may read another spelling as another address.
            let host = Host::parse(&to.host).map_err(ConnectError::failed)?.to_string();
            let to = Destination { host, port: to.port };
            Ok(Opened::Proxy(dialer.reach(proxy).await?, Arc::clone(proxy), to))
        }
        _ => Ok(Opened::Site(dialer.dial(way, None, &to.host, to.port).await?)),
    }
}

/// What a client hears of an error (RFC 1928 §6).
fn told(error: &ConnectError) -> Reply {
    match error {
        ConnectError::Forbidden(_) => Reply::NotAllowed,
        ConnectError::Timeout => Reply::TimedOut,
        ConnectError::Family => Reply::HostUnreachable,
        ConnectError::Egress(_) | ConnectError::Doubtful(_) => Reply::Failed,
        ConnectError::Failed(source) => match source.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Reply::Refused,
            _ => Reply::HostUnreachable,
        },
    }
}

/// Moves bytes both ways until both sides have ended, or one has broken.
async fn pump(mut client: Metered, mut site: Doubted) -> io::Result<()> {
    copy_bidirectional_with_sizes(&mut client, &mut site, BUFFERS.0, BUFFERS.1).await.map(drop)
}

/// A connection to a proxy for HTTP: TLS goes through a tunnel, and plain requests as they are, which is all that many
/// proxies let pass.
async fn through(
    client: Metered,
    mut tcp: TcpStream,
    proxy: &Proxy,
    to: &Destination,
    user: &Arc<User>,
) -> io::Result<()> {
    match client.first().await? {
        None => Ok(()),
        Some(TLS_HANDSHAKE) => {
            let asked = tokio::time::timeout(HELLO, pass(proxy, &mut tcp, to)).await;
            let asked = asked.unwrap_or_else(|late| Err(ConnectError::Doubtful(late.into())));
            if let Err(error) = asked {
                user.refused(&error);
                return Err(io::Error::other(error));
            }
            pump(client, Doubted::new(tcp, Some(Arc::clone(user)))).await
        }
        Some(_) => forward::run(client, tcp, proxy, to, user).await,
    }
}
