//! One request and its response on one connection.
//!
//! The connection is driven by whoever reads the response: no task of its own moves bytes ahead, so an upstream
//! is read exactly when its reader asks, and dropping the body closes the connection at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::Sleep;

use super::connector::{Peer, Stream};
use super::pool::Pool;

/// Longest wait for the end of a connection that was announced with the response, to see that nothing follows it.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);
/// Most bytes of a body that are read only to keep the connection.
const MAX_DISCARDED: u64 = 64 << 10;
/// Longest wait for them.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a body is not whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke before the end that the framing gives.
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    /// The connection ended before the end that the framing gives.
    #[error("the connection ended")]
    Ended,
    /// More came than the framing says, so one of them is wrong.
    #[error("more bytes came than were announced")]
    Surplus,
}

/// The two halves of hyper's connection. Neither does anything unless the other is there.
struct Http {
    sender: http1::SendRequest<Empty<Bytes>>,
    connection: http1::Connection<TokioIo<Stream>, Empty<Bytes>>,
}

impl Http {
    async fn new(stream: Stream, buffer: usize) -> Result<Self, hyper::Error> {
        let mut builder = http1::Builder::new();
        // Also the longest head of a response.
        builder.read_buf_exact_size(Some(buffer));
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, connection })
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, hyper::Error> {
        let mut response = std::pin::pin!(self.sender.send_request(request));
        std::future::poll_fn(|cx| {
            // Where it ends, the response hears why.
            let _ = self.connection.poll_without_shutdown(cx);
            response.as_mut().poll(cx)
        })
        .await
    }
}

/// Sends a request on a connection and waits for the response's head. The body gives the connection back to the
/// pool at its proper end. `buffer`: bytes read at a time at most. `received` counts the body's.
pub(super) async fn exchange(
    stream: Stream,
    request: Request<Empty<Bytes>>,
    buffer: usize,
    home: (Arc<Pool>, Peer),
    received: Arc<AtomicU64>,
) -> Result<Response<ResponseBody>, hyper::Error> {
    let mut http = Http::new(stream, buffer).await?;
    let (head, body) = http.send(request).await?.into_parts();
    let closes = closes(head.version, &head.headers);
    let state = State::Reading(Box::new(Reading { http, body, closes, home, received }));
    Ok(Response::from_parts(head, ResponseBody(state)))
}

/// Whether the server said that the connection ends with this response (RFC 9112 §9.3).
fn closes(version: Version, headers: &HeaderMap) -> bool {
    let says = |option: &str| {
        headers.get_all(CONNECTION).iter().any(|value| {
            value.to_str().is_ok_and(|text| text.split(',').any(|it| it.trim().eq_ignore_ascii_case(option)))
        })
    };
    says("close") || version < Version::HTTP_11 && !says("keep-alive")
}

struct Reading {
    http: Http,
    body: Incoming,
    closes: bool,
    home: (Arc<Pool>, Peer),
    received: Arc<AtomicU64>,
}

/// All has come that was announced; whether that was all that there is shows when the connection ends.
struct Closing {
    stream: Stream,
    last: Option<Bytes>,
    timeout: Pin<Box<Sleep>>,
}

enum State {
    Reading(Box<Reading>),
    Closing(Box<Closing>),
    /// The connection is done with; what is left is to hand out the last bytes.
    Last(Option<Bytes>),
}

/// The body of a response. Its last bytes come only when nothing was seen to follow them.
pub struct ResponseBody(State);

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ResponseBody")
    }
}

impl ResponseBody {
    /// Reads a small body to its end, so that the connection can be used again; a large one is cut off.
    pub async fn discard(mut self) {
        let keeps = matches!(&self.0, State::Reading(reading) if !reading.closes);
        if keeps && self.size_hint().upper().is_some_and(|length| length <= MAX_DISCARDED) {
            let rest = async { while let Some(Ok(_)) = self.frame().await {} };
            let _ = tokio::time::timeout(DISCARD_TIMEOUT, rest).await;
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match &mut self.0 {
                State::Reading(reading) => {
                    let data = match ready!(reading.poll_data(cx)) {
                        Ok(Some(data)) if !reading.body.is_end_stream() => {
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        Ok(data) => data,
                        Err(error) => {
                            self.0 = State::Last(None);
                            return Poll::Ready(Some(Err(error)));
                        }
                    };
                    if let State::Reading(reading) = std::mem::replace(&mut self.0, State::Last(None)) {
                        self.0 = reading.finish(data, cx)?;
                    }
                }
                State::Closing(closing) => {
                    ready!(closing.poll_end(cx))?;
                    self.0 = State::Last(closing.last.take());
                }
                State::Last(last) => return Poll::Ready(last.take().map(|data| Ok(Frame::data(data)))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            State::Reading(reading) => reading.body.is_end_stream(),
            State::Closing(_) => false,
            State::Last(last) => last.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Reading(reading) => reading.body.size_hint(),
            State::Closing(closing) => SizeHint::with_exact(length(closing.last.as_ref())),
            State::Last(last) => SizeHint::with_exact(length(last.as_ref())),
        }
    }
}

fn length(last: Option<&Bytes>) -> u64 {
    last.map_or(0, |data| data.len() as u64)
}

impl Reading {
    /// The next piece of the body; none at the end that the framing gives.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let ended = self.http.connection.poll_without_shutdown(cx).is_ready();
                    match Pin::new(&mut self.body).poll_frame(cx) {
                        Poll::Ready(frame) => frame,
                        Poll::Pending if ended => return Poll::Ready(Err(BodyError::Ended)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            };
            match frame.transpose()?.map(Frame::into_data) {
                None => return Poll::Ready(Ok(None)),
                Some(Ok(data)) => {
                    self.received.fetch_add(data.len() as u64, Ordering::Relaxed);
                    return Poll::Ready(Ok(Some(data)));
                }
                // Trailers: nothing that a client needs.
                Some(Err(_)) => {}
            }
        }
    }

    /// Looks at what came beyond the body, and keeps the connection if it can be used again.
    fn finish(mut self, last: Option<Bytes>, cx: &mut Context<'_>) -> Result<State, BodyError> {
        let open = self.http.connection.poll_without_shutdown(cx).is_pending();
        let reusable = open && !self.closes && self.http.sender.is_ready();
        let http1::Parts { io, read_buf, .. } = self.http.connection.into_parts();
        let mut stream = io.into_inner();
        if !read_buf.is_empty() {
            return Err(BodyError::Surplus);
        }
        match poll_byte(&mut stream, cx) {
            Poll::Ready(Ok(1)) => return Err(BodyError::Surplus),
            // The end of the connection, in whatever way: the framing told that the body is whole.
            Poll::Ready(_) => {}
            Poll::Pending if reusable => self.home.0.put(self.home.1, stream),
            Poll::Pending if self.closes => {
                let timeout = Box::pin(tokio::time::sleep(CLOSE_TIMEOUT));
                return Ok(State::Closing(Box::new(Closing { stream, last, timeout })));
            }
            Poll::Pending => {}
        }
        Ok(State::Last(last))
    }
}

impl Closing {
    /// Waits for the connection's end, but not for long.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        match poll_byte(&mut self.stream, cx) {
            Poll::Ready(Ok(1)) => Poll::Ready(Err(BodyError::Surplus)),
            Poll::Ready(_) => Poll::Ready(Ok(())),
            Poll::Pending => self.timeout.as_mut().poll(cx).map(Ok),
        }
    }
}

/// Reads one byte; 0 is the connection's end.
pub(super) fn poll_byte(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
