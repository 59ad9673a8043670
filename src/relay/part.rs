//! The bytes of one upstream response that a stream wants: counted, and read to the proper end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use tokio::time::timeout;

use crate::egress::{BodyError, ResponseBody};

/// Why a part ended early, or can't be believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartError {
    /// The connection.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Fewer bytes than announced, in a body that ended clean.
    #[error("the body is shorter than announced")]
    Short,
    /// More bytes than announced.
    #[error("the body is longer than announced")]
    Long,
    /// Nothing for too long.
    #[error("the body does not come")]
    Silent,
}

/// The rest of a response.
pub(super) struct Part {
    /// Read already, and to come first.
    ahead: Bytes,
    /// The last piece, until the body's end has been seen.
    held: Option<Bytes>,
    /// None: there is nothing more, and that is known.
    body: Option<ResponseBody>,
    /// Bytes to come; unset, as many as there are until the body's end.
    left: Option<u64>,
    /// Whether the response goes on beyond them.
    cut: bool,
}

impl Part {
    /// All of a body, which is `length` bytes long where that is known.
    pub(super) fn new(body: ResponseBody, length: Option<u64>) -> Self {
        Self { ahead: Bytes::new(), held: None, body: Some(body), left: length, cut: false }
    }

    /// Nothing: the file ends here.
    pub(super) fn empty() -> Self {
        Self { ahead: Bytes::new(), held: None, body: None, left: None, cut: false }
    }

    /// Leaves out what comes after `length` more bytes.
    pub(super) fn cut_to(&mut self, length: u64) {
        if self.left.is_none_or(|left| length < left) {
            self.left = Some(length);
            self.cut = true;
        }
    }

    /// Whether the part goes to the end of a file whose length nobody knows.
    pub(super) fn is_open_ended(&self) -> bool {
        self.left.is_none()
    }

    /// The next bytes, at least one; none after the last.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, PartError>> {
        loop {
            if self.left == Some(0) && self.held.is_none() {
                return Poll::Ready(Ok(None));
            }
            let data = match self.ahead.is_empty() {
                false => Some(std::mem::take(&mut self.ahead)),
                true => ready!(self.poll_body(cx))?,
            };
            let Some(mut data) = data else {
                return Poll::Ready(match self.held.take() {
                    Some(last) => Ok(Some(last)),
                    None if self.left.is_none() => Ok(None),
                    None => Err(PartError::Short),
                });
            };
            let Some(left) = &mut self.left else { return Poll::Ready(Ok(Some(data))) };
            let length = data.len() as u64;
            if length > *left && !self.cut {
                return Poll::Ready(Err(PartError::Long));
            }
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left = left.saturating_sub(length);
            if *left == 0 && !self.cut && !self.is_at_end() {
                self.held = Some(data);
                continue;
            }
            return Poll::Ready(Ok(Some(data)));
        }
    }

    fn is_at_end(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, PartError>> {
        let Some(body) = &mut self.body else { return Poll::Ready(Ok(None)) };
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)).transpose()? {
                None => return Poll::Ready(Ok(None)),
                Some(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Poll::Ready(Ok(Some(data))),
                    _ => {}
                },
            }
        }
    }

    /// Sees to it that nothing comes where nothing was announced.
    pub(super) async fn finish(&mut self) -> Result<(), PartError> {
        match std::future::poll_fn(|cx| self.poll_body(cx)).await? {
            None => Ok(()),
            Some(_) => Err(PartError::Long),
        }
    }

    /// Takes the next `count` bytes out, no two of them further apart than `silence`; `each` sees them.
    pub(super) async fn take(
        &mut self,
        count: u64,
        silence: Duration,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), PartError> {
        let mut left = count;
        while left > 0 {
            let next = std::future::poll_fn(|cx| self.poll_data(cx));
            let data = timeout(silence, next).await.map_err(|_| PartError::Silent)??;
            let data = data.ok_or(PartError::Short)?;
            let used = data.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            each(&data[..used]);
            left -= used as u64;
            if used < data.len() {
                self.ahead = data.slice(used..);
                if let Some(left) = &mut self.left {
                    *left += self.ahead.len() as u64;
                }
            }
        }
        Ok(())
    }
}
