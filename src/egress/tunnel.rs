//! A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6, RFC 9112 §3.2.3).

use std::io;

use bytes::{BufMut as _, BytesMut};
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::proxy_error::{ProxyError, Refusal};
use super::socks::Destination;

/// Most bytes of the answer, interim responses included.
const MAX_HEAD: usize = 8 << 10;
/// Most headers of a response.
const MAX_HEADERS: usize = 100;

/// Asks for a tunnel; after `Ok` the stream is the tunnel, and nothing of what goes through it has been read.
///
/// `authorization` is the `Proxy-Authorization`. A host that is not ASCII, or could not stand before a port, is
/// [`Refusal::Unsayable`]. Time limits are the caller's.
pub(super) async fn connect<S>(
    stream: &mut S,
    destination: &Destination,
    authorization: Option<&HeaderValue>,
) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(destination, authorization).ok_or(ProxyError::Refused(Refusal::Unsayable))?;
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut buffer = BytesMut::new();
    let mut room = MAX_HEAD;
    loop {
        let Some((status, used)) = head(&buffer)? else {
            room -= fill(stream, &mut buffer, room).await?;
            continue;
        };
        let _ = buffer.split_to(used);
        match status {
            // We asked for no other protocol (RFC 9110 §15.2.2).
            0..=99 | 101 => return Err(ProxyError::Garbled),
            // Interim (RFC 9110 §15.2).
            100..=199 => {}
            200..=299 if buffer.is_empty() => return Ok(()),
            // Whoever is at the other end waits for us, so what came too early is no part of the tunnel.
            200..=299 => return Err(ProxyError::Garbled),
            407 => return Err(ProxyError::Credentials),
            other => return Err(ProxyError::Refused(Refusal::Status(other))),
        }
    }
}

/// Reads what there is, `room` bytes at most, and gives how many it was: at least one.
async fn fill<S>(stream: &mut S, buffer: &mut BytesMut, room: usize) -> Result<usize, ProxyError>
where
    S: AsyncRead + Unpin,
{
    if room == 0 {
        return Err(ProxyError::Garbled);
    }
    buffer.reserve(room.min(1 << 10));
    match stream.read_buf(&mut buffer.limit(room)).await? {
        0 => Err(ProxyError::Gone(io::ErrorKind::UnexpectedEof.into())),
        read => Ok(read),
    }
}

/// The whole request; none where the host would be read as something else than a host.
fn request(destination: &Destination, authorization: Option<&HeaderValue>) -> Option<Vec<u8>> {
    let Destination { host, port } = destination;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_plain) {
        return None;
    }
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        request.extend(b"Proxy-Authorization: ");
        request.extend(authorization.as_bytes());
        request.extend(b"\r\n");
    }
    request.extend(b"\r\n");
    Some(request)
}

/// The status of the response that the bytes begin with, and the length of its head; none where that is not whole.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(u16, usize)>, ProxyError> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut slots);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Ok(response.code.map(|status| (status, length))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(ProxyError::Garbled),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    fn destination(host: &str) -> Destination {
        Destination { host: host.to_owned(), port: 443 }
    }

    /// What comes of an answer that arrives whole, with the stream then open or ended.
    async fn answered(answer: &[u8], ends: bool) -> Result<(), ProxyError> {
        let (mut ours, mut proxy) = duplex(64 << 10);
        proxy.write_all(answer).await.unwrap();
        if ends {
            proxy.shutdown().await.unwrap();
        }
        connect(&mut ours, &destination("example.org"), None).await
    }

    #[tokio::test]
    async fn it_asks_as_the_rfcs_say() {
        let authorization = HeaderValue::from_static("Basic dTpw");
        for (host, authorization, expected) in [
            ("example.org", None, "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"),
            (
                "[2a00::1]",
                Some(&authorization),
                "CONNECT [2a00::1]:443 HTTP/1.1\r\nHost: [2a00::1]:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n",
            ),
        ] {
            let (mut ours, mut proxy) = duplex(1024);
            proxy.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            connect(&mut ours, &destination(host), authorization).await.unwrap();
            drop(ours);
            let mut asked = String::new();
            proxy.read_to_string(&mut asked).await.unwrap();
            assert_eq!(asked, expected);
        }
    }

    #[tokio::test]
    async fn a_host_that_would_be_read_as_something_else_is_not_sent() {
        for host in ["", "a b", "a\r\nX: y", "a/b", "u@a", "a?b", "a#b", "a\\b", "b\u{fc}cher.example", "a\0"]
        {
            let (mut ours, mut proxy) = duplex(1024);
            let refused = connect(&mut ours, &destination(host), None).await;
            assert!(matches!(refused, Err(ProxyError::Refused(Refusal::Unsayable))), "{host:?}");
            drop(ours);
            assert_eq!(proxy.read_to_end(&mut Vec::new()).await.unwrap(), 0, "{host:?}");
        }
    }

    #[tokio::test]
    async fn every_kind_of_answer() {
        let long = |line: &str, length| format!("{line}\r\nX: {}\r\n\r\n", "x".repeat(length));
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "Ok(())"),
            ("HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n", "Ok(())"),
            ("HTTP/1.1 204\r\n\r\n", "Ok(())"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "Ok(())"),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                "Ok(())",
            ),
            (&long("HTTP/1.1 200 OK", 8000), "Ok(())"),
            (&long("HTTP/1.1 200 OK", 8192), "Err(Garbled)"),
            (&"HTTP/1.1 100 Continue\r\n\r\n".repeat(400), "Err(Garbled)"),
            ("HTTP/1.1 200 OK\r\n\r\nx", "Err(Garbled)"),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "Err(Garbled)"),
            ("HTTP/1.1 099 Odd\r\n\r\n", "Err(Garbled)"),
            ("HTTP/2 200 OK\r\n\r\n", "Err(Garbled)"),
            ("SSH-2.0-x\r\n", "Err(Garbled)"),
            ("\x05\x00", "Err(Garbled)"),
            ("HTTP/1.1 200 OK\r\nno header\r\n\r\n", "Err(Garbled)"),
            ("HTTP/1.1 407 Login\r\nContent-Length: 2\r\n\r\nno", "Err(Credentials)"),
            ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "Err(Refused(Status(302)))"),
            ("HTTP/1.1 403 Forbidden\r\n\r\nno", "Err(Refused(Status(403)))"),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "Err(Refused(Status(502)))"),
        ] {
            let found = answered(answer.as_bytes(), false).await;
            assert_eq!(format!("{found:?}"), expected, "{answer:.60}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_anywhere_is_told_apart() {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\n\r\n";
        for end in 0..answer.len() {
            let found = answered(&answer[..end], true).await;
            assert!(matches!(found, Err(ProxyError::Gone(_))), "{end}: {found:?}");
        }
        assert!(answered(answer, true).await.is_ok());
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_read_to_its_end_only() {
        // A byte at a time.
        let (mut ours, mut proxy) = duplex(1);
        let speaking = tokio::spawn(async move {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(proxy.read_u8().await.unwrap());
            }
            proxy.write_all(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\nhello").await.unwrap();
        });
        connect(&mut ours, &destination("example.org"), None).await.unwrap();
        let mut rest = String::new();
        ours.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "hello");
        speaking.await.unwrap();
    }
}
