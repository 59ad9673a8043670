//! The way out: the proxy, the trust roots, redirects, and what goes where.

use crate::support::client;
use crate::support::server::TestServer;
use crate::support::stage::tiktok::{self, BEST};
use crate::support::stage::{Media, Options, Outcome, Reply, Scheme, Stage, sha256};
use crate::support::world::{World, assert_problem, post, world};
use serde_json::json;

#[test]
fn the_proxy_gets_its_credentials_for_pages_and_streams() {
    let credentials = Some(("us@er".to_owned(), "p:w/d".to_owned()));
    let stage = Stage::start_with(Options { credentials, ..Options::default() });
    let video = post().install(&stage);
    let port = stage.port();
    let with = |proxy: &str| TestServer::with_stage(&stage, &[("PROXY", proxy)]);
    let server = with(&format!("http://us%40er:p%3Aw%2Fd@127.0.0.1:{port}"));
    let answer = client::get(&server.url(&format!("/stream?url={}", client::encode(video.page_url()))));
    assert_eq!(sha256(&answer.body), video.media(BEST).sha256(), "{}", answer.status);

    let stranger = with(&format!("http://us%40er:wrong@127.0.0.1:{port}"));
    let refused = client::post_json(&stranger.url("/extract"), &json!({"url": video.page_url()}));
    assert_problem(&refused, 502, "upstream_error");
}

#[test]
fn nobody_is_trusted_but_the_roots() {
    let key = ("ENCRYPTION_KEY", "a key that both servers have");
    let world = World::with(&[key]);
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, "audio");
    assert_eq!(sha256(&world.get(&path).body), video.media("audio").sha256());

    let proxy = world.stage.proxy_url();
    let wary = TestServer::spawn(&[key, ("PROXY", &proxy)]);
    let pages = || video.seen(&world.stage).iter().filter(|it| it.status != 0).count();
    let before = pages();
    let extraction = client::post_json(&wary.url("/extract"), &json!({"url": video.page_url()}));
    assert_problem(&extraction, 502, "upstream_error");
    assert_problem(&client::get(&wary.url(&path)), 502, "upstream_error");
    assert_eq!(pages(), before, "no request was sent over a connection that is not trusted");
}

#[test]
fn redirects_are_followed_and_cookies_stay_where_they_belong() {
    let world = world();
    let video = post().install(&world.stage);
    let film = Media::new(77, 50_000);
    let format = video.format("audio");
    let (elsewhere, path) = ("media.example.net", format!("{}away", format.path));
    video.play(&world.stage, "audio", |_| Reply::redirect(302, &format!("https://{elsewhere}{path}")));
    world.stage.play(elsewhere, &path, Reply::media(&film));
    let answer = world.get(&world.stream_path(&video, "audio"));
    assert_eq!(sha256(&answer.body), film.sha256());
    let first = &video.seen_of(&world.stage, "audio")[0];
    assert!(first.header("cookie").is_some_and(|cookies| cookies.contains(video.chain_token())));
    let second = world.stage.seen_at(elsewhere);
    let second = second.iter().find(|seen| seen.path() == path).unwrap();
    assert_eq!(second.header("cookie"), None);
    assert_eq!(second.header("accept-encoding"), Some("identity"));
    assert!(second.header("referer").is_some());
}

#[test]
fn redirects_that_lead_nowhere_good_are_refused() {
    let world = world();
    for target in ["http://media.example.net/plain", "ftp://media.example.net/x", "https://"] {
        let video = post().install(&world.stage);
        world.stage.play("media.example.net", "/plain", Reply::media(&Media::new(1, 10)));
        video.play(&world.stage, "audio", |_| Reply::redirect(301, target));
        assert_problem(&world.get(&world.stream_path(&video, "audio")), 502, "upstream_error");
    }
    assert!(world.stage.seen_at("media.example.net").iter().all(|seen| seen.scheme == Scheme::Https));
    let video = post().install(&world.stage);
    let itself = format!("https://{}{}", tiktok::CDN, video.format("audio").path);
    video.play(&world.stage, "audio", |_| Reply::redirect(307, &itself));
    assert_problem(&world.get(&world.stream_path(&video, "audio")), 502, "upstream_error");
    assert_eq!(video.seen_of(&world.stage, "audio").len(), 6, "the first and five more");
}

#[test]
fn a_host_that_is_not_there_is_the_sites_fault() {
    let world = world();
    let video = post().install(&world.stage);
    video.play(&world.stage, "audio", |_| Reply::redirect(302, "https://nowhere.example.net/x"));
    assert_problem(&world.get(&world.stream_path(&video, "audio")), 502, "upstream_error");
    world.stage.wait_for(|seen| {
        let mut here = seen.iter().filter(|seen| seen.host == "nowhere.example.net").peekable();
        here.peek().is_some() && here.all(|seen| seen.outcome == Outcome::Refused)
    });
}
