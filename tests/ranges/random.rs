//! Random ranges of random files, against a slice of the bytes.

use super::{ALL_KNOWN, Known, Want, assert_answer, deaf};
use crate::support::client::Session;
use crate::support::film::Change;
use crate::support::random::{Random, seed};
use crate::support::stage::{Media, Reply};
use crate::support::world::world;

const FILMS: u64 = 24;
const RANGES: usize = 25;
const WEAK: &str = "W/\"v1\"";

/// A way to serve a film, and what it tells.
type Kind = (Known, Change);

/// Sizes around which something changes: none, one, the buffer of a stream, a piece of TLS, a socket's buffer.
const EDGES: [u64; 6] = [1, 2, 4096, 16_384, 32_768, 262_144];

fn size(random: &mut Random) -> u64 {
    let edge = *random.pick(&EDGES);
    (edge + random.below(5)).saturating_sub(2).max(1) + random.below(2) * random.below(100_000)
}

/// A number that is likely to lie near an end of the file.
fn position(random: &mut Random, total: u64) -> u64 {
    match random.below(4) {
        0 => random.below(3),
        1 => (total + random.below(5)).saturating_sub(2),
        _ => random.below(total + total / 8 + 1),
    }
}

/// A header line, and what RFC 9110 §14 makes of it.
fn range(random: &mut Random, total: u64) -> (String, Want) {
    let (first, last) = (position(random, total), position(random, total));
    let part = |from: u64, to: u64| if from < to { Want::Part(from..to) } else { Want::Unsatisfiable };
    match random.below(8) {
        0 => (format!("bytes={first}-"), part(first, total)),
        1 => (format!("bytes=-{first}"), part(total.saturating_sub(first), total)),
        2 => (format!("bytes={first}-{last},0-0"), Want::Whole),
        _ if last < first => (format!("bytes={first}-{last}"), Want::Whole),
        _ => (format!("bytes={first}-{last}"), part(first, total.min(last + 1))),
    }
}

#[test]
fn random_ranges_are_slices() {
    let seed = seed();
    let world = world();
    for index in 0..FILMS {
        let mut random = Random::of(seed + index);
        let total = size(&mut random);
        let kinds: [Kind; 4] = [
            (ALL_KNOWN, |reply| reply),
            (Known { etag: Some(WEAK), ..ALL_KNOWN }, |reply| reply.etag(WEAK)),
            (Known { length: false, ..ALL_KNOWN }, Reply::chunked),
            (Known { ranges: false, ..ALL_KNOWN }, deaf),
        ];
        let (known, change) = *random.pick(&kinds);
        let film = world.film(&Media::new(seed + index, total), change);
        let mut session = Session::to(&world.server.url("/"));
        for _ in 0..RANGES {
            let (line, want) = range(&mut random, total);
            let answer = session.ask("GET", &film.link, &[("Range", &line)]);
            let what = format!("{line:?} of {total} bytes, film {index} of SEED={seed}");
            assert_answer(&answer, &film, known, &want, &what);
        }
    }
}
