//! Messages between the server and a helper: four bytes of length (big endian), a byte that says what it is, a text.
//!
//! Either side believes nothing that is longer than its limit: a helper has had a stranger's page in its hands.

use std::io::{Read, Write};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To a helper, first of all: what it has to know.
    Start = b'S' as isize,
    /// From it: it can take jobs.
    Ready = b'R' as isize,
    /// To it: a job.
    Job = b'J' as isize,
    /// From it: Python's answer to the job, or to `Start` what went wrong.
    Answer = b'A' as isize,
    /// From it, while it has a job: a script to be run.
    Script = b'X' as isize,
    /// To it: what the script did.
    Ran = b'Y' as isize,
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The other side is gone, in the midst of a message or between two.
    #[error("the other side is gone")]
    Gone(#[from] std::io::Error),
    /// It is longer than the limit.
    #[error("a message of {0} bytes")]
    TooLong(usize),
    /// Not one that is due.
    #[error("an unexpected message")]
    Unexpected,
}

const HEAD: usize = 5;

/// Sends a message.
pub(super) async fn send(
    stream: &mut (impl AsyncWriteExt + Unpin),
    kind: Kind,
    text: &str,
) -> Result<(), FrameError> {
    Ok(stream.write_all(&framed(kind, text)?).await?)
}

/// Waits for a message of at most `limit` bytes.
pub(super) async fn receive(
    stream: &mut (impl AsyncReadExt + Unpin),
    limit: usize,
) -> Result<(Kind, String), FrameError> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head).await?;
    let (kind, mut text) = opened(head, limit)?;
    stream.read_exact(&mut text).await?;
    Ok((kind, read(text)?))
}

/// As [`send`], for a thread.
pub(super) fn put(stream: &mut impl Write, kind: Kind, text: &str) -> Result<(), FrameError> {
    Ok(stream.write_all(&framed(kind, text)?)?)
}

/// As [`receive`], for a thread.
pub(super) fn take(stream: &mut impl Read, limit: usize) -> Result<(Kind, String), FrameError> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let (kind, mut text) = opened(head, limit)?;
    stream.read_exact(&mut text)?;
    Ok((kind, read(text)?))
}

fn framed(kind: Kind, text: &str) -> Result<Vec<u8>, FrameError> {
    let length = u32::try_from(text.len()).map_err(|_| FrameError::TooLong(text.len()))?;
    let mut frame = Vec::with_capacity(HEAD + text.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.push(kind as u8);
    frame.extend_from_slice(text.as_bytes());
    Ok(frame)
}

fn opened([a, b, c, d, kind]: [u8; HEAD], limit: usize) -> Result<(Kind, Vec<u8>), FrameError> {
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > limit {
        return Err(FrameError::TooLong(length));
    }
    let kinds = [Kind::Start, Kind::Ready, Kind::Job, Kind::Answer, Kind::Script, Kind::Ran];
    let kind = kinds.into_iter().find(|known| *known as u8 == kind).ok_or(FrameError::Unexpected)?;
    Ok((kind, vec![0; length]))
}

fn read(text: Vec<u8>) -> Result<String, FrameError> {
    String::from_utf8(text).map_err(|_| FrameError::Unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_received_by_either_means() {
        for text in ["", "ein Mädchen", &"x".repeat(1 << 20)] {
            let mut sent = Vec::new();
            send(&mut sent, Kind::Job, text).await.unwrap();
            let mut put_down = Vec::new();
            put(&mut put_down, Kind::Job, text).unwrap();
            assert_eq!(sent, put_down);
            let wanted = (Kind::Job, text.to_owned());
            assert_eq!(take(&mut &sent[..], text.len()).unwrap(), wanted);
            assert_eq!(receive(&mut &sent[..], text.len()).await.unwrap(), wanted);
        }
    }

    #[test]
    fn what_is_no_message_within_the_limit_is_refused() {
        let frame = framed(Kind::Answer, "1234").unwrap();
        assert!(take(&mut &frame[..], 4).is_ok());
        assert!(matches!(take(&mut &frame[..], 3), Err(FrameError::TooLong(4))));
        for cut in 0..frame.len() {
            assert!(matches!(take(&mut &frame[..cut], 4), Err(FrameError::Gone(_))), "{cut}");
        }
        let huge = [0xff, 0xff, 0xff, 0xff, b'A'];
        assert!(matches!(take(&mut &huge[..], 8 << 20), Err(FrameError::TooLong(_))));
        assert!(matches!(take(&mut &[0, 0, 0, 0, b'?'][..], 4), Err(FrameError::Unexpected)));
        assert!(matches!(take(&mut &[0, 0, 0, 1, b'A', 0xff][..], 4), Err(FrameError::Unexpected)));
    }
}
