//! What breaks under way, on every kind: the stream goes on at the exact byte.

use super::{impatient, ways};
use crate::resume::breaks;
use crate::support::packaged::{KEY_FILE, package};
use crate::support::random::spread;
use crate::support::shown::Shown;
use crate::support::stage::Fault;
use crate::support::world::{World, assert_problem};

/// Offset within a piece at which it breaks, in bytes: all pieces here are longer.
const AFTER: u64 = 40_000;

/// Bytes that a body lacks which is shorter than it says.
const LACKING: u64 = 30_000;

/// Every break, one answer that is none, and two of those in a row.
fn faults() -> Vec<(String, Vec<Fault>)> {
    let mut faults: Vec<_> = breaks(AFTER, AFTER + LACKING)
        .into_iter()
        .map(|(name, fault)| (name.to_owned(), vec![fault]))
        .collect();
    faults.push(("500".to_owned(), vec![Fault::Status(500)]));
    faults.push(("503 twice".to_owned(), vec![Fault::Status(503), Fault::Status(503)]));
    faults.push(("two resets".to_owned(), vec![Fault::Cut { after: AFTER }, Fault::Cut { after: 1000 }]));
    faults
}

/// Lets the third piece of a film go wrong so: the third file, or the third request for the only one.
fn spoil(world: &World, shown: &Shown, faults: &[Fault]) {
    let package = &shown.package;
    let faults = faults.iter().cloned().map(Some);
    if package.in_ranges() {
        let well = std::iter::repeat_n(None, 2);
        shown.play(world, &package.parts[0], |reply| reply.faults(well.chain(faults)));
    } else {
        shown.play(world, &package.parts[2], |reply| reply.faults(faults));
    }
}

#[test]
fn a_broken_piece_goes_on_at_the_exact_byte() {
    let world = impatient();
    let ways = ways();
    spread(ways.len(), ways.len(), |index| {
        let shown = world.show(ways[index]);
        let path = shown.token_path(world);
        for (name, faults) in faults() {
            spoil(world, &shown, &faults);
            shown.assert_whole(&world.get(&path), &name);
        }
    });
}

#[test]
fn every_piece_may_break() {
    let world = impatient();
    let ways = ways();
    spread(ways.len(), ways.len(), |index| {
        let shown = world.show(ways[index]);
        let path = shown.token_path(world);
        for part in &shown.package.parts {
            let cut = Some(Fault::Cut { after: 700 });
            let faults = std::iter::repeat_n(cut, if shown.package.in_ranges() { 3 } else { 1 });
            shown.play(world, part, |reply| reply.faults(faults));
        }
        shown.assert_whole(&world.get(&path), "every piece");
        assert!(shown.package.parts.iter().all(|part| shown.seen(world, part).len() >= 2));
    });
}

#[test]
fn a_piece_that_breaks_is_not_asked_for_from_its_beginning() {
    let world = impatient();
    for name in ["ts", "aes with an iv", "dash by number"] {
        let shown = world.show(package(name));
        let path = shown.token_path(world);
        spoil(world, &shown, &[Fault::Cut { after: AFTER }]);
        shown.assert_whole(&world.get(&path), "cut once");
        let seen = shown.seen(world, &shown.package.parts[2]);
        assert_eq!((seen.len(), seen[1].status, seen[1].range_start()), (2, 206, AFTER), "{name}");
    }
}

#[test]
fn without_ranges_a_piece_is_read_again() {
    let world = impatient();
    for name in ["ts", "fmp4", "aes by sequence", "dash by number"] {
        let shown = world.show(package(name));
        let path = shown.token_path(world);
        for (kind, fault) in breaks(AFTER, AFTER + LACKING) {
            let part = &shown.package.parts[2];
            shown.play(world, part, |reply| reply.no_ranges().faults([Some(fault)]));
            shown.assert_whole(&world.get(&path), &format!("{kind} without ranges"));
        }
    }
}

#[test]
fn pieces_without_a_length_are_whole() {
    let world = impatient();
    for name in ["ts", "fmp4", "aes by sequence", "dash by number"] {
        let shown = world.show(package(name));
        let path = shown.token_path(world);
        let parts = &shown.package.parts;
        shown.play(world, &parts[1], |reply| reply.chunked());
        shown.play(world, &parts[2], |reply| reply.close_delimited());
        shown.play(world, &parts[3], |reply| reply.no_ranges().no_validators().chunked());
        shown.assert_whole(&world.get(&path), "without lengths");
        let half = Some(Fault::TruncatedChunked { after: AFTER });
        shown.play(world, &parts[2], |reply| reply.faults([half]));
        shown.assert_whole(&world.get(&path), "without its end");
    }
}

#[test]
fn a_playlist_and_a_key_may_break_too() {
    let world = impatient();
    let ways =
        ways().map(|package| (package, package.index)).into_iter().filter(|(it, _)| it.format.is_none());
    let keys = ["aes with an iv", "aes by sequence"].map(|name| (package(name), KEY_FILE));
    let cases: Vec<_> = ways.chain(keys).collect();
    spread(cases.len(), cases.len(), |index| {
        let (package, file) = cases[index];
        let shown = world.show(package);
        let path = shown.token_path(world);
        for (name, fault) in breaks(7, 16).into_iter().chain([("500", Fault::Status(500))]) {
            // Whether what is known of it is used again is the server's to decide.
            shown.play(world, file, |reply| reply.faults([Some(fault)]));
            let answer = world.get(&path);
            if name == "stall" && answer.status == 504 {
                // All that comes before the first byte has one patience.
                assert_problem(&answer, 504, "upstream_timeout");
                continue;
            }
            shown.assert_whole(&answer, &format!("{name} of {file}"));
        }
    });
}
