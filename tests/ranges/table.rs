//! The rules, row by row.

use super::Want::{Failed, NotModified, Part, Unsatisfiable, Whole};
use super::{ALL_KNOWN, Known, LEN, Row, check, deaf};
use crate::support::film::{ETAG, MODIFIED};
use crate::support::stage::{Media, Reply};
use crate::support::world::world;

const EARLIER: &str = "Wed, 01 Oct 2025 09:59:59 GMT";
const LATER: &str = "Wed, 01 Oct 2025 10:00:01 GMT";
/// [`MODIFIED`] in the two forms that RFC 9110 §5.6.7 has a recipient accept as well.
const RFC_850: &str = "Wednesday, 01-Oct-25 10:00:00 GMT";
const ASCTIME: &str = "Wed Oct  1 10:00:00 2025";

/// `Range` alone.
fn ranges<'a>(lines: &'a [[(&'a str, &'a str); 1]], wants: Vec<super::Want>) -> Vec<Row<'a>> {
    assert_eq!(lines.len(), wants.len());
    lines.iter().map(<[_; 1]>::as_slice).zip(wants).collect()
}

macro_rules! range_rows {
    ($($line:literal => $want:expr),* $(,)?) => {
        ranges(&[$([("Range", $line)]),*], vec![$($want),*])
    };
}

#[test]
fn one_range_gives_its_part() {
    let world = world();
    let film = world.film(&Media::new(1, LEN), |reply| reply);
    let rows = range_rows! {
        "bytes=0-0" => Part(0..1),
        "bytes=0-499" => Part(0..500),
        "bytes=500-999" => Part(500..1000),
        "bytes=9999-9999" => Part(9999..LEN),
        "bytes=0-" => Part(0..LEN),
        "bytes=9500-" => Part(9500..LEN),
        "bytes=9999-" => Part(9999..LEN),
        "bytes=-1" => Part(9999..LEN),
        "bytes=-500" => Part(9500..LEN),
        "bytes=-10000" => Part(0..LEN),
        "bytes=-10001" => Part(0..LEN),
        "bytes=0-9999" => Part(0..LEN),
        "bytes=0-10000" => Part(0..LEN),
        "bytes=9000-123456789" => Part(9000..LEN),
        "bytes=007-008" => Part(7..9),
        // Units are case-insensitive (§14.1), and numbers have no largest one.
        "BYTES=1-2" => Part(1..3),
        "bytes=0-18446744073709551615" => Part(0..LEN),
        "bytes=1-99999999999999999999999" => Part(1..LEN),
        "bytes=-99999999999999999999999" => Part(0..LEN),
    };
    check(world, &film, ALL_KNOWN, &rows);
}

#[test]
fn a_range_outside_is_not_satisfiable() {
    let world = world();
    let film = world.film(&Media::new(2, LEN), |reply| reply);
    let rows = range_rows! {
        "bytes=10000-" => Unsatisfiable,
        "bytes=10000-10000" => Unsatisfiable,
        "bytes=10001-20000" => Unsatisfiable,
        "bytes=-0" => Unsatisfiable,
        "bytes=18446744073709551615-" => Unsatisfiable,
        "bytes=18446744073709551615-18446744073709551615" => Unsatisfiable,
        "bytes=99999999999999999999999-" => Unsatisfiable,
        "bytes=9999-" => Part(9999..LEN),
    };
    check(world, &film, ALL_KNOWN, &rows);
}

#[test]
fn what_is_not_one_byte_range_gives_the_whole() {
    let world = world();
    let film = world.film(&Media::new(3, LEN), |reply| reply);
    let rows = range_rows! {
        "" => Whole,
        "bytes" => Whole,
        "bytes=" => Whole,
        "bytes=-" => Whole,
        "bytes=x" => Whole,
        "bytes=5" => Whole,
        "bytes=5-1" => Whole,
        "bytes=a-b" => Whole,
        "bytes=1-2-3" => Whole,
        "bytes=--5" => Whole,
        "bytes=+1-2" => Whole,
        "bytes=1-+2" => Whole,
        "bytes=-+5" => Whole,
        "bytes=0x1-0x2" => Whole,
        "bytes=1.5-2" => Whole,
        "bytes=1 - 2" => Whole,
        "bytes:0-1" => Whole,
        "0-1" => Whole,
        "seconds=0-1" => Whole,
        "bytes=0-1,5-6" => Whole,
        "bytes=0-1, -1" => Whole,
        "bytes=20000-,20001-" => Whole,
        "bytes=5-4,0-1" => Whole,
    };
    check(world, &film, ALL_KNOWN, &rows);
    check(world, &film, ALL_KNOWN, &[(&[("Range", "bytes=0-0"), ("Range", "bytes=1-1")], Whole)]);
}

#[test]
fn if_range_decides_between_the_part_and_the_whole() {
    let world = world();
    let film = world.film(&Media::new(4, LEN), |reply| reply);
    const R: (&str, &str) = ("Range", "bytes=5-9");
    const FAR: (&str, &str) = ("Range", "bytes=10000-");
    let rows: &[Row<'_>] = &[
        (&[R, ("If-Range", ETAG)], Part(5..10)),
        (&[R, ("If-Range", "\"v2\"")], Whole),
        (&[R, ("If-Range", "W/\"v1\"")], Whole),
        (&[R, ("If-Range", "v1")], Whole),
        (&[R, ("If-Range", "\"v1")], Whole),
        (&[R, ("If-Range", "*")], Whole),
        (&[R, ("If-Range", "")], Whole),
        (&[R, ("If-Range", MODIFIED)], Part(5..10)),
        (&[R, ("If-Range", EARLIER)], Whole),
        (&[R, ("If-Range", LATER)], Whole),
        (&[FAR, ("If-Range", ETAG)], Unsatisfiable),
        (&[FAR, ("If-Range", "\"v2\"")], Whole),
        (&[("If-Range", "\"v2\"")], Whole),
        (&[("If-Range", ETAG)], Whole),
    ];
    check(world, &film, ALL_KNOWN, rows);
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let world = world();
    let film = world.film(&Media::new(5, LEN), |reply| reply);
    const R: (&str, &str) = ("Range", "bytes=5-9");
    let rows: &[Row<'_>] = &[
        (&[("If-None-Match", ETAG)], NotModified),
        (&[("If-None-Match", "W/\"v1\"")], NotModified),
        (&[("If-None-Match", "\"a\", \"v1\" , \"b\"")], NotModified),
        (&[("If-None-Match", "\"a,b\",\"v1\"")], NotModified),
        (&[("If-None-Match", "\"a\""), ("If-None-Match", ETAG)], NotModified),
        (&[("If-None-Match", "*")], NotModified),
        (&[("If-None-Match", "\"v2\"")], Whole),
        (&[("If-None-Match", "\"V1\"")], Whole),
        (&[("If-None-Match", "\"a,\"v1\"")], Whole),
        (&[("If-None-Match", "v1")], Whole),
        (&[("If-None-Match", "\"v2\""), ("If-Modified-Since", LATER)], Whole),
        (&[("If-None-Match", ETAG), ("If-Modified-Since", EARLIER)], NotModified),
        (&[("If-Modified-Since", MODIFIED)], NotModified),
        (&[("If-Modified-Since", RFC_850)], NotModified),
        (&[("If-Modified-Since", ASCTIME)], NotModified),
        (&[("If-Modified-Since", LATER)], NotModified),
        (&[("If-Modified-Since", EARLIER)], Whole),
        (&[("If-Modified-Since", "yesterday")], Whole),
        (&[("If-Modified-Since", "Wed, 32 Oct 2025 10:00:00 GMT")], Whole),
        (&[R, ("If-None-Match", ETAG)], NotModified),
        (&[R, ("If-None-Match", "\"v2\"")], Part(5..10)),
        (&[R, ("If-Modified-Since", MODIFIED)], NotModified),
        (&[R, ("If-None-Match", "\"v2\""), ("If-Range", ETAG)], Part(5..10)),
        (&[("Range", "bytes=10000-"), ("If-None-Match", ETAG)], NotModified),
    ];
    check(world, &film, ALL_KNOWN, rows);
}

#[test]
fn a_condition_that_fails_is_told() {
    let world = world();
    let film = world.film(&Media::new(6, LEN), |reply| reply);
    const R: (&str, &str) = ("Range", "bytes=5-9");
    let rows: &[Row<'_>] = &[
        (&[("If-Match", ETAG)], Whole),
        (&[("If-Match", "*")], Whole),
        (&[("If-Match", "\"v0\", \"v1\"")], Whole),
        (&[("If-Match", "\"v2\"")], Failed),
        (&[("If-Match", "W/\"v1\"")], Failed),
        (&[("If-Unmodified-Since", MODIFIED)], Whole),
        (&[("If-Unmodified-Since", LATER)], Whole),
        (&[("If-Unmodified-Since", EARLIER)], Failed),
        (&[("If-Unmodified-Since", "yesterday")], Whole),
        (&[("If-Match", ETAG), ("If-Unmodified-Since", EARLIER)], Whole),
        (&[("If-Match", "\"v2\""), ("If-None-Match", ETAG)], Failed),
        (&[("If-Match", ETAG), ("If-None-Match", ETAG)], NotModified),
        (&[R, ("If-Match", ETAG)], Part(5..10)),
        (&[R, ("If-Match", "\"v2\"")], Failed),
        (&[R, ("If-Unmodified-Since", EARLIER)], Failed),
        (&[("Range", "bytes=10000-"), ("If-Match", "\"v2\"")], Failed),
    ];
    check(world, &film, ALL_KNOWN, rows);
}

#[test]
fn a_weak_etag_counts_only_where_weak_ones_do() {
    let world = world();
    const WEAK: &str = "W/\"v1\"";
    let film = world.film(&Media::new(7, LEN), |reply| reply.etag(WEAK));
    const R: (&str, &str) = ("Range", "bytes=5-9");
    let rows: &[Row<'_>] = &[
        (&[R], Part(5..10)),
        (&[R, ("If-Range", WEAK)], Whole),
        (&[R, ("If-Range", ETAG)], Whole),
        (&[R, ("If-Range", MODIFIED)], Part(5..10)),
        (&[("If-None-Match", WEAK)], NotModified),
        (&[("If-None-Match", ETAG)], NotModified),
        (&[("If-Match", WEAK)], Failed),
        (&[("If-Match", ETAG)], Failed),
        (&[("If-Match", "*")], Whole),
    ];
    check(world, &film, Known { etag: Some(WEAK), ..ALL_KNOWN }, rows);
}

#[test]
fn without_validators_only_ranges_count() {
    let world = world();
    let film = world.film(&Media::new(8, LEN), Reply::no_validators);
    const R: (&str, &str) = ("Range", "bytes=5-9");
    let rows: &[Row<'_>] = &[
        (&[R], Part(5..10)),
        (&[R, ("If-Range", ETAG)], Whole),
        (&[R, ("If-Range", MODIFIED)], Whole),
        (&[("If-None-Match", ETAG)], Whole),
        (&[("If-Modified-Since", LATER)], Whole),
        (&[("If-Unmodified-Since", EARLIER)], Whole),
        (&[("If-Match", ETAG)], Failed),
        (&[("If-Match", "*")], Whole),
    ];
    check(world, &film, Known { etag: None, modified: None, ..ALL_KNOWN }, rows);
}

#[test]
fn one_byte_is_enough_for_a_range() {
    let world = world();
    let film = world.film(&Media::new(9, 1), |reply| reply);
    let rows = range_rows! {
        "bytes=0-0" => Part(0..1),
        "bytes=0-" => Part(0..1),
        "bytes=0-5" => Part(0..1),
        "bytes=-1" => Part(0..1),
        "bytes=-5" => Part(0..1),
        "bytes=1-" => Unsatisfiable,
        "bytes=1-1" => Unsatisfiable,
        "bytes=-0" => Unsatisfiable,
        "bytes=1-0" => Whole,
    };
    check(world, &film, ALL_KNOWN, &rows);
}

#[test]
fn an_empty_file_has_no_ranges() {
    let world = world();
    let empty = Media::new(10, 0);
    for ranges_there in [true, false] {
        let film = world.film(&empty, |reply| if ranges_there { reply } else { deaf(reply) });
        let known = Known { ranges: ranges_there, ..ALL_KNOWN };
        check(world, &film, known, &[(&[], Whole), (&[("Range", "bytes=1-0")], Whole)]);
        let rows = range_rows! { "bytes=0-" => Unsatisfiable, "bytes=0-0" => Unsatisfiable, "bytes=5-9" => Unsatisfiable };
        check(world, &film, known, &rows);
    }
}
