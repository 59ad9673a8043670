//! Many streams, each cut many times at random offsets.

use super::asked_again;
use crate::support::client;
use crate::support::random::{Random, seed, spread};
use crate::support::stage::{Fault, Media, Outcome};
use crate::support::world::World;
use std::sync::Mutex;
use std::time::Instant;

/// Cuts per stream.
const CUTS: usize = 10;

/// Bytes that are read and compared at once.
const PIECE: usize = 256 << 10;

/// What was counted over all streams of a run.
#[derive(Debug, Default)]
struct Count {
    streams: usize,
    /// Byte-exact, with status 200 and a proper end.
    exact: usize,
    /// Resets that the stage has seen through.
    cuts: usize,
    /// Bytes of all films.
    bytes: u64,
    /// Bytes asked for again below what had been sent already.
    again: u64,
    requests: usize,
    /// What went wrong, if something did.
    broken: Vec<String>,
}

impl Count {
    fn percent_again(&self) -> f64 {
        100.0 * self.again as f64 / self.bytes as f64
    }

    fn check(&self) {
        assert_eq!(self.broken, Vec::<String>::new());
        assert_eq!((self.exact, self.cuts), (self.streams, self.streams * CUTS));
        assert!(self.percent_again() <= 2.0, "{} % of the bytes were asked for again", self.percent_again());
    }
}

/// Runs `streams` streams of `size` bytes, `threads` at a time.
fn run(world: &World, streams: usize, size: u64, threads: usize, seed: u64) -> Count {
    let count = Mutex::new(Count { streams, ..Count::default() });
    spread(threads, streams, |index| {
        let mut random = Random::of(seed + index as u64);
        // Never at the first or the last byte: every cut leaves something to ask for.
        let offsets: Vec<u64> = random.offsets(CUTS, size - 1).into_iter().map(|at| at + 1).collect();
        let before = std::iter::once(0).chain(offsets.iter().copied());
        let cuts = offsets.iter().zip(before).map(|(at, before)| Some(Fault::Cut { after: at - before }));
        let media = Media::new(seed + index as u64, size);
        let film = world.film_at("films.example.net", &media, |reply| reply.faults(cuts));
        let result = receive(&world.server.url(&film.link), &media);
        let seen = film.seen(world);
        let mut count = count.lock().unwrap();
        count.cuts += seen.iter().filter(|it| it.outcome == Outcome::Cut).count();
        count.bytes += size;
        count.again += asked_again(&seen);
        count.requests += seen.len();
        match result {
            Ok(()) => count.exact += 1,
            Err(error) => {
                count.broken.push(format!("stream {index} of SEED={seed}, cut at {offsets:?}: {error}"))
            }
        }
    });
    count.into_inner().unwrap()
}

/// Compares while it reads: many of these run at once.
fn receive(url: &str, media: &Media) -> Result<(), String> {
    let mut stream = client::open("GET", url, &[], b"");
    if stream.status != 200 {
        return Err(format!("status {}", stream.status));
    }
    let mut at = 0;
    loop {
        let piece = stream.read(PIECE).map_err(|broken| format!("{broken:?} after {at} bytes"))?;
        if piece.is_empty() {
            return if at == media.len() { Ok(()) } else { Err(format!("a clean end after {at} bytes")) };
        }
        let end = at + piece.len() as u64;
        if piece != media.bytes(at..end) {
            return Err(format!("wrong bytes in {at}..{end}"));
        }
        at = end;
    }
}

#[test]
fn forty_streams_are_cut_ten_times_each() {
    let world = World::keyed(&[]);
    run(&world, 40, 4 << 20, 16, seed()).check();
    world.wait_for_no_stream();
}

#[test]
#[ignore = "the full run: scripts/bench faults"]
fn full_run() {
    const STREAMS: usize = 1000;
    const SIZE: u64 = 32 << 20;
    const THREADS: usize = 24;
    let world = World::keyed(&[("LOG", "info")]);
    let started = Instant::now();
    let count = run(&world, STREAMS, SIZE, THREADS, seed());
    world.wait_for_no_stream();
    println!("| streams, {} MiB each, {CUTS} cuts each | {STREAMS} |\n|---|---|", SIZE >> 20);
    println!("| byte-exact, with 200 and a proper end | {} |", count.exact);
    println!("| cuts that happened | {} |", count.cuts);
    println!("| requests to the CDN | {} |", count.requests);
    println!("| bytes asked for again | {} ({:.3} %) |", count.again, count.percent_again());
    println!("| seconds, {THREADS} at a time | {:.0} |", started.elapsed().as_secs_f64());
    count.check();
}
