//! TLS of the server's own: `TLS_CERT` and `TLS_KEY`.

use crate::support::client::{self, Broken, ConnectionEnd, encode};
use crate::support::h2::{curl, try_curl};
use crate::support::server;
use crate::support::stage::{Fault, Media, Stage, sha256};
use crate::support::tls::{self, Pair, PairFiles, trusting};
use crate::support::world::{World, post};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{Read as _, Write as _};

/// A world whose server speaks https by a pair of files.
fn secure(files: &PairFiles, settings: &[(&str, &str)]) -> World {
    let pair = files.settings();
    let mut all: Vec<(&str, &str)> = pair.iter().map(|(name, path)| (*name, path.as_str())).collect();
    all.extend_from_slice(settings);
    World::keyed(&all)
}

#[test]
fn both_versions_of_http_are_spoken_and_links_begin_with_https() {
    let pair = Pair::new();
    let files = PairFiles::of(&pair);
    let world = secure(&files, &[]);
    let (cert, media) = (files.cert().display().to_string(), Media::new(950, 3_000_000));
    let film = world.film(&media, |reply| reply);
    let video = post().install(&world.stage);
    let page = world.server.url(&format!("/extract?url={}", encode(video.page_url())));
    assert!(page.starts_with("https://"));
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2"), ("--tls-max=1.2", "2")] {
        let flag: Vec<&str> = flag.split('=').collect();
        let curl = |more: &[&str]| curl(&[&["--cacert", cert.as_str()], &flag[..], more].concat());
        let said =
            curl(&["-o", "/dev/null", "-w", "%{http_version} %{http_code}", &world.server.url("/ready")]);
        assert_eq!(String::from_utf8(said).unwrap(), format!("{version} 200"));
        assert_eq!(sha256(&curl(&[&world.server.url(&film.link)])), media.sha256());
        let extraction: Value = serde_json::from_slice(&curl(&[&page])).unwrap();
        let link = extraction["thumbnail"].as_str().unwrap();
        assert!(link.starts_with(&world.server.url("/stream?data=")), "{link}");
        assert!(!curl(&[link]).is_empty());
    }
    // Who does not know the certificate does not go on: CURLE_PEER_FAILED_VERIFICATION.
    assert_eq!(try_curl(&[&world.server.url("/ready")]).0, Some(60));
}

#[test]
fn a_stream_that_breaks_has_no_clean_end() {
    let pair = Pair::new();
    let world = secure(&PairFiles::of(&pair), &[]);
    let media = Media::new(951, 1_000_000);
    for cut in [true, false] {
        let fault = Fault::Cut { after: 300_000 };
        let film = world.film(&media, |reply| {
            let reply = reply.no_ranges().chunked();
            if cut { reply.fault(fault) } else { reply }
        });
        // HTTP/1.0: only the connection's end tells the body's.
        let request = format!("GET {} HTTP/1.0\r\n\r\n", film.link);
        let answer = tls::open_raw(world.server.address(), &pair.cert, request.as_bytes()).finish();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, media.bytes(0..answer.body.len() as u64));
        match cut {
            true => {
                assert!(matches!(answer.end, Err(Broken::Reset | Broken::NoCloseNotify)), "{:?}", answer.end)
            }
            false => assert_eq!((&answer.end, answer.body.len()), (&Ok(()), 1_000_000)),
        }
        let answer = tls::open(&world.server.url(&film.link), &pair.cert).finish();
        assert_eq!(answer.complete(), !cut, "{:?}", answer.end);
    }
}

#[test]
fn a_client_that_leaves_or_takes_nothing_is_noticed() {
    let pair = Pair::new();
    let world = secure(&PairFiles::of(&pair), &[("DOWNLOAD_TIMEOUT", "1")]);
    let film = world.film(&Media::new(952, 64 << 20), |reply| reply);
    let url = world.server.url(&film.link);
    let mut stream = tls::open(&url, &pair.cert);
    stream.read_exactly(100_000);
    drop(stream);
    let gone = |count| {
        film.wait_for(&world, |seen| {
            let gone = seen.iter().filter(|seen| seen.outcome == crate::support::stage::Outcome::ClientGone);
            gone.count() == count
        })
    };
    gone(1);
    let idle = tls::open(&url, &pair.cert);
    gone(2);
    world.server.wait_for_log("connection reset");
    assert!(!idle.finish().complete());
}

/// What the server shows a client that trusts a certificate.
fn shakes_hands(world: &World, cert: &str) -> bool {
    tls::connect(world.server.address(), trusting(cert)).is_ok()
}

#[test]
fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let (first, second, third) = (Pair::new(), Pair::new(), Pair::new());
    let files = PairFiles::of(&first);
    let world = secure(&files, &[]);
    assert!(shakes_hands(&world, &first.cert) && !shakes_hands(&world, &second.cert));
    let mut kept = tls::connect(world.server.address(), trusting(&first.cert)).unwrap();

    files.put(&second.cert, &second.key);
    world.server.wait_for_log("the TLS certificate was read anew");
    assert!(!shakes_hands(&world, &first.cert) && shakes_hands(&world, &second.cert));
    // Connections that are there go on.
    kept.write_all(b"GET /ready HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");

    files.put(&third.cert, &first.key);
    let line = world.server.wait_for_log("the new TLS certificate can't be used");
    assert!(line.contains("cert.pem") && line.contains("the old one stays"), "{line}");
    assert!(shakes_hands(&world, &second.cert) && !shakes_hands(&world, &third.cert));
    let complaints = || world.server.log().iter().filter(|line| line.contains("can't be used")).count();
    assert_eq!(complaints(), 1);

    // At SIGHUP they are read at once, changed or not.
    world.server.signal(Signal::SIGHUP);
    world.wait_until(|| if complaints() == 2 { Ok(()) } else { Err(complaints()) });
    files.put(&third.cert, &third.key);
    world.wait_until(|| if shakes_hands(&world, &third.cert) { Ok(()) } else { Err("the old one") });
}

#[test]
fn plain_http_is_told_so() {
    let pair = Pair::new();
    let world = secure(&PairFiles::of(&pair), &[]);
    let (answer, end) = client::raw(world.server.address(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("https.\n"), "{answer}");
    assert_eq!(end, ConnectionEnd::Fin);
    assert!(shakes_hands(&world, &pair.cert));
}

#[test]
fn a_handshake_has_a_time_limit() {
    let pair = Pair::new();
    let world = secure(&PairFiles::of(&pair), &[]);
    let silent = client::connect(world.server.address());
    let mut slow = client::connect(world.server.address());
    slow.write_all(&[22, 3, 1, 1]).unwrap();
    for mut wire in [silent, slow] {
        assert!(!matches!(wire.read(&mut [0; 16]), Ok(1..)), "it was answered");
    }
    assert!(shakes_hands(&world, &pair.cert));
}

#[test]
fn one_without_the_other_or_a_wrong_pair_is_a_problem() {
    let (pair, other) = (Pair::new(), Pair::new());
    let files = PairFiles::of(&pair);
    let [cert, key] = files.settings();
    let problems = |settings: &[(&str, &str)]| {
        let ended = server::run(settings, &[]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        ended.stderr
    };
    let (cert, key) = (cert.1.as_str(), key.1.as_str());
    for (settings, named) in [
        (&[("TLS_CERT", cert)][..], "TLS_CERT (environment)"),
        (&[("TLS_KEY", key)], "TLS_KEY (environment)"),
        (
            &[("TLS_CERT", "/nowhere/cert.pem"), ("TLS_KEY", key)],
            "TLS_CERT (environment): /nowhere/cert.pem: ",
        ),
        (&[("TLS_CERT", cert), ("TLS_KEY", "/nowhere/key.pem")], "TLS_KEY (environment): /nowhere/key.pem: "),
        (&[("TLS_CERT", key), ("TLS_KEY", key)], "TLS_CERT (environment)"),
        (&[("TLS_CERT", cert), ("TLS_KEY", cert)], "TLS_KEY (environment)"),
    ] {
        let said = problems(settings);
        assert!(said.contains(named), "{named} in {said}");
    }
    files.put(&pair.cert, &other.key);
    let said = problems(&[("TLS_CERT", cert), ("TLS_KEY", key)]);
    assert!(said.contains("TLS_CERT") && said.contains("key.pem"), "{said}");
    files.put(&pair.cert, &pair.key);
    drop(server::TestServer::with_stage(&Stage::start(), &[("TLS_CERT", cert), ("TLS_KEY", key)]));
}
