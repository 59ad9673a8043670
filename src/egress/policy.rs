//! Which addresses this server may connect to: none of its own network, unless its operator says so.
//!
//! An address is judged at the moment when it is connected to, and it is that address that is connected to: a name that
//! is asked for again might lead elsewhere the second time (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Host;

use super::own::is_own;

/// What is nobody's public address (IANA's registry of special-purpose addresses), 6to4's relays (RFC 7526), and
/// whatever is no address of one host (multicast and up, RFC 5771, RFC 1112 §4).
const DENIED_V4: [Ipv4Net; 14] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 3),
];

/// All that is given out to hosts (RFC 4291 §2.4).
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);
/// What of it is not: protocol assignments and Teredo, documentation (twice), and 6to4, which holds any v4 address.
const DENIED_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0], 32),
    v6([0x2002, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0], 20),
];
/// Translates to the v4 address in its last four bytes (RFC 6052 §2.1).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

/// Ports below the first that everybody may use are services' of the machine, but for the web's two.
const WEB_PORTS: [u16; 2] = [80, 443];
const FIRST_FREE_PORT: u16 = 1024;

const fn v4(address: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(beginning: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = beginning;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// Why an address is not connected to. It is told to clients, who may not learn from it what a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address that this server does not connect to")]
pub struct Forbidden;

/// What may be connected to.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Networks that the operator has opened, ports and all.
    opened: Vec<IpNet>,
}

impl Policy {
    /// `opened`: networks that are let through whatever else is said of them.
    pub fn new(opened: Vec<IpNet>) -> Self {
        Self { opened: opened.into_iter().map(plain_network).collect() }
    }

    /// Judges an address that is about to be connected to.
    pub fn judge(&self, address: IpAddr, port: u16) -> Result<(), Forbidden> {
        let address = plain(address);
        if self.opened.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        if is_open(port) && is_public(address) && !is_own(address) { Ok(()) } else { Err(Forbidden) }
    }

    /// Judges a host by its name, where somebody else looks it up: a proxy. What the name leads to is beyond this.
    ///
    /// `host` is as in a URL; addresses in every form that the URL standard knows are judged as such.
    pub fn judge_unresolved(&self, host: &str, port: u16) -> Result<(), Forbidden> {
        match Host::parse(host).map_err(|_| Forbidden)? {
            Host::Ipv4(address) => self.judge(address.into(), port),
            Host::Ipv6(address) => self.judge(address.into(), port),
            Host::Domain(name) => {
                let last = name.trim_end_matches('.').rsplit('.').next();
                // RFC 6761 §6.3, RFC 6762 §3, and what ICANN has set aside for private networks.
                let is_local = matches!(last, Some("localhost" | "local" | "internal"));
                if is_open(port) && !is_local { Ok(()) } else { Err(Forbidden) }
            }
        }
    }
}

/// The v4 address that is in a v6 one, where that is only another way to write it or leads there; else the address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        other => other.to_canonical(),
    }
}

/// The same of a network, as far as it is one of such addresses.
fn plain_network(network: IpNet) -> IpNet {
    let plain = plain(network.addr());
    let length = network.prefix_len().checked_sub(96).filter(|_| network.addr().is_ipv6() && plain.is_ipv4());
    length.and_then(|length| IpNet::new(plain, length).ok()).unwrap_or(network)
}

fn is_open(port: u16) -> bool {
    port >= FIRST_FREE_PORT || WEB_PORTS.contains(&port)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !DENIED_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !DENIED_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str) -> bool {
        Policy::default().judge(address.parse().unwrap(), 443).is_ok()
    }

    #[test]
    fn the_edges_of_what_is_denied() {
        // First and last of each, and their neighbours, written out by hand from IANA's registries.
        for (neighbour, first, last, after) in [
            ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
            ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
            ("223.255.255.255", "224.0.0.0", "255.255.255.255", ""),
            ("", "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
            (
                "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:200::",
            ),
            (
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db9::",
            ),
            (
                "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2003::",
            ),
            (
                "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff:1000::",
            ),
            (
                "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "4000::",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "",
            ),
        ] {
            for denied in [first, last] {
                assert!(!allowed(denied), "{denied}");
            }
            for fine in [neighbour, after].into_iter().filter(|text| !text.is_empty()) {
                assert!(allowed(fine), "{fine}");
            }
        }
    }

    #[test]
    fn an_address_within_an_address_is_what_is_judged() {
        for fine in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700::1111"] {
            assert!(allowed(fine), "{fine}");
        }
        for denied in [
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "::8.8.8.8",
        ] {
            assert!(!allowed(denied), "{denied}");
        }
    }

    #[test]
    fn what_is_opened_is_open_in_every_form_and_nothing_else_is() {
        let policy = Policy::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for (address, port) in [("127.0.0.1", 22), ("::ffff:127.0.0.1", 80), ("fd12::1", 8080)] {
            assert_eq!(policy.judge(address.parse().unwrap(), port), Ok(()), "{address}");
        }
        for address in ["10.0.0.1", "::1", "fe80::1"] {
            assert_eq!(policy.judge(address.parse().unwrap(), 80), Err(Forbidden), "{address}");
        }
        for network in ["::ffff:10.1.0.0/112", "64:ff9b::10.1.0.0/112"] {
            let policy = Policy::new(vec![network.parse().unwrap()]);
            assert_eq!(policy.judge("10.1.2.3".parse().unwrap(), 22), Ok(()), "{network}");
            assert_eq!(policy.judge("10.2.0.1".parse().unwrap(), 80), Err(Forbidden), "{network}");
        }
    }

    #[test]
    fn ports_of_other_services_are_closed() {
        let public = "8.8.8.8".parse().unwrap();
        for (port, expected) in [
            (80, true),
            (443, true),
            (1024, true),
            (65_535, true),
            (0, false),
            (22, false),
            (25, false),
            (1023, false),
        ] {
            assert_eq!(Policy::default().judge(public, port).is_ok(), expected, "{port}");
        }
    }

    #[test]
    fn names_that_a_proxy_looks_up_are_judged_as_far_as_they_tell() {
        let open = |host| Policy::default().judge_unresolved(host, 443).is_ok();
        for fine in [
            "example.org",
            "example.org.",
            "localhost.example.org",
            "internal.example",
            "8.8.8.8",
            "[2606:4700::1111]",
        ] {
            assert!(open(fine), "{fine}");
        }
        for denied in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "printer.local",
            "metadata.google.internal",
            "127.1",
            "0x7f.1",
            "2130706433",
            "017700000001",
            "127.0.0.1.",
            "１２７.0.0.1",
            "[::1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "0",
            "",
            "a b",
            "%31%32%37.0.0.1",
        ] {
            assert!(!open(denied), "{denied}");
        }
        assert!(Policy::default().judge_unresolved("example.org", 25).is_err());
    }
}
