//! Headers brought in through what answers repeat: names of files, titles, hosts, origins, messages.

use crate::support::client::{self, encode};
use crate::support::stage::tiktok::Video;
use crate::support::world::{World, post};
use serde_json::Value;

/// In every hostile text; where it comes out says that the text got that far.
const MARK: &str = "X-Injected";

/// What wants to be a line of its own, a parameter of its own, or another path.
const HOSTILE: [&str; 22] = [
    "a\r\nX-Injected: 1",
    "a\nX-Injected: 1",
    "a\rX-Injected: 1",
    "a\n\r\nX-Injected: 1",
    "a\r\n\r\n<html>X-Injected",
    "a\r\n\r\nHTTP/1.1 200 OK\r\nX-Injected: 1\r\n\r\n",
    "a\r\n X-Injected",
    "a\tX-Injected",
    "a\0X-Injected",
    "a\u{b}\u{c}X-Injected",
    "a\u{85}X-Injected: 1",
    "a\u{2028}X-Injected\u{2029}: 1",
    // Whose low bytes are CR and LF.
    "a\u{560d}\u{560a}X-Injected: 1",
    "a%0d%0aX-Injected: 1",
    "a\"; filename=\"X-Injected.exe",
    "a\\\"; filename*=UTF-8''X-Injected.exe",
    "a'; x=y, X-Injected",
    "../../etc/X-Injected",
    "C:\\X-Injected",
    "\u{202e}4pm.X-Injected",
    "été 水 🌞 X-Injected",
    "a\u{7f}\u{1b}[31mX-Injected",
];

/// The same for headers, whose values may hold no line and no control.
const HOSTILE_VALUES: [&[u8]; 12] = [
    b"https://X-Injected.example",
    b"X-Injected.example\" onload=\"x",
    b"X-Injected.example/<script>",
    b"X-Injected.example%0d%0aX-Injected:80",
    b"user@X-Injected.example",
    b"good.example, X-Injected.example#",
    b"X-Injected.example:99999",
    b"X-Injected\xff\xfe",
    b"\xc3\xa9X-Injected",
    b"X-Injected.example\tx",
    b"[X-Injected]",
    b"X-Injected.example\\@good.example",
];

/// Every header that the server may send.
const KNOWN: [&str; 18] = [
    "accept-ranges",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "allow",
    "cache-control",
    "connection",
    "content-disposition",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "retry-after",
    "vary",
    "x-content-type-options",
    "x-filename",
    "x-request-id",
];

/// An answer in which there is nothing that a client could have put there as a header.
struct Clean {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Clean {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Asks, and checks the bytes of the answer: one head of known lines, each there once, and then the body.
#[track_caller]
fn ask(world: &World, target: &str, fields: &[(&str, &[u8])]) -> Clean {
    let mut request =
        format!("GET {target} HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n").into_bytes();
    for (name, value) in fields {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    let (bytes, _) = client::raw(world.server.address(), &request);
    clean(&bytes).unwrap_or_else(|wrong| panic!("{wrong} in the answer to {target:?}"))
}

fn clean(bytes: &[u8]) -> Result<Clean, String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no head")?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "other bytes")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok()).ok_or("no status")?;
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("the line {line:?}"))?;
        let known = KNOWN.contains(&name) && !fields.iter().any(|(key, _)| key == name);
        if !known || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(format!("the line {line:?}"));
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    let body = bytes[end + 4..].to_vec();
    let length = fields.iter().find(|(name, _)| name == "content-length");
    match length {
        Some((_, length)) if length.parse() == Ok(body.len()) => Ok(Clean { status, fields, body }),
        _ => Err(format!("{length:?} and {} bytes", body.len())),
    }
}

/// The name of a file, after checks that its header has two parameters and says one name.
#[track_caller]
fn name_of(answer: &Clean) -> String {
    let disposition = answer.field("content-disposition").unwrap();
    let (plain, extended) = disposition
        .strip_prefix("attachment; filename=\"")
        .and_then(|rest| rest.split_once("\"; filename*=UTF-8''"))
        .unwrap_or_else(|| panic!("{disposition}"));
    assert!(!plain.contains(['"', '\\', '/']), "{disposition}");
    assert!(!extended.contains([';', '"', ' ', '\'', ',', '/']), "{disposition}");
    assert_eq!(answer.field("x-filename"), Some(extended));
    extended.to_owned()
}

fn small() -> (World, Video) {
    let world =
        World::keyed(&[("CORS_ORIGINS", "https://good.example"), ("TRUSTED_PROXIES", "127.0.0.1/32")]);
    let video = post().size(5000).install(&world.stage);
    (world, video)
}

#[test]
fn an_injected_header_would_be_seen() {
    let answer = |line: &str| {
        clean(format!("HTTP/1.1 200 OK\r\ncontent-type: a\r\n{line}content-length: 1\r\n\r\nx").as_bytes())
    };
    assert!(answer("").is_ok());
    for line in
        ["x-injected: 1\r\n", "date: a\nb\r\n", "date: a\rb\r\n", "content-type: b\r\n", "\r\n", "a\r\n"]
    {
        assert!(answer(line).is_err(), "{line:?}");
    }
}

#[test]
fn names_of_files_are_no_headers() {
    let (world, video) = small();
    let page = format!("/stream?url={}", encode(video.page_url()));
    let token = format!("/stream?data={}", world.token(&video, "audio"));
    for text in HOSTILE {
        let template = encode(&text.replace('%', "%%"));
        for place in [&page, &token] {
            let name = name_of(&ask(&world, &format!("{place}&filename={template}"), &[]));
            assert!(name.contains(MARK), "{text:?} became {name:?}");
        }
    }
}

#[test]
fn titles_of_pages_are_no_headers() {
    let (world, _) = small();
    for text in HOSTILE {
        let video = post().size(5000).title(text).nickname(text).install(&world.stage);
        let page = encode(video.page_url());
        let name = name_of(&ask(&world, &format!("/stream?url={page}"), &[]));
        assert!(name.contains(MARK), "{text:?} became {name:?}");
        let extraction = ask(&world, &format!("/extract?url={page}"), &[]);
        assert_eq!(extraction.status, 200);
        assert!(extraction.json()["title"].as_str().unwrap().contains(MARK), "{text:?}");
    }
}

#[test]
fn other_parameters_are_no_headers() {
    let (world, video) = small();
    let page = encode(video.page_url());
    for text in HOSTILE {
        let text = encode(text);
        let inline = ask(&world, &format!("/stream?url={page}&inline={text}"), &[]);
        assert_eq!(inline.status, 200);
        assert!(!name_of(&inline).contains(MARK));
        for target in [
            format!("/stream?url={page}&format={text}"),
            format!("/stream?url={text}"),
            format!("/stream?data={text}"),
            format!("/extract?url={page}&format={text}"),
            format!("/extract?url={text}"),
            format!("/unknown/{text}"),
        ] {
            let refused = ask(&world, &target, &[]);
            assert!((400..500).contains(&refused.status), "{target}: {}", refused.status);
            assert_eq!(refused.json()["status"], refused.status, "{target}");
        }
    }
    let inline = ask(&world, &format!("/stream?url={page}&inline=1"), &[]);
    assert!(inline.field("content-disposition").unwrap().starts_with("inline; "), "positive control");
}

#[test]
fn origins_that_are_not_listed_are_not_repeated() {
    let (world, _) = small();
    let allowed = |origin: &[u8]| {
        let answer = ask(&world, "/health", &[("Origin", origin)]);
        assert_eq!((answer.status, answer.field("vary")), (200, Some("Origin")));
        answer.field("access-control-allow-origin").map(str::to_owned)
    };
    for value in HOSTILE_VALUES {
        assert_eq!(allowed(value), None);
        assert_eq!(allowed(&[b"https://good.example", value].concat()), None);
        assert_eq!(allowed(&[value, b"https://good.example"].concat()), None);
    }
    assert_eq!(allowed(b"https://good.example"), Some("https://good.example".to_owned()));
}

#[test]
fn links_hold_a_plain_host_or_our_own() {
    let (world, video) = small();
    let target = format!("/extract?url={}", encode(video.page_url()));
    let prefix = |fields: &[(&str, &[u8])]| {
        let answer = ask(&world, &target, fields);
        assert_eq!(answer.status, 200);
        let link = answer.json()["thumbnail"].as_str().unwrap().to_owned();
        link.split_once("/stream?data=").unwrap().0.to_owned()
    };
    for value in HOSTILE_VALUES {
        for name in ["X-Forwarded-Host", "X-Forwarded-Proto"] {
            assert_eq!(prefix(&[(name, value)]), "http://good.example", "{name}");
        }
    }
    let forwarded: [(&str, &[u8]); 2] =
        [("X-Forwarded-Host", b"b.example:81"), ("X-Forwarded-Proto", b"https")];
    assert_eq!(prefix(&forwarded), "https://b.example:81", "positive control");
    // A target that is a URL says the host, whatever the Host line says (RFC 9112 §3.2.2).
    let whole = ask(&world, &format!("http://c.example:82{target}"), &[]).json();
    assert!(whole["thumbnail"].as_str().unwrap().starts_with("http://c.example:82/stream?data="));
}

#[test]
fn ids_are_our_own() {
    let (world, _) = small();
    for value in HOSTILE_VALUES {
        let answer = ask(&world, "/health", &[("X-Request-Id", value), ("Traceparent", value)]);
        let id = answer.field("x-request-id").unwrap();
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{id}");
        world.server.wait_for_log(id);
    }
}
