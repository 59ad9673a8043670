//! A stream that never waits, and reads in pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives the bytes in pieces, and then its end. Keeps what is written.
pub(super) struct Pieces<'a> {
    bytes: &'a [u8],
    position: usize,
    /// By turns: a piece is one byte longer than it says.
    sizes: &'a [u8],
    turn: usize,
    written: Vec<u8>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(bytes: &'a [u8], sizes: &'a [u8]) -> Self {
        Self { bytes, position: 0, sizes, turn: 0, written: Vec::new() }
    }

    /// Bytes that have been read.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn into_written(self) -> Vec<u8> {
        self.written
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size =
            self.sizes.get(self.turn % self.sizes.len().max(1)).map_or(1, |size| usize::from(*size) + 1);
        self.turn += 1;
        let rest = &self.bytes[self.position..];
        let piece = &rest[..size.min(rest.len()).min(buffer.remaining())];
        buffer.put_slice(piece);
        self.position += piece.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
