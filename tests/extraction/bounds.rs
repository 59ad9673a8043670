//! The cache's bounds.

use super::Page;
use crate::support::world::World;

/// More posts than a cache of a mebibyte holds: one takes about 40 kB.
const POSTS: usize = 60;

#[test]
fn the_cache_holds_so_many_bytes() {
    let world = World::with(&[("CACHE_BYTES", "1048576")]);
    let pages: Vec<Page> = (0..POSTS).map(|_| Page::for_browsers(&world)).collect();
    for page in &pages {
        assert!(!world.is_cached(&page.url));
        // What has just been asked for is there for who goes on to stream it.
        assert!(world.is_cached(&page.url));
    }
    let newest = pages.last().unwrap();
    assert!(world.is_cached(&newest.url) && !world.is_cached(&pages[0].url));
    // From the newest on: what is fetched anew takes the place of something.
    let known = pages[1..].iter().rev().filter(|page| world.is_cached(&page.url)).count();
    assert!((1..POSTS / 2).contains(&known), "{known} of {POSTS} are known");
}

#[test]
fn the_cache_holds_so_many_pages() {
    let world = World::with(&[("CACHE_ENTRIES", "1")]);
    let [one, two] = [(); 2].map(|()| Page::for_browsers(&world));
    for round in 1..=3 {
        for page in [&one, &two] {
            assert!(!world.is_cached(&page.url) && world.is_cached(&page.url));
            assert_eq!(page.count(&world), round);
        }
    }
}
