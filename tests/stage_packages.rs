//! Packages are what they are said to be, and the stage serves them so: looked at by ffmpeg, without any server.

use crate::stage_checks::open;
use crate::support::client::Answer;
use crate::support::packaged::{content, decode_whole, live, package, packages};
use crate::support::stage::{Live, Stage};

fn get(stage: &Stage, url: &str) -> Answer {
    open(stage, "GET", url, &[]).finish()
}

#[test]
fn every_package_holds_the_film_that_it_was_made_from() {
    assert_eq!(packages().len(), 14);
    for package in packages() {
        decode_whole(&package.whole);
        content(&package.whole).assert_is(&package.source, package.name);
        assert!(package.files.contains_key(package.index), "{}", package.name);
    }
    assert_eq!(package("ts").source.picture.frames.len(), 150);
    assert_eq!(package("discontinuity").source.picture.frames.len(), 225);
    assert_eq!(package("dash by list").source.sound.frames.len(), 0);
    assert_eq!(package("dash sound by number").source.picture.frames.len(), 0);
}

#[test]
fn what_lacks_a_piece_or_has_one_twice_is_noticed() {
    let ts = package("ts");
    let cut = ts.files[&ts.parts[0]].len();
    let twice = [&ts.whole[..cut], &ts.whole[..]].concat();
    for wrong in [&ts.whole[cut..], &twice] {
        let found = content(wrong);
        let same = std::panic::catch_unwind(|| found.assert_is(&ts.source, "wrong"));
        assert!(same.is_err());
    }
    // Nor is half a segment taken for a whole one.
    let half = package("fmp4").whole.slice(..200_000);
    assert!(std::panic::catch_unwind(|| decode_whole(&half)).is_err());
}

#[test]
fn a_broadcast_moves_with_who_watches_it() {
    let stage = Stage::start();
    let film = live();
    let live = Live::install(&stage, "live.example", film.parts.iter().map(|part| film.files[part].clone()));
    let playlist = || get(&stage, "https://live.example/live/index.m3u8").text();
    let segment = |index: usize| get(&stage, &format!("https://live.example/live/{index}.ts"));
    let (first, end) = Live::AT_FIRST;
    let text = playlist();
    assert!(text.contains(&format!("{first}.ts")) && !text.contains(&format!("{end}.ts")), "{text}");
    assert!(!text.contains("ENDLIST"));
    assert_eq!(segment(end).status, 404);
    assert_eq!(segment(end - 1).body, film.files[&film.parts[end - 1]]);
    assert_eq!(playlist(), text, "nobody made it move");
    live.follow(2);
    segment(end - 1);
    assert!(playlist().contains(&format!("{}.ts\n", end + 1)));
    assert_eq!(segment(first).status, 404, "it has passed");
    live.show(usize::MAX);
    assert!(playlist().ends_with("69.ts\n#EXT-X-ENDLIST\n"));
    live.endless();
    assert!(playlist().ends_with("69.ts\n"));
    assert_eq!(live.changes(), [(first, end), (4, 10), (64, 70)]);
}
