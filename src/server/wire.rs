//! What hyper reads and writes: a client's socket, or TLS over it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::io::ConnectionIo;

/// A client's connection. What a socket does for a stream (see [`ConnectionIo`]) it does below TLS, too.
pub(super) enum Wire {
    Plain(ConnectionIo),
    /// In a box: it is several times as large.
    Tls(Box<TlsStream<ConnectionIo>>),
}

macro_rules! inner {
    ($wire:expr, $io:ident => $call:expr) => {
        match $wire.get_mut() {
            Wire::Plain($io) => $call,
            Wire::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inner!(self, io => Pin::new(io).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        inner!(self, io => Pin::new(io).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(tls) => match tls.get_mut().0.is_to_reset() {
                // `close_notify` would say that all is well.
                true => Poll::Ready(Ok(())),
                false => Pin::new(tls).poll_shutdown(cx),
            },
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inner!(self, io => Pin::new(io).poll_write_vectored(cx, slices))
    }
}
