//! Connections: direct, or through the proxy, with TLS on top for https.

#![expect(clippy::disallowed_types, reason = "this room is the way out")]

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use super::Proxy;
use super::dial::dial;
use super::policy::{Forbidden, Policy};
use super::tls::TlsStream;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It took too long.
    #[error("no connection in time")]
    Timeout,
    /// Not by this server.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Name, TCP, proxy or TLS.
    #[error("{0}")]
    Failed(#[source] BoxError),
}

impl ConnectError {
    pub(super) fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }
}

/// Whom a connection can serve: only requests with the same value may share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    /// One site.
    Site(Scheme, Authority),
    /// The proxy, for every site over plain http.
    Proxy,
}

#[derive(Clone)]
enum Route {
    /// To the site itself.
    Direct,
    /// https through CONNECT; http in absolute-form on a plain connection to the proxy.
    Proxied { tunnel: Box<Tunnel<HttpConnector>>, tcp: HttpConnector, proxy: Uri },
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    policy: Arc<Policy>,
    route: Route,
    tls: Arc<ClientConfig>,
    timeout: Duration,
}

impl Connector {
    /// `timeout` covers name, TCP, proxy and TLS together.
    pub(super) fn new(proxy: Option<&Proxy>, policy: Policy, tls: ClientConfig, timeout: Duration) -> Self {
        let route = match proxy {
            None => Route::Direct,
            Some(proxy) => {
                // The operator's own choice, so its address is not judged.
                let mut tcp = HttpConnector::new();
                tcp.enforce_http(false);
                tcp.set_nodelay(true);
                tcp.set_connect_timeout(Some(timeout));
                let mut tunnel = Tunnel::new(proxy.uri.clone(), tcp.clone());
                if let Some(authorization) = &proxy.authorization {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                Route::Proxied { tunnel: Box::new(tunnel), tcp, proxy: proxy.uri.clone() }
            }
        };
        Self { policy: Arc::new(policy), route, tls: Arc::new(tls), timeout }
    }

    /// Judges what can be judged before there is a connection: of a host that the proxy looks up, its name and port.
    pub(super) fn admit(&self, uri: &Uri) -> Result<(), ConnectError> {
        match (&self.route, host_and_port(uri)) {
            (Route::Proxied { .. }, Some((host, port))) => Ok(self.policy.judge_unresolved(host, port)?),
            // Each of its addresses is judged as it is dialled.
            _ => Ok(()),
        }
    }

    /// Whom a request for `uri` is sent to; none where it is no absolute `http` or `https` URI.
    pub(super) fn peer(&self, uri: &Uri) -> Option<Peer> {
        let scheme = uri.scheme()?;
        match &self.route {
            Route::Proxied { .. } if *scheme == Scheme::HTTP => Some(Peer::Proxy),
            _ => Some(Peer::Site(scheme.clone(), uri.authority()?.clone())),
        }
    }

    /// Connects for a request to `uri`.
    pub(super) async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        tokio::time::timeout(self.timeout, self.connect_at_leisure(uri))
            .await
            .map_err(|_| ConnectError::Timeout)?
    }

    async fn connect_at_leisure(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        // hyper-util's connectors are always ready.
        let tcp = match self.route.clone() {
            Route::Direct => {
                let (host, port) = host_and_port(uri).ok_or_else(|| ConnectError::failed("no host"))?;
                dial(&self.policy, host, port).await?
            }
            Route::Proxied { mut tunnel, .. } if secure => {
                tunnel.call(uri.clone()).await.map_err(ConnectError::failed)?.into_inner()
            }
            Route::Proxied { mut tcp, proxy, .. } => {
                tcp.call(proxy).await.map_err(ConnectError::failed)?.into_inner()
            }
        };
        if !secure {
            return Ok(Stream::Plain(tcp));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host).map_err(ConnectError::failed)?.to_owned();
        let tls = TlsStream::connect(tcp, Arc::clone(&self.tls), name).await.map_err(ConnectError::failed)?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

/// As they are written, the port at least by its scheme.
fn host_and_port(uri: &Uri) -> Option<(&str, u16)> {
    Some((uri.host()?, uri.port_u16().unwrap_or(usual_port(uri))))
}

/// The port that a URI with none means.
pub(super) fn usual_port(uri: &Uri) -> u16 {
    if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 }
}

/// A connection to a site, or to the proxy.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => tls.poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => tls.poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => tls.poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => tls.poll_shutdown(cx),
        }
    }
}
