//! Ways out: what an operator lists, and what one extraction and all of its streams leave by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use super::socks::Credentials;

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// HTTP: CONNECT, and absolute-form for plain http (RFC 9110 §9.3.6, RFC 9112 §3.2.2).
    Http,
    /// SOCKS5 (RFC 1928).
    Socks5,
}

/// An outbound proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// As in a URL: an address of version 6 is in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// For SOCKS5.
    pub(super) credentials: Option<Credentials>,
    /// `Proxy-Authorization`, for HTTP.
    pub(super) authorization: Option<HeaderValue>,
}

impl Proxy {
    /// A proxy; none where the credentials (user name, password) can't be said in its protocol.
    pub fn new(
        kind: ProxyKind,
        host: String,
        port: u16,
        credentials: Option<(String, String)>,
    ) -> Option<Self> {
        let mut proxy = Self { kind, host, port, credentials: None, authorization: None };
        match (kind, credentials) {
            (_, None) => {}
            (ProxyKind::Socks5, Some((user, password))) => {
                proxy.credentials = Some(Credentials::new(user, password)?);
            }
            (ProxyKind::Http, Some((user, password))) => {
                let basic = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
                let mut value = HeaderValue::try_from(basic).ok()?;
                value.set_sensitive(true);
                proxy.authorization = Some(value);
            }
        }
        Some(proxy)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
        };
        write!(formatter, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Proxy({self})")
    }
}

/// An egress, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The machine's own choice of an address.
    Direct,
    /// An address of this machine.
    Address(IpAddr),
    /// A network of this machine, from which each extraction draws an address.
    Prefix(Ipv6Net),
    /// Somebody else's machine.
    Proxy(Arc<Proxy>),
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => formatter.write_str("direct"),
            Self::Address(address) => address.fmt(formatter),
            Self::Prefix(network) => network.fmt(formatter),
            Self::Proxy(proxy) => proxy.fmt(formatter),
        }
    }
}

impl Kind {
    /// The way of one extraction.
    pub(super) fn way(&self) -> Way {
        match self {
            Self::Direct => Way::Direct,
            Self::Address(address) => Way::From(*address),
            Self::Prefix(network) => Way::From(drawn(*network).into()),
            Self::Proxy(proxy) => Way::Proxy(Arc::clone(proxy)),
        }
    }
}

/// Some address of a network, not its first, which is every router's (RFC 4291 §2.6.1).
fn drawn(network: Ipv6Net) -> Ipv6Addr {
    let host = u128::MAX.checked_shr(network.prefix_len().into()).unwrap_or(0);
    let bits = u128::from(network.network()) | (fastrand::u128(..) & host);
    Ipv6Addr::from(if host > 0 && bits & host == 0 { bits | 1 } else { bits })
}

/// How a connection leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    /// From this address of this machine.
    From(IpAddr),
    Proxy(Arc<Proxy>),
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "4")]
    V4,
    /// IPv6.
    #[serde(rename = "6")]
    V6,
}

impl Family {
    /// That of an address, or of the v4 address which a v6 one stands for.
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// By which way a page was fetched, and its files are to be: many sites give links to that address alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The name of the egress, or the address that was drawn; none where no egress was listed.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Arc<str>>,
    /// The family that a connection to the site had.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
}

impl Route {
    /// Whether it says nothing.
    pub fn is_any(&self) -> bool {
        self.egress.is_none() && self.family.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_drawn_from_all_of_a_network_and_nothing_else() {
        let network: Ipv6Net = "2a11:0:1::/64".parse().unwrap();
        let drawn: Vec<_> = (0..100).map(|_| super::drawn(network)).collect();
        assert!(drawn.iter().all(|address| network.contains(address) && *address != network.network()));
        assert!(drawn.windows(2).all(|two| two[0] != two[1]));
        let one: Ipv6Net = "2a11::7/128".parse().unwrap();
        assert_eq!(super::drawn(one), one.network());
    }

    #[test]
    fn credentials_are_in_no_text() {
        let login = Some(("user".to_owned(), "secret".to_owned()));
        for kind in [ProxyKind::Http, ProxyKind::Socks5] {
            let proxy = Proxy::new(kind, "proxy.example".into(), 8080, login.clone()).unwrap();
            let text = format!("{proxy} {proxy:?}");
            assert!(text.contains("proxy.example:8080") && !text.contains("secret"), "{text}");
        }
        let long = Some(("u".repeat(256), "p".to_owned()));
        assert!(Proxy::new(ProxyKind::Socks5, "a".into(), 1, long).is_none());
    }
}
