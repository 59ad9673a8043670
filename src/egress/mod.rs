//! The only way out: one client for every byte that is fetched from a CDN.
//!
//! It speaks HTTP/1.1 only (an h2 window would hold more than the byte bound of a stream), keeps connections
//! for reuse, and goes through the outbound proxy where one is set: CONNECT for https, absolute-form for http.
//! yt-dlp is given the same proxy and the same trust roots, so that the address that extracts is the address
//! that streams.

mod connector;
mod dial;
mod exchange;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod policy;
mod pool;
#[cfg(test)]
mod properties;
#[allow(dead_code, reason = "its callers are still to come")]
mod proxy_error;
#[allow(dead_code, unused_imports, reason = "its callers are still to come")]
mod socks;
mod tls;
mod trust;
#[allow(dead_code, reason = "its callers are still to come")]
mod tunnel;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Empty;

pub use connector::ConnectError;
use connector::{Connector, Peer, Stream};
pub use exchange::{BodyError, ResponseBody};
pub use policy::{Forbidden, Policy};
use pool::Pool;
pub use trust::TrustError;

/// Longest wait for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the head of a response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The same on a kept connection, which may have died in silence: after it a new one is tried.
const KEPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Least bytes that are read from a connection at a time: a TLS record (RFC 8446 §5.1), and room for a head.
pub const MIN_READ: usize = 16 << 10;

/// An outbound proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The whole URL, with user name and password.
    pub url: String,
    /// `http://host:port/`.
    pub uri: Uri,
    /// `Proxy-Authorization`, where the proxy wants it.
    pub authorization: Option<HeaderValue>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Proxy({})", self.uri)
    }
}

/// Settings of this room.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Proxy for all traffic.
    pub proxy: Option<Proxy>,
    /// What may be connected to.
    pub policy: Policy,
    /// PEM files of trust roots.
    pub roots: Vec<PathBuf>,
    /// Most bytes read from a connection at a time; at least [`MIN_READ`].
    pub read_buffer: usize,
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// No absolute `http` or `https` URI.
    #[error("no address to connect to")]
    Address,
    /// No connection: name, address, proxy or TLS.
    #[error("no connection")]
    Connect(#[from] ConnectError),
    /// The connection broke, or what came back was no HTTP.
    #[error("no response")]
    Exchange(#[source] hyper::Error),
    /// Nothing came back in time.
    #[error("no response in time")]
    Timeout,
}

impl EgressError {
    /// Whether the address is none that this server connects to.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Connect(ConnectError::Forbidden(_)))
    }

    /// Whether time ran out, rather than something being refused or broken.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout | Self::Connect(ConnectError::Timeout))
    }
}

/// A handle on the way out. Clones share their connections.
#[derive(Clone)]
pub struct Egress {
    connector: Connector,
    pool: Arc<Pool>,
    proxy_authorization: Option<HeaderValue>,
    read_buffer: usize,
}

impl Egress {
    /// Reads the trust roots; connects nowhere yet.
    pub fn new(settings: &Settings) -> Result<Self, TrustError> {
        let tls = trust::client_config(&settings.roots)?;
        Ok(Self {
            connector: Connector::new(settings.proxy.as_ref(), settings.policy.clone(), tls, CONNECT_TIMEOUT),
            pool: Arc::default(),
            proxy_authorization: settings.proxy.as_ref().and_then(|proxy| proxy.authorization.clone()),
            read_buffer: settings.read_buffer.max(MIN_READ),
        })
    }

    /// Sends one request to the absolute URI in it, and gives the response's head with the body to come.
    /// Redirects are the caller's affair. What a kept connection does not answer is asked again on a new one:
    /// the other side may have closed it at the same moment.
    pub async fn send(&self, request: &Request<()>) -> Result<Response<ResponseBody>, EgressError> {
        let peer = self.connector.peer(request.uri()).ok_or(EgressError::Address)?;
        self.connector.admit(request.uri())?;
        if let Some(stream) = self.pool.take(&peer) {
            match self.exchange(stream, request, &peer, KEPT_TIMEOUT).await {
                Ok(response) => return Ok(response),
                Err(error) => tracing::debug!(%error, "a kept connection was gone"),
            }
        }
        let stream = self.connector.connect(request.uri()).await?;
        self.exchange(stream, request, &peer, HEAD_TIMEOUT).await
    }

    async fn exchange(
        &self,
        stream: Stream,
        request: &Request<()>,
        peer: &Peer,
        timeout: Duration,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let request = self.addressed(request, peer)?;
        let home = (Arc::clone(&self.pool), peer.clone());
        tokio::time::timeout(timeout, exchange::exchange(stream, request, self.read_buffer, home))
            .await
            .map_err(|_| EgressError::Timeout)?
            .map_err(EgressError::Exchange)
    }

    /// The request as it goes onto the wire: origin-form, or absolute-form for a proxy that reads it (RFC 9112
    /// §3.2), with the `Host` that belongs to it.
    fn addressed(&self, request: &Request<()>, peer: &Peer) -> Result<Request<Empty<Bytes>>, EgressError> {
        let uri = request.uri();
        let host = host(uri).ok_or(EgressError::Address)?;
        let mut addressed = request.clone().map(|()| Empty::new());
        match peer {
            Peer::Site(..) => {
                let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
                *addressed.uri_mut() = Uri::from(path);
            }
            Peer::Proxy => {
                if let Some(authorization) = &self.proxy_authorization {
                    addressed.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
                }
            }
        }
        addressed.headers_mut().insert(HOST, host);
        Ok(addressed)
    }
}

/// The `Host` of a URI: without user name, and without the port that goes without saying (RFC 9110 §7.2).
fn host(uri: &Uri) -> Option<HeaderValue> {
    let authority: &Authority = uri.authority()?;
    let host = authority.host();
    match authority.port_u16().filter(|port| *port != connector::usual_port(uri)) {
        Some(port) => HeaderValue::try_from(format!("{host}:{port}")).ok(),
        None => HeaderValue::from_str(host).ok(),
    }
}
