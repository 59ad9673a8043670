//! The internet of a test's own does what it says: see `support::net`.

use crate::support::client::{self, get};
use crate::support::dns::{Entry, Zone};
use crate::support::net::{Attempt, CLIENT, Net, OWN, OWN_V6, STAGE, inside};
use crate::support::stage::{Media, Reply, sha256};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

/// Addresses beyond the server's machine that it must not reach, and that it does not reach by itself.
const FAR: [&str; 6] =
    ["10.0.0.1", "169.254.169.254", "192.168.1.1", "fd00::1", "64:ff9b::a00:1", "240.0.0.1"];

#[test]
fn namespaces_of_a_tests_own() {
    inside("namespaces::what_is_forbidden_is_there_and_is_seen");
}

#[test]
#[ignore = "run by namespaces_of_a_tests_own"]
fn what_is_forbidden_is_there_and_is_seen() {
    let net = Net::new(zone());
    // Whatever is tried is answered, and on record.
    let near = ["127.0.0.1", "127.9.9.9", "::1", "2a11:0:1::7"].map(|text| text.parse::<IpAddr>().unwrap());
    let own = OWN.into_iter().map(IpAddr::from).chain([OWN_V6.into(), CLIENT.into()]);
    let all: Vec<IpAddr> = near.into_iter().chain(own).chain(FAR.map(|text| text.parse().unwrap())).collect();
    for address in &all {
        for port in [80, 8080] {
            let to = SocketAddr::new(*address, port);
            assert_eq!(net.probe(to).unwrap(), "HTTP/1.1 502 Stage\r\n", "{to}");
            net.watch.wait_for(|attempt| attempt.to == to);
            assert!(net.strays().iter().any(|stray| stray.to == to), "{to}");
            assert_eq!(net.stage.seen_where(|seen| seen.to == to).len(), 1);
        }
    }
    // Also where nobody answers.
    let closed: SocketAddr = "10.0.0.1:22".parse().unwrap();
    assert!(net.probe(closed).is_err());
    assert!(net.strays().iter().any(|stray| stray.to == closed));
    let meant = SocketAddr::new(STAGE[0].parse().unwrap(), 80);
    assert!(net.probe(meant).is_ok());
    assert!(net.strays().iter().all(|stray| stray.to != meant));
    let strays: HashSet<Attempt> = net.strays().into_iter().collect();
    assert_eq!(strays.len(), all.len() * 2 + 1, "{strays:?}");
    names(&net);
    a_stream(&net);
}

fn zone() -> Zone {
    let many: Vec<String> = (1..=60).map(|last| format!("23.1.2.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    Zone::from(
        [
            (".example.net", Entry::to(&STAGE)),
            ("rebind.example.net", Entry::by_turns(&[&STAGE[..1], &["127.0.0.1"]])),
            ("alias.example.net", Entry::Alias("private.example.net".to_owned())),
            ("private.example.net", Entry::to(&["10.0.0.1", "fd00::1"])),
            ("many.example.net", Entry::to(&many)),
        ]
        .map(|(name, entry)| (name.to_owned(), entry)),
    )
}

fn names(net: &Net) {
    let found = |name: &str| -> Vec<IpAddr> {
        let mut found: Vec<_> = (name, 80).to_socket_addrs().unwrap().map(|address| address.ip()).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    assert_eq!(found("media.example.net"), parsed(&STAGE));
    assert_eq!(found("alias.example.net"), parsed(&["10.0.0.1", "fd00::1"]));
    for address in [STAGE[0], "127.0.0.1", STAGE[0], "127.0.0.1"] {
        assert_eq!(found("rebind.example.net"), parsed(&[address]));
    }
    assert_eq!(found("many.example.net").len(), 60, "over TCP");
    assert!(("nobody.example.org", 80).to_socket_addrs().is_err());
    assert!(net.dns.asked().iter().any(|(name, _)| name == "nobody.example.org"));
}

fn a_stream(net: &Net) {
    let film = Media::new(3, 100_000);
    net.stage.play("media.example.net", "/film.mp4", Reply::media(&film).content_type("video/mp4"));
    let server = net.server(&[("ENCRYPTION_KEY", "a key that the test has, too")]);
    assert_eq!(get(&server.url("/health")).status, 200);
    for scheme in ["http", "https"] {
        let link = format!("{scheme}://media.example.net/film.mp4");
        let token = crate::support::sealed::token("a key that the test has, too", &link);
        let answer = client::get(&server.url(&format!("/stream?data={token}")));
        assert_eq!((answer.status, sha256(&answer.body)), (200, film.sha256()), "{}", answer.text());
    }
    let seen = net.stage.seen_at("media.example.net");
    assert!(
        !seen.is_empty()
            && seen.iter().all(|seen| OWN.map(IpAddr::from).contains(&seen.from.ip())
                || seen.from.ip() == IpAddr::from(OWN_V6))
    );
}
