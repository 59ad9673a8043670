//! One extraction for all who ask for the same at the same time.

use super::{Page, wait_for_held};
use crate::support::client::{self, encode};
use crate::support::stage::tiktok::BEST;
use crate::support::stage::{Fault, sha256};
use crate::support::world::{World, format, post};
use serde_json::json;
use std::io::Write as _;
use std::net::TcpStream;

const CROWD: usize = 100;

#[test]
fn a_hundred_who_ask_at_once_share_one_extraction() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    let url = video.page_url();
    video.show_page(&world.stage, |reply| reply.fault(Fault::HeldHead));
    let ask = |number: usize| match number % 4 {
        0 => world.post("/extract", &json!({"url": url})),
        1 => world.get(&format!("/extract?url={}", encode(url))),
        2 => world.post("/tiktok", &json!({"url": url})),
        _ => world.get(&format!("/stream?url={}&format=audio", encode(url))),
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..CROWD).map(|number| scope.spawn(move || ask(number))).collect();
        world.stage.wait_for(|seen| seen.iter().any(|seen| seen.path() == video.path()));
        world.wait_for_joined(CROWD as u64 - 1);
        world.stage.release();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(video.pages_seen(&world.stage), 1);
    let known = world.extract(url);
    assert_eq!(known["cached"], true);
    let token = &format(&known, BEST)["token"];
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!((answer.status, answer.complete()), (200, true), "{number}: {}", answer.text());
        match number % 4 {
            0 | 1 => {
                let answer = answer.json();
                assert_eq!(answer["cached"], false, "{number}");
                // Sealed once.
                assert_eq!(&format(&answer, BEST)["token"], token, "{number}");
            }
            2 => assert!(answer.text().contains(token.as_str().unwrap()), "{number}"),
            _ => assert_eq!(sha256(&answer.body), video.media("audio").sha256(), "{number}"),
        }
    }
    let film = world.get(&format!("/stream?data={}", token.as_str().unwrap()));
    assert_eq!(sha256(&film.body), video.media(BEST).sha256());
    assert_eq!(video.pages_seen(&world.stage), 1);
}

/// A client that has asked for a page. It leaves when dropped.
fn ask(world: &World, page: &Page) -> TcpStream {
    let mut client = TcpStream::connect(world.server.address()).unwrap();
    write!(client, "GET /extract?url={} HTTP/1.1\r\nHost: a\r\n\r\n", encode(&page.url)).unwrap();
    client
}

#[test]
fn who_leaves_takes_nobody_along() {
    let world = World::with(&[("MAX_WORKERS", "2")]);
    for later in [false, true] {
        let page = Page::for_browsers(&world);
        page.hold(&world);
        let joined = world.metric("sluice_cache_lookups_total{result=\"joined\"}");
        let first = ask(&world, &page);
        page.wait_for(&world, 1);
        let answer = std::thread::scope(|scope| {
            let join = || scope.spawn(|| client::get(&world.server.url(&path(&page))));
            // The other one comes while the first is there, or finds an extraction that nobody waits for.
            let second = if later {
                drop(first);
                join()
            } else {
                let second = join();
                world.wait_for_joined(joined + 1);
                drop(first);
                second
            };
            world.wait_for_joined(joined + 1);
            world.stage.release();
            second.join().unwrap()
        });
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(page.count(&world), 1);
    }
}

fn path(page: &Page) -> String {
    format!("/extract?url={}", encode(&page.url))
}

#[test]
fn what_everybody_left_before_it_began_is_not_fetched() {
    let world = World::with(&[("MAX_WORKERS", "1")]);
    let [front, left, stays] = [(); 3].map(|()| Page::for_browsers(&world));
    front.hold(&world);
    std::thread::scope(|scope| {
        scope.spawn(|| world.extract(&front.url));
        wait_for_held(&world, 1);
        let leaving = [ask(&world, &left), ask(&world, &left)];
        world.wait_for_joined(1);
        world.wait_for_health(&[("queue", 1)]);
        let other = scope.spawn(|| world.extract(&stays.url));
        world.wait_for_health(&[("queue", 2)]);
        drop(leaving);
        world.wait_for_health(&[("queue", 1)]);
        world.stage.release();
        assert_eq!(other.join().unwrap()["cached"], false);
    });
    assert_eq!((front.count(&world), left.count(&world), stays.count(&world)), (1, 0, 1));
    assert!(!world.is_cached(&left.url));
    assert_eq!(left.count(&world), 1);
}
