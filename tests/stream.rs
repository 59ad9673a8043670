//! `/stream`: exact bytes, honest heads, and never a clean end of a body that is not whole.

use crate::support::client::{self, Broken, ConnectionEnd, encode};
use crate::support::stage::tiktok::{BEST, Video};
use crate::support::stage::{Fault, Outcome, Reply, sha256};
use crate::support::world::{World, assert_problem, post, world};

/// A post whose audio is served in a way of the test's own, and the path that streams it.
fn audio_served(change: impl FnOnce(Reply) -> Reply) -> (&'static World, Video, String) {
    let world = world();
    let video = post().install(&world.stage);
    video.play(&world.stage, "audio", change);
    let path = world.stream_path(&video, "audio");
    (world, video, path)
}

#[test]
fn a_token_gives_the_bytes_of_its_format() {
    let world = world();
    let video = post().title("A gate, a wheel").install(&world.stage);
    for format_id in [BEST, "play", "h264_360p_400000", "bytevc1_540p_500000", "download", "audio"] {
        let answer = world.get(&world.stream_path(&video, format_id));
        assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{format_id}");
        assert_eq!(sha256(&answer.body), video.media(format_id).sha256(), "{format_id}");
        let length = video.media(format_id).len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()), "{format_id}");
        let kind = if format_id == "audio" { "audio/mpeg" } else { "video/mp4" };
        assert_eq!(answer.header("content-type"), Some(kind), "{format_id}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("set-cookie").is_none());
        // The stage answers 200 only to whoever brings the page's cookie and Referer.
        let seen = video.seen_of(&world.stage, format_id);
        assert_eq!((seen.len(), seen[0].status), (1, 200), "{format_id}");
        assert_eq!(
            seen[0].header("cookie"),
            Some(format!("tt_chain_token={}", video.chain_token()).as_str())
        );
        assert_eq!(seen[0].header("accept-encoding").unwrap_or("identity"), "identity");
    }
}

#[test]
fn a_page_url_streams_in_one_request() {
    let world = world();
    let video = post().install(&world.stage);
    let page = encode(video.page_url());
    let default = world.get(&format!("/stream?url={page}"));
    assert_eq!((default.status, default.end.clone()), (200, Ok(())));
    assert_eq!(sha256(&default.body), video.media(BEST).sha256());
    for (selector, format_id) in [
        ("audio", "audio"),
        ("h264_540p_700000", "h264_540p_700000"),
        ("b[height<=1024][vcodec=h264]", "h264_540p_1200000"),
        ("nothing/ba", "audio"),
    ] {
        let answer = world.get(&format!("/stream?url={page}&format={}", encode(selector)));
        assert_eq!(answer.status, 200, "{selector}: {}", answer.text());
        assert_eq!(sha256(&answer.body), video.media(format_id).sha256(), "{selector}");
    }
    assert_problem(&world.get(&format!("/stream?url={page}&format=nothing")), 404, "format_unavailable");
    assert_problem(&world.get(&format!("/stream?url={page}&format=%5B")), 400, "bad_request");
}

#[test]
fn the_cdn_is_believed_about_the_length_and_not_the_page() {
    let world = world();
    for lie in [-1000, 1000] {
        let video = post().size_lie(lie).install(&world.stage);
        let extraction = world.extract(video.page_url());
        let said = video.media(BEST).len().saturating_add_signed(lie);
        assert_eq!(crate::support::world::format(&extraction, BEST)["filesize"], said);
        let answer = world.get(&world.stream_path(&video, BEST));
        assert_eq!(answer.header("content-length"), Some(video.media(BEST).len().to_string().as_str()));
        assert_eq!((answer.end.clone(), sha256(&answer.body)), (Ok(()), video.media(BEST).sha256()));
    }
}

#[test]
fn head_says_what_get_would() {
    let world = world();
    let video = post().install(&world.stage);
    let by_url = format!("/stream?url={}&format=audio", encode(video.page_url()));
    for path in [world.stream_path(&video, "audio"), by_url] {
        let url = world.server.url(&path);
        let (head, get) = (client::request("HEAD", &url, &[], b""), client::get(&url));
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in
            ["content-length", "content-type", "content-disposition", "x-filename", "etag", "last-modified"]
        {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
        assert_eq!(head.header("content-length"), Some(video.media("audio").len().to_string().as_str()));
    }
    // A HEAD leaves nothing running upstream, and does not move the film.
    let big = post().size(64 << 20).install(&world.stage);
    let path = world.stream_path(&big, BEST);
    assert_eq!(client::request("HEAD", &world.server.url(&path), &[], b"").status, 200);
    let over = |seen: &crate::support::stage::Seen| seen.outcome != Outcome::Playing;
    let all = world.stage.wait_for(|seen| seen.iter().filter(|it| big.concerns(it)).all(over));
    let moved: u64 = all.iter().filter(|it| it.path() == big.format(BEST).path).map(|it| it.written).sum();
    assert!(moved < 16 << 20, "{moved} bytes were moved for a HEAD");
}

#[test]
fn names_are_safe_for_headers_and_folders() {
    let world = world();
    let video =
        post().title("Schleuse \"Süd\"\r\nX-Evil: 1 \u{202e}../../etc/ \u{6c34}").install(&world.stage);
    let path = world.stream_path(&video, "audio");
    let answer = world.get(&path);
    assert_eq!((answer.status, answer.header("x-evil")), (200, None));
    let disposition = answer.header("content-disposition").unwrap();
    let (plain, extended) = disposition
        .strip_prefix("attachment; filename=\"")
        .unwrap()
        .split_once("\"; filename*=UTF-8''")
        .unwrap();
    assert!(plain.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"\\/".contains(&byte)), "{plain:?}");
    assert!(plain.ends_with(".mp3") && extended.ends_with(".mp3"), "{disposition}");
    let decoded =
        url::form_urlencoded::parse(format!("n={extended}").as_bytes()).next().unwrap().1.into_owned();
    assert!(decoded.contains("Süd") && decoded.contains('\u{6c34}'), "{decoded}");
    assert!(!decoded.contains(['/', '\\', '\r', '\n', '\u{202e}', '"']), "{decoded:?}");
    assert_eq!(answer.header("x-filename"), Some(extended));
    let inline = world.get(&format!("{path}&inline=1"));
    assert!(inline.header("content-disposition").unwrap().starts_with("inline; filename="));
}

#[test]
fn without_a_length_the_end_is_still_certain() {
    for change in [Reply::chunked as fn(Reply) -> Reply, Reply::close_delimited] {
        let (world, video, path) = audio_served(change);
        let answer = world.get(&path);
        assert_eq!((answer.status, answer.header("content-length")), (200, None));
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert_eq!((answer.end.clone(), sha256(&answer.body)), (Ok(()), video.media("audio").sha256()));
    }
}

#[test]
fn a_broken_upstream_never_ends_clean() {
    type Change = Box<dyn FnOnce(Reply) -> Reply>;
    let by = |fault: Fault| -> Change { Box::new(move |reply| reply.no_ranges().fault(fault)) };
    let size = 60_000;
    let cases: [(&str, Change); 6] = [
        ("reset", by(Fault::Cut { after: 20_000 })),
        ("hang-up", by(Fault::HangUp { after: 20_000 })),
        ("short", by(Fault::Short { by: 1 })),
        ("truncated chunks", by(Fault::TruncatedChunked { after: 20_000 })),
        ("no last chunk", by(Fault::TruncatedChunked { after: size })),
        (
            "no close_notify",
            Box::new(move |it| it.no_ranges().close_delimited().fault(Fault::HangUp { after: size })),
        ),
    ];
    for (name, change) in cases {
        let (world, video, path) = audio_served(change);
        assert_eq!(video.media("audio").len(), size);
        let answer = world.get(&path);
        let seen = video.seen_of(&world.stage, "audio");
        assert!(
            seen.iter().all(|it| matches!(it.outcome, Outcome::Cut | Outcome::ClientGone)),
            "{name}: {seen:?}"
        );
        if answer.status == 200 {
            assert!(!answer.complete(), "{name}: {} bytes and a clean end", answer.body.len());
            let whole = video.media("audio").bytes(0..size);
            assert!(whole.starts_with(&answer.body), "{name}: wrong bytes");
        } else {
            // Nothing had been sent yet, so it could still be said in words.
            assert_problem(&answer, 502, "upstream_error");
        }
    }
}

#[test]
fn an_http_1_0_client_sees_a_reset() {
    let ask = |world: &World, path: &str| {
        client::raw(world.server.address(), format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
    };
    for framing in [Reply::chunked, Reply::close_delimited, std::convert::identity] {
        let (world, video, path) = audio_served(framing);
        // Many times: hyper learns of the end in more than one way, as it happens to be told.
        for _ in 0..20 {
            let (answer, end) = ask(world, &path);
            let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
            assert!(answer.starts_with(b"HTTP/1.0 200 "), "{:?}", String::from_utf8_lossy(&answer[..head]));
            assert_eq!((end, sha256(&answer[head..])), (ConnectionEnd::Fin, video.media("audio").sha256()));
        }
    }

    let (world, _, path) =
        audio_served(|reply| reply.no_ranges().fault(Fault::TruncatedChunked { after: 30_000 }));
    assert_eq!(ask(world, &path).1, ConnectionEnd::Reset);
}

#[test]
fn a_refusal_by_the_cdn_is_told_before_the_first_byte() {
    for status in [400, 403, 404, 410, 416, 500, 503] {
        let (world, video, path) = audio_served(|reply| reply.fault(Fault::Status(status)));
        assert_problem(&world.get(&path), 502, "upstream_error");
        assert_ne!(video.seen_of(&world.stage, "audio").len(), 0);
        let head = client::request("HEAD", &world.server.url(&path), &[], b"");
        assert_eq!((head.status, head.body.len()), (502, 0));
    }
}

#[test]
fn an_encoded_body_is_refused() {
    for coding in ["gzip", "br", "x-unknown"] {
        let (world, _, path) = audio_served(|reply| reply.fault(Fault::Encoded(coding)));
        assert_problem(&world.get(&path), 502, "upstream_error");
    }
    let (world, video, path) = audio_served(|reply| reply.fault(Fault::Encoded("identity")));
    assert_eq!(sha256(&world.get(&path).body), video.media("audio").sha256());
}

#[test]
fn a_transfer_coding_that_hides_the_end_is_refused() {
    let world = world();
    let host = "plain.example.net";
    let play = |id: &str, reply: Reply| {
        let path = format!("/{id}/film.mp4");
        world.stage.play(host, &path, reply);
        let video = post().install(&world.stage);
        let target = format!("https://{host}{path}");
        video.play(&world.stage, "audio", |_| Reply::redirect(302, &target));
        world.stream_path(&video, "audio")
    };
    let film = || Reply::media(&crate::support::stage::Media::new(5, 40_000));
    for coding in ["identity", "gzip", "x, foo", "gzip, chunked"] {
        let path = play(
            coding.split([',', ' ']).next().unwrap(),
            film().close_delimited().header("Transfer-Encoding", coding),
        );
        assert_problem(&world.get(&path), 502, "upstream_error");
    }
    assert_eq!(world.get(&play("chunked", film().chunked())).body.len(), 40_000);
    assert_eq!(world.get(&play("plain", film())).body.len(), 40_000);
}

#[test]
fn a_page_is_not_passed_off_as_a_film() {
    let (world, _, path) = audio_served(|_| Reply::html("<script>alert(1)</script>"));
    let answer = world.get(&path);
    let kind = answer.header("content-type").unwrap();
    assert!(!kind.contains("html") && !kind.contains("svg"), "{kind}");
}

#[test]
fn a_client_that_leaves_takes_the_upstream_with_it() {
    let (world, video, path) = audio_served(|reply| reply.fault(Fault::Stall { after: 20_000 }));
    let mut client = client::open("GET", &world.server.url(&path), &[], b"");
    assert_eq!(client.read_exactly(20_000), video.media("audio").bytes(0..20_000));
    assert_eq!(video.seen_of(&world.stage, "audio")[0].outcome, Outcome::Playing);
    drop(client);
    video.wait_client_gone(&world.stage, "audio");
}

#[test]
fn a_client_that_does_not_read_holds_the_upstream_back() {
    let world = world();
    let video = post().size(64 << 20).install(&world.stage);
    let url = world.server.url(&world.stream_path(&video, BEST));
    let mut idle = client::open("GET", &url, &[], b"");
    // By the time that another client has read all of it, this one's upstream would have been read too.
    assert_eq!(sha256(&client::get(&url).body), video.media(BEST).sha256());
    let seen = video.seen_of(&world.stage, BEST);
    assert_eq!((seen.len(), seen[0].outcome, seen[1].written), (2, Outcome::Playing, 64 << 20));
    assert!(seen[0].written < 16 << 20, "{} bytes were read ahead of the client", seen[0].written);
    // And it is held back, not broken.
    assert_eq!(idle.read_exactly(1 << 20), video.media(BEST).bytes(0..1 << 20));
    drop(idle);
    video.wait_client_gone(&world.stage, BEST);
}

#[test]
fn many_streams_at_once_don_t_mix() {
    let world = world();
    let videos: Vec<Video> = (0..6).map(|_| post().install(&world.stage)).collect();
    std::thread::scope(|scope| {
        for video in &videos {
            for format_id in [BEST, "audio"] {
                scope.spawn(move || {
                    let path = format!("/stream?url={}&format={format_id}", encode(video.page_url()));
                    let answer = world.get(&path);
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert_eq!(sha256(&answer.body), video.media(format_id).sha256(), "{format_id}");
                });
            }
        }
    });
}

#[test]
fn connections_serve_one_request_after_another() {
    let world = world();
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, "audio");
    let mut first = client::open("GET", &world.server.url(&path), &[], b"");
    first.read_exactly(video.media("audio").len() as usize);
    assert_eq!(first.read(1), Ok(Vec::new()));
    let second =
        first.again(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes());
    let mut second = second;
    second.read_exactly(video.media("audio").len() as usize);
    assert_eq!(second.connection_end(), Ok::<(), Broken>(()));
}
