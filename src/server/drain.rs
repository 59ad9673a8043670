//! The drain: connections are told of it, and it lasts until the last of them has ended.

use tokio::sync::watch;

/// Tells connections to end, and waits for them.
#[derive(Default)]
pub(super) struct Drain(watch::Sender<()>);

impl Drain {
    /// For one connection, which counts until this is dropped.
    pub(super) fn watcher(&self) -> Watcher {
        Watcher(self.0.subscribe())
    }

    /// Connections that are left.
    pub(super) fn left(&self) -> usize {
        self.0.receiver_count()
    }

    /// Tells all connections to end, and waits until they have.
    pub(super) async fn run(self) {
        self.0.send_replace(());
        self.0.closed().await;
    }
}

/// A connection's view of the drain.
pub(super) struct Watcher(watch::Receiver<()>);

impl Watcher {
    /// Waits for the drain to begin.
    pub(super) async fn begin(&mut self) {
        // The other side is there for as long as connections are.
        let _ = self.0.changed().await;
    }

    /// The same; who drops the result has ended.
    pub(super) async fn begun(mut self) -> Self {
        self.begin().await;
        self
    }
}
