//! The stage as the servers themselves, for clients that come to it without a proxy.

use crate::stage_checks::{client_config, film, with};
use crate::support::client::{self, Answer};
use crate::support::stage::tiktok::{BEST, CDN, PAGES, TikTok};
use crate::support::stage::{Reply, Scheme, Stage, sha256};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::net::{IpAddr, SocketAddr, TcpStream};
use url::Url;

const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A connection to the stage that comes from another address of this machine.
fn connect_from(stage: &Stage, source: IpAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&SocketAddr::new(LOCALHOST, stage.port()).into()).unwrap();
    socket.into()
}

/// `GET` with the headers that TikTok's CDN asks for.
fn get_from(stage: &Stage, source: IpAddr, url: &str, cookie: &str) -> Answer {
    let (url, referer) = (Url::parse(url).unwrap(), format!("https://{PAGES}/"));
    let cookie = format!("tt_chain_token={cookie}");
    let headers = [("Cookie", &*cookie), ("Referer", &*referer), ("Connection", "close")];
    client::send(Box::new(connect_from(stage, source)), "GET", &url, &headers, b"").finish()
}

#[test]
fn tls_and_plain_http_are_told_apart_on_the_same_port() {
    let stage = with(Reply::media(&film()));
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other_port = elsewhere.local_addr().unwrap().port();
    stage.serve(elsewhere);
    for port in [stage.port(), other_port] {
        let to = SocketAddr::new(LOCALHOST, port);
        let plain = Url::parse("http://cdn.example/film.mp4").unwrap();
        let answer = client::send(Box::new(client::connect(to)), "GET", &plain, &[], b"").finish();
        assert_eq!((answer.status, sha256(&answer.body)), (200, film().sha256()));
        let name = ServerName::try_from("cdn.example").unwrap();
        let tls = ClientConnection::new(client_config(&stage), name).unwrap();
        let wire = StreamOwned::new(tls, client::connect(to));
        let secure = Url::parse("https://cdn.example/film.mp4").unwrap();
        let answer = client::send(Box::new(wire), "GET", &secure, &[], b"").finish();
        assert_eq!((answer.status, sha256(&answer.body)), (200, film().sha256()));
        let seen = stage.seen_where(|seen| seen.to == to);
        let schemes: Vec<Scheme> = seen.iter().map(|seen| seen.scheme).collect();
        assert_eq!(schemes, [Scheme::Http, Scheme::Https]);
        assert!(seen.iter().all(|seen| seen.host == "cdn.example" && seen.from.ip() == LOCALHOST));
    }
}

#[test]
fn a_bound_link_serves_only_who_fetched_the_page() {
    let stage = Stage::start();
    let video = TikTok::video("7300000000000000002").bound().install(&stage);
    let page = video.page_url().replace("https", "http");
    let sources: [IpAddr; 2] = [LOCALHOST, "127.0.0.9".parse().unwrap()];
    for reader in sources {
        assert!(get_from(&stage, reader, &page, "").text().contains(&format!("ip={reader}")));
        let link = format!("http://{CDN}{}?ip={reader}", video.format(BEST).path);
        for source in sources {
            let status = get_from(&stage, source, &link, video.chain_token()).status;
            assert_eq!(status, if source == reader { 200 } else { 403 }, "{reader}'s link from {source}");
        }
    }
    assert_eq!(stage.seen_where(|seen| seen.from.ip() == sources[1]).len(), 3);
}
