//! The stage does what it says: each check looks at it through a real TLS client.

use crate::support::client::{self, Answer, Broken, Open};
use crate::support::stage::tiktok::{self, TikTok};
use crate::support::stage::{Fault, Media, Options, Outcome, Reply, Scheme, Stage, sha256};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const HOST: &str = "cdn.example";
const FILM: &str = "https://cdn.example/film.mp4";
const SIZE: u64 = 500_000;

pub fn film() -> Media {
    Media::new(1, SIZE)
}

/// A stage that serves the film with this reply.
pub fn with(reply: Reply) -> Stage {
    let stage = Stage::start();
    stage.play(HOST, "/film.mp4", reply);
    stage
}

fn tunnel(stage: &Stage, host: &str, port: u16) -> TcpStream {
    let mut tcp = client::connect(SocketAddr::from(([127, 0, 0, 1], stage.port())));
    write!(tcp, "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    tcp
}

/// Trusts the stage's authority alone.
pub fn client_config(stage: &Stage) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(stage.ca_file()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Opens `url` through the stage, as a client that trusts the stage's authority alone.
pub fn open(stage: &Stage, method: &str, url: &str, headers: &[(&str, &str)]) -> Open {
    let url = Url::parse(url).unwrap();
    let tcp = tunnel(stage, url.host_str().unwrap(), 443);
    let name = ServerName::try_from(url.host_str().unwrap().to_owned()).unwrap();
    let tls = ClientConnection::new(client_config(stage), name).unwrap();
    client::send(Box::new(StreamOwned::new(tls, tcp)), method, &url, headers, b"")
}

pub fn get(stage: &Stage, headers: &[(&str, &str)]) -> Answer {
    open(stage, "GET", FILM, headers).finish()
}

/// The answer to a plain `GET` of the film served with that fault.
fn faulty(fault: Fault) -> Answer {
    get(&with(Reply::media(&film()).etag("\"v1\"").fault(fault)), &[])
}

#[test]
fn a_film_comes_whole_and_is_recorded() {
    let stage = with(Reply::media(&film()).content_type("video/mp4").etag("\"v1\""));
    let answer = get(&stage, &[("X-Test", "yes")]);
    assert_eq!((answer.status, answer.end.clone()), (200, Ok(())));
    assert_eq!(sha256(&answer.body), film().sha256());
    assert_eq!(answer.header("content-length"), Some("500000"));
    assert_eq!(answer.header("etag"), Some("\"v1\""));
    let seen = stage.wait_for(|seen| seen.first().is_some_and(|it| it.outcome == Outcome::Finished));
    assert_eq!((seen.len(), seen[0].host.as_str(), seen[0].port), (1, HOST, 443));
    assert_eq!(
        (seen[0].scheme, seen[0].path(), seen[0].header("x-test")),
        (Scheme::Https, "/film.mp4", Some("yes"))
    );
    assert_eq!((seen[0].status, seen[0].written), (200, SIZE));
    stage.wait_until_idle();
}

#[test]
fn ranges_are_exact() {
    let stage = with(Reply::media(&film()).etag("\"v1\""));
    for (asked, from, to) in
        [("0-0", 0, 1), ("100000-", 100_000, SIZE), ("7-1000008", 7, SIZE), ("-5", SIZE - 5, SIZE)]
    {
        let answer = get(&stage, &[("Range", &format!("bytes={asked}"))]);
        assert_eq!((answer.status, answer.complete()), (206, true), "{asked}");
        let said = format!("bytes {from}-{}/{SIZE}", to - 1);
        assert_eq!(answer.header("content-range"), Some(said.as_str()));
        assert_eq!(answer.body, film().bytes(from..to), "{asked}");
    }
    let past = get(&stage, &[("Range", "bytes=500000-")]);
    assert_eq!((past.status, past.header("content-range")), (416, Some("bytes */500000")));
    for whole in ["bytes=0-1,5-6", "bytes=5-1", "lines=1-2", "bytes=-"] {
        assert_eq!(get(&stage, &[("Range", whole)]).status, 200, "{whole}");
    }
    assert_eq!(get(&stage, &[("Range", "bytes=1-"), ("If-Range", "\"v1\"")]).status, 206);
    assert_eq!(get(&stage, &[("Range", "bytes=1-"), ("If-Range", "\"v0\"")]).status, 200);
    let deaf = with(Reply::media(&film()).no_ranges());
    assert_eq!(get(&deaf, &[("Range", "bytes=1-")]).status, 200);
}

#[test]
fn connections_are_kept() {
    let stage = with(Reply::media(&film()));
    let mut first = open(&stage, "GET", FILM, &[]);
    first.read_exactly(SIZE as usize);
    let second =
        first.again(b"GET /film.mp4?again HTTP/1.1\r\nHost: cdn.example\r\nConnection: close\r\n\r\n");
    assert_eq!(sha256(&second.finish().body), film().sha256());
    assert_eq!(stage.seen().len(), 2);
}

#[test]
fn bodies_without_a_length() {
    let chunked = get(&with(Reply::media(&film()).chunked()), &[]);
    assert_eq!((chunked.end.clone(), sha256(&chunked.body)), (Ok(()), film().sha256()));
    let closed = get(&with(Reply::media(&film()).close_delimited()), &[]);
    assert_eq!((closed.end.clone(), sha256(&closed.body)), (Ok(()), film().sha256()));
    let cut_off =
        get(&with(Reply::media(&film()).close_delimited().fault(Fault::HangUp { after: SIZE })), &[]);
    assert_eq!((cut_off.end, cut_off.body.len()), (Err(Broken::NoCloseNotify), SIZE as usize));
}

#[test]
fn faults_that_end_the_connection() {
    let cut = faulty(Fault::Cut { after: 123_456 });
    assert_eq!((cut.status, cut.end, cut.body.len()), (200, Err(Broken::Reset), 123_456));
    assert_eq!(cut.body, film().bytes(0..123_456));
    let hung_up = faulty(Fault::HangUp { after: 77 });
    assert_eq!((hung_up.end, hung_up.body.len()), (Err(Broken::NoCloseNotify), 77));
    let short = faulty(Fault::Short { by: 10 });
    assert_eq!((short.end, short.body.len()), (Err(Broken::Fin), SIZE as usize - 10));
    let long = faulty(Fault::Long { by: 10 });
    assert_eq!(long.header("content-length"), Some("500000"));
    let extra =
        open(&with(Reply::media(&film()).fault(Fault::Long { by: 10 })), "GET", FILM, &[]).connection_end();
    assert!(matches!(extra, Err(Broken::Garbage(_))), "{extra:?}");
    let truncated = faulty(Fault::TruncatedChunked { after: 1000 });
    assert_eq!((truncated.end, truncated.body), (Err(Broken::Fin), film().bytes(0..1000)));
    let before = faulty(Fault::Cut { after: 0 });
    assert_eq!((before.end, before.body.len()), (Err(Broken::Reset), 0));
}

#[test]
fn faults_that_lie_about_ranges() {
    let ask = [("Range", "bytes=1000-1999"), ("If-Range", "\"v1\"")];
    let answer = |fault| get(&with(Reply::media(&film()).etag("\"v1\"").fault(fault)), &ask);
    let wrong = answer(Fault::WrongRange { by: 100 });
    assert_eq!(wrong.header("content-range"), Some("bytes 1100-2099/500000"));
    assert_eq!(wrong.body, film().bytes(1100..2100));
    let unlabelled = answer(Fault::NoContentRange);
    assert_eq!((unlabelled.status, unlabelled.header("content-range")), (206, None));
    let changed = answer(Fault::ChangedEtag);
    assert_eq!(
        (changed.status, changed.header("etag"), changed.body.len()),
        (206, Some("\"changed\""), 1000)
    );
    assert!(changed.body.iter().zip(film().bytes(1000..2000)).all(|(a, b)| *a != b));
    let longer = answer(Fault::ChangedTotal { by: 5 });
    assert_eq!(longer.header("content-range"), Some("bytes 1000-1999/500005"));
}

#[test]
fn other_faults() {
    let gone = faulty(Fault::Status(403));
    assert_eq!((gone.status, gone.body), (403, b"403\n".to_vec()));
    let encoded = faulty(Fault::Encoded("gzip"));
    assert_eq!((encoded.header("content-encoding"), encoded.complete()), (Some("gzip"), true));
    let late = faulty(Fault::LateHead(Duration::from_millis(5)));
    assert!(late.complete());
    let slow = faulty(Fault::Slow { chunk: 50_000, pause: Duration::from_millis(1) });
    assert_eq!(sha256(&slow.body), film().sha256());
    let once = with(Reply::media(&film()).faults([Some(Fault::Status(500)), None, Some(Fault::Status(502))]));
    let statuses: Vec<u16> = (0..5).map(|_| get(&once, &[]).status).collect();
    assert_eq!(statuses, [500, 200, 502, 200, 200]);
}

#[test]
fn a_stall_holds_until_released() {
    let stage = with(Reply::media(&film()).fault(Fault::Stall { after: 1000 }));
    let mut held = open(&stage, "GET", FILM, &[]);
    assert_eq!(held.read_exactly(1000), film().bytes(0..1000));
    stage.release();
    let rest = held.finish();
    assert_eq!((rest.end.clone(), rest.body), (Ok(()), film().bytes(1000..SIZE)));

    let mut left = open(&stage, "GET", FILM, &[]);
    left.read_exactly(1000);
    assert_eq!(stage.seen()[1].outcome, Outcome::Playing);
    drop(left);
    stage.wait_for(|seen| seen[1].outcome == Outcome::ClientGone && seen[1].written == 1000);
    stage.wait_until_idle();
}

#[test]
fn a_held_head_comes_when_released() {
    let stage = with(Reply::media(&film()).fault(Fault::HeldHead));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| get(&stage, &[]));
        stage.wait_for(|seen| seen.len() == 1);
        assert!(!waiting.is_finished());
        stage.release();
        assert!(waiting.join().unwrap().complete());
    });
}

#[test]
fn a_client_that_does_not_read_holds_the_stage_back() {
    let stage = with(Reply::media(&Media::new(2, 64 << 20)));
    let mut idle = open(&stage, "GET", FILM, &[]);
    idle.read_exactly(1);
    // By the time that another client has read all of it, this one would have been sent all of it too.
    assert!(get(&stage, &[]).complete());
    let written = stage.seen()[0].written;
    assert!(written < 16 << 20, "{written} bytes were written to a client that does not read");
    drop(idle);
    stage.wait_for(|seen| seen[0].outcome == Outcome::ClientGone);
}

#[test]
fn plain_http_hosts_and_credentials() {
    let secret = Some(("user".to_owned(), "word".to_owned()));
    let stage = Stage::start_with(Options { credentials: secret, ..Options::default() });
    stage.play(HOST, "/page", Reply::html("<p>hello"));
    let proxy = SocketAddr::from(([127, 0, 0, 1], stage.port()));
    let ask = |target: &str, extra: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{extra}\r\n");
        client::open_raw(proxy, head.as_bytes()).finish()
    };
    let known = "Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n";
    assert_eq!(ask("http://cdn.example/page", "").status, 407);
    assert_eq!(ask("http://cdn.example/page?a=b", known).text(), "<p>hello");
    assert_eq!(ask("http://cdn.example/other", known).status, 404);
    assert_eq!(ask("http://unknown.example/page", known).status, 502);
    let connect = format!("CONNECT unknown.example:443 HTTP/1.1\r\n{known}\r\n");
    let answer = client::open_raw(proxy, connect.as_bytes());
    assert_eq!(answer.status, 502);
    let seen = stage.wait_for(|seen| seen.len() == 5 && seen[4].outcome == Outcome::Refused);
    assert_eq!((seen[4].method.as_str(), seen[4].target.as_str()), ("CONNECT", "unknown.example:443"));
    assert_eq!(seen[0].outcome, Outcome::Refused);
    assert_eq!((seen[1].scheme, seen[1].port, seen[1].outcome), (Scheme::Http, 80, Outcome::Finished));
}

#[test]
fn a_tiktok_post_wants_its_cookie_and_referer() {
    let stage = Stage::start();
    let video = TikTok::video("7300000000000000002").title("Salmon </script> ladder").install(&stage);
    let page = open(&stage, "GET", video.page_url(), &[]).finish();
    assert_eq!((page.status, page.body.len()), (200, 213_000));
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(cookie, format!("tt_chain_token={}", video.chain_token()));
    assert_eq!(video.formats().len(), 12);
    let url = format!("https://{}{}?expire=1", tiktok::CDN, video.format("play").path);
    let referer = ("Referer", video.page_url());
    assert_eq!(open(&stage, "GET", &url, &[]).status, 403);
    assert_eq!(open(&stage, "GET", &url, &[referer]).status, 403);
    assert_eq!(open(&stage, "GET", &url, &[("Cookie", &cookie)]).status, 403);
    assert_eq!(open(&stage, "HEAD", &url, &[("Cookie", &cookie), referer]).status, 403);
    let film = open(&stage, "GET", &url, &[("Cookie", &format!("a=b; {cookie}")), referer]).finish();
    assert_eq!(sha256(&film.body), video.media(tiktok::BEST).sha256());
    assert_eq!(video.seen(&stage).len(), 6);
    assert_eq!(video.seen_of(&stage, "play").len(), 5);
}

#[test]
fn pages_of_any_id_are_counted_without_a_record() {
    let stage = Stage::start_with(Options { remember: false, ..Options::default() });
    let video = TikTok::video("7300000000000000003").install_for_any_id(&stage);
    for id in ["7300000000000000004", "7300000000000000005"] {
        let page = open(&stage, "GET", &video.page_url().replace("7300000000000000003", id), &[]).finish();
        assert!(page.status == 200 && page.text().contains(id));
    }
    assert_eq!((video.any_pages(), stage.seen().len()), (2, 0));
}
