//! Every kind of break, for the whole, for parts and for `HEAD`; and how often is tried.

use super::{TRIES, assert_whole, breaks, impatient, then};
use crate::support::client;
use crate::support::film::{Change, ETAG, assert_cut_off};
use crate::support::random::spread;
use crate::support::stage::{Fault, Media, Reply};
use crate::support::world::world;

const SIZE: u64 = 300_000;

/// Runs `check` for every kind of break, all at once: some of them wait for silence.
fn for_every_break(after: u64, length: u64, check: impl Fn(&str, Fault) + Sync) {
    let kinds = breaks(after, length);
    spread(kinds.len(), kinds.len(), |index| {
        let (name, fault) = &kinds[index];
        check(&format!("{name} after {after}"), fault.clone());
    });
}

#[test]
fn a_broken_stream_goes_on_at_the_exact_byte() {
    let world = impatient();
    for after in [0, 1, 100_000, SIZE - 1] {
        for_every_break(after, SIZE, |what, fault| {
            let film = world.film(&Media::new(40, SIZE), |reply| reply.faults([Some(fault)]));
            assert_whole(&world.get(&film.link), &film, what);
            let seen = film.seen(world);
            assert_eq!((seen.len(), seen[1].range_start()), (2, after), "{what}");
            if after > 0 {
                assert_eq!((seen[1].status, seen[1].header("if-range")), (206, Some(ETAG)), "{what}");
            }
        });
    }
}

#[test]
fn a_part_goes_on_within_its_bounds() {
    let world = impatient();
    for (asked, from, to) in
        [("100000-249999", 100_000, 250_000), ("100000-", 100_000, SIZE), ("-200000", 100_000, SIZE)]
    {
        for_every_break(50_000, to - from, |what, fault| {
            let what = format!("{what} of {asked}");
            let film = world.film(&Media::new(41, SIZE), |reply| reply.faults([Some(fault)]));
            let range = format!("bytes={asked}");
            let answer = client::request("GET", &world.server.url(&film.link), &[("Range", &range)], b"");
            assert_eq!((answer.status, answer.end.clone()), (206, Ok(())), "{what}");
            let said = format!("bytes {from}-{}/{SIZE}", to - 1);
            assert_eq!(answer.header("content-range"), Some(said.as_str()), "{what}");
            assert!(answer.body == film.media.bytes(from..to), "{what}: wrong bytes");
            let seen = film.seen(world);
            assert_eq!((seen.len(), seen[1].range_start()), (2, from + 50_000), "{what}");
            if to < SIZE {
                assert_eq!(seen[1].header("range"), Some("bytes=150000-249999"), "{what}");
            }
        });
    }
}

#[test]
fn head_needs_no_body() {
    let world = impatient();
    for_every_break(0, 1, |what, fault| {
        let film = world.film(&Media::new(42, SIZE), |reply| reply.fault(fault));
        let head = client::request("HEAD", &world.server.url(&film.link), &[], b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("300000")), "{what}");
    });
}

#[test]
fn a_body_without_length_goes_on_too() {
    let world = impatient();
    let chunked = (Reply::chunked as Change, Fault::TruncatedChunked { after: 100_000 });
    let closed = (Reply::close_delimited as Change, Fault::HangUp { after: 100_000 });
    for (framing, fault) in [chunked, closed] {
        for change in [(|reply| reply) as Change, |reply| reply.etag("W/\"v1\""), Reply::no_validators] {
            let what = format!("{fault:?}");
            let film = world
                .film(&Media::new(43, SIZE), |reply| change(framing(reply)).faults([Some(fault.clone())]));
            let answer = world.get(&film.link);
            assert_eq!(answer.header("content-length"), None, "{what}");
            assert_whole(&answer, &film, &what);
            assert_eq!(film.seen(world).len(), 2, "{what}");
        }
    }
}

#[test]
fn a_break_at_the_very_end_is_none() {
    let world = impatient();
    // All that the length says came: nothing is left to ask for.
    let film = world.film(&Media::new(44, SIZE), |reply| reply.fault(Fault::Cut { after: SIZE }));
    assert_whole(&world.get(&film.link), &film, "all of the length");
    assert_eq!(film.seen(world).len(), 1);
    // Without a length only the CDN can say that this was all: 416 and the total, or the last bytes once more.
    for (name, change) in [("tagged", (|reply| reply) as Change), ("untagged", Reply::no_validators)] {
        let ends: [(Change, Fault); 2] = [
            (Reply::chunked, Fault::TruncatedChunked { after: SIZE }),
            (Reply::close_delimited, Fault::HangUp { after: SIZE }),
        ];
        for (framing, fault) in ends {
            let what = format!("{name}, {fault:?}");
            let film =
                world.film(&Media::new(45, SIZE), |reply| change(framing(reply)).faults([Some(fault)]));
            assert_whole(&world.get(&film.link), &film, &what);
            assert_eq!(film.seen(world).len(), 2, "{what}");
        }
    }
}

#[test]
fn an_upstream_that_is_down_for_a_while_is_waited_for() {
    let world = world();
    let after_the_cut = |downs: usize| {
        let downs = std::iter::repeat_n(Some(Fault::Status(503)), downs);
        std::iter::once(Some(Fault::Cut { after: 50_000 })).chain(downs).collect::<Vec<_>>()
    };
    let four = after_the_cut(TRIES - 1);
    // Every new byte gives five tries more.
    let again_and_again: Vec<_> = (0..3).flat_map(|_| after_the_cut(TRIES - 2)).collect();
    let plays = [four, again_and_again];
    spread(plays.len(), plays.len(), |index| {
        let faults = plays[index].clone();
        let film = world.film(&Media::new(46, SIZE), |reply| reply.faults(faults));
        assert_whole(&world.get(&film.link), &film, "down for a while");
        assert_eq!(film.seen(world).len(), plays[index].len() + 1);
    });
}

#[test]
fn tries_without_a_new_byte_have_an_end() {
    let world = world();
    let fruitless = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Cut { after: 0 },
        Fault::HangUp { after: 0 },
        Fault::TruncatedChunked { after: 0 },
    ];
    spread(fruitless.len(), fruitless.len(), |index| {
        let fault = &fruitless[index];
        let what = format!("{fault:?}");
        let film = world
            .film(&Media::new(47, SIZE), |reply| reply.faults(then(Fault::Cut { after: 50_000 }, fault)));
        let answer = world.get(&film.link);
        assert_cut_off(&answer, &film.bytes_from(0), &what);
        assert_eq!(answer.status, 200, "{what}");
        let tries = film.seen(world).len() - 1;
        assert!((1..=TRIES).contains(&tries), "{what}: {tries} tries");
    });
}

#[test]
fn an_upstream_without_ranges_is_read_again_where_that_is_cheap() {
    const CHEAP: u64 = 1 << 20;
    let world = impatient();
    let size = CHEAP + 200_000;
    for_every_break(100_000, size, |what, fault| {
        let film = world.film(&Media::new(48, size), |reply| reply.no_ranges().faults([Some(fault)]));
        assert_whole(&world.get(&film.link), &film, what);
    });
    for_every_break(CHEAP + 1, size, |what, fault| {
        let film = world.film(&Media::new(49, size), |reply| reply.no_ranges().faults([Some(fault)]));
        assert_cut_off(&world.get(&film.link), &film.bytes_from(0), what);
    });
}

#[test]
fn read_again_without_a_strong_etag_it_is_compared() {
    let world = impatient();
    for change in [Reply::no_validators as Change, |reply| reply.etag("W/\"v1\"")] {
        for_every_break(100_000, SIZE, |what, fault| {
            let film = world
                .film(&Media::new(50, SIZE), |reply| change(reply).no_ranges().faults([Some(fault.clone())]));
            let answer = world.get(&film.link);
            assert_whole(&answer, &film, what);
            let faults = then(fault, &Fault::ChangedBytes);
            film.play(world, |reply| change(reply).no_ranges().faults(faults));
            assert_cut_off(&world.get(&film.link), &film.media.bytes(0..100_000), what);
        });
    }
}
