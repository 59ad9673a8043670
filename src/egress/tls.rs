//! TLS to a site, read record by record.
//!
//! Between two reads a connection holds no ciphertext but the head of the next record, so that one which is held
//! back by its reader costs little memory: tokio-rustls keeps 32 KiB per connection then. The protocol is rustls's;
//! here is only what lies between its unbuffered interface and a socket.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use rustls::ClientConfig;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

/// A record's head: type, version, length (RFC 8446 §5.1).
const HEAD: usize = 5;
/// Bytes read at once where the length of the next record is not known yet.
const FIRST_READ: usize = 4096;
/// Most plaintext in a record (RFC 8446 §5.1).
const MAX_PLAINTEXT: usize = 1 << 14;
/// Room for a record's head, its tag and padding: what encryption adds.
const OVERHEAD: usize = 64;

/// A TLS connection over TCP, from the end of the handshake on.
pub(super) struct TlsStream {
    tcp: TcpStream,
    session: UnbufferedClientConnection,
    /// Records, not yet processed.
    incoming: BytesMut,
    /// Plaintext that a reader had no room for.
    plain: BytesMut,
    /// Records, not yet sent.
    outgoing: BytesMut,
    /// Whether rustls has seen all of `incoming`. What is left of it then lacks its end.
    seen: bool,
    /// Whether the other side has said that nothing more comes.
    closed: bool,
}

impl TlsStream {
    /// Makes a connection to `name` on a socket that leads there.
    pub(super) async fn connect(
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(config, name).map_err(invalid)?;
        let (incoming, plain, outgoing) = Default::default();
        let mut stream = Self { tcp, session, incoming, plain, outgoing, seen: false, closed: false };
        std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.process(None, None)?;
            if !self.session.is_handshaking() {
                // What is left to send goes with the first request.
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_send(cx))?;
            ready!(self.poll_fill(cx, 0))?;
        }
    }

    /// Reads plaintext; nothing after `close_notify`. An end without it is an error (RFC 8446 §6.1).
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        loop {
            let ready = self.plain.len().min(out.remaining());
            out.put_slice(&self.plain[..ready]);
            self.plain.advance(ready);
            if self.plain.is_empty() && self.plain.capacity() > 0 {
                self.plain = BytesMut::new();
            }
            if out.filled().len() > before || self.closed || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if self.seen {
                ready!(self.poll_fill(cx, out.remaining()))?;
            }
            self.process(Some(out), None)?;
            if !self.outgoing.is_empty() {
                // An answer to a request for new keys; if it can't go now, it goes with the next write.
                let _ = self.poll_send(cx)?;
            }
        }
    }

    /// Encrypts bytes, and sends what the socket takes of them; [`Self::poll_flush`] sends the rest.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.outgoing.len() > MAX_PLAINTEXT {
            ready!(self.poll_send(cx))?;
        }
        let bytes = &bytes[..bytes.len().min(MAX_PLAINTEXT)];
        self.process(None, Some(bytes))?;
        let _ = self.poll_send(cx)?;
        Poll::Ready(Ok(bytes.len()))
    }

    /// Sends what is left to send.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    /// Ends our side of the TCP connection. Nobody who reads answers needs our `close_notify`.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    /// Bytes that the first record lacks, or its head.
    fn missing(&self) -> usize {
        match self.incoming.get(3..HEAD) {
            Some(length) => (HEAD + usize::from(u16::from_be_bytes([length[0], length[1]])))
                .saturating_sub(self.incoming.len()),
            None => HEAD - self.incoming.len(),
        }
    }

    /// Reads what the first record lacks and the head of the next one; that one too, if it is likely to be as long
    /// and the reader has `room` for both.
    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<()>> {
        let missing = self.missing();
        let record = missing + self.incoming.len();
        let count = match missing {
            // A message that goes on in the next record, whose head is not there.
            0 => FIRST_READ,
            _ if self.incoming.len() < HEAD => FIRST_READ,
            _ if room + 2 * OVERHEAD >= 2 * record => missing + record + HEAD,
            _ => missing + HEAD,
        };
        self.incoming.reserve(count);
        let mut limited = (&mut self.incoming).limit(count);
        let read = ready!(pin!(self.tcp.read_buf(&mut limited)).poll(cx))?;
        match read {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            _ => {
                self.seen = false;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.outgoing))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(sent);
        }
        self.outgoing = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Lets rustls work on the records that are there. Plaintext goes `out`, as far as there is room; `bytes` are
    /// encrypted once the handshake allows it.
    fn process(&mut self, mut out: Option<&mut ReadBuf<'_>>, mut bytes: Option<&[u8]>) -> io::Result<()> {
        loop {
            let UnbufferedStatus { mut discard, state, .. } =
                self.session.process_tls_records(&mut self.incoming);
            let goes_on = match state.map_err(invalid)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        discard += record.discard;
                        let room = out.as_ref().map_or(0, |out| out.remaining());
                        let (now, later) = record.payload.split_at(record.payload.len().min(room));
                        if let Some(out) = &mut out {
                            out.put_slice(now);
                        }
                        self.plain.extend_from_slice(later);
                    }
                    true
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(&mut self.outgoing, |buffer| match data.encode(buffer) {
                        Err(EncodeError::InsufficientSize(needs)) => Ok(Err(needs.required_size)),
                        other => other.map(Ok).map_err(invalid),
                    })?;
                    true
                }
                ConnectionState::TransmitTlsData(data) => {
                    // It is sent before anything that comes after it.
                    data.done();
                    true
                }
                ConnectionState::WriteTraffic(mut traffic) => {
                    if let Some(bytes) = bytes.take() {
                        append(&mut self.outgoing, |buffer| match traffic.encrypt(bytes, buffer) {
                            Err(EncryptError::InsufficientSize(needs)) => Ok(Err(needs.required_size)),
                            other => other.map(Ok).map_err(invalid),
                        })?;
                    }
                    false
                }
                ConnectionState::PeerClosed | ConnectionState::Closed => {
                    self.closed = true;
                    false
                }
                ConnectionState::BlockedHandshake => false,
                state => return Err(invalid(format!("unexpected {state:?}"))),
            };
            self.incoming.advance(discard);
            if !goes_on {
                break;
            }
        }
        self.seen = true;
        if self.incoming.len() <= HEAD {
            self.incoming = BytesMut::from(&self.incoming[..]);
        }
        match bytes {
            Some(_) => Err(io::ErrorKind::NotConnected.into()),
            None => Ok(()),
        }
    }
}

/// Lets `write` put bytes behind what `buffer` holds. It gives their number, or the room that it needs.
fn append(
    buffer: &mut BytesMut,
    mut write: impl FnMut(&mut [u8]) -> io::Result<Result<usize, usize>>,
) -> io::Result<()> {
    let start = buffer.len();
    let mut room = OVERHEAD;
    loop {
        buffer.resize(start + room, 0);
        match write(&mut buffer[start..])? {
            Ok(written) => {
                buffer.truncate(start + written);
                return Ok(());
            }
            Err(needs) => room = needs,
        }
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
