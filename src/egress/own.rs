//! Addresses of this machine, at this moment. Nothing is sent to find out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Nobody's (RFC 5737).
const NOBODYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Where the kernel lists its routes for v6: 32 hexadecimal digits of a network, its length, ..., flags, device.
const ROUTES_V6: &str = "/proc/net/ipv6_route";
/// A route to this machine itself (RTF_LOCAL, linux/ipv6_route.h).
const LOCAL: u32 = 0x8000_0000;

/// Whether an address is one of this machine's.
pub(super) fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_source_of_itself(address) || is_bindable(v4),
        IpAddr::V6(v6) => is_source_of_itself(address) || is_local_route(v6),
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
    // Where there is no way to it, a connection will fail, too.
    from.is_ok_and(|from| from.ip() == address)
}

/// Whether it can be bound to, as any address of this machine: a device's second one, or one of a network that is routed
/// to it. With `ip_nonlocal_bind` everything can, so that it says nothing.
fn is_bindable(address: Ipv4Addr) -> bool {
    UdpSocket::bind((address, 0)).is_ok() && UdpSocket::bind((NOBODYS, 0)).is_err()
}

/// The same for v6, where the addresses of such a network can't be bound to without more ado.
fn is_local_route(address: Ipv6Addr) -> bool {
    // Without v6 there is no such file, and no connection either.
    let routes = std::fs::read_to_string(ROUTES_V6).unwrap_or_default();
    routes.lines().any(|line| holds(line, address).unwrap_or(false))
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
