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
    /// Ends the connection with a reset.
    pub reset: Reset,
}

/// A way to have a connection end with a TCP reset, which no client can take for a clean end: while it is armed,
/// the connection ends with one however it ends, even if the whole process is killed.
#[derive(Debug, Clone, Default)]
pub struct Reset(Arc<AtomicBool>);

impl Reset {
    /// From here on, an end of the connection is a reset. Takes effect with the next write.
    pub fn arm(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Once all that was written is out, an end of the connection is an ordinary one.
    pub fn disarm(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether an end of the connection is to be a reset.
    pub fn is_armed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
