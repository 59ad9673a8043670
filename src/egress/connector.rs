//! Connections: direct, or through the proxy, with TLS on top for https.

#![expect(clippy::disallowed_types, reason = "this room is the way out")]

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
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

#[derive(Clone)]
enum Route {
    /// To the site itself.
    Direct(HttpsConnector<HttpConnector>),
    /// https through CONNECT; http in absolute-form on a plain connection to the proxy.
    Proxied { tunnel: Box<HttpsConnector<Tunnel<HttpConnector>>>, tcp: HttpConnector, proxy: Uri },
}

/// Makes connections for hyper's client.
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
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        // hyper-util's connectors are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, site: Uri) -> Self::Future {
        let mut route = self.route.clone();
        let timeout = self.timeout;
        Box::pin(async move {
            let connecting = async move {
                match &mut route {
                    Route::Direct(https) => {
                        https.call(site).await.map(|inner| Stream { inner, absolute: false })
                    }
                    Route::Proxied { tunnel, .. } if site.scheme() == Some(&Scheme::HTTPS) => {
                        tunnel.call(site).await.map(|inner| Stream { inner, absolute: false })
                    }
                    Route::Proxied { tcp, proxy, .. } => tcp
                        .call(proxy.clone())
                        .await
                        .map(|tcp| Stream { inner: MaybeHttpsStream::Http(tcp), absolute: true })
                        .map_err(BoxError::from),
                }
            };
            match tokio::time::timeout(timeout, connecting).await {
                Err(_) => Err(ConnectError::Timeout),
                Ok(result) => result.map_err(ConnectError::Failed),
            }
        })
    }
}

/// A connection to a site, or to the proxy.
pub(super) struct Stream {
    inner: MaybeHttpsStream<TokioIo<TcpStream>>,
    /// Whether requests on it carry the whole URI (RFC 9112 §3.2.2).
    absolute: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.connected().proxy(self.absolute)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }
}
