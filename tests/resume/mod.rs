//! What breaks under way: streams go on at the exact byte, or end in a visible error.

mod cuts;
mod every_break;
mod heal;
mod leaving;
mod lies;
mod pieces;
mod unsure;

use crate::support::client::Answer;
use crate::support::film::Film;
use crate::support::stage::{Fault, Seen};
use crate::support::world::World;
use std::sync::LazyLock;

/// Bytes that are asked for again where no strong `ETag` vouches for the rest.
const OVERLAP: u64 = 4096;

/// Tries in a row that may bring no new byte.
const TRIES: usize = 5;

static IMPATIENT: LazyLock<World> = LazyLock::new(|| World::keyed(&[("DOWNLOAD_TIMEOUT", "2")]));

/// A world where two seconds of silence are too long, shared by the tests of this subject.
fn impatient() -> &'static World {
    &IMPATIENT
}

/// Every way for a body of `length` bytes to break after `after` of them. What is tested with one break is tested
/// with all of them.
pub fn breaks(after: u64, length: u64) -> [(&'static str, Fault); 5] {
    [
        ("reset", Fault::Cut { after }),
        ("hang-up", Fault::HangUp { after }),
        ("short", Fault::Short { by: length - after }),
        ("truncated chunks", Fault::TruncatedChunked { after }),
        ("stall", Fault::Stall { after }),
    ]
}

/// `first` once, then `then` for longer than anybody asks.
pub fn then(first: Fault, then: &Fault) -> Vec<Option<Fault>> {
    std::iter::once(Some(first)).chain(std::iter::repeat_n(Some(then.clone()), 3 * TRIES)).collect()
}

/// Bytes that were asked for again below what had been sent to the relay before.
fn asked_again(requests: &[Seen]) -> u64 {
    let (mut sent, mut again) = (0_u64, 0);
    for request in requests.iter().filter(|it| matches!(it.status, 200 | 206)) {
        let start = if request.status == 206 { request.range_start() } else { 0 };
        again += sent.saturating_sub(start);
        sent = sent.max(start + request.written);
    }
    again
}

/// Checks that all of a film came.
#[track_caller]
fn assert_whole(answer: &Answer, film: &Film, what: &str) {
    assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{what}: {} bytes", answer.body.len());
    assert!(answer.body == film.bytes_from(0), "{what}: wrong bytes among {}", answer.body.len());
}
