//! Ranges and conditional requests: RFC 9110 §13 and §14, over kept connections.

mod random;
mod table;
mod upstream;

use crate::support::client::{Answer, Session};
use crate::support::film::{ETAG, Film, MODIFIED};
use crate::support::stage::Reply;
use crate::support::world::{World, assert_problem};
use std::ops::Range;

/// Length of the films of most cases. Where it stands in a case as a number, it is to be read with the eyes.
const LEN: u64 = 10_000;

/// What an answer must be.
#[derive(Debug)]
enum Want {
    /// 200 and all of it.
    Whole,
    /// 206 and this part.
    Part(Range<u64>),
    /// 416.
    Unsatisfiable,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Headers of a request, and what must come of it.
type Row<'a> = (&'a [(&'a str, &'a str)], Want);

/// What a film's CDN has told of it.
#[derive(Clone, Copy)]
struct Known {
    length: bool,
    ranges: bool,
    etag: Option<&'static str>,
    modified: Option<&'static str>,
}

const ALL_KNOWN: Known = Known { length: true, ranges: true, etag: Some(ETAG), modified: Some(MODIFIED) };

/// Asks with `GET` on one connection, row by row.
fn check(world: &World, film: &Film, known: Known, rows: &[Row<'_>]) {
    let mut session = Session::to(&world.server.url("/"));
    for (headers, want) in rows {
        let answer = session.ask("GET", &film.link, headers);
        assert_answer(&answer, film, known, want, &format!("{headers:?}"));
    }
    assert!(film.seen(world).iter().all(|seen| seen.method == "GET"));
}

#[track_caller]
fn assert_answer(answer: &Answer, film: &Film, known: Known, want: &Want, what: &str) {
    let total = film.media.len();
    let (status, content_range, part) = match want {
        Want::Whole => (200, None, 0..total),
        Want::Part(part) => {
            (206, Some(format!("bytes {}-{}/{total}", part.start, part.end - 1)), part.clone())
        }
        Want::Unsatisfiable => (416, Some(format!("bytes */{total}")), 0..0),
        Want::NotModified => (304, None, 0..0),
        Want::Failed => (412, None, 0..0),
    };
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(answer.header("content-range"), content_range.as_deref(), "{what}");
    match want {
        Want::Unsatisfiable => return assert_problem(answer, 416, "range_not_satisfiable"),
        Want::Failed => return assert_problem(answer, 412, "precondition_failed"),
        _ => {}
    }
    assert!(answer.complete(), "{what}: {:?}", answer.end);
    assert!(answer.body == film.media.bytes(part.clone()), "{what}: wrong bytes");
    assert_eq!(answer.header("etag"), known.etag, "{what}");
    if status == 304 {
        return;
    }
    assert_eq!(answer.header("last-modified"), known.modified, "{what}");
    assert_eq!(answer.header("content-type"), Some("video/mp4"), "{what}");
    let length = (part.end - part.start).to_string();
    if known.length || status == 206 {
        assert_eq!(answer.header("content-length"), Some(length.as_str()), "{what}");
    }
    let accepted = answer.header("accept-ranges");
    assert_eq!(accepted, known.ranges.then_some("bytes"), "{what}");
}

/// A reply that does not do ranges.
fn deaf(reply: Reply) -> Reply {
    reply.no_ranges()
}
