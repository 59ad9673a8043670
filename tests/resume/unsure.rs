//! Files without a strong `ETag`: a few bytes are asked for again, and must be those that came before.

use super::{OVERLAP, assert_whole, breaks, impatient, then};
use crate::support::client;
use crate::support::film::{Change, assert_cut_off};
use crate::support::random::spread;
use crate::support::stage::{Fault, Media, Reply};

const SIZE: u64 = 300_000;

/// What a CDN may say that vouches for nothing.
const UNSURE: [(&str, Change); 4] = [
    ("a weak ETag", |reply| reply.etag("W/\"v1\"")),
    ("a date alone", |reply| reply.no_validators().last_modified("Wed, 01 Oct 2025 10:00:00 GMT")),
    ("nothing", Reply::no_validators),
    ("a weak ETag, deaf to If-Range", |reply| reply.etag("W/\"v1\"").deaf_to_if_range()),
];

#[test]
fn the_last_bytes_are_compared_before_the_stream_goes_on() {
    let world = impatient();
    spread(UNSURE.len(), UNSURE.len(), |index| {
        let (name, change) = UNSURE[index];
        for (kind, fault) in breaks(50_000, SIZE) {
            let what = format!("{name}, {kind}");
            let again = Fault::Cut { after: 60_000 };
            let film =
                world.film(&Media::new(60, SIZE), |reply| change(reply).faults([Some(fault), Some(again)]));
            assert_whole(&world.get(&film.link), &film, &what);
            let seen = film.seen(world);
            let starts: Vec<u64> = seen.iter().map(|it| it.range_start()).collect();
            let second = 50_000 - OVERLAP;
            assert_eq!(starts, [0, second, second + 60_000 - OVERLAP], "{what}");
            assert!(seen.iter().all(|it| it.header("if-range").is_none()), "{what}");
        }
    });
}

#[test]
fn no_byte_is_asked_for_that_the_stream_did_not_deliver() {
    let world = impatient();
    for (name, change) in UNSURE {
        let film = world
            .film(&Media::new(61, SIZE), |reply| change(reply).faults([Some(Fault::Cut { after: 1000 })]));
        assert_whole(&world.get(&film.link), &film, name);
        assert_eq!(film.seen(world)[1].range_start(), 0, "{name}");

        film.play(world, |reply| change(reply).faults([Some(Fault::Cut { after: 1000 })]));
        let part = [("Range", "bytes=100000-200000")];
        let answer = client::request("GET", &world.server.url(&film.link), &part, b"");
        assert_eq!((answer.status, answer.end.clone()), (206, Ok(())), "{name}");
        assert!(answer.body == film.media.bytes(100_000..200_001), "{name}: wrong bytes");
        assert_eq!(film.seen(world)[3].header("range"), Some("bytes=100000-200000"), "{name}");
    }
}

#[test]
fn other_bytes_under_the_same_name_are_noticed() {
    let world = impatient();
    let bytes_alone = [Fault::ChangedBytes, Fault::ChangedEtag, Fault::Replaced];
    let lies = [
        Fault::ChangedBytes,
        Fault::ChangedEtag,
        Fault::Replaced,
        Fault::ChangedTotal { by: 5 },
        Fault::WrongRange { by: 1 },
        Fault::NoContentRange,
        Fault::Encoded("gzip"),
    ];
    for (name, change) in UNSURE {
        // So near to the beginning, the rest may as well be asked for as a new whole.
        let early = bytes_alone.iter().map(|lie| (lie, 1000));
        for (lie, after) in early.chain(lies.iter().map(|lie| (lie, 50_000))) {
            let what = format!("{name}, {lie:?} after {after}");
            let faults = then(Fault::Cut { after }, lie);
            let film = world.film(&Media::new(62, SIZE), |reply| change(reply).faults(faults));
            let answer = world.get(&film.link);
            assert_cut_off(&answer, &film.media.bytes(0..after), &what);
            assert!(film.seen(world).len() >= 2, "{what}: nothing was tried");
        }
    }
}
