//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::tls::{Tls, TlsError};
use super::{Settings, manager};

/// Connections that the kernel keeps for us until we accept them (listen(2); capped by `somaxconn`).
const BACKLOG: i32 = 1024;

/// Why the server can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address can't be had.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A socket that was passed in is of no use.
    #[error("a socket that was passed in is of no use: {0}")]
    Passed(#[source] io::Error),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No address at all.
    #[error("no address to listen on")]
    None,
}

/// Where clients come in.
pub struct Entrance {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) tls: Option<Tls>,
}

/// Takes the sockets that were passed in; without any, binds every address.
pub fn bind(settings: &Settings) -> Result<Entrance, ListenError> {
    let tls = settings.tls.as_ref().map(Tls::open).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let passed = passed(scheme).map_err(ListenError::Passed)?;
    let listeners = if passed.is_empty() { bound(&settings.listen, scheme)? } else { passed };
    Ok(Entrance { listeners, tls })
}

fn passed(scheme: &str) -> io::Result<Vec<TcpListener>> {
    let passed = manager::passed()?.into_iter().map(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        tracing::info!(
            "a socket was passed in, HOST and PORT do not count: listening on {scheme}://{address}"
        );
        TcpListener::from_std(listener)
    });
    passed.collect()
}

/// One that this host does not have (`::1` without IPv6) is left out with a warning, as long as another is left.
fn bound(addresses: &[SocketAddr], scheme: &str) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    let mut missing = None;
    for &address in addresses {
        match listen(address) {
            Ok(listener) => {
                let bound = listener.local_addr().unwrap_or(address);
                tracing::info!("listening on {scheme}://{bound}");
                listeners.push(listener);
            }
            Err(source) if is_not_here(&source) => {
                tracing::warn!(%address, error = %source, "not listening");
                missing = Some(ListenError::Bind { address, source });
            }
            Err(source) => return Err(ListenError::Bind { address, source }),
        }
    }
    match listeners.is_empty() {
        true => Err(missing.unwrap_or(ListenError::None)),
        false => Ok(listeners),
    }
}

/// Whether an address can be listened on, which is not done: no client notices.
pub fn try_address(address: SocketAddr) -> io::Result<()> {
    socket_at(address).map(drop)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket_at(address)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn socket_at(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `::` is IPv6 alone: `0.0.0.0` can stand beside it, whatever the host's default is.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether it is an address that this machine does not have.
pub fn is_not_here(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}
