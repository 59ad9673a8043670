//! What a client gets where the CDN does not do ranges, does not know lengths, or lies; and `HEAD`.

use super::Want::{NotModified, Part, Unsatisfiable, Whole};
use super::{ALL_KNOWN, Known, LEN, Row, check, deaf};
use crate::support::client::{self, Session};
use crate::support::film::{Change, ETAG, Film, assert_cut_off};
use crate::support::random::spread;
use crate::support::stage::{Fault, Media, Outcome, Reply};
use crate::support::world::{World, assert_problem, world};

/// Furthest offset that is worth skipping to.
const CHEAP: u64 = 1 << 20;

#[test]
fn an_upstream_without_ranges_is_skipped_where_that_is_cheap() {
    let world = world();
    let film = world.film(&Media::new(20, LEN), deaf);
    let rows: &[Row<'_>] = &[
        (&[], Whole),
        (&[("Range", "bytes=0-0")], Part(0..1)),
        (&[("Range", "bytes=500-999")], Part(500..1000)),
        (&[("Range", "bytes=9999-")], Part(9999..LEN)),
        (&[("Range", "bytes=-5")], Part(9995..LEN)),
        (&[("Range", "bytes=10000-")], Unsatisfiable),
        (&[("Range", "bytes=0-1,3-4")], Whole),
        (&[("Range", "bytes=5-9"), ("If-Range", ETAG)], Part(5..10)),
        (&[("Range", "bytes=5-9"), ("If-Range", "\"v2\"")], Whole),
        (&[("Range", "bytes=5-9"), ("If-None-Match", ETAG)], NotModified),
    ];
    check(world, &film, Known { ranges: false, ..ALL_KNOWN }, rows);
}

#[test]
fn far_offsets_of_an_upstream_without_ranges_give_the_whole() {
    let world = world();
    let film = world.film(&Media::new(21, CHEAP + 1000), deaf);
    let rows: &[Row<'_>] = &[
        (&[("Range", "bytes=1048576-")], Part(CHEAP..CHEAP + 1000)),
        (&[("Range", "bytes=1048577-")], Whole),
        (&[("Range", "bytes=-1000")], Part(CHEAP..CHEAP + 1000)),
        (&[("Range", "bytes=-999")], Whole),
        (&[("Range", "bytes=1049576-")], Unsatisfiable),
    ];
    check(world, &film, Known { ranges: false, ..ALL_KNOWN }, rows);
}

#[test]
fn an_upstream_that_knows_no_length_gives_the_whole() {
    let world = world();
    for unframed in [Reply::chunked as Change, Reply::close_delimited] {
        let film = world.film(&Media::new(22, LEN), |reply| unframed(deaf(reply)));
        let rows: &[Row<'_>] = &[
            (&[], Whole),
            (&[("Range", "bytes=0-0")], Whole),
            (&[("Range", "bytes=500-999")], Whole),
            (&[("Range", "bytes=-5")], Whole),
            (&[("Range", "bytes=10000-")], Whole),
            (&[("Range", "bytes=5-9"), ("If-None-Match", ETAG)], NotModified),
        ];
        check(world, &film, Known { length: false, ranges: false, ..ALL_KNOWN }, rows);
    }
}

#[test]
fn a_chunked_part_is_a_part() {
    let world = world();
    let film = world.film(&Media::new(23, LEN), Reply::chunked);
    let rows: &[Row<'_>] = &[
        (&[], Whole),
        (&[("Range", "bytes=500-999")], Part(500..1000)),
        (&[("Range", "bytes=-5")], Part(9995..LEN)),
        (&[("Range", "bytes=10000-")], Unsatisfiable),
    ];
    check(world, &film, Known { length: false, ..ALL_KNOWN }, rows);
}

/// The `Content-Length` that `HEAD` gives, after which the connection still serves.
fn head(world: &World, film: &Film, headers: &[(&str, &str)]) -> Option<String> {
    let mut session = Session::to(&world.server.url("/"));
    let answer = session.ask("HEAD", &film.link, headers);
    assert_eq!((answer.status, answer.header("content-range")), (200, None), "{headers:?}");
    assert_eq!(answer.header("etag"), Some(ETAG));
    assert_eq!(session.ask("HEAD", &film.link, headers).status, 200);
    assert!(film.seen(world).iter().all(|seen| seen.method == "GET"), "the CDN was sent a HEAD");
    answer.header("content-length").map(str::to_owned)
}

#[test]
fn head_gives_the_length_of_the_whole() {
    let world = world();
    for (name, length, change) in [
        ("plain", LEN, (|reply| reply) as Change),
        ("chunked", LEN, Reply::chunked),
        ("one byte", 1, |reply| reply),
        ("empty", 0, |reply| reply),
        ("without ranges", LEN, deaf),
        ("empty without ranges", 0, deaf),
    ] {
        let film = world.film(&Media::new(24, length), change);
        for headers in [&[][..], &[("Range", "bytes=5-9")], &[("Range", "bytes=10000-")]] {
            assert_eq!(head(world, &film, headers), Some(length.to_string()), "{name} {headers:?}");
        }
    }
    let unknown = world.film(&Media::new(25, LEN), |reply| deaf(reply).chunked());
    assert_eq!(head(world, &unknown, &[]), None);
}

#[test]
fn head_asks_the_cdn_for_one_byte_and_keeps_conditions() {
    let world = world();
    let film = world.film(&Media::new(26, 64 << 20), |reply| reply);
    assert_eq!(head(world, &film, &[]), Some((64 << 20).to_string()));
    film.wait_for(world, |seen| seen.iter().all(|it| it.outcome == Outcome::Finished));
    for seen in film.seen(world) {
        assert_eq!((seen.header("range"), seen.status, seen.written), (Some("bytes=0-0"), 206, 1));
    }
    let ask = |headers| client::request("HEAD", &world.server.url(&film.link), headers, b"");
    let unchanged = ask(&[("If-None-Match", ETAG)]);
    assert_eq!((unchanged.status, unchanged.header("etag")), (304, Some(ETAG)));
    assert_eq!(ask(&[("If-Match", "\"v2\"")]).status, 412);
    // Without `Range` there is nothing for `If-Range` to decide.
    assert_eq!(ask(&[("Range", "bytes=0-0"), ("If-Range", "\"v2\"")]).status, 200);
}

#[test]
fn a_part_that_is_not_the_one_asked_for_is_an_error() {
    let world = world();
    for fault in [Fault::WrongRange { by: 100 }, Fault::WrongRange { by: 1 }, Fault::NoContentRange] {
        let film = world.film(&Media::new(27, LEN), |reply| reply.fault(fault.clone()));
        for range in ["bytes=5-9", "bytes=5000-", "bytes=0-", "bytes=-500"] {
            let answer = client::request("GET", &world.server.url(&film.link), &[("Range", range)], b"");
            assert_problem(&answer, 502, "upstream_error");
        }
    }
}

#[test]
fn a_416_is_only_passed_on_where_it_is_certain() {
    let world = world();
    let ask =
        |film: &Film, range| client::request("GET", &world.server.url(&film.link), &[("Range", range)], b"");
    // Clients that resume would take it for the end of the file.
    let film = world.film(&Media::new(29, LEN), |reply| reply.faults([Some(Fault::Status(416))]));
    let answer = ask(&film, "bytes=5000-");
    assert_eq!((answer.status, answer.header("content-range")), (206, Some("bytes 5000-9999/10000")));
    assert!(answer.body == film.bytes_from(5000));
    let film = world.film(&Media::new(29, LEN), |reply| reply.faults([Some(Fault::Status(416))]));
    let answer = ask(&film, "bytes=10000-");
    assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */10000")));
    // Of another file there is no range to be out of, even if the CDN does not know `If-Range`.
    let film = world.film(&Media::new(29, LEN), Reply::deaf_to_if_range);
    let headers = [("Range", "bytes=10000-"), ("If-Range", "\"v0\"")];
    let answer = client::request("GET", &world.server.url(&film.link), &headers, b"");
    assert_eq!((answer.status, answer.body == film.bytes_from(0)), (200, true));
    // And a server that refuses a range may still send the whole.
    let film = world.film(&Media::new(29, LEN), |reply| reply.faults([Some(Fault::Status(501))]));
    assert_eq!(head(world, &film, &[]), Some(LEN.to_string()));
}

#[test]
fn more_bytes_than_announced_do_not_end_clean() {
    let world = world();
    // All at once: a relay may well try again before it gives up.
    let surplus = [1, 100, 100_000];
    spread(9, 9, |index| {
        let fault = Fault::Long { by: surplus[index / 3] };
        let film = world.film(&Media::new(28, 300_000), |reply| reply.fault(fault));
        if index % 3 == 0 {
            let part = [("Range", "bytes=1000-")];
            let answer = client::request("GET", &world.server.url(&film.link), &part, b"");
            assert_cut_off(&answer, &film.bytes_from(1000), "a part");
        } else {
            assert_cut_off(&world.get(&film.link), &film.bytes_from(0), "the whole");
        }
        // The same file, once the CDN counts right.
        film.play(world, |reply| reply);
        assert!(world.get(&film.link).body == film.bytes_from(0));
    });
}
