//! What is remembered, for whom, and for how long.

use super::{Page, SITES};
use crate::playlists::album;
use crate::support::client::{self, encode};
use crate::support::stage::tiktok::{BEST, Video};
use crate::support::stage::{Fault, Reply, sha256};
use crate::support::world::{World, format, post, world};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

#[test]
fn what_is_known_is_not_asked_again() {
    let world = world();
    for (handler, install) in SITES {
        let page = install(world);
        let answers = [(); 3].map(|()| world.extract(&page.url));
        assert_eq!(answers.each_ref().map(|it| it["cached"].clone()), [false, true, true], "{handler}");
        assert_eq!(page.count(world), 1);
        assert_eq!(answers[1], answers[2], "sealed once");
        assert_eq!(answers[0]["formats"], answers[1]["formats"], "sealed once");
    }
}

/// How a client asks the site anew.
const ANEW: [fn(&World, &str); 5] = [
    |world, url| assert_fresh(&world.post("/extract", &json!({"url": url, "fresh": true})).json()),
    |world, url| assert_fresh(&world.post("/extract", &json!({"url": url, "fresh": 1})).json()),
    |world, url| assert_fresh(&world.get(&format!("/extract?fresh=1&url={}", encode(url))).json()),
    |world, url| assert_eq!(world.post("/tiktok", &json!({"url": url, "fresh": "1"})).status, 200),
    |world, url| assert_eq!(world.get(&format!("/stream?fresh=1&url={}", encode(url))).status, 200),
];

fn assert_fresh(extraction: &Value) {
    assert_eq!(extraction["cached"], false);
}

#[test]
fn fresh_asks_again_and_takes_the_place_of_what_was_known() {
    let world = world();
    for (index, ask) in ANEW.into_iter().enumerate() {
        let video = post().install(&world.stage);
        world.extract(video.page_url());
        let moved = video.move_media(&world.stage);
        assert!(world.is_cached(video.page_url()));
        assert_eq!(video.pages_seen(&world.stage), 1, "way {index}");
        ask(world, video.page_url());
        assert_eq!(video.pages_seen(&world.stage), 2, "way {index}");
        assert_streams_from(world, &moved);
        assert_eq!(video.pages_seen(&world.stage), 2, "way {index}");
        assert_eq!(video.seen_of(&world.stage, "audio").len(), 0, "way {index}");
    }
}

/// Checks that the page's stream comes from where this post has its media, without an extraction.
fn assert_streams_from(world: &World, video: &Video) {
    let before = video.seen_of(&world.stage, "audio").len();
    let film = world.get(&format!("/stream?format=audio&url={}", encode(video.page_url())));
    assert_eq!(sha256(&film.body), video.media("audio").sha256());
    assert_eq!(video.seen_of(&world.stage, "audio").len(), before + 1);
    assert!(world.is_cached(video.page_url()));
}

#[test]
fn a_healed_stream_renews_what_is_known() {
    let world = world();
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, BEST);
    video.play(&world.stage, BEST, |reply| reply.fault(Fault::Status(403)));
    let moved = video.move_media(&world.stage);
    assert!(world.is_cached(video.page_url()));
    assert_eq!(video.pages_seen(&world.stage), 1);
    let film = world.get(&path);
    assert_eq!(sha256(&film.body), video.media(BEST).sha256());
    assert_eq!(video.pages_seen(&world.stage), 2);
    assert_streams_from(world, &moved);
    assert_eq!(video.pages_seen(&world.stage), 2);
}

#[test]
fn a_failed_fresh_extraction_leaves_what_was_known() {
    let world = world();
    let video = post().install(&world.stage);
    world.extract(video.page_url());
    video.show_page(&world.stage, |_| Reply::status(500));
    let failed = world.post("/extract", &json!({"url": video.page_url(), "fresh": true}));
    assert_eq!(failed.status, 502, "{}", failed.text());
    assert!(world.is_cached(video.page_url()));
    // What is gone is gone.
    video.show_page(&world.stage, |_| Reply::status(404));
    assert_eq!(world.post("/extract", &json!({"url": video.page_url(), "fresh": true})).status, 404);
    assert_eq!(world.post("/extract", &json!({"url": video.page_url()})).status, 404);
}

#[test]
fn other_questions_have_other_answers() {
    let world = world();
    let video = post().install(&world.stage);
    let url = video.page_url();
    let questions = [json!({"url": url}), json!({"url": format!("{url}?lang=en")})];
    for cached in [false, true] {
        for question in &questions {
            assert_eq!(world.post("/extract", question).json()["cached"], cached, "{question}");
        }
        assert_eq!(video.pages_seen(&world.stage), questions.len());
    }
    // The same question in other words.
    for question in [
        json!({"url": url, "offset": 0, "limit": 200, "fresh": false}),
        json!({"url": format!(" {url} ")}),
        json!({"url": url.replace("www.tiktok.com", "WWW.TikTok.com.:443")}),
        json!({"url": url, "format": "audio"}),
        json!({"url": url, "filename": "other"}),
        // No playlist, so there are no parts of it.
        json!({"url": url, "offset": 1}),
        json!({"url": url, "limit": 1}),
    ] {
        assert_eq!(world.post("/extract", &question).json()["cached"], true, "{question}");
    }
}

#[test]
fn parts_of_a_playlist_are_known_apart() {
    let world = world();
    let url = album(&world.stage, 5);
    let part = |offset: u32, limit: u32| {
        let answer = world.post("/extract", &json!({"url": url, "offset": offset, "limit": limit})).json();
        (answer["cached"] == true, answer["entries"].as_array().unwrap().len())
    };
    for cached in [false, true] {
        assert_eq!(part(0, 200), (cached, 5));
        assert_eq!(part(1, 200), (cached, 4));
        assert_eq!(part(1, 2), (cached, 2));
    }
}

#[test]
fn no_answer_says_that_its_links_outlive_their_tokens() {
    let world = World::with(&[("TOKEN_TTL", "60")]);
    let video = post().install(&world.stage);
    let before = SystemTime::now();
    let extraction = world.extract(video.page_url());
    let expires = humantime::parse_rfc3339(extraction["expires_at"].as_str().unwrap()).unwrap();
    assert!(expires <= SystemTime::now() + Duration::from_secs(60));
    assert!(expires + Duration::from_secs(1) >= before + Duration::from_secs(60));
}

#[test]
fn a_known_answer_has_links_for_who_asks() {
    let world = world();
    let video = post().install(&world.stage);
    world.extract(video.page_url());
    let url = world.server.url(&format!("/extract?url={}", encode(video.page_url())));
    for host in ["one.example.org", "two.example.org:3021", "one.example.org"] {
        let answer = client::request("GET", &url, &[("Host", host)], b"");
        assert_eq!(answer.json()["cached"], true);
        let links = answer.text().matches("/stream?data=").count();
        let own = answer.text().matches(&format!("\"http://{host}/stream?data=")).count();
        assert!(links == own && own > 12, "{own} of {links} for {host}");
    }
    // A choice and names are made of what is known, and for who asks alone.
    let plain = world.extract(video.page_url());
    let chosen = json!({"url": video.page_url(), "format": "audio", "filename": "song"});
    let chosen = world.post("/extract", &chosen).json();
    let formats = chosen["formats"].as_array().unwrap();
    assert_eq!((formats.len(), &formats[0]["format_id"]), (1, &json!("audio")));
    let song = client::get(formats[0]["stream"].as_str().unwrap());
    assert_eq!(song.header("x-filename"), Some("song.mp3"));
    assert_eq!(world.extract(video.page_url()), plain);
    assert_ne!(
        client::get(format(&plain, "audio")["stream"].as_str().unwrap()).header("x-filename"),
        Some("song.mp3")
    );
    assert_eq!(video.pages_seen(&world.stage), 1);
}

#[test]
fn without_a_cache_extractions_are_still_shared() {
    let world = World::with(&[("CACHE_TTL", "0")]);
    let page = Page::for_browsers(&world);
    assert!(!world.is_cached(&page.url) && !world.is_cached(&page.url));
    assert_eq!(page.count(&world), 2);
    page.hold(&world);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| world.extract(&page.url));
        }
        page.wait_for(&world, 3);
        world.wait_for_joined(4);
        world.stage.release();
    });
    assert_eq!(page.count(&world), 3);
}

#[test]
fn what_is_known_has_an_end() {
    let world = World::with(&[("CACHE_TTL", "3")]);
    let page = Page::for_browsers(&world);
    assert!(!world.is_cached(&page.url) && world.is_cached(&page.url));
    // Asking does not make it last.
    world.wait_until(|| if world.is_cached(&page.url) { Err("cached") } else { Ok(()) });
    assert_eq!(page.count(&world), 2);
}

#[test]
fn links_are_not_handed_out_in_their_last_minute() {
    let world = world();
    for seconds in [0, 30, 59] {
        let video = post().expires_in(seconds).install(&world.stage);
        assert!(!world.is_cached(video.page_url()) && !world.is_cached(video.page_url()), "{seconds} s");
        assert_eq!(video.pages_seen(&world.stage), 2);
    }
    let video = post().expires_in(65).install(&world.stage);
    assert!(!world.is_cached(video.page_url()) && world.is_cached(video.page_url()));
    world.wait_until(|| if world.is_cached(video.page_url()) { Err("cached") } else { Ok(()) });
    assert_eq!(video.pages_seen(&world.stage), 2);
}
