//! Which addresses bytes are fetched from: none of the server's own network.

pub mod urls;

use crate::support::client;
use crate::support::sealed::token;
use crate::support::server::TestServer;
use crate::support::stage::{Media, Reply, sha256};
use crate::support::world::{assert_problem, post, world};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const KEY: &str = "a key that the test has, too";
const FILM: &[u8] = b"a film of this machine";

/// Ways to write 127.0.0.1, the first of them the usual one.
const LOOPBACK: [&str; 12] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "017700000001",
    "0177.0.0.01",
    "127.0.0.1.",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "localhost",
];

/// A web server on loopback that counts who comes.
struct Canary {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Canary {
    fn start() -> Canary {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visits);
        // Ends with the process: nobody waits for it.
        std::thread::spawn(move || {
            for visitor in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut visitor = visitor.unwrap();
                let _ = visitor.read(&mut [0; 4096]);
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", FILM.len());
                let _ = visitor.write_all(&[head.as_bytes(), FILM].concat());
            }
        });
        Canary { port, visits }
    }

    fn link(&self, host: &str) -> String {
        format!("/stream?data={}", token(KEY, &format!("http://{host}:{}/film.mp4", self.port)))
    }
}

#[test]
fn nothing_is_fetched_from_this_machine_however_its_address_is_written() {
    let canary = Canary::start();
    let key = ("ENCRYPTION_KEY", KEY);
    let shut = TestServer::spawn(&[key]);
    for host in LOOPBACK {
        let answer = client::get(&shut.url(&canary.link(host)));
        assert_problem(&answer, 403, "blocked_address");
    }
    assert_eq!(canary.visits.load(Ordering::SeqCst), 0);
    // The same links lead there, once it is opened.
    let open = TestServer::spawn(&[key, ("ALLOW_PRIVATE_ADDRESSES", "127.0.0.0/8")]);
    for host in LOOPBACK {
        let answer = client::get(&open.url(&canary.link(host)));
        assert_eq!((answer.status, &answer.body[..]), (200, FILM), "{host}");
    }
    assert_eq!(canary.visits.load(Ordering::SeqCst), LOOPBACK.len());
}

#[test]
fn no_redirect_asks_a_proxy_for_a_private_address() {
    let world = world();
    let film = Media::new(5, 20_000);
    world.stage.play("media.example.net", "/public", Reply::media(&film));
    for host in LOOPBACK.into_iter().chain(["10.0.0.1", "[::1]", "printer.local", "metadata.google.internal"])
    {
        world.stage.play(host, "/canary", Reply::media(&film));
        let video = post().install(&world.stage);
        video.play(&world.stage, "audio", |_| Reply::redirect(302, &format!("https://{host}/canary")));
        assert_problem(&world.get(&world.stream_path(&video, "audio")), 403, "blocked_address");
    }
    let video = post().install(&world.stage);
    video.play(&world.stage, "audio", |_| Reply::redirect(302, "https://media.example.net/public"));
    assert_eq!(sha256(&world.get(&world.stream_path(&video, "audio")).body), film.sha256());
    assert_eq!(
        world.stage.seen_where(|seen| seen.path() == "/canary" || seen.host == "printer.local").len(),
        0
    );
}
