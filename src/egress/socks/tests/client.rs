//! What a proxy may answer us.

use super::super::super::proxy_error::Refusal;
use super::*;

/// What comes of what a proxy answers before it ends, and what it was sent.
async fn connected(
    answers: &[u8],
    destination: &Destination,
    credentials: Option<&Credentials>,
) -> (Result<(), ProxyError>, Vec<u8>) {
    let (mut ours, mut proxy) = duplex(4096);
    proxy.write_all(answers).await.unwrap();
    proxy.shutdown().await.unwrap();
    let found = connect(&mut ours, destination, credentials).await;
    drop(ours);
    let mut sent = Vec::new();
    proxy.read_to_end(&mut sent).await.unwrap();
    (found, sent)
}

#[tokio::test]
async fn a_proxy_is_asked_as_the_rfcs_say() {
    let done = [0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for (host, address) in [
        ("example.org", &b"\x03\x0bexample.org"[..]),
        ("1.2.3.4", &[1, 1, 2, 3, 4]),
        ("[2a00::1]", &[4, 0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        let (found, sent) = connected(&[&[5][..], &done].concat(), &destination(host, 443), None).await;
        found.unwrap();
        assert_eq!(sent, [&[5, 1, 0, 5, 1, 0][..], address, &[1, 0xBB]].concat(), "{host}");
    }
    let to = destination("example.org", 443);
    let (found, sent) = connected(&[&[5, 2, 1][..], &done].concat(), &to, Some(&credentials())).await;
    found.unwrap();
    assert_eq!(sent, [GREETING, LOGIN, REQUEST].concat());
    // A proxy that wants no login gets none.
    let (found, sent) = connected(&[&[5][..], &done].concat(), &to, Some(&credentials())).await;
    found.unwrap();
    assert_eq!(sent, [GREETING, REQUEST].concat());
}

#[tokio::test]
async fn a_host_that_cannot_be_said_is_not_asked_for() {
    for host in ["", "a\0b", "a\nb", &"h".repeat(256)] {
        let (found, sent) = connected(&[], &destination(host, 443), None).await;
        assert!(matches!(found, Err(ProxyError::Refused(Refusal::Unsayable))), "{host:?}");
        assert!(sent.is_empty(), "{sent:?}");
    }
}

#[tokio::test]
async fn every_answer_of_a_proxy() {
    let rest = [0, 1, 0, 0, 0, 0, 0, 0];
    let login = credentials();
    for (answers, credentials, expected) in [
        (vec![4, 0], None, "Garbled"),
        (vec![5, 0xFF], None, "Credentials"),
        (vec![5, 0xFF], Some(&login), "Credentials"),
        (vec![5, 2], None, "Garbled"),
        (vec![5, 1], Some(&login), "Garbled"),
        (vec![5, 2, 1, 1], Some(&login), "Credentials"),
        (vec![5, 2, 1, 0xFF], Some(&login), "Credentials"),
        (vec![5, 2, 5, 0], Some(&login), "Garbled"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), None, "Garbled"),
        (vec![5, 0, 4, 0, 0, 1], None, "Garbled"),
        (vec![5, 0, 5, 0, 1, 1], None, "Garbled"),
        (vec![5, 0, 5, 0, 0, 2], None, "Garbled"),
        // Not every proxy sends an address with a refusal.
        (vec![5, 0, 5, 4, 0, 1], None, "Refused(Reply(4))"),
    ] {
        let (found, _) = connected(&answers, &destination("example.org", 443), credentials).await;
        assert_eq!(format!("{:?}", found.unwrap_err()), expected, "{answers:?}");
    }
    for code in 1..=255 {
        let answers = [&[5, 0, 5, code][..], &rest].concat();
        let (found, _) = connected(&answers, &destination("example.org", 443), None).await;
        assert!(matches!(found, Err(ProxyError::Refused(Refusal::Reply(told))) if told == code), "{code}");
    }
}

#[tokio::test]
async fn an_answer_is_read_to_its_last_byte_only() {
    for bound in [
        &[1, 0, 0, 0, 0][..],
        &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[3, 0],
        b"\x03\x05proxy",
        &[&[3, 255][..], &[b'h'; 255]].concat(),
    ] {
        let answers = [&[5, 2, 1, 0, 5, 0, 0][..], bound, &[0x20, 0xFB]].concat();
        for end in 0..answers.len() {
            let (found, _) =
                connected(&answers[..end], &destination("example.org", 443), Some(&credentials())).await;
            assert!(matches!(found, Err(ProxyError::Gone(_))), "{bound:?} cut at {end}");
        }
        let (mut ours, mut proxy) = duplex(4096);
        proxy.write_all(&[&answers[..], b"hello"].concat()).await.unwrap();
        proxy.shutdown().await.unwrap();
        connect(&mut ours, &destination("example.org", 443), Some(&credentials())).await.unwrap();
        let mut rest = String::new();
        ours.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "hello", "{bound:?}");
    }
}
