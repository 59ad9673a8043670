//! Python's side of a tunnel, with every byte counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Shared, User};

pub(super) struct Metered {
    stream: TcpStream,
    /// What was read already.
    ahead: Bytes,
    user: Arc<User>,
    shared: Arc<Shared>,
    /// Bytes so far.
    moved: Arc<AtomicU64>,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, ahead: Bytes, user: Arc<User>, shared: Arc<Shared>) -> Self {
        Self { stream, ahead, user, shared, moved: Arc::default() }
    }

    /// Counts on while this is in use.
    pub(super) fn moved(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.moved)
    }

    /// Its first byte; none at its end.
    pub(super) async fn first(&self) -> io::Result<Option<u8>> {
        if let Some(byte) = self.ahead.first() {
            return Ok(Some(*byte));
        }
        let mut byte = [0];
        Ok((self.stream.peek(&mut byte).await? > 0).then_some(byte[0]))
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        self.shared.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        match self.user.spend(bytes as u64) {
            true => Ok(()),
            false => Err(io::Error::other("the extraction may not have more")),
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.ahead.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        } else {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..length]);
            self.ahead.advance(length);
        }
        Poll::Ready(self.count(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        Poll::Ready(self.count(written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
