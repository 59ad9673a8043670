//! Silence: an upstream that stops sending, and a client that stops reading.

use crate::support::client;
use crate::support::stage::Fault;
use crate::support::stage::tiktok::BEST;
use crate::support::world::{World, post};
use std::time::{Duration, Instant};

/// A world where a second of silence is too long.
fn impatient() -> World {
    World::with(&[("DOWNLOAD_TIMEOUT", "1")])
}

#[test]
fn an_upstream_that_falls_silent_breaks_the_stream() {
    let world = impatient();
    let video = post().install(&world.stage);
    video.play(&world.stage, "audio", |reply| reply.no_ranges().fault(Fault::Stall { after: 20_000 }));
    let answer = world.get(&world.stream_path(&video, "audio"));
    assert_eq!((answer.status, answer.complete()), (200, false));
    assert_eq!(answer.body, video.media("audio").bytes(0..20_000));
    video.wait_client_gone(&world.stage, "audio");
}

#[test]
fn a_client_that_falls_silent_loses_its_connection() {
    let world = impatient();
    let video = post().size(64 << 20).install(&world.stage);
    let url = world.server.url(&world.stream_path(&video, BEST));
    let idle = client::open("GET", &url, &[], b"");
    video.wait_client_gone(&world.stage, BEST);
    world.server.wait_for_log("connection reset");
    let answer = idle.finish();
    assert!(!answer.complete());
    let (have, whole) = (answer.body.len() as u64, video.media(BEST));
    assert!(have < whole.len());
    assert_eq!(answer.body, whole.bytes(0..have));
}

#[test]
fn a_slow_client_that_goes_on_reading_is_not_silent() {
    const STEP: usize = 16 << 10;
    let world = impatient();
    let video = post().size(64 << 20).install(&world.stage);
    let url = world.server.url(&world.stream_path(&video, BEST));
    let mut slow = client::open("GET", &url, &[], b"");
    // For four times as long as silence may be, at a pace that a full socket buffer would hide for as long.
    let end = Instant::now() + Duration::from_secs(4);
    let mut read = 0;
    while Instant::now() < end {
        assert_eq!(slow.read_exactly(STEP), video.media(BEST).bytes(read..read + STEP as u64));
        read += STEP as u64;
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(slow.finish().body.len() as u64, video.media(BEST).len() - read);
}
