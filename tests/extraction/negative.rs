//! Failures: those that will be the same tomorrow are remembered, the others are not.

use super::{Page, SITES};
use crate::support::film::Change;
use crate::support::stage::tiktok::{self, status_page};
use crate::support::stage::{Fault, Reply};
use crate::support::world::{World, assert_problem, empty_page, fresh_id, post, world};
use serde_json::json;

fn fails(world: &World, url: &str, fresh: bool, status: u16, code: &str) {
    assert_problem(&world.post("/extract", &json!({"url": url, "fresh": fresh})), status, code);
}

#[test]
fn what_is_not_there_is_remembered_for_a_while() {
    let world = world();
    for (status, code) in
        [(404, "not_found"), (410, "not_found"), (401, "login_required"), (451, "geo_restricted")]
    {
        for (handler, install) in SITES {
            let page = install(world);
            page.show(world, |_| Reply::status(status));
            let expected = match status {
                410 => 404,
                401 => 403,
                other => other,
            };
            fails(world, &page.url, false, expected, code);
            let asked = page.count(world);
            assert!(asked >= 1);
            fails(world, &page.url, false, expected, code);
            assert_eq!(page.count(world), asked, "{handler}: {status}");
            // Who knows better may have it asked again, and all have the use of it.
            page.show(world, |reply| reply);
            let fresh = world.post("/extract", &json!({"url": page.url, "fresh": true}));
            assert_eq!(fresh.status, 200, "{}", fresh.text());
            assert!(world.is_cached(&page.url));
        }
    }
    let private = status_page(&world.stage, &fresh_id(), 10216);
    let path = private.strip_prefix(&format!("https://{}", tiktok::PAGES)).unwrap();
    for _ in 0..2 {
        fails(world, &private, false, 403, "login_required");
        assert_eq!(world.stage.seen_where(|seen| seen.path() == path).len(), 1);
    }
}

#[test]
fn what_nobody_takes_is_remembered_too() {
    let world = World::with(&[]);
    let page = empty_page(&world.stage);
    for known in 0..3 {
        fails(&world, &page, false, 400, "unsupported_url");
        assert_eq!(world.metric("sluice_cache_lookups_total{result=\"hit\"}"), known);
    }
}

#[test]
fn what_may_be_otherwise_next_time_is_asked_again() {
    let world = World::with(&[("YTDLP_TIMEOUT", "2")]);
    let answers: [(Change, u16, &str); 5] = [
        (|_| Reply::status(403), 503, "upstream_blocked"),
        (|_| Reply::status(429), 503, "upstream_blocked"),
        (|_| Reply::status(500), 502, "upstream_error"),
        (|_| Reply::html("nothing"), 502, "extraction_failed"),
        (|_| Reply::html("").fault(Fault::HeldHead), 504, "extraction_timeout"),
    ];
    std::thread::scope(|scope| {
        for (make, status, code) in answers {
            for (handler, install) in SITES {
                let world = &world;
                scope.spawn(move || {
                    let page = install(world);
                    page.show(world, make);
                    fails(world, &page.url, false, status, code);
                    let asked = page.count(world);
                    assert!(asked >= 1);
                    fails(world, &page.url, false, status, code);
                    assert_eq!(page.count(world), 2 * asked, "{handler}: {code}");
                    page.show(world, |reply| reply);
                    world.extract(&page.url);
                });
            }
        }
    });
    let blocked = status_page(&world.stage, &fresh_id(), 10204);
    for count in 1..3 {
        fails(&world, &blocked, false, 503, "upstream_blocked");
        let path = blocked.strip_prefix(&format!("https://{}", tiktok::PAGES)).unwrap();
        assert_eq!(world.stage.seen_where(|seen| seen.path() == path).len(), count);
    }
}

#[test]
fn a_definite_failure_is_shared_by_who_waits() {
    let world = World::with(&[]);
    let page = Page::for_browsers(&world);
    page.show(&world, |_| Reply::status(404).fault(Fault::HeldHead));
    std::thread::scope(|scope| {
        let failing: Vec<_> =
            (0..10).map(|_| scope.spawn(|| fails(&world, &page.url, false, 404, "not_found"))).collect();
        page.wait_for(&world, 1);
        world.wait_for_joined(9);
        world.stage.release();
        failing.into_iter().for_each(|it| it.join().unwrap());
    });
    assert_eq!(page.count(&world), 1);
    let video = post().install(&world.stage);
    world.extract(video.page_url());
}
