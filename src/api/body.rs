//! Response bodies: empty, full, or a stream.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};

use crate::relay::Broken;

/// The body of every response. An error breaks the connection.
pub type Body = UnsyncBoxBody<Bytes, Broken>;

pub(super) fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

/// The same, with something that is kept until the bytes are with the client's socket, or given up.
pub(super) fn kept(text: String, held: impl Send + Sync + 'static) -> Body {
    full(Bytes::from_owner(Kept { text, _held: held }))
}

struct Kept<T> {
    text: String,
    _held: T,
}

impl<T> AsRef<[u8]> for Kept<T> {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

pub(super) fn stream<B>(body: B) -> Body
where
    B: hyper::body::Body<Data = Bytes, Error = Broken> + Send + 'static,
{
    body.boxed_unsync()
}

fn never(never: Infallible) -> Broken {
    match never {}
}
