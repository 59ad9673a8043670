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
use super::tls::TlsStream;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It took too long.
    #[error("no connection in time")]
    Timeout,
    /// Name, TCP, proxy or TLS.
    #[error("{0}")]
    Failed(#[source] BoxError),
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
    Proxied { tunnel: Box<Tunnel<HttpConnector>>, proxy: Uri },
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    route: Route,
    tls: Arc<ClientConfig>,
    timeout: Duration,
}

impl Connector {
    /// `timeout` covers name, TCP, proxy and TLS together.
    pub(super) fn new(proxy: Option<&Proxy>, tls: ClientConfig, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        let route = match proxy {
            None => Route::Direct,
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri.clone(), tcp.clone());
                if let Some(authorization) = &proxy.authorization {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                Route::Proxied { tunnel: Box::new(tunnel), proxy: proxy.uri.clone() }
            }
        };
        Self { tcp, route, tls: Arc::new(tls), timeout }
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
            .map_err(ConnectError::Failed)
    }

    async fn connect_at_leisure(&self, uri: &Uri) -> Result<Stream, BoxError> {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        // hyper-util's connectors are always ready.
        let tcp = match self.route.clone() {
            Route::Direct => self.tcp.clone().call(uri.clone()).await?,
            Route::Proxied { mut tunnel, .. } if secure => tunnel.call(uri.clone()).await?,
            Route::Proxied { proxy, .. } => self.tcp.clone().call(proxy).await?,
        };
        let tcp = tcp.into_inner();
        if !secure {
            return Ok(Stream::Plain(tcp));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host)?.to_owned();
        let tls = TlsStream::connect(tcp, Arc::clone(&self.tls), name).await?;
        Ok(Stream::Tls(Box::new(tls)))
    }
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
