//! Chance that can be repeated, and work done by a bounded number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Step between states (splitmix64's increment).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Numbers that depend on a seed alone.
pub struct Random(u64);

impl Random {
    /// Numbers of this seed.
    pub fn of(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// `count` different numbers below `end`, in order.
    pub fn offsets(&mut self, count: usize, end: u64) -> Vec<u64> {
        let mut offsets = std::collections::BTreeSet::new();
        while offsets.len() < count {
            offsets.insert(self.below(end));
        }
        offsets.into_iter().collect()
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// A seed that is new in every run, or the one in `SEED`. Printed, so that a failure says how to repeat it.
pub fn seed() -> u64 {
    let new = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
    let seed = std::env::var("SEED").map_or_else(|_| new(), |seed| seed.parse().unwrap());
    println!("SEED={seed} repeats this run");
    seed
}

/// Does `work` for every number below `count`, on `threads` threads. Panics when one of them does.
pub fn spread(threads: usize, count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    work(index);
                }
            });
        }
    });
}
