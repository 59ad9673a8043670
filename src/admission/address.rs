//! Clients' addresses.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::Ipv6Net;

/// What one customer has of version 6 (RFC 6177 §2): to count its addresses one by one would be to count none.
const CUSTOMERS: u8 = 64;

/// What stands for all addresses of a client.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Net::new_assert(v6, CUSTOMERS).network().into(),
        v4 => v4,
    }
}

/// What stands for an address where there are too many to count each.
pub(super) fn crowd(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V4(v4) => IpAddr::from([v4.octets()[0], 0, 0, 0]),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Whether an address is of this machine or of a private network around it (RFC 1918, RFC 4193, link-local).
pub fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_one_client() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn neighbours_are_told_from_the_public() {
        for near in [
            "127.0.0.9",
            "::1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.9.9",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["8.8.8.8", "172.32.0.1", "100.64.0.1", "2001:db8::1", "0.0.0.0"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }
}
