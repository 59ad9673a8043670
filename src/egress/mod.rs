//! The only way out: one client for every byte that is fetched from a CDN.
//!
//! It speaks HTTP/1.1 only (an h2 window would hold more than the byte bound of a stream), keeps connections
//! for reuse, and goes through the outbound proxy where one is set: CONNECT for https, absolute-form for http.
//! yt-dlp is given the same proxy and the same trust roots, so that the address that extracts is the address
//! that streams.

mod connector;
mod trust;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

pub use connector::ConnectError;
use connector::Connector;
pub use trust::TrustError;

/// Longest wait for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the head of a response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Unused connections kept per host.
const POOL_PER_HOST: usize = 4;
/// hyper's read buffer per connection in bytes: it bounds what is taken from a socket ahead of the client.
const READ_BUFFER: usize = 16 << 10;

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
    /// PEM files of trust roots.
    pub roots: Vec<PathBuf>,
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// No connection: name, address, proxy or TLS.
    #[error("no connection")]
    Connect(#[source] ClientError),
    /// The connection broke, or what came back was no HTTP.
    #[error("no response")]
    Exchange(#[source] ClientError),
    /// Nothing came back in time.
    #[error("no response in time")]
    Timeout,
}

impl EgressError {
    /// Whether time ran out, rather than something being refused or broken.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Connect(error) | Self::Exchange(error) => {
                let mut source = std::error::Error::source(error);
                while let Some(error) = source {
                    if let Some(ConnectError::Timeout) = error.downcast_ref() {
                        return true;
                    }
                    source = error.source();
                }
                false
            }
        }
    }
}

/// A handle on the way out. Clones share their connections.
#[derive(Clone)]
pub struct Egress {
    client: Client<Connector, Empty<Bytes>>,
    proxy_authorization: Option<HeaderValue>,
}

impl Egress {
    /// Reads the trust roots; connects nowhere yet.
    pub fn new(settings: &Settings) -> Result<Self, TrustError> {
        let tls = trust::client_config(&settings.roots)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_PER_HOST)
            .http1_max_buf_size(READ_BUFFER)
            .build(Connector::new(settings.proxy.as_ref(), tls, CONNECT_TIMEOUT));
        let proxy_authorization = settings.proxy.as_ref().and_then(|proxy| proxy.authorization.clone());
        Ok(Self { client, proxy_authorization })
    }

    /// Sends one request to the absolute URI in it, and gives the response's head with the body to come.
    /// Redirects are the caller's affair. A connection that broke while it lay in the pool is replaced once,
    /// by hyper.
    pub async fn send(&self, mut request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, EgressError> {
        if let Some(authorization) = &self.proxy_authorization {
            // Only a request in absolute-form is the proxy's to read; one in a tunnel is the site's.
            if request.uri().scheme() == Some(&http::uri::Scheme::HTTP) {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
        }
        // The connector keeps its own time; it and the head share this one.
        let response = tokio::time::timeout(CONNECT_TIMEOUT + HEAD_TIMEOUT, self.client.request(request))
            .await
            .map_err(|_| EgressError::Timeout)?;
        response.map_err(|error| match error.is_connect() {
            true => EgressError::Connect(error),
            false => EgressError::Exchange(error),
        })
    }
}
