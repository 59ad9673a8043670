//! What the server knows of a request's connection. It travels in the request's extensions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

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

/// A way to end a connection with a TCP reset, which no client can take for a clean end.
///
/// Armed, the connection ends with a reset however it ends, even if the whole process is killed. Requested, it
/// ends at once.
#[derive(Debug, Clone, Default)]
pub struct Reset(Arc<ResetState>);

#[derive(Debug, Default)]
struct ResetState {
    requested: AtomicBool,
    armed: AtomicBool,
    notify: Notify,
}

impl Reset {
    /// From here on, an end of the connection is a reset. Takes effect with the next write.
    pub fn arm(&self) {
        self.0.armed.store(true, Ordering::Release);
    }

    /// Once all that was written is out, an end of the connection is an ordinary one.
    pub fn disarm(&self) {
        self.0.armed.store(false, Ordering::Release);
    }

    /// Whether an end of the connection is to be a reset.
    pub fn is_armed(&self) -> bool {
        self.0.armed.load(Ordering::Acquire) || self.is_requested()
    }

    /// Asks for the end, now. The connection's owner carries it out.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.notify.notify_one();
    }

    fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Acquire)
    }

    /// Waits until it is asked for. For one waiter.
    pub async fn requested(&self) {
        while !self.is_requested() {
            self.0.notify.notified().await;
        }
    }
}
