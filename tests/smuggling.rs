//! Requests that two servers may read in two ways (RFC 9112 §11.1, §11.2), and bytes that are no requests.
//!
//! Every row of the tables is sent as it is, the first half of them perhaps one request and what follows another one.
//! The connection answers as often as the row says, the server counts as many requests as that, and a last request
//! behind them is answered where the connection stays and not where it must not.
//!
//! A row is `[name] answers end` and the bytes in the lines below it, which are joined without anything between them.
//! Answers are status codes, `inner` for that of [`INNER`], or `-` for none. The end is `open`, or `close`; with `cut`
//! the client ends its side, and nothing follows. `\r`, `\n`, `\t`, `\0`, `\x7f` and `\\` are bytes, `{inner}` is
//! [`INNER`], and `{x*9000}` and `{(a: b\r\n)*9}` are something many times over.

mod reflected;
mod rows;

use crate::support::client::{self, ConnectionEnd};
use crate::support::server::TestServer;
use rows::{Expected, Row};
use std::collections::HashSet;
use std::net::SocketAddr;

/// The request that others try to bring in, for a path of its own.
const INNER: &str = "GET /openapi.json HTTP/1.1\r\nHost: inner\r\n\r\n";
/// The request behind every row.
const LAST: &str = "GET /ready HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n";
/// The fewest rows that are a table.
const LEAST: usize = 60;

/// An answer, as far as a row tells answers apart.
struct Came {
    status: u16,
    closes: bool,
    /// Whether it is that of [`INNER`].
    inner: bool,
}

#[test]
fn every_request_is_answered_once_and_no_smuggled_one() {
    let rows = rows::all();
    let names: HashSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "a name is there twice");
    assert!(rows.len() >= LEAST, "{}", rows.len());
    // The ways in are watched: behind a proper request, the inner one is served.
    assert!(rows.iter().any(|row| row.name.starts_with("control-") && row.inner() > 0));
    let server = TestServer::spawn(&[]);
    let wrong: Vec<_> = rows.iter().filter_map(|row| held(&server, row).err()).collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// What is wrong with what came of a row.
fn held(server: &TestServer, row: &Row) -> Result<(), String> {
    let before = served(server);
    let (bytes, end) = send(server.address(), row);
    let answers = parsed(&bytes).map_err(|error| format!("{}: {error}: {:?}", row.name, text(&bytes)))?;
    let mut expected = row.answers.clone();
    if row.stays {
        expected.push(Expected::Status(200));
    }
    let fits =
        answers.len() == expected.len() && answers.iter().zip(&expected).all(|(came, one)| one.is(came));
    let said: Vec<_> = answers.iter().map(|came| came.status).collect();
    if !fits {
        return Err(format!("{}: {said:?} in place of {expected:?}", row.name));
    }
    if end == ConnectionEnd::Silence {
        return Err(format!("{}: after {said:?} the connection stays", row.name));
    }
    if let Some(early) = answers.iter().position(|came| came.closes).filter(|at| at + 1 < answers.len()) {
        return Err(format!("{}: answers after number {early}, which says that it is the last", row.name));
    }
    let after = served(server);
    let (inner, last) = (after.0 - before.0, after.1 - before.1);
    if (inner, last) != (row.inner(), usize::from(row.stays)) {
        return Err(format!("{}: served {inner} times, the last request {last} times", row.name));
    }
    Ok(())
}

fn send(address: SocketAddr, row: &Row) -> (Vec<u8>, ConnectionEnd) {
    if row.cut {
        return client::raw_and_fin(address, &row.bytes);
    }
    client::raw(address, &[&row.bytes, LAST.as_bytes()].concat())
}

/// How often the server has answered at the path of [`INNER`] and at that of [`LAST`], by its own count.
fn served(server: &TestServer) -> (usize, usize) {
    let metrics = client::get(&server.url("/metrics")).text();
    let of = |path: &str| {
        let label = format!("route=\"{path}\"");
        let counts = metrics
            .lines()
            .filter(|line| line.starts_with("sluice_requests_total{") && line.contains(&label));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
    };
    (of("/openapi.json"), of("/ready"))
}

/// All answers of a connection.
fn parsed(mut bytes: &[u8]) -> Result<Vec<Came>, String> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut slots);
        let Ok(httparse::Status::Complete(length)) = head.parse(bytes) else {
            return Err(format!("no head after {} answers", answers.len()));
        };
        let field = |name: &str| head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        let number =
            field("content-length").map(|field| String::from_utf8_lossy(field.value).parse().unwrap());
        let body = bytes.get(length..length + number.unwrap_or(0)).ok_or("the last answer is cut")?;
        answers.push(Came {
            status: head.code.unwrap(),
            closes: field("connection").is_some_and(|field| field.value == b"close"),
            inner: body.starts_with(b"{") && body.windows(9).any(|part| part == b"\"openapi\""),
        });
        bytes = &bytes[length + body.len()..];
    }
    Ok(answers)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned()
}
