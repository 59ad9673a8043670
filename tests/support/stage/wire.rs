//! One connection, plain or TLS, with exact control over how it ends; and the requests read from it.

use super::seen::find_header;
use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Largest request head that is read. Above what any client under test sends.
const MAX_HEAD: usize = 128 * 1024;

/// Largest request body that is read (and thrown away).
const MAX_BODY: usize = 1024 * 1024;

/// Longest wait for the client's kernel to take what a reset would otherwise destroy.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Pause between two looks at the send queue: the kernel has no event for "all acknowledged".
const DRAIN_POLL: Duration = Duration::from_millis(1);

pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.read_buf(buffer).await,
            Wire::Tls(tls) => tls.read_buf(buffer).await,
        }
    }

    /// Hands `bytes` to the socket; nothing of them stays in a buffer of this process.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Wire::Plain(tcp) => tcp.write_all(bytes).await,
            Wire::Tls(tls) => {
                tls.write_all(bytes).await?;
                tls.flush().await
            }
        }
    }

    /// Returns when the client has left. Bytes that it sends meanwhile are thrown away.
    pub(super) async fn gone(&mut self) {
        let mut sink = Vec::new();
        while let Ok(1..) = self.read(&mut sink).await {
            sink.clear();
        }
    }

    /// Orderly end: `close_notify` (over TLS), then FIN.
    pub(super) async fn close(mut self) {
        let _ = match &mut self {
            Wire::Plain(tcp) => tcp.shutdown().await,
            Wire::Tls(tls) => tls.shutdown().await,
        };
    }

    /// FIN alone.
    pub(super) fn hang_up(self) {
        let _ = socket2::SockRef::from(self.tcp()).shutdown(Shutdown::Write);
    }

    /// RST, once the other kernel has acknowledged everything that was written: a reset destroys what is queued.
    pub(super) async fn reset(self) {
        let deadline = Instant::now() + DRAIN_LIMIT;
        let alive = || self.tcp().peer_addr().is_ok();
        while unacknowledged(self.tcp()) > 0 && alive() && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        let _ = socket2::SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// Bytes written to the socket that the other side has not acknowledged.
#[expect(unsafe_code, reason = "no safe wrapper for SIOCOUTQ in the crates at hand")]
fn unacknowledged(tcp: &TcpStream) -> i32 {
    use std::os::fd::AsRawFd;
    let mut queued: libc::c_int = 0;
    // SAFETY: the descriptor is open for the length of the borrow, and TIOCOUTQ (SIOCOUTQ) writes one int.
    let answer = unsafe { libc::ioctl(tcp.as_raw_fd(), libc::TIOCOUTQ, &raw mut queued) };
    if answer == 0 { queued } else { 0 }
}

/// The head of a request; its body has been read and dropped.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) keep_alive: bool,
}

impl Request {
    /// What stands in the record for a handshake that the client gave up.
    pub(super) fn connect(host: &str) -> Request {
        Request {
            method: "CONNECT".to_owned(),
            target: host.to_owned(),
            headers: Vec::new(),
            keep_alive: false,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }
}

/// Reads one request; `None` when the client has closed, or sent what is not HTTP. `buffer` keeps what follows it.
pub(super) async fn read_request(wire: &mut Wire, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some((request, head)) = parse(buffer)? {
            buffer.drain(..head);
            skip_body(&request, wire, buffer).await?;
            return Some(request);
        }
        if buffer.len() > MAX_HEAD || wire.read(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// `None`: not HTTP. `Some(None)`: not complete yet. Else the request and the length of its head.
fn parse(buffer: &[u8]) -> Option<Option<(Request, usize)>> {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut slots);
    let head = match parsed.parse(buffer).ok()? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Some(None),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> =
        parsed.headers.iter().map(|line| (line.name.to_owned(), text(line.value))).collect();
    let connection = find_header(&headers, "connection").unwrap_or_default().to_ascii_lowercase();
    let keep_alive = if parsed.version? == 1 { connection != "close" } else { connection == "keep-alive" };
    Some(Some((
        Request { method: parsed.method?.to_owned(), target: parsed.path?.to_owned(), headers, keep_alive },
        head,
    )))
}

async fn skip_body(request: &Request, wire: &mut Wire, buffer: &mut Vec<u8>) -> Option<()> {
    // No client under test sends a chunked request; one that did would be seen as one that sent nonsense.
    if request.header("transfer-encoding").is_some() {
        return None;
    }
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    if length > MAX_BODY {
        return None;
    }
    while buffer.len() < length {
        if wire.read(buffer).await.ok()? == 0 {
            return None;
        }
    }
    buffer.drain(..length);
    Some(())
}
