//! Pieces that stay lost: what came before is right, and the end is no clean one.

use super::{impatient, ways};
use crate::support::film::{Change, assert_cut_off};
use crate::support::packaged::{KEY_FILE, Package, package};
use crate::support::random::spread;
use crate::support::stage::{Fault, Media, Reply};
use crate::support::world::{assert_problem, world};

/// Bytes of the film before one of its parts; encrypted ones are a little shorter when plain.
fn before(package: &Package, index: usize) -> usize {
    package.parts[..index].iter().map(|part| package.files[part].len()).sum()
}

#[test]
fn a_piece_that_stays_lost_cuts_the_stream_visibly() {
    let world = impatient();
    let ways = ways();
    let faults = [
        Fault::Status(404),
        Fault::Status(410),
        Fault::Status(403),
        Fault::Status(500),
        Fault::Status(503),
        Fault::Cut { after: 0 },
        Fault::TruncatedChunked { after: 0 },
    ];
    spread(6, ways.len() * faults.len(), |index| {
        let (package, fault) = (ways[index / faults.len()], &faults[index % faults.len()]);
        if package.in_ranges() {
            return;
        }
        let shown = world.show(package);
        let path = shown.token_path(world);
        shown.play(world, &package.parts[3], |reply| reply.fault(fault.clone()));
        let answer = world.get(&path);
        let what = format!("{}, {fault:?}", package.name);
        assert_cut_off(&answer, &package.whole[..before(package, 3)], &what);
        assert_eq!(answer.status, 200, "{what}");
        // And is whole once that piece is back.
        shown.play(world, &package.parts[3], |reply| reply);
        shown.assert_whole(&world.get(&path), "back again");
    });
}

#[test]
fn a_file_of_ranges_that_goes_away_cuts_the_stream_visibly() {
    let world = impatient();
    for name in ["ts in ranges", "fmp4 in ranges"] {
        for fault in [Fault::Status(404), Fault::Status(500), Fault::Status(416), Fault::Cut { after: 0 }] {
            let shown = world.show(package(name));
            let path = shown.token_path(world);
            let faults = [None, None, None].into_iter().chain(std::iter::repeat_n(Some(fault.clone()), 50));
            shown.play(world, &shown.package.parts[0], |reply| reply.faults(faults));
            assert_cut_off(&world.get(&path), &shown.package.whole, &format!("{name}, {fault:?}"));
        }
    }
}

#[test]
fn a_first_piece_that_is_lost_is_said_in_words() {
    // What takes longer than one patience in all is another error.
    let world = world();
    let mut cases = Vec::new();
    for package in ways() {
        let mut files = vec![package.parts[0].as_str()];
        files.extend(package.files.contains_key(KEY_FILE).then_some(KEY_FILE));
        files.extend(package.format.is_none().then_some(package.index));
        cases.extend(files.into_iter().flat_map(|file| [(package, file, 404), (package, file, 500)]));
    }
    spread(8, cases.len(), |index| {
        let (package, file, status) = cases[index];
        let shown = world.show_on_page(package);
        let path = shown.token_path(world);
        shown.play(world, file, |reply| reply.fault(Fault::Status(status)));
        assert_problem(&world.get(&path), 502, "upstream_error");
        if status == 500 {
            shown.play(world, file, |reply| reply);
            shown.assert_whole(&world.get(&path), "back again");
        }
    });
}

#[test]
fn a_piece_that_is_replaced_while_it_is_read_is_not_patched() {
    let world = impatient();
    for name in ["ts", "fmp4", "dash by number"] {
        let package = package(name);
        for then in [Fault::ChangedEtag, Fault::WrongRange { by: 1000 }, Fault::ChangedTotal { by: 10 }] {
            let shown = world.show(package);
            let path = shown.token_path(world);
            let faults = std::iter::once(Fault::Cut { after: 40_000 });
            let faults = faults.chain(std::iter::repeat_n(then.clone(), 20)).map(Some);
            shown.play(world, &package.parts[2], |reply| reply.faults(faults));
            let answer = world.get(&path);
            assert_cut_off(
                &answer,
                &package.whole[..before(package, 2) + 40_000],
                &format!("{name}, {then:?}"),
            );
        }
    }
}

#[test]
fn a_piece_with_more_or_less_than_its_range_is_not_taken_for_it() {
    let world = impatient();
    for name in ["ts in ranges", "fmp4 in ranges"] {
        let shown = world.show(package(name));
        let path = shown.token_path(world);
        let part = &shown.package.parts[0];
        // The whole in place of the range can be skipped through; another range cannot.
        shown.play(world, part, Reply::no_ranges);
        shown.assert_whole(&world.get(&path), "without ranges");
        for fault in [Fault::WrongRange { by: 188 }, Fault::NoContentRange] {
            shown.play(world, part, |reply| reply.fault(fault.clone()));
            assert_cut_off(&world.get(&path), &shown.package.whole, &format!("{name}, {fault:?}"));
        }
        let shorter = Media::of(shown.package.whole.slice(..300_000));
        let changes: [Change; 3] =
            [|reply| reply, Reply::no_validators, |reply| reply.no_validators().no_ranges()];
        for change in changes {
            shown.play(world, part, |reply| change(reply.bytes_of(&shorter)));
            assert_cut_off(&world.get(&path), &shown.package.whole[..300_000], name);
        }
    }
}
