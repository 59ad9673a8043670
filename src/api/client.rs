//! What the server knows of a request's connection. It travels in the request's extensions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The connection that a request came by.
#[derive(Debug, Clone)]
pub struct ClientConnection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// The way out.
    pub outlet: Outlet,
}

/// What a response tells the socket that it goes out by.
#[derive(Debug, Clone, Default)]
pub struct Outlet(Arc<OutletState>);

#[derive(Debug, Default)]
struct OutletState {
    resets: AtomicBool,
    more: AtomicBool,
    streaming: AtomicBool,
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
}
