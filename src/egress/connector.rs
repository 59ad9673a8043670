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
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::Proxy;

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
    Direct(HttpsConnector<HttpConnector>),
    /// https through CONNECT; http in absolute-form on a plain connection to the proxy.
    Proxied { tunnel: Box<HttpsConnector<Tunnel<HttpConnector>>>, tcp: HttpConnector, proxy: Uri },
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    route: Route,
    timeout: Duration,
}

impl Connector {
    /// `timeout` covers name, TCP, proxy and TLS together.
    pub(super) fn new(proxy: Option<&Proxy>, tls: ClientConfig, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        let tls = Arc::new(tls);
        let route = match proxy {
            None => Route::Direct(HttpsConnector::from((tcp, tls))),
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri.clone(), tcp.clone());
                if let Some(authorization) = &proxy.authorization {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                Route::Proxied {
                    tunnel: Box::new(HttpsConnector::from((tunnel, tls))),
                    tcp,
                    proxy: proxy.uri.clone(),
                }
            }
        };
        Self { route, timeout }
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
        tokio::time::timeout(self.timeout, self.route.clone().connect(uri.clone()))
            .await
            .map_err(|_| ConnectError::Timeout)?
            .map_err(ConnectError::Failed)
    }
}

impl Route {
    async fn connect(self, uri: Uri) -> Result<Stream, BoxError> {
        // hyper-util's connectors are always ready.
        match self {
            Self::Direct(mut https) => https.call(uri).await.map(Stream),
            Self::Proxied { mut tunnel, .. } if uri.scheme() == Some(&Scheme::HTTPS) => {
                tunnel.call(uri).await.map(Stream)
            }
            Self::Proxied { mut tcp, proxy, .. } => {
                Ok(Stream(MaybeHttpsStream::Http(tcp.call(proxy).await?)))
            }
        }
    }
}

/// A connection to a site, or to the proxy.
pub(super) struct Stream(MaybeHttpsStream<TokioIo<TcpStream>>);

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
