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

/// The same, with something that is kept until the body is sent or given up.
pub(super) fn kept(bytes: impl Into<Bytes>, held: impl Send + 'static) -> Body {
    let full = Full::new(bytes.into());
    full.map_err(move |error| {
        let _ = &held;
        never(error)
    })
    .boxed_unsync()
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
