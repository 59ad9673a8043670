//! The beginning of a connection: TLS, and which version of HTTP its client speaks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::drain::Watcher;
use super::io::ConnectionIo;
use super::service::Requests;
use super::tls::Tls;
use super::wire::Wire;
use super::{HEADER_TIMEOUT, Limits, http1, http2};

/// Longest that a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// First byte of TLS: a record of the handshake (RFC 8446 §5.1).
const HANDSHAKE: &[u8] = &[22];
/// What plain HTTP is answered where TLS is spoken.
const WRONG_PORT: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n\
    Connection: close\r\n\r\nThis port speaks https.\n";
/// Most of its request that is read away, so that its sender comes to read that.
const MAX_DISCARDED: usize = 64 << 10;

enum Protocol {
    Http1,
    Http2,
}

/// Finds out what a client speaks, and has it served by another task: what is needed to find out is gone then.
pub(super) async fn greet(
    io: ConnectionIo,
    tls: Option<Arc<Tls>>,
    requests: Requests,
    limits: Limits,
    mut watcher: Watcher,
) {
    let known = async {
        match tls {
            Some(tls) => timeout(HANDSHAKE_TIMEOUT, shake_hands(io, &tls, limits)).await?,
            None => timeout(HEADER_TIMEOUT, prior_knowledge(io)).await?,
        }
    };
    let known = tokio::select! {
        // Who is known has begun to speak, maybe with a request, which is not to be lost to a drain that begins just then.
        biased;
        known = known => known,
        // No request has come, so none is lost.
        () = watcher.begin() => return,
    };
    let presence = Arc::clone(&requests.presence);
    let task = match known {
        Ok((wire, Protocol::Http1)) => tokio::spawn(http1::serve(wire, requests, limits, watcher)),
        Ok((wire, Protocol::Http2)) => tokio::spawn(http2::serve(wire, requests, limits, watcher)),
        Err(error) => {
            tracing::debug!(%error, peer = %requests.client.peer, "connection ended");
            return;
        }
    };
    presence.served_by(task.abort_handle());
}

async fn prior_knowledge(mut io: ConnectionIo) -> io::Result<(Wire, Protocol)> {
    let protocol = match io.begins_with(http2::PREFACE).await? {
        true => Protocol::Http2,
        false => Protocol::Http1,
    };
    Ok((Wire::Plain(io), protocol))
}

async fn shake_hands(mut io: ConnectionIo, tls: &Tls, limits: Limits) -> io::Result<(Wire, Protocol)> {
    if !io.begins_with(HANDSHAKE).await? {
        return Err(refuse(io).await);
    }
    let acceptor = TlsAcceptor::from(tls.config());
    // Beside it there is only what lies between hyper and the socket in any case.
    let limit = |session: &mut rustls::ServerConnection| session.set_buffer_limit(Some(limits.buffer));
    let stream = Box::pin(acceptor.accept_with(io, limit)).await?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    Ok((Wire::Tls(Box::new(stream)), protocol))
}

/// Answers plain HTTP where TLS is meant.
async fn refuse(mut io: ConnectionIo) -> io::Error {
    let refused = async {
        io.write_all(WRONG_PORT).await?;
        io.shutdown().await?;
        // What is not read when the socket is closed makes its end a reset, which would overtake the answer.
        let mut rest = io.take(MAX_DISCARDED as u64);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    match refused.await {
        Ok(_) => io::Error::other("plain HTTP where TLS is spoken"),
        Err(error) => error,
    }
}
