//! Workers and their sessions: how many there are, and what they keep.

use super::{Page, SITES, wait_for_held};
use crate::support::world::World;

const WORKERS: usize = 20;

#[test]
fn the_pool_starts_small_and_grows_under_load() {
    let world = World::with(&[("MAX_WORKERS", &WORKERS.to_string())]);
    world.wait_for_health(&[("total", 2), ("warm", 2), ("busy", 0), ("stuck", 0)]);
    // One after the other needs no more of them.
    for _ in 0..5 {
        world.extract(&Page::for_browsers(&world).url);
    }
    world.wait_for_health(&[("total", 2), ("warm", 2), ("busy", 0)]);
    let pages: Vec<Page> = (0..WORKERS + 5).map(|_| Page::for_browsers(&world)).collect();
    std::thread::scope(|scope| {
        for page in &pages {
            page.hold(&world);
            scope.spawn(|| world.extract(&page.url));
        }
        wait_for_held(&world, WORKERS);
        let (workers, waiting) = (WORKERS as u64, 5);
        let wanted =
            [("total", workers), ("warm", workers), ("busy", workers), ("stuck", 0), ("queue", waiting)];
        world.wait_for_health(&wanted);
        world.stage.release();
        pages.iter().for_each(|page| page.wait_for(&world, 1));
        world.stage.release();
    });
    world.wait_for_health(&[("total", WORKERS as u64), ("busy", 0), ("queue", 0)]);
}

#[test]
fn a_session_keeps_its_connection() {
    let world = World::with(&[("MAX_WORKERS", "1")]);
    for (handler, install) in SITES {
        let pages = [(); 3].map(|()| install(&world));
        let connections = pages.each_ref().map(|page| {
            world.extract(&page.url);
            world.stage.seen_where(|seen| page.is(seen))[0].connection
        });
        assert_eq!(connections, [connections[0]; 3], "{handler}");
    }
}
