//! HTTP/2 in the clear, with prior knowledge: the same answers, and streams that end alone.

mod floods;

use crate::support::client::{self, encode};
use crate::support::film::Film;
use crate::support::h2::{Open, ask, connect, curl, try_curl};
use crate::support::stage::{Fault, Media, sha256};
use crate::support::world::{World, post, world};
use bytes::Bytes;
use h2::client::SendRequest;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};

const PRIOR: &str = "--http2-prior-knowledge";

/// Does something with many clients.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
}

async fn get(client: &SendRequest<Bytes>, world: &World, path: &str) -> Open {
    ask(client, "GET", &world.server.url(path), &[]).await.unwrap()
}

#[test]
fn answers_are_those_of_http_1() {
    let world = world();
    let video = post().install(&world.stage);
    let extract = format!("/extract?url={}", encode(video.page_url()));
    // The first is of the site, the others of the cache.
    world.get(&extract);
    for path in [&extract, "/openapi.json", "/nowhere", "/extract?url=nonsense"] {
        let first = world.get(path);
        let version = ["-w", "\n%{http_version} %{http_code}", PRIOR, &world.server.url(path)];
        let second = String::from_utf8(curl(&version)).unwrap();
        let (body, said) = second.rsplit_once('\n').unwrap();
        assert_eq!(said, format!("2 {}", first.status), "{path}");
        let (first, second) = (first.json(), serde_json::from_str::<Value>(body).unwrap());
        let same = |value: &Value| {
            let mut value = value.clone();
            // It holds the request's id.
            value.as_object_mut().unwrap().remove("instance");
            value
        };
        assert_eq!(same(&first)["code"], same(&second)["code"], "{path}");
        assert_eq!(first["formats"], second["formats"], "{path}");
    }
    let health: Value = serde_json::from_slice(&curl(&[PRIOR, &world.server.url("/health")])).unwrap();
    assert_eq!(health["status"], "ok");
    let body = serde_json::json!({"url": video.page_url()}).to_string();
    let posted = curl(&[PRIOR, "--json", &body, &world.server.url("/extract")]);
    assert_eq!(serde_json::from_slice::<Value>(&posted).unwrap()["kind"], "video");
}

#[test]
fn the_host_is_the_one_of_the_target() {
    let world = world();
    let metrics = world.server.url("/metrics");
    let status = |arguments: &[&str]| {
        let all = [&["-o", "/dev/null", "-w", "%{http_code}", PRIOR], arguments].concat();
        String::from_utf8(curl(&all)).unwrap()
    };
    assert_eq!(status(&[&metrics]), "200");
    assert_eq!(status(&["-H", "Host: evil.example", &metrics]), "404");
    let host = "video.example.org:8080";
    let video = post().install(&world.stage);
    let extract = world.server.url(&format!("/extract?url={}", encode(video.page_url())));
    let answer = curl(&[PRIOR, "-H", &format!("Host: {host}"), &extract]);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let link = answer["thumbnail"].as_str().unwrap();
    assert!(link.starts_with(&format!("http://{host}/stream?data=")), "{link}");
}

#[test]
fn a_stream_is_whole_and_so_are_its_ranges() {
    let world = World::keyed(&[]);
    let media = Media::new(900, 5_000_000);
    let film = world.film(&media, |reply| reply);
    let url = world.server.url(&film.link);
    assert_eq!(sha256(&curl(&[PRIOR, &url])), media.sha256());
    assert_eq!(curl(&[PRIOR, "-r", "1000-4999", &url]), media.bytes(1000..5000));
    let head = String::from_utf8(curl(&[PRIOR, "-I", &url])).unwrap().to_lowercase();
    assert!(head.starts_with("http/2 200") && head.contains("\r\ncontent-length: 5000000\r\n"), "{head}");
    run(async {
        let client = connect(world.server.address()).await;
        let part = ask(&client, "GET", &url, &[("range", "bytes=-70000")]).await.unwrap();
        assert_eq!(part.status, 206);
        assert_eq!(part.headers["content-range"], "bytes 4930000-4999999/5000000");
        assert_eq!(part.finish().await.0, media.bytes(4_930_000..5_000_000));
        let head = ask(&client, "HEAD", &url, &[]).await.unwrap();
        assert_eq!(head.headers["content-length"], "5000000");
        let (body, end) = head.finish().await;
        assert!(body.is_empty() && end.is_ok());
    });
}

#[test]
fn a_stream_that_breaks_breaks_alone_and_visibly() {
    let world = World::keyed(&[]);
    let media = Media::new(901, 1_000_000);
    let broken = |reply: crate::support::stage::Reply| reply.no_ranges().fault(Fault::Cut { after: 300_000 });
    for chunked in [false, true] {
        let film = world.film(&media, |reply| if chunked { broken(reply).chunked() } else { broken(reply) });
        let well = world.film(&media, |reply| reply);
        run(async {
            let client = connect(world.server.address()).await;
            let (one, other) =
                (get(&client, &world, &film.link).await, get(&client, &world, &well.link).await);
            let (body, end) = one.finish().await;
            let error = end.expect_err("a stream that broke has a clean end");
            assert!(error.is_reset(), "{error}");
            assert_eq!(body, media.bytes(0..body.len() as u64));
            let (body, end) = other.finish().await;
            assert!(end.is_ok() && sha256(&body) == media.sha256());
        });
        let (code, _) = try_curl(&[PRIOR, "-o", "/dev/null", &world.server.url(&film.link)]);
        // CURLE_HTTP2_STREAM
        assert_eq!(code, Some(92));
    }
}

#[test]
fn twenty_streams_of_a_connection_go_on_beside_one_that_is_slow() {
    let world = World::keyed(&[]);
    let media = Media::new(902, 2_000_000);
    let films: Vec<Film> = (0..20).map(|_| world.film(&media, |reply| reply)).collect();
    let slow = world.film(&media, |reply| reply);
    run(async {
        let client = connect(world.server.address()).await;
        let slow = get(&client, &world, &slow.link).await;
        let opened: Vec<Open> = {
            let mut opened = Vec::new();
            for film in &films {
                opened.push(get(&client, &world, &film.link).await);
            }
            opened
        };
        let running: Vec<_> = opened.into_iter().map(|open| tokio::spawn(open.finish())).collect();
        for stream in running {
            let (body, end) = stream.await.unwrap();
            assert!(end.is_ok() && sha256(&body) == media.sha256());
        }
        let (body, end) = slow.finish().await;
        assert!(end.is_ok() && sha256(&body) == media.sha256());
    });
}

#[test]
fn who_takes_nothing_of_a_stream_loses_it_alone() {
    let world = World::keyed(&[("DOWNLOAD_TIMEOUT", "1")]);
    let media = Media::new(903, 4_000_000);
    let [idle, slow] = [(); 2].map(|()| world.film(&media, |reply| reply));
    run(async {
        let client = connect(world.server.address()).await;
        let idle_stream = get(&client, &world, &idle.link).await;
        let mut slow_stream = get(&client, &world, &slow.link).await;
        // For three times as long as silence may be.
        let end = Instant::now() + Duration::from_secs(3);
        let mut read = Vec::new();
        while Instant::now() < end {
            read.extend(slow_stream.read().await.unwrap().unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.server.wait_for_log("stream reset");
        idle.wait_for(&world, |seen| {
            seen.iter().all(|seen| seen.outcome == crate::support::stage::Outcome::ClientGone)
        });
        let (body, end) = idle_stream.finish().await;
        assert!(end.is_err_and(|error| error.is_reset()));
        assert_eq!(body, media.bytes(0..body.len() as u64));
        let (rest, end) = slow_stream.finish().await;
        assert!(end.is_ok());
        read.extend(rest);
        assert_eq!(sha256(&read), media.sha256());
    });
}

#[test]
fn a_client_that_resets_a_stream_frees_its_upstream() {
    let world = World::keyed(&[]);
    let film = world.film(&Media::new(904, 60_000_000), |reply| reply);
    run(async {
        let client = connect(world.server.address()).await;
        let mut stream = get(&client, &world, &film.link).await;
        stream.read().await.unwrap().unwrap();
        world.wait_for_streams(1);
        drop(stream);
        world.wait_for_no_stream();
        assert_eq!(get(&client, &world, "/ready").await.status, 200);
    });
}

#[test]
fn many_requests_share_connections() {
    let world = world();
    let output = std::process::Command::new("h2load")
        .args(["-n", "3000", "-c", "5", "-m", "50", &world.server.url("/ready")])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(" 3000 succeeded, 0 failed, 0 errored") && said.contains("3000 2xx"), "{said}");
}

#[test]
fn a_drain_lets_streams_finish() {
    let mut world = World::keyed(&[]);
    let media = Media::new(905, 300_000);
    let film = world.film(&media, |reply| reply.faults([Some(Fault::Stall { after: 20_000 })]));
    run(async {
        let client = connect(world.server.address()).await;
        let idle = connect(world.server.address()).await;
        let mut stream = get(&client, &world, &film.link).await;
        let mut body = stream.read().await.unwrap().unwrap().to_vec();
        world.server.signal(Signal::SIGTERM);
        world.server.wait_for_log("draining");
        // GOAWAY: no new requests.
        while let Ok(open) = ask(&idle, "GET", &world.server.url("/ready"), &[]).await {
            assert_eq!(open.status, 503);
        }
        world.stage.release();
        let (rest, end) = stream.finish().await;
        assert!(end.is_ok());
        body.extend(rest);
        assert_eq!(sha256(&body), media.sha256());
    });
    assert_eq!(world.server.wait_exit(), Some(0));
}

#[test]
fn a_drain_has_an_end_for_streams_that_share_a_connection() {
    let mut world = World::keyed(&[("DRAIN_TIMEOUT", "1")]);
    let film = world.film(&Media::new(906, 300_000), |reply| reply.fault(Fault::Stall { after: 20_000 }));
    run(async {
        let client = connect(world.server.address()).await;
        let mut stream = get(&client, &world, &film.link).await;
        stream.read().await.unwrap().unwrap();
        world.server.signal(Signal::SIGTERM);
        assert_eq!(world.server.wait_exit(), Some(0));
        assert!(stream.finish().await.1.is_err(), "a stream that was cut off ended clean");
    });
}

#[test]
fn what_only_begins_like_http_2_is_http_1() {
    let world = world();
    for bytes in
        [&b"PRI * HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"P * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]
    {
        let (answer, _) = client::raw(world.server.address(), &[bytes, b"GET / HTTP/1.0\r\n\r\n"].concat());
        assert!(answer.starts_with(b"HTTP/1.1 40"), "{}", String::from_utf8_lossy(&answer));
    }
}
