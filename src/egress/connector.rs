//! Connections by whichever way, with TLS on top for https.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::dial::Dialer;
use super::policy::Forbidden;
use super::proxy_error::ProxyError;
use super::route::{Family, Proxy, Route, Way};
use super::tls::TlsStream;
use super::trust::Tls;

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
    /// The site has no address of the family that the egress has.
    #[error("no address of the site can be reached from that of the egress")]
    Family,
    /// The egress itself: a proxy that is gone or refuses the credentials, an address that this machine does not have.
    #[error("the egress is of no use: {0}")]
    Egress(#[source] BoxError),
    /// A proxy, or the site behind it: which of them can't be told.
    #[error("the proxy, or the site: {0}")]
    Doubtful(#[source] BoxError),
    /// Name, TCP or TLS, or the proxy's word on them.
    #[error("{0}")]
    Failed(#[source] BoxError),
}

impl From<ProxyError> for ConnectError {
    fn from(error: ProxyError) -> Self {
        match error.is_proxys_own() {
            true => Self::Egress(error.into()),
            false => Self::failed(error),
        }
    }
}

impl ConnectError {
    /// No connection in time.
    pub(super) fn late(way: &Way, error: tokio::time::error::Elapsed) -> Self {
        match way {
            Way::Proxy(_) => Self::Doubtful(error.into()),
            _ => Self::Timeout,
        }
    }

    pub(super) fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }
}

/// Whom a connection can serve: only requests with the same value may share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    /// One site, by one way.
    Site(Scheme, Authority, Route),
    /// One site, by the machine's own way, whatever the route of the page.
    Direct(Scheme, Authority),
    /// A proxy, for every site over plain http.
    Proxy(Route),
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    dialer: Dialer,
    tls: Tls,
    timeout: Duration,
}

impl Connector {
    /// `timeout` covers name, TCP, proxy and TLS together.
    pub(super) fn new(dialer: Dialer, tls: Tls, timeout: Duration) -> Self {
        Self { dialer, tls, timeout }
    }

    /// Judges what can be judged before there is a connection.
    pub(super) fn admit(&self, way: &Way, uri: &Uri) -> Result<(), ConnectError> {
        match host_and_port(uri) {
            Some((host, port)) => Ok(self.dialer.admit(way, host, port)?),
            None => Ok(()),
        }
    }

    /// The proxy that a request for `uri` goes to as it is.
    pub(super) fn forwarder<'a>(&self, way: &'a Way, uri: &Uri) -> Option<&'a Proxy> {
        match way {
            Way::Proxy(proxy) if uri.scheme() == Some(&Scheme::HTTP) && self.dialer.forwards(way) => {
                Some(proxy)
            }
            _ => None,
        }
    }

    /// Connects for a request to `uri`.
    pub(super) async fn connect(
        &self,
        way: &Way,
        family: Option<Family>,
        uri: &Uri,
    ) -> Result<Stream, ConnectError> {
        let connected = tokio::time::timeout(self.timeout, self.connect_at_leisure(way, family, uri)).await;
        connected.unwrap_or_else(|late| Err(ConnectError::late(way, late)))
    }

    async fn connect_at_leisure(
        &self,
        way: &Way,
        family: Option<Family>,
        uri: &Uri,
    ) -> Result<Stream, ConnectError> {
        let tcp = match self.forwarder(way, uri) {
            Some(proxy) => self.dialer.reach(proxy).await?,
            None => {
                let (host, port) = host_and_port(uri).ok_or_else(|| ConnectError::failed("no host"))?;
                self.dialer.dial(way, family, host, port).await?
            }
        };
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Stream::Plain(tcp));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host).map_err(ConnectError::failed)?.to_owned();
        let tls = TlsStream::connect(tcp, self.tls.by(way), name).await.map_err(|error| match way {
            // Whose tunnel may be none.
            Way::Proxy(_) => ConnectError::Doubtful(error.into()),
            _ => ConnectError::failed(error),
        })?;
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
