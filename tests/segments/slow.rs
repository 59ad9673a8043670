//! Clients that read slowly, or not at all: nothing is lost, and the pieces wait.

use super::impatient;
use crate::support::client;
use crate::support::packaged::{Package, package};
use crate::support::random::spread;
use crate::support::world::{World, world};

/// How much more is in these pieces than ffmpeg put there: each is more than sockets and buffers hold.
const TIMES: usize = 40;

/// What the client's kernel takes for it, in bytes.
const WINDOW: usize = 32 << 10;

/// Bytes that are read at a time.
const SIP: usize = 16 << 10;

fn heavy() -> Vec<Package> {
    let plain = ["ts", "fmp4", "ts in ranges", "fmp4 in ranges", "dash by number"]
        .map(|name| package(name).heavy(TIMES));
    let encrypted = package("ts").heavy(TIMES).encrypted_by_sequence();
    plain.into_iter().chain([encrypted]).collect()
}

/// How many pieces of it have been asked for.
fn asked(world: &World, shown: &crate::support::shown::Shown) -> usize {
    shown.package.parts.iter().map(|part| shown.seen(world, part).len()).sum()
}

#[test]
fn a_client_that_does_not_read_holds_the_pieces_back_and_loses_nothing() {
    let world = world();
    let heavy = heavy();
    spread(2, heavy.len(), |index| {
        let package = &heavy[index];
        let (slow, quick) = (world.show(package), world.show(package));
        let mut reader = client::open_narrow(&world.server.url(&slow.token_path(world)), WINDOW);
        assert_eq!(reader.status, 200, "{}", package.name);
        let mut body = reader.read_exactly(1000);
        // By the time that another client has read all of it, this one's pieces would have been read too.
        quick.assert_whole(&world.get(&quick.token_path(world)), "quick");
        let (pieces, written) = (asked(world, &slow), slow.written(world));
        assert!(pieces <= 4, "{}: {pieces} pieces were asked for ahead of the client", package.name);
        let limit = package.whole.len() as u64 / 2;
        assert!(written < limit, "{}: {written} of {limit} bytes were read ahead", package.name);
        // And it is held back, not broken.
        loop {
            match reader.read(SIP) {
                Ok(part) if part.is_empty() => break,
                Ok(part) => body.extend(part),
                Err(broken) => panic!("{}: {broken:?} after {} bytes", package.name, body.len()),
            }
        }
        assert!(body == package.whole, "{}: wrong bytes among {}", package.name, body.len());
        let pieces = asked(world, &slow);
        assert!(pieces == asked(world, &quick), "{}: a piece was asked for twice", package.name);
    });
}

#[test]
fn a_client_that_leaves_takes_every_request_with_it() {
    let world = World::keyed(&[]);
    for package in heavy() {
        let shown = world.show(&package);
        let mut reader = client::open_narrow(&world.server.url(&shown.token_path(&world)), WINDOW);
        assert!(reader.read_exactly(1000) == package.whole[..1000], "{}", package.name);
        drop(reader);
        world.wait_for_no_stream();
        shown.wait_until_quiet(&world);
        let left = asked(&world, &shown);
        // What another stream does meanwhile, this one would have done too.
        shown_again(&world, &package);
        assert_eq!(asked(&world, &shown), left, "{}", package.name);
    }
}

fn shown_again(world: &World, package: &Package) {
    let other = world.show(package);
    other.assert_whole(&world.get(&other.token_path(world)), "another");
}

#[test]
fn head_leaves_nothing_running() {
    let world = impatient();
    for package in heavy() {
        let shown = world.show(&package);
        let url = world.server.url(&shown.token_path(world));
        assert_eq!(client::request("HEAD", &url, &[], b"").status, 200);
        shown.wait_until_quiet(world);
        let written = shown.written(world);
        assert!(written < package.whole.len() as u64 / 2, "{}: {written} bytes for a HEAD", package.name);
    }
}
