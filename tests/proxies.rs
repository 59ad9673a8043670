//! Proxies of all kinds: a good one does the work of a bad one, and of a bad one alone the client hears nothing but that.

use crate::support::client::{self, Answer, encode};
use crate::support::fronts::{Front, Manner};
use crate::support::server::TestServer;
use crate::support::stage::tiktok::{BEST, Video};
use crate::support::stage::{Media, Options, Outcome, Reply, Scheme, Stage, sha256};
use crate::support::world::{assert_problem, post, token};
use serde_json::json;
use std::net::SocketAddr;

/// What stands in URLs of bad proxies, and in nothing that a client reads.
const LOGIN: &str = "somebody:topsecret";
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn server(stage: &Stage, egress: &str) -> TestServer {
    let ca = stage.ca_file();
    let ca = ca.to_str().unwrap();
    TestServer::spawn(&[("EGRESS", egress), ("CA_FILE", ca), ("YTDLP_TIMEOUT", "50"), ("CACHE_TTL", "0")])
}

fn extract(server: &TestServer, video: &Video) -> Answer {
    client::post_json(&server.url("/extract"), &json!({"url": video.page_url()}))
}

#[track_caller]
fn assert_streams(server: &TestServer, video: &Video) {
    let answer = client::get(&server.url(&format!("/stream?url={}", encode(video.page_url()))));
    assert!(answer.complete());
    assert_eq!((answer.status, sha256(&answer.body)), (200, video.media(BEST).sha256()), "{}", answer.text());
}

/// An error that says nothing of the proxy.
#[track_caller]
fn assert_clear(answer: &Answer, front: &Front) {
    match answer.status {
        504 => assert_problem(answer, 504, "upstream_timeout"),
        _ => assert_problem(answer, 502, "upstream_error"),
    }
    let text = answer.text();
    for secret in ["127.0.0", &front.address().port().to_string(), "somebody", "topsecret"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// With a bad proxy before the stage, everything is there at the first try; with it alone, there is a clear error.
#[track_caller]
fn is_passed_over(scheme: &str, manner: Manner) {
    let stage = Stage::start();
    let front = Front::start(manner.clone());
    let bad = format!("{scheme}://{LOGIN}@{}", front.address());
    let alone = server(&stage, &bad);
    let video = post().install(&stage);
    assert_clear(&extract(&alone, &video), &front);
    assert!(matches!(manner, Manner::Dead) || front.visits() > 0, "nobody has tried it");
    assert_eq!(video.seen(&stage).len(), 0);
    drop(alone);
    let before = front.visits();
    let both = server(&stage, &format!("{bad},{}", stage.proxy_url()));
    let answer = extract(&both, &video);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(matches!(manner, Manner::Dead) || front.visits() > before, "it was its turn");
    assert_streams(&both, &video);
}

#[test]
fn a_dead_proxy_is_passed_over() {
    is_passed_over("http", Manner::Dead);
    is_passed_over("socks5", Manner::Dead);
}

#[test]
fn a_proxy_that_closes_at_once_is_passed_over() {
    is_passed_over("http", Manner::Closes);
    is_passed_over("socks5", Manner::Closes);
}

#[test]
fn a_proxy_that_talks_nonsense_is_passed_over() {
    is_passed_over("http", Manner::Says(b"220 mail.example.net ESMTP\r\n"));
    is_passed_over("socks5", Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
}

#[test]
fn a_proxy_that_says_nothing_is_passed_over() {
    is_passed_over("http", Manner::Silent);
    is_passed_over("socks5", Manner::Silent);
}

#[test]
fn a_proxy_that_wants_other_credentials_is_passed_over() {
    let asks = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
    is_passed_over("http", Manner::Says(asks));
    let nowhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
    is_passed_over("socks5", Manner::Socks { to: nowhere, login: Some(("somebody", "else")) });
    is_passed_over("socks5", Manner::Says(b"\x05\xff"));
}

#[test]
fn wrong_credentials_are_passed_over_for_right_ones() {
    let credentials = Some(("us@er".to_owned(), "right".to_owned()));
    let stage = Stage::start_with(Options { credentials, ..Options::default() });
    let video = post().install(&stage);
    let with = |password: &str| format!("http://us%40er:{password}@127.0.0.1:{}", stage.port());
    let both = server(&stage, &format!("{},{}", with("wrong"), with("right")));
    let answer = extract(&both, &video);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_streams(&both, &video);
    let refused = stage.seen_where(|seen| seen.status == 407);
    assert!(!refused.is_empty() && refused.iter().all(|seen| seen.outcome == Outcome::Refused));
}

/// It cannot be told from a site that fails.
#[test]
fn a_proxy_that_lies_is_passed_over() {
    for after in [b"".as_slice(), b"this is no TLS at all\r\n"] {
        let stage = Stage::start();
        let front = Front::start(Manner::SaysTwice(ESTABLISHED, after));
        let bad = format!("http://{LOGIN}@{}", front.address());
        let alone = server(&stage, &bad);
        assert_clear(&extract(&alone, &post().install(&stage)), &front);
        let visits = front.visits();
        let both = server(&stage, &format!("{bad},{}", stage.proxy_url()));
        for _ in 0..2 {
            let video = post().install(&stage);
            let answer = extract(&both, &video);
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert!(front.visits() > visits);
    }
}

#[test]
fn socks_carries_pages_and_streams() {
    let stage = Stage::start();
    let to = SocketAddr::from(([127, 0, 0, 1], stage.port()));
    for (login, url) in [(None, ""), (None, "any:body@"), (Some(("us@er", "p:w")), "us%40er:p%3Aw@")] {
        let front = Front::start(Manner::Socks { to, login });
        let server = server(&stage, &format!("socks5://{url}{}", front.address()));
        let video = post().install(&stage);
        let answer = extract(&server, &video);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_streams(&server, &video);
        assert!(front.visits() >= 2);
        assert!(!video.seen_of(&stage, BEST).is_empty());
    }
}

/// "010" is ten to some, and eight to the URL standard.
#[test]
fn a_proxy_is_told_the_address_that_was_judged() {
    let stage = Stage::start();
    let redirect = |target| Reply::redirect(302, target);
    stage.play("media.example.net", "/film.mp4", redirect("http://010.0.0.5/film.mp4"));
    let server = server(&stage, &stage.proxy_url());
    let answer = client::get(&server.url("/extract?url=http%3A%2F%2Fmedia.example.net%2Ffilm.mp4"));
    assert_problem(&answer, 502, "upstream_error");
    let hosts: Vec<_> = stage.seen().into_iter().map(|seen| seen.host).collect();
    assert_eq!(hosts.last().map(String::as_str), Some("8.0.0.5"), "{hosts:?}");
}

#[test]
fn a_stream_whose_proxy_has_died_leaves_by_another() {
    let stage = Stage::start();
    let to = SocketAddr::from(([127, 0, 0, 1], stage.port()));
    let mut front = Front::start(Manner::Socks { to, login: None });
    let server = server(&stage, &format!("socks5://{},{}", front.address(), stage.proxy_url()));
    let video = post().install(&stage);
    let link = token(&extract(&server, &video).json(), BEST);
    let pages = || video.seen(&stage).iter().filter(|seen| seen.path() == video.path()).count();
    let visits = front.visits();
    assert_eq!((visits > 0, pages()), (true, 1));
    front.stop();
    let answer = client::get(&server.url(&format!("/stream?data={link}")));
    assert_eq!((answer.status, sha256(&answer.body)), (200, video.media(BEST).sha256()), "{}", answer.text());
    assert_eq!((front.visits(), pages()), (visits, 2));
}

/// What a proxy for HTTP is asked, as it was written.
#[test]
fn plain_pages_go_in_absolute_form_and_others_through_a_tunnel() {
    let heads = Front::start(Manner::Says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
    let stage = Stage::start();
    let film = Media::new(9, 30_000);
    stage.play("media.example.net", "/film.mp4", Reply::media(&film).content_type("video/mp4"));
    let both = server(&stage, &format!("http://{},{}", heads.address(), stage.proxy_url()));
    for scheme in ["http", "https"] {
        let page = format!("{scheme}://media.example.net/film.mp4");
        let answer = client::get(&both.url(&format!("/stream?url={}", encode(&page))));
        assert_eq!((answer.status, sha256(&answer.body)), (200, film.sha256()), "{}", answer.text());
    }
    let asked = heads.heads();
    assert!(asked[0].starts_with("GET http://media.example.net/film.mp4 HTTP/1.1\r\n"), "{asked:?}");
    let tunnel = server(&stage, &format!("http://{}", heads.address()));
    let answer = client::get(&tunnel.url("/stream?url=https%3A%2F%2Fmedia.example.net%2Ffilm.mp4"));
    assert_clear(&answer, &heads);
    let asked = heads.heads();
    assert!(
        asked.iter().any(|head| head.starts_with("CONNECT media.example.net:443 HTTP/1.1\r\n")),
        "{asked:?}"
    );
    let seen = stage.seen_at("media.example.net");
    let streamed = |scheme| seen.iter().any(|seen| seen.scheme == scheme && seen.status < 300);
    assert!(streamed(Scheme::Http) && streamed(Scheme::Https));
}
