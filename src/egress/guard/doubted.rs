//! The far side of a tunnel, which may be none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::super::connector::ConnectError;
use super::User;

/// First bytes of what a TLS server may send: a handshake, or an alert (RFC 8446 §5.1).
const TLS: [u8; 2] = [0x16, 0x15];

/// A connection by way of a proxy, whose word for it that it is a tunnel has to be proved: where TLS is spoken, what
/// comes first must be that. Otherwise it may be the proxy's fault, or the site's.
pub(super) struct Doubted {
    stream: TcpStream,
    /// Until it is proved.
    user: Option<Arc<User>>,
}

impl Doubted {
    /// `user`: none where there is nothing to prove.
    pub(super) fn new(stream: TcpStream, user: Option<Arc<User>>) -> Self {
        Self { stream, user }
    }
}

impl AsyncRead for Doubted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if let Some(user) = self.user.take() {
            let first = buffer.filled().get(before);
            if !first.is_some_and(|byte| TLS.contains(byte)) {
                user.refused(&ConnectError::Doubtful("the proxy's tunnel is none".into()));
            }
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Doubted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
