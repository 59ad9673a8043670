//! An entity that is another one at the resume: a visible error, and no mixed bytes.

use super::{assert_whole, breaks, impatient, then};
use crate::support::client;
use crate::support::film::assert_cut_off;
use crate::support::random::spread;
use crate::support::stage::{Fault, Media};

const SIZE: u64 = 300_000;

const LIES: [Fault; 7] = [
    Fault::ChangedEtag,
    Fault::Replaced,
    Fault::ChangedTotal { by: 5 },
    Fault::WrongRange { by: 100 },
    Fault::WrongRange { by: 1 },
    Fault::NoContentRange,
    Fault::Encoded("gzip"),
];

#[test]
fn another_entity_at_the_resume_cuts_the_stream_off() {
    let world = impatient();
    spread(LIES.len(), LIES.len(), |index| {
        let lie = &LIES[index];
        for (kind, fault) in breaks(100_000, SIZE) {
            let what = format!("{kind}, then {lie:?}");
            let film = world.film(&Media::new(70, SIZE), |reply| reply.faults(then(fault, lie)));
            let answer = world.get(&film.link);
            // Where no total was told at first, no later one is another.
            let told = !(kind == "truncated chunks" && matches!(lie, Fault::ChangedTotal { .. }));
            let sure = if told { 100_000 } else { SIZE };
            assert_cut_off(&answer, &film.media.bytes(0..sure), &what);
            assert_eq!(answer.status, 200, "{what}");
            assert!(film.seen(world).len() >= 2, "{what}: nothing was tried");
        }
    });
}

#[test]
fn so_it_does_for_parts_and_late_resumes() {
    let world = impatient();
    for lie in &LIES {
        let what = format!("{lie:?}");
        let mut faults = vec![Some(Fault::Cut { after: 30_000 })];
        faults.extend(then(Fault::Cut { after: 40_000 }, lie));
        let film = world.film(&Media::new(71, SIZE), |reply| reply.faults(faults));
        let range = [("Range", "bytes=50000-299999")];
        let answer = client::request("GET", &world.server.url(&film.link), &range, b"");
        assert_cut_off(&answer, &film.media.bytes(50_000..120_000), &what);
        assert_eq!((answer.status, film.seen(world)[2].range_start()), (206, 120_000), "{what}");
        // The same cuts without the lie.
        let cuts = [Fault::Cut { after: 30_000 }, Fault::Cut { after: 40_000 }];
        film.play(world, |reply| reply.faults(cuts.map(Some)));
        assert_whole(&world.get(&film.link), &film, &what);
    }
}

#[test]
fn a_total_that_is_learned_late_holds_from_then_on() {
    let world = impatient();
    let play = |last: Option<Fault>| {
        let faults =
            [Some(Fault::TruncatedChunked { after: 100_000 }), Some(Fault::Cut { after: 50_000 }), last];
        world.film(&Media::new(73, SIZE), |reply| reply.chunked().faults(faults))
    };
    let film = play(Some(Fault::ChangedTotal { by: 5 }));
    assert_cut_off(&world.get(&film.link), &film.media.bytes(0..150_000), "another total");
    let film = play(None);
    assert_whole(&world.get(&film.link), &film, "the same total");
}

#[test]
fn a_changed_date_says_nothing_where_the_etag_is_the_same() {
    let world = impatient();
    let film = world.film(&Media::new(72, SIZE), |reply| reply.fault(Fault::Stall { after: 100_000 }));
    let mut stream = client::open("GET", &world.server.url(&film.link), &[], b"");
    let mut bytes = stream.read_exactly(100_000);
    // What the stream finds when it comes back.
    film.play(world, |reply| reply.last_modified("Thu, 02 Oct 2025 10:00:00 GMT"));
    let rest = stream.finish();
    assert!(rest.complete(), "{:?}", rest.end);
    bytes.extend(rest.body);
    assert!(bytes == film.bytes_from(0));
}
