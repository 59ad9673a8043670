//! What fetches the bytes of streams.
//!
//! It speaks HTTP/1.1 only (an h2 window would hold more than the byte bound of a stream), keeps connections for reuse,
//! and leaves by the way that a route names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use moka::sync::Cache;

use super::connector::{self, ConnectError, Connector, Peer, Stream};
use super::dial::Dialer;
use super::exchange::{self, ResponseBody};
use super::exits::Exits;
use super::pool::Pool;
use super::proxy_error::ProxyError;
use super::route::{Proxy, Route, Way};
use super::trust::{Tls, TrustError};
use super::{CONNECT_TIMEOUT, HEAD_TIMEOUT, KEPT_TIMEOUT, MIN_READ, Settings};

/// Most hosts of CDNs that are known to want the address which fetched the page.
const MAX_HOSTS: u64 = 10_000;
/// How long that is known.
const HOST_TTL: Duration = Duration::from_secs(6 * 3600);
/// How long a host is left alone that can't be reached directly.
const UNREACHED_TTL: Duration = Duration::from_secs(60);

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// No absolute `http` or `https` URI.
    #[error("no address to connect to")]
    Address,
    /// The egress that the link is for is not in the list any more.
    #[error("the way by which the page was fetched is no more")]
    Gone,
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

    /// Whether it is the way out that is of no use, to whatever site.
    pub fn is_ways_own(&self) -> bool {
        matches!(self, Self::Gone | Self::Connect(ConnectError::Egress(_) | ConnectError::Doubtful(_)))
    }

    /// Whether time ran out, rather than something being refused or broken.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout | Self::Connect(ConnectError::Timeout))
    }
}

/// Fetches for streams. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    exits: Arc<Exits>,
    connector: Connector,
    pool: Arc<Pool>,
    direct: Option<Direct>,
    read_buffer: usize,
    /// Bytes of bodies so far.
    received: Arc<AtomicU64>,
}

/// Where streams leave directly: what is known of the sites' servers.
#[derive(Clone)]
struct Direct {
    /// Hosts that have refused that, and not the way of the page.
    bound: Cache<String, ()>,
    /// Hosts that could not be reached.
    unreached: Cache<String, ()>,
}

impl Direct {
    fn new() -> Self {
        let cache = |ttl| Cache::builder().max_capacity(MAX_HOSTS).time_to_live(ttl).build();
        Self { bound: cache(HOST_TTL), unreached: cache(UNREACHED_TTL) }
    }

    fn may_serve(&self, host: &str) -> bool {
        !self.bound.contains_key(host) && !self.unreached.contains_key(host)
    }
}

impl Client {
    pub(super) fn new(exits: Arc<Exits>, dialer: Dialer, settings: &Settings) -> Result<Self, TrustError> {
        let tls = Tls::new(&settings.roots)?;
        Ok(Self {
            exits,
            connector: Connector::new(dialer, tls, CONNECT_TIMEOUT),
            pool: Arc::default(),
            direct: settings.streams_direct.then(Direct::new),
            read_buffer: settings.read_buffer.max(MIN_READ),
            received: Arc::default(),
        })
    }

    /// Bytes of bodies that have come so far.
    pub fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Sends one request to the absolute URI in it, and gives the response's head with the body to come.
    /// Redirects are the caller's affair.
    pub async fn send(
        &self,
        route: &Route,
        request: &Request<()>,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let host = request.uri().host().ok_or(EgressError::Address)?;
        let is_direct = || self.exits.resolve(route).is_some_and(|(_, way)| way == Way::Direct);
        let direct = self.direct.as_ref().filter(|direct| direct.may_serve(host) && !is_direct());
        let Some(direct) = direct else { return self.send_by(route, request).await };
        let refused = match self.send_way(&Way::Direct, None, request).await {
            Ok(response) if response.status() != StatusCode::FORBIDDEN => return Ok(response),
            Ok(response) => {
                response.into_body().discard().await;
                true
            }
            Err(error) if error.is_forbidden() => return Err(error),
            Err(error) => {
                tracing::debug!(%error, host, "no direct way to a site's server");
                direct.unreached.insert(host.to_owned(), ());
                false
            }
        };
        let response = self.send_by(route, request).await?;
        // It was the address that it refused, and not the link.
        if refused && serves(response.status()) {
            tracing::info!(host, "a site's server serves the address alone that fetched the page");
            direct.bound.insert(host.to_owned(), ());
        }
        Ok(response)
    }

    async fn send_by(
        &self,
        route: &Route,
        request: &Request<()>,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let (exit, way) = self.exits.resolve(route).ok_or(EgressError::Gone)?;
        let sent = self.send_way(&way, Some(route), request).await;
        match &sent {
            Err(EgressError::Connect(ConnectError::Egress(_))) => self.exits.broken(exit, true),
            Err(EgressError::Connect(ConnectError::Doubtful(_))) => self.exits.broken(exit, false),
            _ => {}
        }
        sent
    }

    /// What a kept connection does not answer is asked again on a new one: the other side may have closed it at the same
    /// moment. `route`: none for the machine's own way, where the page was fetched by another.
    async fn send_way(
        &self,
        way: &Way,
        route: Option<&Route>,
        request: &Request<()>,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let uri = request.uri();
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(EgressError::Address);
        };
        let proxy = self.connector.forwarder(way, uri);
        let peer = match (proxy, route) {
            (Some(_), Some(route)) => Peer::Proxy(route.clone()),
            (None, Some(route)) => Peer::Site(scheme.clone(), authority.clone(), route.clone()),
            (_, None) => Peer::Direct(scheme.clone(), authority.clone()),
        };
        let family = route.and_then(|route| route.family);
        self.connector.admit(way, uri)?;
        let addressed = || addressed(request, proxy).ok_or(EgressError::Address);
        if let Some(stream) = self.pool.take(&peer) {
            match self.exchange(stream, addressed()?, &peer, KEPT_TIMEOUT).await {
                Ok(response) => return by_proxy(proxy, response),
                Err(error) => tracing::debug!(%error, "a kept connection was gone"),
            }
        }
        let stream = self.connector.connect(way, family, uri).await?;
        by_proxy(proxy, self.exchange(stream, addressed()?, &peer, HEAD_TIMEOUT).await?)
    }

    async fn exchange(
        &self,
        stream: Stream,
        request: Request<Empty<Bytes>>,
        peer: &Peer,
        timeout: Duration,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let (home, received) = ((Arc::clone(&self.pool), peer.clone()), Arc::clone(&self.received));
        let exchanged = exchange::exchange(stream, request, self.read_buffer, home, received);
        tokio::time::timeout(timeout, exchanged)
            .await
            .map_err(|_| EgressError::Timeout)?
            .map_err(EgressError::Exchange)
    }
}

/// Whether a site's server gives what it is asked for, or would, but for the range.
fn serves(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || status == StatusCode::RANGE_NOT_SATISFIABLE
}

/// A response that came by a proxy: one that wants other credentials is the proxy's, or so it seems.
fn by_proxy(
    proxy: Option<&Proxy>,
    response: Response<ResponseBody>,
) -> Result<Response<ResponseBody>, EgressError> {
    match proxy {
        Some(_) if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(ConnectError::Doubtful(ProxyError::Credentials.into()).into())
        }
        _ => Ok(response),
    }
}

/// The request as it goes onto the wire: origin-form, or absolute-form for a proxy that reads it (RFC 9112 §3.2), with
/// the `Host` that belongs to it.
fn addressed(request: &Request<()>, proxy: Option<&Proxy>) -> Option<Request<Empty<Bytes>>> {
    let uri = request.uri();
    let host = host(uri)?;
    let mut addressed = request.clone().map(|()| Empty::new());
    match proxy {
        None => {
            let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
            *addressed.uri_mut() = Uri::from(path);
        }
        Some(proxy) => {
            if let Some(authorization) = &proxy.authorization {
                addressed.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
        }
    }
    addressed.headers_mut().insert(HOST, host);
    Some(addressed)
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
