//! Pieces, playlists and keys that are refused: the page is asked again, and the stream goes on with what it then says.

use super::{impatient, ways};
use crate::support::client::{self, encode};
use crate::support::film::assert_cut_off;
use crate::support::packaged::{KEY_FILE, live, package};
use crate::support::random::spread;
use crate::support::stage::{Fault, Live, Reply};
use crate::support::world::{World, assert_problem, fresh_id, world};

/// What a CDN says of a link that it has stopped serving.
const REFUSALS: [u16; 4] = [401, 403, 404, 410];

#[test]
fn a_refused_start_is_had_again_from_the_page() {
    let world = world();
    let ways = ways();
    spread(4, ways.len(), |index| {
        let shown = world.show_on_page(ways[index]);
        let path = shown.token_path(world);
        let pages = shown.pages_seen(world);
        shown.moved(world, REFUSALS[index % REFUSALS.len()]);
        shown.assert_whole(&world.get(&path), "moved");
        assert_eq!(shown.pages_seen(world), 2 * pages, "{}", shown.package.name);
        // The next one knows.
        shown.assert_whole(&world.get(&path), "moved, again");
        assert_eq!(shown.pages_seen(world), 2 * pages, "{}", shown.package.name);
    });
}

#[test]
fn a_piece_that_is_refused_under_way_is_had_from_elsewhere() {
    let world = impatient();
    let ways = ways();
    spread(4, ways.len() * REFUSALS.len(), |index| {
        let (package, status) = (ways[index / REFUSALS.len()], REFUSALS[index % REFUSALS.len()]);
        let what = format!("{}, {status}", package.name);
        let shown = world.show_on_page(package);
        let path = shown.token_path(world);
        let pages = shown.pages_seen(world);
        let moved = shown.moved_but_reachable(world);
        if package.in_ranges() {
            let faults = [None, None, None].into_iter();
            let faults = faults.chain(std::iter::repeat_n(Some(Fault::Status(status)), 20));
            shown.play(world, &package.parts[0], |reply| reply.faults(faults));
        } else {
            for part in &package.parts[3..] {
                shown.play(world, part, |_| Reply::status(status));
            }
        }
        shown.assert_whole(&world.get(&path), &what);
        assert_eq!(shown.pages_seen(world), 2 * pages, "{what}");
        let last = package.parts.last().unwrap();
        assert!(!moved.seen(world, last).is_empty(), "{what}");
        // What had come was not asked for again.
        if !package.in_ranges() {
            assert_eq!(moved.seen(world, &package.parts[1]).len(), 0, "{what}");
        }
    });
}

#[test]
fn a_piece_that_is_refused_in_its_middle_goes_on_elsewhere() {
    const AFTER: u64 = 40_000;
    let world = impatient();
    for name in ["ts", "fmp4", "aes by sequence", "dash by number"] {
        let shown = world.show_on_page(package(name));
        let path = shown.token_path(world);
        let moved = shown.moved_but_reachable(world);
        let part = &shown.package.parts[2];
        let refused = std::iter::repeat_n(Some(Fault::Status(403)), 20);
        shown.play(world, part, |reply| {
            reply.faults([Some(Fault::Cut { after: AFTER })].into_iter().chain(refused))
        });
        shown.assert_whole(&world.get(&path), "cut and refused");
        assert_eq!(moved.seen(world, part).len(), 1, "{name}");
    }
}

#[test]
fn a_key_that_is_refused_is_had_again_from_the_page() {
    let world = world();
    for name in ["aes with an iv", "aes by sequence"] {
        let shown = world.show_on_page(package(name));
        let path = shown.token_path(world);
        let moved = shown.moved_but_reachable(world);
        shown.play(world, KEY_FILE, |_| Reply::status(403));
        shown.assert_whole(&world.get(&path), "another key");
        assert!(!moved.seen(world, KEY_FILE).is_empty(), "{name}");
    }
}

#[test]
fn what_is_refused_everywhere_is_cut_visibly_and_the_page_is_left_in_peace() {
    let world = world();
    for name in ["ts", "fmp4", "aes with an iv", "dash by number"] {
        let package = package(name);
        let shown = world.show_on_page(package);
        let path = shown.token_path(world);
        let pages = shown.pages_seen(world);
        let moved = shown.moved_but_reachable(world);
        for place in [&shown, &moved] {
            place.play(world, &package.parts[3], |_| Reply::status(403));
        }
        let before: usize = package.parts[..3].iter().map(|part| package.files[part].len()).sum();
        let answer = world.get(&path);
        assert_cut_off(&answer, &package.whole[..before], name);
        assert_eq!(answer.status, 200, "{name}");
        let asked = shown.pages_seen(world);
        assert!((pages + 1..=3 * pages).contains(&asked), "{name}: the page was asked for {asked} times");

        for place in [&shown, &moved] {
            place.play(world, &package.parts[0], |_| Reply::status(403));
        }
        assert_problem(&world.get(&path), 502, "upstream_error");
    }
}

#[test]
fn a_page_that_shows_another_film_does_not_continue_this_one() {
    let world = world();
    let (ts, other) = (package("ts"), package("discontinuity"));
    let shown = world.show_on_page(ts);
    let path = shown.token_path(world);
    let moved = shown.moved_but_reachable(world);
    shown.play(world, &ts.parts[3], |_| Reply::status(403));
    // Its playlist ends before the place where this one broke off.
    let short =
        ts.playlist().split("#EXTINF").take(3).collect::<Vec<_>>().join("#EXTINF") + "#EXT-X-ENDLIST\n";
    moved.play_index(world, &short);
    let before: usize = ts.parts[..3].iter().map(|part| ts.files[part].len()).sum();
    assert_cut_off(&world.get(&path), &ts.whole[..before], "a shorter film");
    assert!(other.whole.len() > ts.whole.len());
}

#[test]
fn a_broadcast_whose_links_end_goes_on_with_new_ones() {
    let world = world();
    let cases = ["its playlist", "a segment", "both"];
    spread(cases.len(), cases.len(), |index| {
        let what = cases[index];
        let host = format!("renewed{}.example.net", fresh_id());
        let film = live();
        let segments: Vec<_> = film.parts[..20].iter().map(|part| film.files[part].clone()).collect();
        let live = Live::install(&world.stage, &host, segments.clone());
        live.also_in(&world.stage, &host, "/moved/");
        let page = |folder: &str| {
            let source = format!("<source src=\"/{folder}/index.m3u8\" type=\"application/x-mpegurl\">");
            Reply::html(format!("<!DOCTYPE html><html><title>Live</title><video>{source}</video></html>"))
        };
        world.stage.play(&host, "/", page("live"));
        let path = format!("/stream?url={}", encode(&format!("https://{host}/")));
        let mut stream = client::open("GET", &world.server.url(&path), &[], b"");
        let first = Live::AT_FIRST.1 - 3;
        assert!(stream.read_exactly(segments[first].len()) == segments[first], "{what}");
        world.stage.play(&host, "/", page("moved"));
        if what != "a segment" {
            world.stage.play(&host, "/live/index.m3u8", Reply::status(403));
        }
        if what != "its playlist" {
            for index in Live::AT_FIRST.1..20 {
                world.stage.play(&host, &format!("/live/{index}.ts"), Reply::status(403));
            }
        }
        live.follow(2);
        live.show(Live::AT_FIRST.1 + 1);
        let answer = stream.finish();
        assert_eq!(answer.end, Ok(()), "{what}: {} bytes", answer.body.len());
        assert!(answer.body == segments[first + 1..].concat(), "{what}: wrong bytes");
    });
}

#[test]
fn streams_of_one_page_share_its_extraction() {
    const STREAMS: usize = 6;
    let world = World::keyed(&[]);
    let shown = world.show_on_page(package("ts"));
    let path = shown.token_path(&world);
    let pages = shown.pages_seen(&world);
    shown.moved(&world, 403);
    spread(STREAMS, STREAMS, |_| shown.assert_whole(&world.get(&path), "at once"));
    let asked = shown.pages_seen(&world);
    assert!(asked <= 3 * pages, "{asked} times");
}
