//! The list of hostile URLs, the names in it, and whether it is one.

use crate::support::dns::{Entry, Zone};
use crate::support::net::{OWN, OWN_V6, OWN_V6_NETWORK, STAGE};
use ipnet::IpNet;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use url::{Host, Url};

const LIST: &str = include_str!("hostile-urls.txt");

/// A hostile URL.
#[derive(Clone, Debug)]
pub struct Line {
    pub url: String,
    /// Whether it may lead to what it may be fetched from, too.
    pub may_answer: bool,
}

/// The list, for a server that listens on `port` of its first address.
pub fn lines(port: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut may_answer = false;
    for line in LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(section) => may_answer = section.ends_with('?'),
            None => lines.push(Line { url: filled_in(line, port), may_answer }),
        }
    }
    lines
}

fn filled_in(line: &str, port: u16) -> String {
    let network = OWN_V6_NETWORK.split('/').next().unwrap();
    line.replace("{own}", &OWN[0].to_string())
        .replace("{own2}", &OWN[1].to_string())
        .replace("{own3}", &OWN[2].to_string())
        .replace("{own4}", &OWN[3].to_string())
        .replace("{own_v6}", &OWN_V6.to_string())
        .replace("{own_v6_network}", network)
        .replace("{port}", &port.to_string())
        .replace("{tab}", "\t")
        .replace("{newline}", "\n")
}

/// Where the list's names lead, and those of the stage.
pub fn zone() -> Zone {
    let own = OWN[1].to_string();
    let (own_v6, anywhere) = (OWN_V6.to_string(), format!("{}7", OWN_V6_NETWORK.split('/').next().unwrap()));
    let [public, public_v6] = STAGE;
    let to = |address: &str| Entry::to(&[address]);
    let mut zone = Zone::from(
        [
            (".example.net", Entry::to(&STAGE)),
            (".example.org", Entry::to(&STAGE)),
            (".private.stub.example", to("10.0.0.1")),
            (".private-v6.stub.example", to("fd00::1")),
            (".loopback.stub.example", to("127.0.0.1")),
            (".loopback-v6.stub.example", to("::1")),
            (".zero.stub.example", to("0.0.0.0")),
            (".zero-v6.stub.example", to("::")),
            (".link-local.stub.example", Entry::to(&["169.254.1.1", "fe80::1"])),
            (".mapped.stub.example", to("::ffff:127.0.0.1")),
            (".nat64.stub.example", to("64:ff9b::7f00:1")),
            (".6to4.stub.example", to("2002:7f00:1::")),
            (".unique-local.stub.example", Entry::to(&["fc00::1", "192.168.1.1"])),
            (".metadata.stub.example", to("169.254.169.254")),
            (".own.stub.example", to(&own)),
            (".own-v6.stub.example", to(&own_v6)),
            (".own-v6-network.stub.example", to(&anywhere)),
            (".alias.stub.example", Entry::Alias("private.stub.example".to_owned())),
            (".alias-of-alias.stub.example", Entry::Alias("alias.stub.example".to_owned())),
            (".carrier.stub.example", to("100.64.0.1")),
            (".multicast.stub.example", to("224.0.0.1")),
            (".broadcast.stub.example", to("255.255.255.255")),
            (".documentation.stub.example", Entry::to(&["192.0.2.1", "2001:db8::1"])),
            (".nip.stub.example", to("169.254.169.254")),
            (".rebind.turns.example", Entry::by_turns(&[&[public], &["127.0.0.1"]])),
            (".rebind-private.turns.example", Entry::by_turns(&[&[public], &["10.0.0.1"]])),
            (".rebind-v6.turns.example", Entry::by_turns(&[&[public_v6], &["::1"]])),
            (".rebind-own.turns.example", Entry::by_turns(&[&[public], &[&own]])),
            (".rebind-slowly.turns.example", Entry::by_turns(&[&[public], &[public], &["127.0.0.1"]])),
            (".mixed.turns.example", Entry::to(&["127.0.0.1", public])),
            (".mixed-v6.turns.example", Entry::to(&["::1", public_v6, public])),
            (".mixed-last.turns.example", Entry::to(&[public, "10.0.0.1", "fd00::1"])),
        ]
        .map(|(name, entry)| (name.to_owned(), entry)),
    );
    // A name without anything before it, too.
    for (name, entry) in zone.clone() {
        zone.insert(name.trim_start_matches('.').to_owned(), entry);
    }
    // What a machine's own network may call its parts.
    for name in [
        "localhost",
        "localdomain",
        "local",
        "internal",
        "lan",
        "box",
        "arpa",
        "svc",
        "localhost4",
        "localhost6",
        "ip6-localhost",
        "ip6-loopback",
        "broadcasthost",
        "loopback",
        "metadata",
        "instance-data",
        "rancher-metadata",
    ] {
        zone.insert(name.to_owned(), to("127.0.0.1"));
        zone.insert(format!(".{name}"), to("169.254.169.254"));
    }
    zone
}

/// Written down for this test alone: not the table that the server has.
fn is_forbidden(address: IpAddr) -> bool {
    let own = OWN.iter().map(|own| IpAddr::from(*own)).chain([OWN_V6.into()]);
    let within = |networks: &[&str], address: IpAddr| {
        networks.iter().any(|network| network.parse::<IpNet>().unwrap().contains(&address))
    };
    if own.into_iter().any(|own| own == address) || within(&[OWN_V6_NETWORK], address) {
        return true;
    }
    match address {
        IpAddr::V4(_) => within(
            &[
                "0.0.0.0/8",
                "10.0.0.0/8",
                "100.64.0.0/10",
                "127.0.0.0/8",
                "169.254.0.0/16",
                "172.16.0.0/12",
                "192.0.0.0/24",
                "192.0.2.0/24",
                "192.88.99.0/24",
                "192.168.0.0/16",
                "198.18.0.0/15",
                "198.51.100.0/24",
                "203.0.113.0/24",
                "224.0.0.0/4",
                "240.0.0.0/4",
            ],
            address,
        ),
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            if within(&["64:ff9b::/96", "::ffff:0:0/96"], address) {
                return is_forbidden(Ipv4Addr::new(a, b, c, d).into());
            }
            !within(&["2000::/3"], address)
                || within(&["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"], address)
        }
    }
}

fn leads_home(name: &str, zone: &Zone) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let parents = name.match_indices('.').map(|(at, _)| &name[at..]);
    match std::iter::once(name.as_str()).chain(parents).find_map(|it| zone.get(it)) {
        Some(Entry::To(addresses)) => addresses.iter().all(|address| is_forbidden(*address)),
        Some(Entry::Alias(target)) => leads_home(target, zone),
        Some(Entry::ByTurns(_)) => false,
        // Nowhere at all, but somebody reads it as an address or as a name of this machine.
        None => {
            name.parse::<IpAddr>().is_ok()
                || name.starts_with("xn--")
                || name.starts_with(|c: char| c.is_ascii_digit())
        }
    }
}

#[test]
fn every_line_of_the_list_is_hostile() {
    let (lines, zone) = (lines(40_000), zone());
    let mut distinct = HashSet::new();
    for line in &lines {
        assert!(distinct.insert(line.url.as_str()), "{:?} twice", line.url);
    }
    assert!(lines.len() >= 500, "{}", lines.len());
    let homes = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost", ".turns.example"];
    let mut unreadable = 0;
    for Line { url, may_answer } in &lines {
        assert!(!url.contains(['{', '}']), "{url:?}");
        if *may_answer {
            assert!(homes.iter().any(|home| url.contains(home)), "{url:?}");
            continue;
        }
        let Ok(read) = Url::parse(url) else {
            unreadable += 1;
            continue;
        };
        let closed =
            read.port_or_known_default().is_some_and(|port| port < 1024 && port != 80 && port != 443);
        let home = match read.host().unwrap() {
            Host::Ipv4(address) => is_forbidden(address.into()),
            Host::Ipv6(address) => is_forbidden(address.into()),
            Host::Domain(name) => leads_home(name, &zone),
        };
        assert!(home || closed, "{url:?} is harmless: {read}");
    }
    assert!(unreadable * 4 < lines.len(), "{unreadable} of {} are no URLs", lines.len());
    for fine in ["11.1.1.1", STAGE[0], STAGE[1], "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
        assert!(!is_forbidden(fine.parse().unwrap()), "{fine}");
    }
}
