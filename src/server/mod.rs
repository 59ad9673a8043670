//! The raw hyper server: listeners, the accept loop, connections, and the drain.

mod files;
mod io;
mod listen;
mod signals;

use std::convert::Infallible;
use std::io as std_io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};

use crate::api::Api;
use crate::api::client::{ClientConnection, Outlet};
use io::ConnectionIo;

pub use files::streams_within_limit;
pub use listen::{ListenError, bind};
pub use signals::Signals;

/// Longest wait for a request's head, from the connection's start or the last answer's end.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Least size of hyper's buffer per connection in bytes: the longest head (beyond it hyper answers 431 without a
/// body).
const MIN_BUFFER: usize = 24 << 10;
/// Pause after an accept that failed for want of files or memory: trying again at once would only spin.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Settings of this room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// How long streams may finish after a signal.
    pub drain: Duration,
    /// Longest time that a client may take nothing of what is sent to it.
    pub idle: Duration,
    /// Bytes of a response that are collected before they are written, per connection.
    pub buffer: usize,
}

/// Serves until `shutdown` is ready; then accepts nothing more and gives streams the drain's time to finish.
pub async fn run(
    listeners: Vec<TcpListener>,
    api: Arc<Api>,
    settings: &Settings,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let accepting = listeners.iter().map(|listener| accept(listener, &api, settings, &graceful));
    tokio::select! {
        biased;
        () = shutdown => {}
        _ = join_all(accepting) => {}
    }
    // New clients are refused from here on, and go to another server if there is one.
    drop(listeners);
    api.drain();
    let drain = settings.drain;
    let left = graceful.count();
    tracing::info!(connections = left, seconds = drain.as_secs(), "draining");
    match tokio::time::timeout(drain, graceful.shutdown()).await {
        Ok(()) => tracing::info!("drained"),
        Err(_) => tracing::warn!("the drain's time is over; what still runs is cut off"),
    }
}

async fn accept(
    listener: &TcpListener,
    api: &Arc<Api>,
    settings: &Settings,
    graceful: &GracefulShutdown,
) -> Infallible {
    let limits = Limits { idle: settings.idle, buffer: settings.buffer.max(MIN_BUFFER) };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without an address of its own it is gone already.
                let Ok(local) = stream.local_addr() else { continue };
                let client = ClientConnection { peer, local, outlet: Outlet::default() };
                tokio::spawn(serve(stream, client, Arc::clone(api), limits, graceful.watcher()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Errors that concern a client that has already left again (accept(2)).
fn is_of_one_connection(error: &std_io::Error) -> bool {
    use std_io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Limits of a connection.
#[derive(Clone, Copy)]
struct Limits {
    idle: Duration,
    buffer: usize,
}

/// Serves one connection. Not an `async fn`: that would keep room for each step of the making of the future, for
/// as long as the connection lives.
fn serve(
    stream: TcpStream,
    client: ClientConnection,
    api: Arc<Api>,
    limits: Limits,
    watcher: Watcher,
) -> impl Future<Output = ()> {
    let peer = client.peer;
    let io = ConnectionIo::new(stream, client.outlet.clone(), limits.idle);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        let api = Arc::clone(&api);
        // In a box, which is gone once there is an answer: most of a connection's life is a stream's body.
        Box::pin(async move { Ok::<_, Infallible>(api.handle(request).await) })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(limits.buffer)
        .serve_connection(TokioIo::new(io), service);
    watcher.watch(connection).map(move |result| {
        if let Err(error) = result {
            tracing::debug!(%error, %peer, "connection ended");
        }
    })
}
