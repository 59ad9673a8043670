//! The stage's entities change, move and go away as the tests of the relay need it.

use crate::stage_checks::{film, get, open, with};
use crate::support::stage::tiktok::{self, TikTok, Video};
use crate::support::stage::{Fault, Outcome, Reply, Stage};
use crate::support::world::fresh_id;

const ASK: (&str, &str) = ("Range", "bytes=1000-1999");

#[test]
fn a_replaced_entity_keeps_to_if_range() {
    let stage = with(Reply::media(&film()).etag("\"v1\"").fault(Fault::Replaced));
    let whole = get(&stage, &[ASK, ("If-Range", "\"v1\"")]);
    assert_eq!((whole.status, whole.header("etag")), (200, Some("\"changed\"")));
    assert!(whole.body.iter().zip(film().bytes(0..film().len())).all(|(a, b)| *a != b));
    assert_eq!(get(&stage, &[ASK]).status, 206);
    let stage = with(Reply::media(&film()).etag("\"v1\"").fault(Fault::ChangedBytes));
    let part = get(&stage, &[ASK, ("If-Range", "\"v1\"")]);
    assert_eq!((part.status, part.header("etag")), (206, Some("\"v1\"")));
    assert!(part.body.iter().zip(film().bytes(1000..2000)).all(|(a, b)| *a != b));
}

#[test]
fn if_range_wants_a_strong_validator() {
    let weak = with(Reply::media(&film()).etag("W/\"v1\""));
    assert_eq!(get(&weak, &[ASK, ("If-Range", "W/\"v1\"")]).status, 200);
    let deaf = with(Reply::media(&film()).etag("W/\"v1\"").deaf_to_if_range());
    assert_eq!(get(&deaf, &[ASK, ("If-Range", "\"other\"")]).body, film().bytes(1000..2000));
    let bare = get(&with(Reply::media(&film()).etag("\"v1\"").last_modified("now").no_validators()), &[]);
    assert_eq!((bare.header("etag"), bare.header("last-modified")), (None, None));
}

#[test]
fn connections_and_first_bytes_are_recorded() {
    let stage = with(Reply::media(&film()).faults([None, Some(Fault::Cut { after: 500 })]));
    let mut first = open(&stage, "GET", "https://cdn.example/film.mp4", &[ASK]);
    first.read_exactly(1000);
    let again = b"GET /film.mp4 HTTP/1.1\r\nHost: cdn.example\r\nRange: bytes=7-\r\n\r\n";
    assert_eq!(first.again(again).finish().body, film().bytes(7..507));
    get(&stage, &[]);
    let seen = stage.wait_for(|seen| seen.len() == 3 && seen[2].outcome == Outcome::Finished);
    assert_eq!(seen[0].connection, seen[1].connection);
    assert_ne!(seen[0].connection, seen[2].connection);
    let starts: Vec<u64> = seen.iter().map(|it| it.range_start()).collect();
    assert_eq!((starts, seen[1].outcome, seen[1].written), (vec![1000, 7, 0], Outcome::Cut, 500));
    assert_eq!(stage.seen_where(|seen| seen.header("range").is_none()).len(), 1);
}

#[test]
fn a_post_moves_and_goes_away() {
    let stage = Stage::start();
    let video = TikTok::video(&fresh_id()).install(&stage);
    let fetch = |place: &Video, known: &Video| {
        let cookie = format!("tt_chain_token={}", known.chain_token());
        let url = format!("https://{}{}", tiktok::CDN, place.format("audio").path);
        open(&stage, "GET", &url, &[("Cookie", &cookie), ("Referer", video.page_url())]).finish()
    };
    let page = || open(&stage, "GET", video.page_url(), &[]).finish();
    let names = |post: &Video| page().text().contains(&post.format("audio").path.replace('/', "\\u002F"));
    assert!(names(&video));
    let moved = video.move_media(&stage);
    assert!(names(&moved) && !names(&video));
    let cookie = page().header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with(&format!("tt_chain_token={};", moved.chain_token())), "{cookie}");
    assert_eq!(fetch(&moved, &moved).body, video.media("audio").bytes(0..video.media("audio").len()));
    assert_eq!(fetch(&moved, &video).status, 403);
    assert_eq!(fetch(&video, &video).body.len() as u64, video.media("audio").len());
    video.take_down(&stage);
    assert!(!names(&moved));
    assert_eq!(video.pages_seen(&stage), 5);
}
