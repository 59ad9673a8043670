//! Clients that leave, and what is left of a stream afterwards: nothing.

use super::{breaks, then};
use crate::support::client::{self, Open};
use crate::support::film::{ETAG, Film, assert_cut_off};
use crate::support::random::spread;
use crate::support::stage::tiktok::{BEST, PAGES};
use crate::support::stage::{Fault, Media, Outcome};
use crate::support::world::{World, post};
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Longest time in which a client's end must be noticed.
const NOTICED: Duration = Duration::from_secs(1);

/// Drops the client and checks that the upstream connection is closed in time.
#[track_caller]
fn assert_noticed<C>(world: &World, film: &Film, client: C, what: &str) {
    let left = Instant::now();
    drop(client);
    film.wait_for(world, |seen| seen.last().is_some_and(|it| it.outcome == Outcome::ClientGone));
    let took = left.elapsed();
    assert!(took <= NOTICED, "{what}: noticed after {took:?}");
}

fn open(world: &World, film: &Film) -> Open {
    client::open("GET", &world.server.url(&film.link), &[], b"")
}

#[test]
fn a_client_that_leaves_is_noticed_at_once() {
    let world = World::keyed(&[]);
    let silent = world.film(&Media::new(90, 300_000), |reply| reply.fault(Fault::Stall { after: 20_000 }));
    let mut client = open(&world, &silent);
    client.read_exactly(20_000);
    assert_noticed(&world, &silent, client, "while the upstream is silent");

    let big = world.film(&Media::new(91, 64 << 20), |reply| reply);
    let mut client = open(&world, &big);
    client.read_exactly(1 << 20);
    assert_noticed(&world, &big, client, "while the upstream is held back");

    // With bytes that nobody reads before the stream is over.
    let chatty = world.film(&Media::new(95, 300_000), |reply| reply.fault(Fault::Stall { after: 20_000 }));
    let mut client = client::connect(world.server.address());
    write!(client, "GET {} HTTP/1.1\r\nHost: a\r\n\r\nGET /", chatty.link).unwrap();
    chatty.wait_for(&world, |seen| seen.last().is_some_and(|it| it.written == 20_000));
    assert_noticed(&world, &chatty, client, "with half of another request sent");

    let headless = world.film(&Media::new(92, 300_000), |reply| reply.fault(Fault::HeldHead));
    let mut client = client::connect(world.server.address());
    write!(client, "GET {} HTTP/1.1\r\nHost: a\r\n\r\n", headless.link).unwrap();
    headless.wait_for(&world, |seen| seen.len() == 1);
    assert_noticed(&world, &headless, client, "before the head");

    let resumed = world.film(&Media::new(93, 300_000), |reply| {
        reply.faults([Some(Fault::Cut { after: 20_000 }), Some(Fault::Stall { after: 20_000 })])
    });
    let mut client = open(&world, &resumed);
    client.read_exactly(40_000);
    assert_noticed(&world, &resumed, client, "after a resume");

    let held = Some(Fault::HeldHead);
    let resuming = world.film(&Media::new(94, 300_000), |reply| {
        reply.faults([Some(Fault::Cut { after: 20_000 }), held.clone()])
    });
    let mut client = open(&world, &resuming);
    client.read_exactly(20_000);
    resuming.wait_for(&world, |seen| seen.len() == 2);
    assert_noticed(&world, &resuming, client, "while a resume waits for its head");

    let pieces = world.film_in_pieces(&Media::new(95, 300_000), 100_000, |reply| reply.faults([None, held]));
    let mut client = open(&world, &pieces);
    client.read_exactly(100_000);
    pieces.wait_for(&world, |seen| seen.len() == 2);
    assert_noticed(&world, &pieces, client, "between two pieces");
    world.wait_for_no_stream();
}

#[test]
fn nothing_is_tried_for_a_client_that_has_left() {
    let world = World::keyed(&[]);
    let down = then(Fault::Cut { after: 20_000 }, &Fault::Status(503));
    let film = world.film(&Media::new(96, 300_000), |reply| reply.faults(down));
    let mut client = open(&world, &film);
    client.read_exactly(20_000);
    film.wait_for(&world, |seen| seen.len() >= 2);
    drop(client);
    world.wait_for_no_stream();
    let tries = film.seen(&world).len();
    // By the time that another stream has used up its tries, this one would have gone on with its own.
    let down = then(Fault::Cut { after: 20_000 }, &Fault::Status(503));
    let other = world.film(&Media::new(96, 300_000), |reply| reply.faults(down));
    assert_cut_off(&world.get(&other.link), &other.bytes_from(0), "another");
    assert_eq!(film.seen(&world).len(), tries);
}

#[test]
fn a_client_that_leaves_while_its_link_heals_leaves_no_stream() {
    let world = World::keyed(&[]);
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, BEST);
    let refused = then(Fault::Cut { after: 20_000 }, &Fault::Status(403));
    video.play(&world.stage, BEST, |reply| reply.faults(refused));
    let moved = video.move_media(&world.stage);
    moved.show_page(&world.stage, |reply| reply.faults([Some(Fault::HeldHead)]));
    let mut client = client::open("GET", &world.server.url(&path), &[], b"");
    client.read_exactly(20_000);
    world.stage.wait_for(|seen| seen.iter().filter(|it| it.host == PAGES).count() == 2);
    drop(client);
    world.wait_for_no_stream();
    world.stage.release();
    assert_eq!(moved.seen_of(&world.stage, BEST).len(), 0);
}

#[test]
fn every_end_of_a_stream_leaves_nothing_open() {
    const SIZE: u64 = 300_000;
    let world = World::keyed(&[("DOWNLOAD_TIMEOUT", "2")]);
    let ask = |film: &Film, method: &str, headers: &[(&str, &str)]| {
        client::request(method, &world.server.url(&film.link), headers, b"")
    };
    let kinds = breaks(100_000, SIZE);
    let ends: Vec<Box<dyn Fn() -> Film + Sync>> = vec![
        Box::new(|| {
            let film = world.film(&Media::new(97, SIZE), |reply| reply);
            assert_eq!(ask(&film, "GET", &[]).status, 200);
            assert_eq!(ask(&film, "HEAD", &[]).status, 200);
            assert_eq!(ask(&film, "GET", &[("Range", "bytes=5-9")]).status, 206);
            assert_eq!(ask(&film, "GET", &[("Range", "bytes=300000-")]).status, 416);
            assert_eq!(ask(&film, "GET", &[("If-None-Match", ETAG)]).status, 304);
            assert_eq!(ask(&film, "GET", &[("If-Match", "\"v2\"")]).status, 412);
            film
        }),
        Box::new(|| {
            let film = world.film(&Media::new(97, SIZE), |reply| reply.fault(Fault::Status(503)));
            assert_eq!(ask(&film, "GET", &[]).status, 502);
            film
        }),
        Box::new(|| {
            let film = world.film(&Media::new(98, 64 << 20), |reply| reply);
            drop(open(&world, &film));
            film
        }),
        Box::new(|| {
            let faults = then(Fault::Cut { after: 1000 }, &Fault::ChangedEtag);
            let film = world.film(&Media::new(99, SIZE), |reply| reply.faults(faults));
            assert!(!ask(&film, "GET", &[]).complete());
            film
        }),
        Box::new(|| {
            let film = world.film(&Media::new(99, SIZE), |reply| reply.fault(Fault::Long { by: 10 }));
            assert!(!ask(&film, "GET", &[]).complete());
            film
        }),
    ];
    spread(8, 2 * (ends.len() + kinds.len()), |index| {
        let film = match index % (ends.len() + kinds.len()) {
            end if end < ends.len() => ends[end](),
            kind => {
                let fault = kinds[kind - ends.len()].1.clone();
                let film = world.film(&Media::new(99, SIZE), |reply| reply.faults([Some(fault)]));
                assert!(ask(&film, "GET", &[]).complete());
                film
            }
        };
        // At most one connection is kept for the next request; those that broke are closed.
        film.wait_for(&world, |seen| seen.iter().all(|it| it.outcome != Outcome::Playing));
        world.stage.wait_for_connections_to(&film.host, 1);
    });
    world.wait_for_no_stream();
    world.stage.wait_until_quiet();
}
