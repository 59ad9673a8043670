//! Pages that hold on to whoever asks for them: the client is told in time, and the worker is free again.

use super::{Install, Page, SITES};
use crate::support::stage::{Fault, Reply};
use crate::support::world::{World, assert_problem};
use serde_json::json;
use std::time::Duration;

/// Longest extraction, in seconds.
const TIMEOUT: &str = "2";

/// Pages of a kind that are asked for at the same time.
const CROWD: usize = 10;

/// Pause between two bytes of a page.
const PAUSE: Duration = Duration::from_millis(100);

/// Pause before each redirect of a circle: longer than a handler counts redirects.
const LONG_PAUSE: Duration = Duration::from_millis(500);

type Trap = fn(&Page) -> Reply;

/// Pages that do not end.
const TRAPS: [(&str, Trap); 4] = [
    ("no answer", |_| Reply::html("").fault(Fault::HeldHead)),
    ("half an answer", |_| Reply::html(" ".repeat(10_000)).fault(Fault::Stall { after: 5_000 })),
    ("a byte at a time", |_| Reply::html(" ".repeat(10_000)).fault(Fault::Slow { chunk: 1, pause: PAUSE })),
    ("a slow circle", |page| circle(page).delay(LONG_PAUSE)),
];

fn circle(page: &Page) -> Reply {
    Reply::redirect(302, &format!("https://{}{}", page.host, page.path))
}

fn trap(world: &World, install: Install, trap: Trap) -> Page {
    let page = install(world);
    world.stage.play(page.host, &page.path, trap(&page));
    page
}

#[test]
fn a_page_that_does_not_end_costs_no_worker() {
    let world = World::with(&[("YTDLP_TIMEOUT", TIMEOUT), ("MAX_WORKERS", "4")]);
    for (handler, install) in SITES {
        std::thread::scope(|scope| {
            for (name, kind) in TRAPS {
                let world = &world;
                scope.spawn(move || assert_ends(world, &trap(world, install, kind), name, handler));
            }
        });
        world.wait_for_health(&[("busy", 0), ("stuck", 0)]);
        let page = trap(&world, install, circle);
        assert_problem(&world.post("/extract", &json!({"url": page.url})), 502, "limit_exceeded");
        world.extract(&install(&world).url);
    }
    assert_nobody_was_stuck(&world);
}

fn assert_ends(world: &World, page: &Page, name: &str, handler: &str) {
    let answer = world.post("/extract", &json!({"url": page.url}));
    println!("{handler}, {name}: {}", answer.text());
    assert_problem(&answer, 504, "extraction_timeout");
    assert!(page.count(world) >= 1);
}

fn assert_nobody_was_stuck(world: &World) {
    let log = world.server.log();
    assert!(!log.iter().any(|line| line.contains("is stuck")), "{}", log.join("\n"));
}

#[test]
fn ten_of_a_kind_leave_room_for_others() {
    let world = World::with(&[("YTDLP_TIMEOUT", TIMEOUT), ("MAX_WORKERS", "12")]);
    for (handler, install) in SITES {
        for (name, kind) in TRAPS {
            let (world, pages) = (&world, [(); CROWD].map(|()| trap(&world, install, kind)));
            std::thread::scope(|scope| {
                let asking = pages.each_ref().map(|page| {
                    scope.spawn(move || assert_ends(world, page, name, handler));
                    page
                });
                asking.iter().for_each(|page| page.wait_for(world, 1));
                world.extract(&install(world).url);
            });
            world.wait_for_health(&[("busy", 0), ("stuck", 0), ("queue", 0)]);
        }
    }
    assert_nobody_was_stuck(&world);
    world.extract(&Page::plain(&world).url);
}
