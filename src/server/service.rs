//! From a connection's requests to the answers of the HTTP interface.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;

use super::http2;
use super::seat::{Hold, Presence};
use crate::api::client::{ClientConnection, Outlet};
use crate::api::{Api, Body};

/// What hyper asks for answers.
pub(super) struct Requests {
    pub(super) api: Arc<Api>,
    pub(super) client: ClientConnection,
    pub(super) presence: Arc<Presence>,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    /// In a box, which is gone once there is an answer: most of a connection's life is a stream's body.
    type Future = BoxFuture<'static, Result<Response<Outgoing>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (api, client) = (Arc::clone(&self.api), self.client.clone());
        let hold = LateHold { presence: Arc::clone(&self.presence), hold: Arc::default() };
        Box::pin(async move {
            let mut request = request.map(|body| Arriving::new(body, hold.clone()));
            // Its outlet must not be the socket's, which it shares with others.
            let stream = (request.version() == Version::HTTP_2).then(http2::outlet_of_this_stream);
            let client = match &stream {
                Some(outlet) => ClientConnection { outlet: outlet.clone(), ..client },
                None => client,
            };
            name_host(&mut request);
            request.extensions_mut().insert(client);
            let response = api.handle(request).await;
            Ok(response.map(|body| Outgoing { body, stream, rest: Bytes::new(), _hold: hold.hold() }))
        })
    }
}

/// HTTP/2 has the host in the request's target, which is what counts (RFC 9113 §8.3.1).
fn name_host<B>(request: &mut Request<B>) {
    let named = |authority: &http::uri::Authority| HeaderValue::from_str(authority.as_str()).ok();
    if request.version() == Version::HTTP_2
        && let Some(host) = request.uri().authority().and_then(named)
    {
        request.headers_mut().insert(HOST, host);
    }
}

/// Holds a connection as soon as a request has come to its end: until then its client may let us wait.
#[derive(Clone)]
struct LateHold {
    presence: Arc<Presence>,
    hold: Arc<OnceLock<Hold>>,
}

impl LateHold {
    fn begin(&self) {
        self.hold.get_or_init(|| self.presence.hold());
    }

    fn hold(self) -> Arc<OnceLock<Hold>> {
        self.begin();
        self.hold
    }
}

/// A request's body.
struct Arriving {
    body: Incoming,
    hold: LateHold,
}

impl Arriving {
    fn new(body: Incoming, hold: LateHold) -> Self {
        if body.is_end_stream() {
            hold.begin();
        }
        Self { body, hold }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.hold.begin();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Most bytes that a stream of HTTP/2 is given at a time: what waits for its client's window is held by the library.
const PIECE: usize = 16 << 10;

/// An answer's body, which holds the connection.
pub(super) struct Outgoing {
    body: Body,
    /// Of HTTP/2: what watches whether the client takes what it is given.
    stream: Option<Outlet>,
    /// Of a frame that was larger than a piece.
    rest: Bytes,
    _hold: Arc<OnceLock<Hold>>,
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Some(stream) = &this.stream else { return Pin::new(&mut this.body).poll_frame(cx) };
        if this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                ended => {
                    stream.wait_for_client(false);
                    return Poll::Ready(ended);
                }
            };
            match frame.into_data() {
                Ok(data) => this.rest = data,
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        stream.offer();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(inner.lower() + rest);
        hint
    }
}
