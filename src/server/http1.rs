//! HTTP/1.1 and HTTP/1.0.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Context;

use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::drain::Watcher;
use super::service::Requests;
use super::wire::Wire;
use super::{HEADER_TIMEOUT, Limits};

/// Serves a connection to its end. Not an `async fn`: that would keep room for each step of the making of the
/// future, for as long as the connection lives.
pub(super) fn serve(
    wire: Wire,
    requests: Requests,
    limits: Limits,
    watcher: Watcher,
) -> impl Future<Output = ()> {
    let peer = requests.client.peer;
    let mut connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(limits.buffer)
        .serve_connection(TokioIo::new(wire), requests);
    let mut draining = Draining::new(watcher);
    poll_fn(move |cx| {
        if draining.begins(cx) {
            Pin::new(&mut connection).graceful_shutdown();
        }
        Pin::new(&mut connection).poll(cx).map(|result| {
            if let Err(error) = result {
                tracing::debug!(%error, %peer, "connection ended");
            }
        })
    })
}

/// Whether the drain has begun, as a connection asks.
pub(super) enum Draining {
    NotYet(Pin<Box<dyn Future<Output = Watcher> + Send>>),
    /// The connection counts until it has ended.
    Begun {
        _watcher: Watcher,
    },
}

impl Draining {
    pub(super) fn new(watcher: Watcher) -> Self {
        Self::NotYet(Box::pin(watcher.begun()))
    }

    /// Whether it has begun since the last time.
    pub(super) fn begins(&mut self, cx: &mut Context<'_>) -> bool {
        let Self::NotYet(waiting) = self else { return false };
        let std::task::Poll::Ready(watcher) = waiting.as_mut().poll(cx) else { return false };
        *self = Self::Begun { _watcher: watcher };
        true
    }
}
