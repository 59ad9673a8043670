//! Addresses of this machine, at this moment. Nothing is sent to find out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ipnet::Ipv4Net;

/// Nobody's (RFC 5737).
const NOBODYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Where the kernel lists its routes for v6: 32 hexadecimal digits of a network, its length, ..., flags, device. Not by
/// `/proc/net`, which systemd's `ProcSubset=pid` takes away.
const ROUTES_V6: &str = "/proc/self/net/ipv6_route";
/// The same for v4, as a tree.
const ROUTES_V4: &str = "/proc/self/net/fib_trie";
/// A route to this machine itself (RTF_LOCAL, linux/ipv6_route.h).
const LOCAL: u32 = 0x8000_0000;

/// Whether an address is one of this machine's, or that can't be found out.
pub(super) fn is_own(address: IpAddr) -> bool {
    is_source_of_itself(address)
        || match address {
            IpAddr::V4(v4) => is_bindable(v4),
            IpAddr::V6(v6) => is_local_route(v6),
        }
}

/// Whether what goes there goes from there, as for the usual address of a device.
fn is_source_of_itself(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        // Any port would do.
        socket.connect((address, 443))?;
        socket.local_addr()
    });
    match from {
        Ok(from) => from.ip() == address,
        // Where there is no way to it, a connection will fail, too.
        Err(error) => is_want(&error),
    }
}

/// Whether it can be bound to, as any address of this machine: a device's second one, or one of a network that is routed
/// to it. With `ip_nonlocal_bind` everything can, so that the kernel's list has to be looked through.
fn is_bindable(address: Ipv4Addr) -> bool {
    let can_be = |address: Ipv4Addr| match UdpSocket::bind((address, 0)) {
        Ok(_) => true,
        Err(error) => is_want(&error),
    };
    can_be(address) && (!can_be(NOBODYS) || is_listed(address))
}

/// Whether it was files or memory that there was too little of.
fn is_want(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].map(Some).contains(&code)
}

fn is_listed(address: Ipv4Addr) -> bool {
    match std::fs::read_to_string(ROUTES_V4) {
        Ok(tree) => is_in_tree(&tree, address),
        Err(error) => is_want(&error),
    }
}

/// In the kernel's tree, a line with a network comes before those that say what it is.
fn is_in_tree(tree: &str, address: Ipv4Addr) -> bool {
    let mut network = None;
    tree.lines().any(|line| {
        let line = line.trim_start();
        if let Some(text) = line.strip_prefix("|-- ") {
            network = text.parse::<Ipv4Addr>().ok();
            return false;
        }
        let Some(length) = line.strip_suffix(" host LOCAL").and_then(|text| text.strip_prefix('/')) else {
            return false;
        };
        let net =
            network.zip(length.parse().ok()).and_then(|(network, length)| Ipv4Net::new(network, length).ok());
        net.is_some_and(|net| net.contains(&address))
    })
}

/// The same for v6, where the addresses of such a network can't be bound to without more ado.
fn is_local_route(address: Ipv6Addr) -> bool {
    match std::fs::read_to_string(ROUTES_V6) {
        Ok(routes) => routes.lines().any(|line| holds(line, address).unwrap_or(false)),
        // Without v6 there is no such file, and no connection either.
        Err(error) => is_want(&error),
    }
}

fn holds(line: &str, address: Ipv6Addr) -> Option<bool> {
    let mut words = line.split_ascii_whitespace();
    let network = u128::from_str_radix(words.next()?, 16).ok()?;
    let length = u32::from_str_radix(words.next()?, 16).ok()?;
    let flags = u32::from_str_radix(words.nth(6)?, 16).ok()?;
    let mask = u128::MAX.checked_shl(128_u32.checked_sub(length)?).unwrap_or(0);
    Some(flags & LOCAL != 0 && u128::from(address) & mask == network & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_known() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("8.8.8.8".parse().unwrap()));
        assert!(!is_own("2606:4700::1111".parse().unwrap()));
    }

    #[test]
    fn a_tree_says_which_networks_are_of_this_machine() {
        let tree = "Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 11.0.0.0
        /24 link UNICAST
     |-- 11.0.0.2
        /32 host LOCAL
     |-- 12.1.0.0
        /16 host LOCAL
     |-- 11.0.0.255
        /32 link BROADCAST
";
        let own = |address: &str| is_in_tree(tree, address.parse().unwrap());
        assert!(own("11.0.0.2") && own("12.1.0.0") && own("12.1.200.3"));
        assert!(!own("11.0.0.1") && !own("11.0.0.255") && !own("12.2.0.1"));
        assert!(is_listed(Ipv4Addr::LOCALHOST) && !is_listed(Ipv4Addr::new(8, 8, 8, 8)));
    }

    #[test]
    fn local_routes_are_told_from_others() {
        let local = "2a110000000100000000000000000000 40 00000000000000000000000000000000 00 \
                     00000000000000000000000000000000 00000400 00000001 00000000 80200001       lo";
        let other = local.replace("80200001", "00000001");
        let within = "2a11:0:1::7".parse().unwrap();
        assert_eq!(holds(local, within), Some(true));
        assert_eq!(holds(local, "2a11:0:2::7".parse().unwrap()), Some(false));
        assert_eq!(holds(&other, within), Some(false));
        assert_eq!(holds("", within), None);
    }
}
