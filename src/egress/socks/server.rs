//! The server's side: who asks, and for what.

use std::io;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::parse::{self, Login, MAX_MESSAGE, Parsed};
use super::{Destination, LOGIN_VERSION, NO_METHOD, USER_PASSWORD, V4, VERSION};

/// Most bytes that are held: any message, and in general all three of a client that sends them at once.
const BUFFER: usize = 600;
const _: () = assert!(BUFFER >= MAX_MESSAGE);

/// Why a client is not served. It has been told by then, where the protocol has a word for it.
#[derive(Debug, thiserror::Error)]
pub(in crate::egress) enum SocksError {
    /// Another version of it, or no SOCKS at all.
    #[error("not SOCKS5")]
    Garbled,
    /// The client would not send a user name and a password.
    #[error("no login offered")]
    NoLogin,
    /// The user name or the password is wrong.
    #[error("login refused")]
    Login,
    /// Something other than CONNECT (RFC 1928 §4).
    #[error("SOCKS command {0} is not served")]
    Command(u8),
    /// A kind of address that there is not (RFC 1928 §5).
    #[error("no SOCKS address of kind {0}")]
    AddressKind(u8),
    /// A name that is empty, is not UTF-8 or has control characters in it.
    #[error("the name of the host is no text")]
    Name,
    /// The client's connection broke, or ended too early.
    #[error("the client is gone")]
    Gone(#[from] io::Error),
}

/// A client that may go on. It waits for [`reply`].
#[derive(Debug, PartialEq, Eq)]
pub(in crate::egress) struct Accepted<T> {
    /// What `check` gave for its login.
    pub(in crate::egress) user: T,
    /// Where it wants to go; not judged yet.
    pub(in crate::egress) destination: Destination,
    /// What came after the request already: the beginning of what goes through the tunnel, 600 bytes at most.
    pub(in crate::egress) leftover: Bytes,
}

/// What a client that waits is told (RFC 1928 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::egress) enum Reply {
    Succeeded = 0,
    Failed = 1,
    NotAllowed = 2,
    HostUnreachable = 4,
    Refused = 5,
    /// "TTL expired", which is how a connection that took too long is told.
    TimedOut = 6,
    CommandNotSupported = 7,
    AddressNotSupported = 8,
}

/// Reads a client's three messages, which may come all at once, and answers the first two. `check` gives who it is.
///
/// An error has been answered where there is an answer to it. Time limits are the caller's.
pub(in crate::egress) async fn accept<S, T>(
    stream: &mut S,
    check: impl FnOnce(&Login) -> Option<T>,
) -> Result<Accepted<T>, SocksError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = BytesMut::with_capacity(BUFFER);
    if !message(stream, &mut buffer, parse::greeting).await? {
        send(stream, &[VERSION, NO_METHOD]).await?;
        return Err(SocksError::NoLogin);
    }
    send(stream, &[VERSION, USER_PASSWORD]).await?;
    let user = match message(stream, &mut buffer, parse::login).await {
        Ok(login) => check(&login),
        Err(SocksError::Login) => None,
        Err(error) => return Err(error),
    };
    let Some(user) = user else {
        // Any status but 0 (RFC 1929 §2).
        send(stream, &[LOGIN_VERSION, 1]).await?;
        return Err(SocksError::Login);
    };
    send(stream, &[LOGIN_VERSION, 0]).await?;
    match message(stream, &mut buffer, parse::request).await {
        Ok(destination) => Ok(Accepted { user, destination, leftover: buffer.freeze() }),
        Err(error) => {
            let told = match error {
                SocksError::Gone(_) => return Err(error),
                SocksError::Command(_) => Reply::CommandNotSupported,
                SocksError::AddressKind(_) => Reply::AddressNotSupported,
                _ => Reply::Failed,
            };
            reply(stream, told).await?;
            Err(error)
        }
    }
}

/// Answers the request, with no address that is ours (RFC 1928 §6). After `Succeeded` the stream is the tunnel, after
/// anything else it is to be closed.
pub(in crate::egress) async fn reply<S>(stream: &mut S, reply: Reply) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    send(stream, &[VERSION, reply as u8, 0, V4, 0, 0, 0, 0, 0, 0]).await
}

async fn send<S>(stream: &mut S, bytes: &[u8]) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Takes one message out of the buffer, which is filled until there is one.
async fn message<S, T>(
    stream: &mut S,
    buffer: &mut BytesMut,
    parse: impl Fn(&[u8]) -> Parsed<T>,
) -> Result<T, SocksError>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let Some((message, used)) = parse(buffer)? {
            let _ = buffer.split_to(used);
            return Ok(message);
        }
        // There is room: no message is as long as the buffer.
        let room = BUFFER - buffer.len();
        if stream.read_buf(&mut (&mut *buffer).limit(room)).await? == 0 {
            return Err(SocksError::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}
