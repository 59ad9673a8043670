//! Sites that throttle whoever asks for much at once: pieces of the size that the extractor names.

use super::{assert_whole, breaks, impatient};
use crate::support::client;
use crate::support::film::{ETAG, Film, assert_cut_off};
use crate::support::random::spread;
use crate::support::stage::{Fault, Media};
use crate::support::world::{World, world};

const SIZE: u64 = 1_000_000;
const PIECE: u64 = 150_000;

/// Checks that a film was asked for from `from` to before `to`, piece by piece, on one connection.
#[track_caller]
fn assert_in_pieces(world: &World, film: &Film, from: u64, to: u64) {
    let seen = film.seen(world);
    let mut at = from;
    for request in &seen {
        let end = (at + PIECE).min(to);
        let wanted = format!("bytes={at}-{}", end - 1);
        // The last one may ask for more than there is.
        let longer = format!("bytes={at}-{}", at + PIECE - 1);
        let asked = request.header("range").unwrap();
        assert!(asked == wanted || (end == film.media.len() && asked == longer), "{asked} for {wanted}");
        assert_eq!(request.connection, seen[0].connection, "{asked}");
        at = end;
    }
    assert_eq!(at, to, "{} requests", seen.len());
}

#[test]
fn the_whole_is_fetched_piece_by_piece() {
    let world = world();
    for size in [SIZE, 2 * PIECE, PIECE, PIECE - 1, PIECE + 1, 1] {
        let film = world.film_in_pieces(&Media::new(80, size), PIECE, |reply| reply);
        let answer = world.get(&film.link);
        assert_whole(&answer, &film, &format!("{size} bytes"));
        assert_eq!(answer.header("content-length"), Some(size.to_string().as_str()));
        assert_eq!((answer.header("content-range"), answer.header("etag")), (None, Some(ETAG)));
        assert_in_pieces(world, &film, 0, size);
    }
    // Without a size the same film is one request.
    let film = world.film(&Media::new(80, SIZE), |reply| reply);
    assert_whole(&world.get(&film.link), &film, "without pieces");
    assert_eq!(film.seen(world).len(), 1);
}

#[test]
fn parts_are_fetched_piece_by_piece_too() {
    let world = world();
    for (range, from, to) in [
        ("bytes=100-999899", 100, 999_900),
        ("bytes=500000-", 500_000, SIZE),
        ("bytes=200-299", 200, 300),
        ("bytes=999999-", 999_999, SIZE),
    ] {
        let film = world.film_in_pieces(&Media::new(81, SIZE), PIECE, |reply| reply);
        let answer = client::request("GET", &world.server.url(&film.link), &[("Range", range)], b"");
        assert_eq!((answer.status, answer.end.clone()), (206, Ok(())), "{range}");
        let said = format!("bytes {from}-{}/{SIZE}", to - 1);
        assert_eq!(answer.header("content-range"), Some(said.as_str()));
        assert!(answer.body == film.media.bytes(from..to), "{range}: wrong bytes");
        assert_in_pieces(world, &film, from, to);
    }
    let film = world.film_in_pieces(&Media::new(81, SIZE), PIECE, |reply| reply);
    let ask =
        |method, range| client::request(method, &world.server.url(&film.link), &[("Range", range)], b"");
    let last = ask("GET", "bytes=-400000");
    assert_eq!((last.status, last.complete()), (206, true));
    assert!(last.body == film.bytes_from(600_000));
    let outside = ask("GET", "bytes=1000000-");
    assert_eq!((outside.status, outside.header("content-range")), (416, Some("bytes */1000000")));
    let head = ask("HEAD", "bytes=0-0");
    assert_eq!((head.status, head.header("content-length")), (200, Some("1000000")));
}

#[test]
fn a_site_that_ignores_ranges_is_read_in_one() {
    let world = world();
    let film = world.film_in_pieces(&Media::new(82, SIZE), PIECE, |reply| reply.no_ranges());
    assert_whole(&world.get(&film.link), &film, "no ranges");
    assert_eq!(film.seen(world).len(), 1);
    let empty = world.film_in_pieces(&Media::new(82, 0), PIECE, |reply| reply);
    assert_whole(&world.get(&empty.link), &empty, "empty");
}

#[test]
fn broken_pieces_go_on_and_other_entities_do_not() {
    let world = impatient();
    let kinds = breaks(60_000, PIECE);
    spread(kinds.len(), kinds.len(), |index| {
        let (kind, fault) = &kinds[index];
        let film = world.film_in_pieces(&Media::new(83, SIZE), PIECE, |reply| {
            reply.faults([None, Some(fault.clone()), None, Some(fault.clone())])
        });
        assert_whole(&world.get(&film.link), &film, kind);
        let starts: Vec<u64> = film.seen(world).iter().map(|it| it.range_start()).collect();
        assert!(starts.contains(&(PIECE + 60_000)), "{kind}: {starts:?}");
    });
    for lie in [
        Fault::ChangedEtag,
        Fault::Replaced,
        Fault::ChangedTotal { by: 5 },
        Fault::WrongRange { by: 100 },
        Fault::NoContentRange,
    ] {
        let what = format!("{lie:?}");
        let faults = [None, None].into_iter().chain(std::iter::repeat_n(Some(lie), 20));
        let film = world.film_in_pieces(&Media::new(84, SIZE), PIECE, |reply| reply.faults(faults));
        let answer = world.get(&film.link);
        assert_cut_off(&answer, &film.media.bytes(0..2 * PIECE), &what);
        assert_eq!((answer.status, film.seen(world)[2].range_start()), (200, 2 * PIECE), "{what}");
    }
}
