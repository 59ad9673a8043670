//! Where a request comes from, and the key that it shows.

use std::net::{IpAddr, Ipv4Addr};

use http::header::{AUTHORIZATION, FORWARDED};
use http::{HeaderMap, HeaderName, Request};

use super::client::ClientConnection;
use super::links::{FORWARDING, LinkSettings, X_FORWARDED_FOR, is_for_this_machine};
use crate::admission;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where a request comes from, so far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) address: IpAddr,
    /// Whether it is not of this machine's own network, or may not be.
    pub(super) is_stranger: bool,
}

impl Origin {
    /// This very machine.
    pub(super) fn here() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), is_stranger: false }
    }

    fn of(address: IpAddr) -> Self {
        Self { address, is_stranger: !admission::is_near(address) }
    }
}

impl LinkSettings {
    /// The client: the peer, or what the proxies say that are trusted, each of the one before it.
    pub(super) fn origin<B>(&self, request: &Request<B>) -> Origin {
        let headers = request.headers();
        let connection = request.extensions().get::<ClientConnection>();
        let Some(peer) = connection.map(|connection| connection.peer.ip().to_canonical()) else {
            return Origin::here();
        };
        let is_proxied = FORWARDING.iter().any(|name| headers.contains_key(name));
        let itself = connection.is_some_and(|connection| connection.local.ip().to_canonical() == peer);
        // A proxy on this machine that says nothing of its client asks for the name that the client did.
        let is_near =
            itself && !peer.is_loopback() || admission::is_near(peer) && is_for_this_machine(request, peer);
        if !self.is_trusted(peer) {
            // Somebody else's proxy, and who is behind it is unknown; or a client that says so.
            return Origin { address: peer, is_stranger: is_proxied || !is_near };
        }
        let client = match (self.behind(listed(headers)), self.behind(forwarded(headers))) {
            (None, None) => return Origin { address: peer, is_stranger: is_proxied || !is_near },
            // A proxy writes one of them, and lets the client's own other one pass.
            (Some(one), Some(other)) if one != other => None,
            (Some(client), _) | (None, Some(client)) => client,
        };
        client.map_or(Origin { address: peer, is_stranger: true }, Origin::of)
    }

    /// The last of these hops that is no trusted proxy; within: none, where that hop says nothing.
    fn behind(&self, hops: Vec<Option<IpAddr>>) -> Option<Option<IpAddr>> {
        let first = *hops.first()?;
        let untrusted = hops.into_iter().rev().find(|hop| hop.is_none_or(|hop| !self.is_trusted(hop)));
        Some(untrusted.unwrap_or(first))
    }
}

/// `X-Forwarded-For`, all of its lines together.
fn listed(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')).map(address).collect()
}

/// RFC 7239 §4: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`. None of a hop that says it not at all, or twice.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let hop = |element: &str| {
        let pairs = unquoted(element, ';').into_iter().filter_map(|pair| pair.trim().split_once('='));
        let mut of =
            pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value);
        let (value, none) = (of.next()?, of.next());
        address(value.trim().trim_matches('"')).filter(|_| none.is_none())
    };
    let lines = headers.get_all(FORWARDED).iter().map(|line| line.to_str().unwrap_or("?"));
    lines.flat_map(|line| unquoted(line, ',')).map(hop).collect()
}

/// Parts between separators that are not within quotes (RFC 9110 §5.6.4); one part where quotes do not end.
fn unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            found if found == separator && !quoted => {
                parts.push(&text[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return vec!["?"];
    }
    parts.push(&text[begin..]);
    parts
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let v4_without_port = || text.split_once(':').map(|(address, _)| address);
    let parsed = text.parse().ok().or_else(|| bare?.parse().ok()).or_else(|| v4_without_port()?.parse().ok());
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// The keys that a request shows: `Authorization: Bearer` (RFC 6750 §2.1), and `X-API-Key`. A gateway may have added one
/// of them for others.
pub(super) fn shown_keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
    });
    let plain = headers.get(X_API_KEY).map(|value| value.as_bytes().trim_ascii());
    bearer.into_iter().chain(plain).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::client::Outlet;
    use super::*;

    fn origin(trusted: &str, peer: &str, headers: &[(&str, &str)]) -> (String, bool) {
        let trusted_proxies =
            trusted.split(' ').filter(|net| !net.is_empty()).map(|net| net.parse().unwrap());
        let settings = LinkSettings { base_url: None, trusted_proxies: trusted_proxies.collect() };
        let mut request = Request::get("/").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let peer = std::net::SocketAddr::new(peer.parse().unwrap(), 9);
        // One address is this machine's own, beside loopback's.
        let local = if peer.ip().to_string() == "192.0.2.77" {
            peer.ip()
        } else {
            std::net::Ipv4Addr::LOCALHOST.into()
        };
        let local = std::net::SocketAddr::new(local, 3021);
        request.extensions_mut().insert(ClientConnection {
            peer,
            local,
            tls: false,
            outlet: Outlet::default(),
        });
        let origin = settings.origin(&request);
        (origin.address.to_string(), origin.is_stranger)
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_from_the_right() {
        const XFF: &str = "x-forwarded-for";
        let far = |address: &str| (address.to_owned(), true);
        let near = |address: &str| (address.to_owned(), false);
        for (trusted, peer, headers, expected) in [
            ("", "192.0.2.1", &[][..], far("192.0.2.1")),
            ("", "127.0.0.1", &[], near("127.0.0.1")),
            ("", "192.0.2.1", &[(XFF, "10.0.0.1")], far("192.0.2.1")),
            ("", "127.0.0.1", &[(XFF, "10.0.0.1")], far("127.0.0.1")),
            ("", "10.0.0.1", &[("via", "1.1 x")], far("10.0.0.1")),
            ("127.0.0.1/32", "127.0.0.1", &[], near("127.0.0.1")),
            ("127.0.0.1/32", "127.0.0.1", &[(XFF, "192.0.2.1")], far("192.0.2.1")),
            ("127.0.0.1/32", "127.0.0.1", &[(XFF, "6.6.6.6, 192.0.2.1")], far("192.0.2.1")),
            ("127.0.0.1/32", "127.0.0.1", &[(XFF, "6.6.6.6"), (XFF, "192.0.2.1:4711")], far("192.0.2.1")),
            (
                "127.0.0.1/32 10.0.0.0/8",
                "127.0.0.1",
                &[(XFF, "6.6.6.6, 192.0.2.1, 10.0.0.5")],
                far("192.0.2.1"),
            ),
            ("127.0.0.1/32 10.0.0.0/8", "127.0.0.1", &[(XFF, "10.0.0.6, 10.0.0.5")], near("10.0.0.6")),
            ("127.0.0.1/32", "127.0.0.1", &[(XFF, "192.0.2.1, unknown")], far("127.0.0.1")),
            ("127.0.0.1/32", "127.0.0.1", &[(XFF, "")], far("127.0.0.1")),
            ("127.0.0.1/32", "::ffff:127.0.0.1", &[(XFF, "::ffff:192.0.2.1")], far("192.0.2.1")),
            ("127.0.0.1/32", "127.0.0.1", &[("forwarded", "for=192.0.2.1;proto=https")], far("192.0.2.1")),
            (
                "127.0.0.1/32",
                "127.0.0.1",
                &[("forwarded", "for=6.6.6.6, proto=http;For=\"[2001:db8::1]:99\"")],
                far("2001:db8::1"),
            ),
            ("127.0.0.1/32", "127.0.0.1", &[("forwarded", "for=_hidden")], far("127.0.0.1")),
            (
                "127.0.0.1/32",
                "127.0.0.1",
                &[("forwarded", "for=6.6.6.6;host=\"a,for=10.0.0.1\"")],
                far("6.6.6.6"),
            ),
            (
                "127.0.0.1/32",
                "127.0.0.1",
                &[("forwarded", "host=\"x;for=10.0.0.1\";for=6.6.6.6")],
                far("6.6.6.6"),
            ),
            ("127.0.0.1/32", "127.0.0.1", &[("forwarded", "for=10.0.0.1;for=6.6.6.6")], far("127.0.0.1")),
            ("127.0.0.1/32", "127.0.0.1", &[("forwarded", "for=10.0.0.1;host=\"a")], far("127.0.0.1")),
            ("127.0.0.1/32", "127.0.0.1", &[("x-real-ip", "192.0.2.1")], far("127.0.0.1")),
            ("", "127.0.0.1", &[("host", "video.example.org")], far("127.0.0.1")),
            ("", "127.0.0.1", &[("host", "localhost:3021")], near("127.0.0.1")),
            ("", "10.0.0.7", &[("host", "nas.example.org:3021")], near("10.0.0.7")),
            ("", "192.0.2.77", &[("host", "own.example.org")], near("192.0.2.77")),
            (
                "127.0.0.1/32",
                "127.0.0.1",
                &[("forwarded", "for=10.0.0.1"), (XFF, "192.0.2.1")],
                far("127.0.0.1"),
            ),
            (
                "127.0.0.1/32",
                "127.0.0.1",
                &[("forwarded", "for=192.0.2.1"), (XFF, "192.0.2.1")],
                far("192.0.2.1"),
            ),
        ] {
            assert_eq!(origin(trusted, peer, headers), expected, "{trusted:?} {peer} {headers:?}");
        }
    }

    #[test]
    fn keys_are_shown_by_either_header() {
        let key = |headers: &[(&'static str, &'static str)]| {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value)))
                .collect();
            shown_keys(&map).map(|key| String::from_utf8(key.to_vec()).unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(key(&[("authorization", "Bearer abc")]), "abc");
        assert_eq!(key(&[("authorization", "bearer  abc ")]), "abc");
        assert_eq!(key(&[("x-api-key", "abc")]), "abc");
        assert_eq!(key(&[("authorization", "Basic abc"), ("x-api-key", "xyz")]), "xyz");
        assert_eq!(key(&[("authorization", "Bearer abc"), ("x-api-key", "xyz")]), "abc xyz");
        for none in
            [&[][..], &[("authorization", "Bearer ")], &[("authorization", "Bea")], &[("x-api-key", "")]]
        {
            assert_eq!(key(none), "", "{none:?}");
        }
    }
}
