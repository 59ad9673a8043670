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
#[derive(Debug, Clone, Default)]
pub struct Reset(Arc<ResetState>);

#[derive(Debug, Default)]
struct ResetState {
    requested: AtomicBool,
    notify: Notify,
}

impl Reset {
    /// Asks for it. The connection's owner carries it out.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.notify.notify_one();
    }

    /// Whether it was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Acquire)
    }

    /// Waits until it is asked for. For one waiter.
    pub async fn requested(&self) {
        while !self.is_requested() {
            self.0.notify.notified().await;
        }
    }
}
