//! HTTP/2 (RFC 9113), in the clear with prior knowledge or over TLS.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, Sleep};

use super::drain::Watcher;
use super::http1::Draining;
use super::seat::{Presence, Stall};
use super::service::Requests;
use super::wire::Wire;
use super::{HEADER_TIMEOUT, Limits};
use crate::api::client::Outlet;
use crate::silence::Silence;

/// What a client that knows that we speak it sends first (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Requests at a time on a connection: the least that RFC 9113 §6.5.2 finds fit, as many as nginx takes by default.
const MAX_REQUESTS: u32 = 100;
/// Bytes of a request's fields, with 32 for each (RFC 9113 §6.5.2): room for what the HTTP interface takes, which is
/// 8 KiB of target and 8 KiB of headers, so that it is the one to answer what goes beyond. h2 derives from it how many
/// CONTINUATION frames it reads.
const MAX_HEADER_LIST: u32 = 32 << 10;
/// Requests that were taken back before we came to see them, and requests that broke the protocol: beyond so many the
/// connection is closed (rapid reset, CVE-2023-44487; made you reset, CVE-2025-8671).
const MAX_RESETS: usize = 20;
const MAX_ERRORS: usize = 100;
/// Bytes of an answer that wait for the client's window, for each request.
const SEND_BUFFER: usize = 32 << 10;
/// Bytes of a request's body that may come unasked: the longest that is taken.
const REQUEST_WINDOW: u32 = 64 << 10;
/// The same, of all requests of a connection.
const CONNECTION_WINDOW: u32 = 256 << 10;
/// A client that is not there any more does not answer to a PING.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client without requests may take to close a connection that we want closed.
const CLOSING: Duration = Duration::from_secs(10);

tokio::task_local! {
    /// Of the stream that this task answers.
    static OUTLET: Outlet;
}

/// The outlet of the request that is being answered. No socket listens to it, as other requests share the socket.
pub(super) fn outlet_of_this_stream() -> Outlet {
    OUTLET.try_with(Outlet::clone).unwrap_or_default()
}

/// Serves a connection to its end.
pub(super) fn serve(
    wire: Wire,
    requests: Requests,
    limits: Limits,
    watcher: Watcher,
) -> impl Future<Output = ()> {
    let peer = requests.client.peer;
    let mut waiting = Waiting::new(Arc::clone(&requests.presence));
    let mut draining = Draining::new(watcher);
    let mut connection = Box::pin(
        Builder::new(Streams { idle: limits.idle, presence: Arc::clone(&requests.presence) })
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_REQUESTS)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_local_error_reset_streams(MAX_ERRORS)
            .max_send_buf_size(SEND_BUFFER)
            .initial_stream_window_size(REQUEST_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_INTERVAL)
            // Its answer comes after all that is on its way to a client which takes its time.
            .keep_alive_timeout(PING_TIMEOUT.max(limits.idle))
            .serve_connection(TokioIo::new(wire), requests),
    );
    poll_fn(move |cx| {
        if draining.begins(cx) {
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            if let Err(error) = result {
                tracing::debug!(%error, %peer, "connection ended");
            }
            return Poll::Ready(());
        }
        loop {
            match ready!(waiting.poll(cx)) {
                Wait::Close => connection.as_mut().graceful_shutdown(),
                Wait::End => return Poll::Ready(()),
            }
            // So that GOAWAY is written.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
    })
}

/// The wait for a request. hyper has a limit on it for HTTP/1.1 alone.
struct Waiting {
    presence: Arc<Presence>,
    timer: Pin<Box<Sleep>>,
    closing: bool,
}

enum Wait {
    /// No request came for so long.
    Close,
    /// Nor has the client gone since it was told so.
    End,
}

impl Waiting {
    fn new(presence: Arc<Presence>) -> Self {
        Self { presence, timer: Box::pin(tokio::time::sleep(HEADER_TIMEOUT)), closing: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let waited = self.presence.waits();
            let limit = if self.closing { CLOSING } else { HEADER_TIMEOUT };
            if waited < limit {
                self.timer.as_mut().reset(Instant::now() + (limit - waited));
                continue;
            }
            if self.closing {
                return Poll::Ready(Wait::End);
            }
            self.closing = true;
            self.timer.as_mut().reset(Instant::now() + CLOSING);
            return Poll::Ready(Wait::Close);
        }
    }
}

/// Where hyper runs the answers to requests: a task for each, which ends once its client takes nothing of it for too
/// long. That resets the stream, and leaves the others alone.
#[derive(Clone)]
struct Streams {
    idle: Duration,
    presence: Arc<Presence>,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let outlet = Outlet::default();
        let mut taking = Taking::new(self.idle, outlet.clone(), Some(Arc::clone(&self.presence)));
        tokio::spawn(async move {
            let mut stream = pin!(OUTLET.scope(outlet, stream));
            poll_fn(|cx| match stream.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => taking.poll_silence(cx),
            })
            .await;
        });
    }
}

/// Whether the client of a stream takes what it is given. Its socket can't tell, where it closes its window.
struct Taking {
    silence: Silence,
    outlet: Outlet,
    seen: u64,
    presence: Option<Arc<Presence>>,
    stall: Option<Stall>,
}

impl Taking {
    fn new(idle: Duration, outlet: Outlet, presence: Option<Arc<Presence>>) -> Self {
        Self { silence: Silence::new(idle), outlet, seen: 0, presence, stall: None }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(given) = self.outlet.untaken() else {
            self.silence.end();
            self.stall = None;
            return Poll::Pending;
        };
        if given != self.seen {
            self.seen = given;
            self.silence.end();
            self.stall = None;
        }
        if self.stall.is_none() {
            self.stall = self.presence.as_ref().map(Presence::stall);
        }
        ready!(self.silence.poll(cx));
        tracing::debug!("stream reset: the client takes nothing");
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_takes_nothing_is_silent() {
        let outlet = Outlet::default();
        let idle = Duration::from_secs(10);
        let mut taking = Taking::new(idle, outlet.clone(), None);
        let mut waits = async |limit: Duration| {
            tokio::time::timeout(limit, poll_fn(|cx| taking.poll_silence(cx))).await.is_err()
        };
        // It has been given nothing.
        assert!(waits(idle * 3).await);
        for _ in 0..5 {
            outlet.offer();
            assert!(waits(idle / 2).await);
        }
        // It has taken all, and nothing new has come.
        outlet.wait_for_client(false);
        assert!(waits(idle * 3).await);
        outlet.offer();
        assert!(!waits(idle * 2).await);
    }
}
