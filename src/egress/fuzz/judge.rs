//! A second opinion on addresses: the same rules as in `policy`, written down a second time as numbers.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use url::Host;

use crate::egress::policy::Policy;

/// First and last of every v4 network that is not public (IANA's registry, RFC 7526, RFC 5771, RFC 1112 §4).
const NOT_PUBLIC_V4: [RangeInclusive<u32>; 14] = [
    0..=16_777_215,
    167_772_160..=184_549_375,
    1_681_915_904..=1_686_110_207,
    2_130_706_432..=2_147_483_647,
    2_851_995_648..=2_852_061_183,
    2_886_729_728..=2_887_778_303,
    3_221_225_472..=3_221_225_727,
    3_221_225_984..=3_221_226_239,
    3_227_017_984..=3_227_018_239,
    3_232_235_520..=3_232_301_055,
    3_323_068_416..=3_323_199_487,
    3_325_256_704..=3_325_256_959,
    3_405_803_776..=3_405_804_031,
    3_758_096_384..=4_294_967_295,
];

/// The same of v6. What is between them is given out to hosts (RFC 4291 §2.4).
const NOT_PUBLIC_V6: [RangeInclusive<u128>; 6] = [
    0..=0x1FFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF,
    0x2001_0000_0000_0000_0000_0000_0000_0000..=0x2001_01FF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF,
    0x2001_0DB8_0000_0000_0000_0000_0000_0000..=0x2001_0DB8_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF,
    0x2002_0000_0000_0000_0000_0000_0000_0000..=0x2002_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF,
    0x3FFF_0000_0000_0000_0000_0000_0000_0000..=0x3FFF_0FFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF,
    0x4000_0000_0000_0000_0000_0000_0000_0000..=u128::MAX,
];

/// `::ffff:0:0/96` (RFC 4291 §2.5.5.2) and `64:ff9b::/96` (RFC 6052 §2.1), which hold the whole of v4.
const MAPPED: u128 = 0xFFFF_0000_0000;
const NAT64: u128 = 0x64_FF9B_0000_0000_0000_0000_0000_0000;

/// Where a judgement changes, or might: beginnings of networks and the addresses after their ends.
fn edges() -> (Vec<u32>, Vec<u128>) {
    let v4 = NOT_PUBLIC_V4.iter().flat_map(|range| [*range.start(), range.end().wrapping_add(1)]);
    let v6 = NOT_PUBLIC_V6.iter().flat_map(|range| [*range.start(), range.end().wrapping_add(1)]);
    let holders = [MAPPED, NAT64].into_iter().flat_map(|first| [first, first + (1 << 32)]);
    (v4.collect(), v6.chain(holders).collect())
}

/// An address that eighteen bytes stand for: `random`, or near an edge that it chooses, in the form that `form` says.
pub(in crate::egress) fn address(form: u8, distance: i8, random: u128) -> IpAddr {
    let (v4_edges, v6_edges) = edges();
    let low = random as u32;
    let chosen = (random >> 64) as usize;
    let v4_edge = v4_edges[chosen % v4_edges.len()].wrapping_add_signed(distance.into());
    let v6_edge = v6_edges[chosen % v6_edges.len()].wrapping_add_signed(distance.into());
    match form % 8 {
        0 => Ipv4Addr::from(low).into(),
        1 => Ipv4Addr::from(v4_edge).into(),
        2 => Ipv6Addr::from(random).into(),
        3 => Ipv6Addr::from(v6_edge).into(),
        4 => Ipv6Addr::from(MAPPED + u128::from(low)).into(),
        5 => Ipv6Addr::from(MAPPED + u128::from(v4_edge)).into(),
        6 => Ipv6Addr::from(NAT64 + u128::from(v4_edge)).into(),
        // Among those that are given out.
        _ => Ipv6Addr::from(random >> 3 | 1 << 125).into(),
    }
}

/// What the judgement is to be of any address but this machine's own.
fn is_fine(address: IpAddr, port: u16) -> bool {
    let is_fine_v4 = |number: u32| !NOT_PUBLIC_V4.iter().any(|range| range.contains(&number));
    let is_fine_address = match address {
        IpAddr::V4(address) => is_fine_v4(u32::from(address)),
        IpAddr::V6(address) => {
            let number = u128::from(address);
            match number >> 32 << 32 {
                MAPPED | NAT64 => is_fine_v4((number & 0xFFFF_FFFF) as u32),
                _ => !NOT_PUBLIC_V6.iter().any(|range| range.contains(&number)),
            }
        }
    };
    is_fine_address && matches!(port, 80 | 443 | 1024..)
}

/// The judgement of an address is the one by the table above.
pub(in crate::egress) fn agrees(address: IpAddr, port: u16) {
    let found = Policy::default().judge(address, port).is_ok();
    assert_eq!(found, is_fine(address, port), "{address} and {port}");
}

/// The judgement of a v4 address is the same however it is spelled.
pub(in crate::egress) fn agrees_spelled(address: Ipv4Addr, choices: &[u8], port: u16) {
    let policy = Policy::default();
    let spelled = spell(address, choices);
    let found = policy.judge_unresolved(&spelled, port).is_ok();
    assert_eq!(found, policy.judge(address.into(), port).is_ok(), "{spelled} is {address}, port {port}");
}

/// A v4 address in one of the forms that the URL standard reads as it ("IPv4 parser", "IPv6 parser").
pub(in crate::egress) fn spell(address: Ipv4Addr, choices: &[u8]) -> String {
    let mut choices = choices.iter().copied();
    let mut choose = move |of: u8| choices.next().unwrap_or(0) % of;
    let [a, b, c, d] = address.octets();
    let mapped = Ipv6Addr::from(MAPPED + u128::from(u32::from(address)));
    match choose(12) {
        0 => return format!("[{mapped}]"),
        1 => {
            return format!(
                "[0:0:0:0:0:FFFF:{:x}:{:X}]",
                u16::from_be_bytes([a, b]),
                u16::from_be_bytes([c, d])
            );
        }
        2 => return format!("[64:ff9b::{address}]"),
        _ => {}
    }
    let mut text = String::new();
    let octets = [a, b, c, d];
    // The last part is as many bytes as are left.
    let parts = usize::from(choose(4));
    for octet in &octets[..parts] {
        number(&mut text, u32::from(*octet), &mut choose);
        text.push(['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'][usize::from(choose(4))]);
    }
    let last = octets[parts..].iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
    number(&mut text, last, &mut choose);
    if choose(4) == 0 {
        text.push('.');
    }
    text.chars().map(|character| disguise(character, choose(8))).collect()
}

/// In decimal, or in octal or hex with zeros before it.
fn number(text: &mut String, number: u32, choose: &mut impl FnMut(u8) -> u8) {
    let zeros = "0".repeat(choose(4).into());
    // A String takes everything.
    let _ = match choose(4) {
        0 => write!(text, "0{zeros}{number:o}"),
        1 => write!(text, "0x{zeros}{number:x}"),
        2 => write!(text, "0X{zeros}{number:X}"),
        _ => write!(text, "{number}"),
    };
}

/// As a full-width form, percent-encoded, or as it is.
fn disguise(character: char, how: u8) -> String {
    match (how, character) {
        (0, '!'..='~') => char::from_u32(u32::from(character) + 0xFEE0).into_iter().collect(),
        (1, '!'..='~') => format!("%{:02X}", u32::from(character)),
        _ => character.into(),
    }
}

/// Addresses and spellings of hosts: sixteen bytes of address, one of form, one of distance, two of port, and a text.
pub fn judge(data: &[u8]) {
    let Some((&random, data)) = data.split_first_chunk() else { return };
    let Some((&[form, distance, high, low], data)) = data.split_first_chunk() else { return };
    let port = u16::from_be_bytes([high, low]);
    let address = address(form, distance.cast_signed(), u128::from_be_bytes(random));
    agrees(address, port);
    if let IpAddr::V4(address) = address.to_canonical() {
        agrees_spelled(address, data, port);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        read(text, port);
    }
}

/// Any text is judged as the host that it is read as, and is read as what it says where it says an address plainly.
fn read(text: &str, port: u16) {
    let policy = Policy::default();
    let found = policy.judge_unresolved(text, port).is_ok();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let plain = text.parse::<Ipv4Addr>().ok().map(IpAddr::from);
    if let Some(address) = plain.or_else(|| bare?.parse::<Ipv6Addr>().ok().map(IpAddr::from)) {
        assert_eq!(found, policy.judge(address, port).is_ok(), "{text}");
    }
    match Host::parse(text) {
        Ok(host) => assert_eq!(found, policy.judge_unresolved(&host.to_string(), port).is_ok(), "{host}"),
        Err(_) => assert!(!found, "{text} is no host"),
    }
}
