//! What must hold of bytes that anybody may send us, whatever they are. A check that fails panics.
//!
//! `scripts/fuzz` calls these with what it comes upon, and the property tests with what they make up. Here are only
//! promises that need no second opinion; what the right answer is, is in the unit tests and in `judge.rs`.

pub(super) mod judge;
mod pieces;

use std::fmt::Debug;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderValue;

use super::proxy_error::{ProxyError, Refusal};
use super::socks::parse::{greeting, login, request};
use super::socks::{self, Accepted, Credentials, Destination, Login, SocksError};
use super::tunnel;
use pieces::Pieces;

pub use judge::judge;

/// Most bytes that a client's side of the protocol may read of an answer.
const LONGEST_ANSWER: usize = 2 + 2 + 4 + 1 + 255 + 2;
/// Most bytes of a CONNECT's answer.
const LONGEST_HEAD: usize = 8 << 10;

/// Gives what a message says and its length, where it is whole.
type Parser<T, E> = fn(&[u8]) -> Result<Option<(T, usize)>, E>;

/// Bytes as a SOCKS client may send them to us, and a SOCKS proxy may answer us. The first four say in what pieces.
pub fn socks(data: &[u8]) {
    let Some((sizes, data)) = data.split_first_chunk::<4>() else { return };
    message(greeting, data);
    message(login, data);
    message(request, data);
    served(data, sizes);
    let credentials = Credentials::new("anna".to_owned(), "secret".to_owned());
    for credentials in [None, credentials.as_ref()] {
        asked(data, sizes, credentials);
    }
}

/// Bytes as an HTTP proxy may answer a CONNECT, or as a host may be spelled in one. The first four say in what pieces.
pub fn connect(data: &[u8]) {
    let Some((sizes, data)) = data.split_first_chunk::<4>() else { return };
    message(tunnel::head, data);
    tunnelled(data, sizes);
    if let Ok(host) = std::str::from_utf8(data) {
        said(host);
    }
}

/// A message is whole at one length and not before, and says then what it says with more behind it. An error does not
/// become something else with more bytes.
fn message<T, E>(parse: Parser<T, E>, bytes: &[u8])
where
    T: Debug + PartialEq,
    E: Debug,
{
    let cut = |end: usize| parse(&bytes[..end]);
    match parse(bytes) {
        Ok(Some((found, used))) => {
            assert!((1..=bytes.len()).contains(&used), "it is {used} of {} bytes long", bytes.len());
            assert!((0..used).all(|end| matches!(cut(end), Ok(None))), "it was whole before its end");
            assert!(
                matches!(cut(used), Ok(Some((again, _))) if again == found),
                "it depends on what follows"
            );
        }
        Ok(None) => {
            assert!((0..bytes.len()).all(|end| matches!(cut(end), Ok(None))), "it was whole, and is no more");
        }
        Err(error) => {
            let error = format!("{error:?}");
            for end in 0..bytes.len() {
                match cut(end) {
                    Ok(found) => assert!(found.is_none(), "it was whole before there was an error"),
                    Err(earlier) => assert_eq!(format!("{earlier:?}"), error),
                }
            }
        }
    }
}

/// A client's login and its destination, what is answered, and how much of what it sent has been taken.
type Served = (Result<(Login, Destination), String>, Vec<u8>);

fn serve(data: &[u8], sizes: &[u8]) -> Served {
    let mut stream = Pieces::new(data, sizes);
    let accepted: Option<Result<Accepted<Login>, SocksError>> =
        socks::accept(&mut stream, |login| Some(login.clone())).now_or_never();
    let Some(accepted) = accepted else { panic!("it waits for nothing") };
    let found = accepted.map_err(|error| format!("{error:?}")).map(|accepted| {
        let leftover: &Bytes = &accepted.leftover;
        let used = stream.position() - leftover.len();
        assert_eq!(leftover, &data[used..stream.position()], "bytes of the tunnel are lost");
        let after_greeting = &data[length(greeting, data)..];
        let after_login = &after_greeting[length(login, after_greeting)..];
        let after_request = &after_login[length(request, after_login)..];
        assert_eq!(used, data.len() - after_request.len(), "the tunnel begins elsewhere");
        (accepted.user, accepted.destination)
    });
    (found, stream.into_written())
}

/// Of a message that is known to be whole.
fn length<T, E>(parse: Parser<T, E>, bytes: &[u8]) -> usize {
    match parse(bytes) {
        Ok(Some((_, used))) => used,
        _ => panic!("it was whole"),
    }
}

/// In what pieces a client sends makes no difference.
fn served(data: &[u8], sizes: &[u8]) {
    let served = serve(data, sizes);
    assert_eq!(served, serve(data, &[0]), "by the byte");
    assert_eq!(served, serve(data, &[255, 255, 255]), "at once");
    let (found, answered) = served;
    if let Ok((login, destination)) = found {
        assert_eq!(answered, [5, 2, 1, 0]);
        assert!((1..=255).contains(&login.user.len()) && login.password.len() <= 255);
        let host = destination.host;
        assert!((1..=255).contains(&host.len()) && !host.contains(char::is_control), "{host:?}");
    }
}

/// In what pieces a proxy answers makes no difference, nor does what follows.
fn asked(data: &[u8], sizes: &[u8], credentials: Option<&Credentials>) {
    let ask = |data: &[u8], sizes: &[u8]| {
        let destination = Destination { host: "example.org".to_owned(), port: 443 };
        let mut stream = Pieces::new(data, sizes);
        let found = socks::connect(&mut stream, &destination, credentials).now_or_never();
        let Some(found) = found else { panic!("it waits for nothing") };
        (format!("{found:?}"), stream.position(), stream.into_written())
    };
    let found = ask(data, sizes);
    assert_eq!(found, ask(data, &[0]), "by the byte");
    let (_, read, sent) = &found;
    assert!(*read <= LONGEST_ANSWER, "{read} bytes");
    assert!(credentials.is_some() || !sent.windows(6).any(|bytes| bytes == b"secret"));
    if !found.0.contains("Gone") {
        assert_eq!(found, ask(&data[..*read], &[255]), "it depends on what follows");
    }
}

/// What a proxy answers is read to the end of its head at most, and more than that is no tunnel.
fn tunnelled(data: &[u8], sizes: &[u8]) {
    let ask = |data: &[u8], sizes: &[u8]| {
        let destination = Destination { host: "example.org".to_owned(), port: 443 };
        let mut stream = Pieces::new(data, sizes);
        let found = tunnel::connect(&mut stream, &destination, None).now_or_never();
        let Some(found) = found else { panic!("it waits for nothing") };
        (format!("{found:?}"), stream.position())
    };
    let (found, end) = ask(data, &[0]);
    let (other, read) = ask(data, sizes);
    assert!(end <= LONGEST_HEAD && read <= LONGEST_HEAD, "{end} and {read} bytes");
    if found != "Ok(())" {
        assert_eq!(other, found, "it depends on the pieces");
        return;
    }
    assert!(data[..end].ends_with(b"\n"), "a head ends with a line");
    assert_eq!(ask(&data[..end], sizes), (found, end));
    // A piece that goes beyond the end cannot be given back.
    let expected = if read == end { "Ok(())" } else { "Err(Garbled)" };
    assert_eq!(other, expected, "{end} and {read} bytes");
}

/// A host is asked for as it is, or not at all.
fn said(host: &str) {
    let destination = Destination { host: host.to_owned(), port: 8443 };
    let authorization = HeaderValue::from_static("Basic dTpw");
    let mut stream = Pieces::new(b"HTTP/1.1 200 OK\r\n\r\n", &[255]);
    let found = tunnel::connect(&mut stream, &destination, Some(&authorization)).now_or_never();
    let sent = stream.into_written();
    if let Some(Err(ProxyError::Refused(Refusal::Unsayable))) = found {
        assert!(sent.is_empty());
        return;
    }
    assert!(matches!(found, Some(Ok(()))), "{found:?}");
    let mut slots = [httparse::EMPTY_HEADER; 4];
    let mut asked = httparse::Request::new(&mut slots);
    let whole = asked.parse(&sent);
    assert_eq!(whole, Ok(httparse::Status::Complete(sent.len())), "something else was sent: {host:?}");
    let target = format!("{host}:8443");
    assert_eq!((asked.method, asked.path), (Some("CONNECT"), Some(&*target)));
    let headers: Vec<_> = asked.headers.iter().map(|header| (header.name, header.value)).collect();
    assert_eq!(headers, [("Host", target.as_bytes()), ("Proxy-Authorization", &b"Basic dTpw"[..])]);
}
