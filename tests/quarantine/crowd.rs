//! Helpers that die all the time, under load.

use super::{Stranger, helpers};
use crate::support::processes::kill_hard;
use crate::support::world::World;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How often one is killed. `scripts/bench hostile` does it 200 times.
const KILLS: usize = 15;
const CLIENTS: usize = 4;

#[test]
fn whoever_loses_a_helper_gets_an_answer() {
    let world = World::with(&[("YTDLP_TIMEOUT", "20")]);
    let stranger = Stranger::install(&world);
    stranger.check(&world);
    let stream = world.hold_stream();
    let (over, good, answers) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = world.post("/extract", &json!({"url": stranger.url, "fresh": true}));
                    assert!(matches!(answer.status, 200 | 502 | 503 | 504), "{}", answer.text());
                    assert!(answer.complete());
                    answers.fetch_add(1, Ordering::Relaxed);
                    good.fetch_add(usize::from(answer.status == 200), Ordering::Relaxed);
                }
            });
        }
        for _ in 0..KILLS {
            let so_far = good.load(Ordering::Relaxed);
            let victim = world.wait_until(|| helpers(&world).first().copied().ok_or("no helper"));
            kill_hard(victim);
            world.wait_gone(victim);
            // Others have come instead, and work.
            world.wait_until(|| match good.load(Ordering::Relaxed) {
                now if now > so_far + CLIENTS => Ok(()),
                now => Err(now),
            });
        }
        over.store(true, Ordering::Relaxed);
    });
    let (good, answers) = (good.into_inner(), answers.into_inner());
    // Each page has three tries, and one of two helpers is killed at a time.
    assert_eq!(good, answers, "somebody got an error");
    stranger.check(&world);
    stream.finish(&world);
}
