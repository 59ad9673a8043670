//! How many streams there may be, and open files.

use crate::support::client::{self, Open};
use crate::support::film::Film;
use crate::support::stage::{Fault, Media};
use crate::support::world::{World, assert_problem};

/// Offset at which the films of these tests wait.
const AT: u64 = 20_000;

/// A film that comes only in part, so that its streams stay.
fn endless(world: &World) -> Film {
    world.film(&Media::new(100, 300_000), |reply| reply.fault(Fault::Stall { after: AT }))
}

fn stream(world: &World, film: &Film) -> Open {
    let mut stream = client::open("GET", &world.server.url(&film.link), &[], b"");
    assert_eq!(stream.status, 200);
    stream.read_exactly(AT as usize);
    stream
}

/// Checks that a server takes `limit` streams, refuses one more, and takes another once one has ended.
fn assert_limited_to(world: &World, limit: usize) {
    let film = endless(world);
    let mut streams: Vec<Open> = (0..limit).map(|_| stream(world, &film)).collect();
    for _ in 0..2 {
        assert_problem(&world.get(&film.link), 503, "overloaded");
    }
    assert_eq!(film.seen(world).len(), limit, "the CDN was asked for a stream that there is no room for");
    // Who only asks for something else is served.
    assert_eq!(world.get("/health").status, 200);

    drop(streams.pop());
    world.wait_for_streams(limit - 1);
    streams.push(stream(world, &film));
    assert_problem(&world.get(&film.link), 503, "overloaded");

    // Those that come to their end make room, too.
    world.stage.release();
    assert!(streams.into_iter().all(|stream| stream.finish().complete()));
    world.wait_for_no_stream();
    assert_eq!(stream(world, &film).status, 200);
    world.wait_for_no_stream();
}

#[test]
fn there_are_no_more_streams_than_max_streams() {
    assert_limited_to(&World::keyed(&[("MAX_STREAMS", "3")]), 3);
}

#[test]
fn an_answer_that_is_no_stream_makes_room_at_once() {
    let world = World::keyed(&[("MAX_STREAMS", "1")]);
    let film = world.film(&Media::new(101, 300_000), |reply| reply);
    let ask = |method, headers: &[(&str, &str)]| {
        client::request(method, &world.server.url(&film.link), headers, b"").status
    };
    for _ in 0..3 {
        assert_eq!(ask("HEAD", &[]), 200);
        world.wait_for_no_stream();
        assert_eq!(ask("GET", &[("Range", "bytes=300000-")]), 416);
        world.wait_for_no_stream();
        assert_eq!(ask("GET", &[("If-None-Match", "*")]), 304);
        world.wait_for_no_stream();
    }
}

/// The soft and hard limit of a process's open files (proc(5), `limits`).
fn file_limits(world: &World) -> (u64, u64) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", world.server.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().map(|word| word.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn few_files_mean_few_streams() {
    // (265 - 256) / 3
    let world = World::with_files(&[("MAX_STREAMS", "50")], 200, 265);
    assert_eq!(file_limits(&world), (265, 265));
    let line = world.server.wait_for_log("MAX_STREAMS");
    assert!(line.contains("265") && line.contains('3'), "{line}");
    assert_limited_to(&world, 3);
}

#[test]
fn enough_files_change_nothing() {
    let world = World::with_files(&[("MAX_STREAMS", "3")], 300, 1000);
    assert_eq!(file_limits(&world), (1000, 1000));
    assert_limited_to(&world, 3);
}
