//! What the server knows of a request's connection. It travels in the request's extensions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Api;
use crate::telemetry::Metrics;

/// The connection that a request came by.
#[derive(Debug, Clone)]
pub struct ClientConnection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// Whether it is our own TLS.
    pub tls: bool,
    /// The way out.
    pub outlet: Outlet,
}

/// What a response tells the socket that it goes out by. Where many share a socket (HTTP/2), each has one of its own,
/// and no socket listens.
#[derive(Debug, Clone, Default)]
pub struct Outlet(Arc<OutletState>);

#[derive(Debug, Default)]
struct OutletState {
    resets: AtomicBool,
    more: AtomicBool,
    streaming: AtomicBool,
    offered: AtomicU64,
    untaken: AtomicBool,
}

impl Outlet {
    /// From here on, an end of the connection, even by the death of the process, is a TCP reset, which no client
    /// can take for a clean end. Takes effect with the next write.
    pub fn arm(&self) {
        self.0.resets.store(true, Ordering::Release);
    }

    /// Once all that was written is out, an end of the connection is an ordinary one.
    pub fn disarm(&self) {
        self.0.resets.store(false, Ordering::Release);
    }

    /// Whether an end of the connection is to be a reset.
    pub fn is_armed(&self) -> bool {
        self.0.resets.load(Ordering::Acquire)
    }

    /// Says whether a stream is going out: the connection is then to be watched for its end, even where the client
    /// has sent something that nobody reads yet.
    pub fn stream(&self, streaming: bool) {
        self.0.streaming.store(streaming, Ordering::Relaxed);
    }

    /// Whether a stream is going out.
    pub fn is_streaming(&self) -> bool {
        self.0.streaming.load(Ordering::Relaxed)
    }

    /// Says whether more is likely to follow at once, so that the kernel can wait for it to fill a segment. Who says
    /// yes comes back with more, or says no before the connection is flushed.
    pub fn expect_more(&self, more: bool) {
        self.0.more.store(more, Ordering::Relaxed);
    }

    /// Whether more is likely to follow at once.
    pub fn expects_more(&self) -> bool {
        self.0.more.load(Ordering::Relaxed)
    }

    /// Says that the client has been given a piece of a stream.
    pub fn offer(&self) {
        self.0.offered.fetch_add(1, Ordering::Relaxed);
        self.wait_for_client(true);
    }

    /// Says whether a stream waits for its client to take what it was given.
    pub fn wait_for_client(&self, waits: bool) {
        self.0.untaken.store(waits, Ordering::Relaxed);
    }

    /// How many pieces the client has been given, where the stream waits for it to take the last of them.
    pub fn untaken(&self) -> Option<u64> {
        self.0.untaken.load(Ordering::Relaxed).then(|| self.0.offered.load(Ordering::Relaxed))
    }
}

impl Api {
    /// The counters of the process.
    pub fn counters(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}
