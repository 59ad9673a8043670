use std::fmt::Debug;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::super::proxy_error::ProxyError;
use super::parse::{Parsed, greeting, login, request};
use super::*;

mod client;

const GREETING: &[u8] = b"\x05\x02\x00\x02";
const LOGIN: &[u8] = b"\x01\x04anna\x06secret";
const REQUEST: &[u8] = b"\x05\x01\x00\x03\x0bexample.org\x01\xbb";

fn destination(host: &str, port: u16) -> Destination {
    Destination { host: host.to_owned(), port }
}

fn anna(login: &Login) -> Option<&'static str> {
    (login.user == "anna" && login.password == b"secret").then_some("anna")
}

/// What comes of what a client sends at once before it ends, and what it is answered.
async fn accepted(sent: &[&[u8]]) -> (Result<Accepted<&'static str>, SocksError>, Vec<u8>) {
    let (mut ours, mut client) = duplex(4096);
    client.write_all(&sent.concat()).await.unwrap();
    client.shutdown().await.unwrap();
    let found = accept(&mut ours, anna).await;
    drop(ours);
    let mut answered = Vec::new();
    client.read_to_end(&mut answered).await.unwrap();
    (found, answered)
}

fn credentials() -> Credentials {
    Credentials::new("anna".to_owned(), "secret".to_owned()).unwrap()
}

#[test]
fn a_message_is_whole_with_its_last_byte_and_not_before() {
    fn check<T: Debug>(parse: fn(&[u8]) -> Parsed<T>, message: &[u8]) {
        for end in 0..message.len() {
            assert!(matches!(parse(&message[..end]), Ok(None)), "{message:?} cut at {end}");
        }
        for more in [&[][..], &[0], &[5; 300]] {
            let (_, used) = parse(&[message, more].concat()).unwrap().unwrap();
            assert_eq!(used, message.len());
        }
    }
    check(greeting, GREETING);
    check(greeting, &[5, 0]);
    check(greeting, &[&[5, 255][..], &[2; 255]].concat());
    check(login, LOGIN);
    check(login, &[&[1, 255][..], &[b'u'; 255], &[255], &[0xFF; 255]].concat());
    check(login, b"\x01\x01u\x00");
    check(request, REQUEST);
    check(request, &[&[5, 1, 0, 3, 255][..], &[b'h'; 255], &[0, 80]].concat());
    check(request, &[5, 1, 0, 1, 127, 0, 0, 1, 0, 80]);
    check(request, &[&[5, 1, 0, 4][..], &[0xFE; 16], &[0, 80]].concat());
}

#[test]
fn every_kind_of_address() {
    let named = |name: &[u8]| [&[3, name.len() as u8][..], name].concat();
    for (address, expected) in [
        (vec![1, 192, 0, 2, 7], Ok("192.0.2.7")),
        (vec![1, 0, 0, 0, 0], Ok("0.0.0.0")),
        ([&[4][..], &[0; 15], &[1]].concat(), Ok("[::1]")),
        ([&[4, 0x2a, 0][..], &[0; 13], &[0x10]].concat(), Ok("[2a00::10]")),
        ([&[4][..], &[0; 10], &[0xFF, 0xFF, 127, 0, 0, 1]].concat(), Ok("[::ffff:7f00:1]")),
        (named(b"example.org"), Ok("example.org")),
        (named("b\u{fc}cher.example".as_bytes()), Ok("b\u{fc}cher.example")),
        (named(b"127.0.0.1"), Ok("127.0.0.1")),
        (named(b""), Err("Name")),
        (named(b"a\0b"), Err("Name")),
        (named(b"a\r\nb"), Err("Name")),
        (named(b"a\x7f"), Err("Name")),
        (named("a\u{85}".as_bytes()), Err("Name")),
        (named(b"\xff\xfe"), Err("Name")),
        (vec![0], Err("AddressKind(0)")),
        (vec![2], Err("AddressKind(2)")),
        (vec![5], Err("AddressKind(5)")),
        (vec![255], Err("AddressKind(255)")),
    ] {
        let message = [&[5, 1, 0][..], &address, &[0x20, 0xFB]].concat();
        match expected {
            Ok(host) => {
                assert_eq!(request(&message).unwrap(), Some((destination(host, 8443), message.len())))
            }
            Err(error) => assert_eq!(format!("{:?}", request(&message).unwrap_err()), error),
        }
    }
}

#[tokio::test]
async fn a_client_may_say_everything_at_once_and_more() {
    for more in [&b""[..], b"\x16\x03\x01", &[7; 60]] {
        let (found, answered) = accepted(&[GREETING, LOGIN, REQUEST, more]).await;
        let Accepted { user, destination: found, leftover } = found.unwrap();
        assert_eq!((user, found, &*leftover), ("anna", destination("example.org", 443), more));
        assert_eq!(answered, [5, 2, 1, 0]);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_left_in_the_stream() {
    let (mut ours, mut client) = duplex(4096);
    client.write_all(&[GREETING, LOGIN, REQUEST, &[7; 2000]].concat()).await.unwrap();
    client.shutdown().await.unwrap();
    let leftover = accept(&mut ours, anna).await.unwrap().leftover;
    assert!(leftover.len() < 600, "{}", leftover.len());
    let mut rest = Vec::new();
    ours.read_to_end(&mut rest).await.unwrap();
    assert_eq!([&leftover, &*rest].concat(), [7; 2000]);
}

#[tokio::test]
async fn a_client_that_breaks_off_anywhere_is_gone() {
    let whole = [GREETING, LOGIN, REQUEST].concat();
    for end in 0..whole.len() {
        let (found, _) = accepted(&[&whole[..end]]).await;
        assert!(matches!(found, Err(SocksError::Gone(_))), "{end}: {found:?}");
    }
}

#[tokio::test]
async fn who_will_not_do_is_told_so() {
    let failed = |code| [&[5, 2, 1, 0, 5, code, 0, 1][..], &[0; 6]].concat();
    for (sent, error, answer) in [
        (&[&b"GET / HTTP/1.1\r\n\r\n"[..]][..], "Garbled", vec![]),
        (&[b"\x04\x01\x00\x50"], "Garbled", vec![]),
        (&[b"\x05\x00"], "NoLogin", vec![5, 0xFF]),
        (&[b"\x05\x02\x00\x01"], "NoLogin", vec![5, 0xFF]),
        (&[GREETING, b"\x05\x01\x00\x01"], "Garbled", vec![5, 2]),
        (&[GREETING, b"\x01\x04anna\x05wrong"], "Login", vec![5, 2, 1, 1]),
        (&[GREETING, b"\x01\x04anna\x00", REQUEST], "Login", vec![5, 2, 1, 1]),
        (&[GREETING, b"\x01\x00\x06secret"], "Login", vec![5, 2, 1, 1]),
        (&[GREETING, b"\x01\x02\xff\xff\x06secret"], "Login", vec![5, 2, 1, 1]),
        (&[GREETING, LOGIN, b"\x04\x01\x00\x01"], "Garbled", failed(1)),
        (&[GREETING, LOGIN, b"\x05\x01\x01\x01"], "Garbled", failed(1)),
        (&[GREETING, LOGIN, b"\x05\x01\x00\x03\x00\x00\x50"], "Name", failed(1)),
        (&[GREETING, LOGIN, b"\x05\x00\x00\x01\x7f\0\0\x01\x00\x50"], "Command(0)", failed(7)),
        (&[GREETING, LOGIN, b"\x05\x02\x00\x01\x7f\0\0\x01\x00\x50"], "Command(2)", failed(7)),
        (&[GREETING, LOGIN, b"\x05\x03\x00\x03\x00\x00\x50"], "Command(3)", failed(7)),
        (&[GREETING, LOGIN, b"\x05\x01\x00\x02"], "AddressKind(2)", failed(8)),
    ] {
        let (found, answered) = accepted(sent).await;
        assert_eq!(format!("{:?}", found.unwrap_err()), error, "{sent:?}");
        assert_eq!(answered, answer, "{sent:?}");
    }
}

#[tokio::test]
async fn every_reply_has_its_code() {
    for (said, code) in [
        (Reply::Succeeded, 0),
        (Reply::Failed, 1),
        (Reply::NotAllowed, 2),
        (Reply::HostUnreachable, 4),
        (Reply::Refused, 5),
        (Reply::TimedOut, 6),
        (Reply::CommandNotSupported, 7),
        (Reply::AddressNotSupported, 8),
    ] {
        let mut sent = Vec::new();
        reply(&mut sent, said).await.unwrap();
        assert_eq!(sent, [5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn both_sides_understand_each_other() {
    async fn serve(mut stream: DuplexStream) -> Result<Destination, SocksError> {
        let accepted = accept(&mut stream, anna).await?;
        reply(&mut stream, Reply::Succeeded).await?;
        stream.write_all(b"hello").await?;
        Ok(accepted.destination)
    }
    for host in ["example.org", "1.2.3.4", "[2a00::1]", &"h".repeat(255)] {
        // The smallest pipe brings every byte by itself.
        for size in [1, 4096] {
            let (mut client, server) = duplex(size);
            let serving = tokio::spawn(serve(server));
            connect(&mut client, &destination(host, 443), Some(&credentials())).await.unwrap();
            let mut hello = String::new();
            client.read_to_string(&mut hello).await.unwrap();
            assert_eq!((&*hello, serving.await.unwrap().unwrap()), ("hello", destination(host, 443)));
        }
    }
    let (mut client, server) = duplex(64);
    let serving = tokio::spawn(serve(server));
    let other = Credentials::new("anna".to_owned(), "other".to_owned()).unwrap();
    let refused = connect(&mut client, &destination("example.org", 443), Some(&other)).await;
    assert!(matches!(refused, Err(ProxyError::Credentials)), "{refused:?}");
    assert!(matches!(serving.await.unwrap(), Err(SocksError::Login)));
}

#[test]
fn credentials_are_of_a_length_that_can_be_sent_and_not_shown() {
    let long = "x".repeat(255);
    for (user, password, fits) in [
        ("u", "p", true),
        (&*long, &*long, true),
        ("", "p", false),
        ("u", "", false),
        (&*"x".repeat(256), "p", false),
        ("u", &*"x".repeat(256), false),
    ] {
        let made = Credentials::new(user.to_owned(), password.to_owned());
        assert_eq!(made.is_some(), fits, "{} and {}", user.len(), password.len());
    }
    let login = Login { user: "anna".to_owned(), password: b"secret".to_vec() };
    let shown = format!("{login:?} {:?}", credentials());
    assert!(shown.contains("anna") && !shown.contains("secret"), "{shown}");
    assert!(!shown.contains("115, 101"), "{shown}");
}
