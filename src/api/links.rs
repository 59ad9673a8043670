//! The address that links in answers begin with, and who asks.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{FORWARDED, HOST, ORIGIN, ToStrError, VIA};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use ipnet::IpNet;

use super::client::ClientConnection;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// Longest host and port in links, in bytes (RFC 1035 §2.3.4 has 255 for a name).
const MAX_AUTHORITY: usize = 262;

/// How links are made.
#[derive(Debug, Clone, Default)]
pub struct LinkSettings {
    /// Prefix of links, without a slash at the end; unset, it is taken from the request.
    pub base_url: Option<String>,
    /// Peers whose `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<IpNet>,
}

impl LinkSettings {
    /// `BASE_URL`; else what a trusted proxy says; else the host that the request names, if it is plain; else our own
    /// address.
    pub(super) fn base_url<B>(&self, request: &Request<B>) -> String {
        if let Some(base) = &self.base_url {
            return base.clone();
        }
        let headers = request.headers();
        let connection = request.extensions().get::<ClientConnection>();
        let trusted = connection.is_some_and(|connection| self.is_trusted(connection.peer.ip()));
        let forwarded = |name| trusted.then(|| last(headers, name)).flatten();
        let scheme = match forwarded(X_FORWARDED_PROTO) {
            Some("https") => "https",
            Some(_) => "http",
            None if connection.is_some_and(|connection| connection.tls) => "https",
            None => "http",
        };
        let host = forwarded(X_FORWARDED_HOST)
            .and_then(authority)
            .or_else(|| authority(named(request)?.ok()?))
            .or_else(|| Some(connection?.local.to_string()))
            .unwrap_or_else(|| "localhost".to_owned());
        format!("{scheme}://{host}")
    }

    /// `BASE_URL`; else the first of the addresses that a server with these settings listens on.
    pub fn base_url_at(&self, listen: &[SocketAddr], tls: bool) -> String {
        let scheme = if tls { "https" } else { "http" };
        match (&self.base_url, listen.first()) {
            (Some(base), _) => base.clone(),
            // All addresses: no client goes to that one.
            (None, Some(any)) if any.ip().is_unspecified() => format!("{scheme}://localhost:{}", any.port()),
            (None, Some(address)) => format!("{scheme}://{address}"),
            (None, None) => format!("{scheme}://localhost"),
        }
    }

    /// Whether an address belongs to a proxy that the operator trusts.
    pub(super) fn is_trusted(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// What proxies add.
pub(super) const FORWARDING: [HeaderName; 6] =
    [FORWARDED, VIA, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REAL_IP];

/// Whether a request comes from this very host, as far as can be told: not through a proxy on it, not for a page
/// of another origin in a browser on it, and not by a name that somebody else points here.
pub(super) fn is_local<B>(request: &Request<B>) -> bool {
    let Some(connection) = request.extensions().get::<ClientConnection>() else { return false };
    let headers = request.headers();
    connection.peer.ip().to_canonical().is_loopback()
        && !FORWARDING.iter().any(|name| headers.contains_key(name))
        // Of browsers, for pages of other origins.
        && !headers.contains_key(ORIGIN)
        && named(request).is_none_or(|host| host.is_ok_and(is_loopback_name))
}

/// Whether a request over loopback is for a name of loopback, too; one by another way may be for any name.
pub(super) fn is_for_this_machine<B>(request: &Request<B>, peer: IpAddr) -> bool {
    !peer.is_loopback() || named(request).is_none_or(|host| host.is_ok_and(is_loopback_name))
}

/// The host that a request is for: a target that is a URL counts, and `Host` then not (RFC 9112 §3.2.2).
fn named<B>(request: &Request<B>) -> Option<Result<&str, ToStrError>> {
    let target = request.uri().authority().map(|authority| Ok(authority.as_str()));
    target.or_else(|| request.headers().get(HOST).map(HeaderValue::to_str))
}

fn is_loopback_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The last value of a comma-separated header: the one that the nearest proxy wrote.
fn last(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

/// A host with an optional port, and nothing else.
fn authority(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    // None where a user name stands before it.
    let port = text.strip_prefix(host)?;
    let port_is_fine =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let host_is_fine = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.bytes().all(plain) && host.bytes().any(|byte| byte.is_ascii_alphanumeric()),
    };
    (host_is_fine && port_is_fine && text.len() <= MAX_AUTHORITY).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::client::Outlet;
    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get("/").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        request.extensions_mut().insert(ClientConnection {
            tls: false,
            peer: peer.parse().unwrap(),
            local: "127.0.0.1:3021".parse().unwrap(),
            outlet: Outlet::default(),
        });
        request
    }

    #[test]
    fn links_begin_where_the_client_came_in() {
        let settings = LinkSettings { base_url: None, trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()] };
        let proxied = [
            ("host", "inner:3021"),
            ("x-forwarded-host", "evil.example, video.example.org"),
            ("x-forwarded-proto", "https"),
        ];
        for (peer, headers, base) in [
            ("192.0.2.1:9", &[("host", "sluice.example:8080")][..], "http://sluice.example:8080"),
            ("192.0.2.1:9", &[("host", "[::1]:3021")], "http://[::1]:3021"),
            ("192.0.2.1:9", &[("host", "a.example/\"><script>")], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &[("host", "user@a.example")], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &[("host", "a.example:99999")], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &[("host", "a.example:")], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &[("host", "..")], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &[("host", "[]:80")], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &[], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &proxied, "http://inner:3021"),
            ("10.1.2.3:9", &proxied, "https://video.example.org"),
        ] {
            assert_eq!(settings.base_url(&request(peer, headers)), base, "{peer} {headers:?}");
        }
        let mut whole = request("192.0.2.1:9", &[("host", "a.example")]);
        *whole.uri_mut() = "http://b.example:81/extract".parse().unwrap();
        assert_eq!(settings.base_url(&whole), "http://b.example:81");
        let fixed = LinkSettings { base_url: Some("https://a.example/v".into()), ..settings };
        assert_eq!(fixed.base_url(&request("10.1.2.3:9", &proxied)), "https://a.example/v");
    }

    #[test]
    fn without_a_request_links_begin_where_the_server_listens() {
        let at = |base_url: Option<&str>, address: &str| {
            let settings = LinkSettings { base_url: base_url.map(str::to_owned), ..LinkSettings::default() };
            settings.base_url_at(&[address.parse().unwrap(), "192.0.2.1:80".parse().unwrap()], false)
        };
        assert_eq!(at(None, "127.0.0.1:3021"), "http://127.0.0.1:3021");
        assert_eq!(at(None, "[2001:db8::1]:80"), "http://[2001:db8::1]:80");
        assert_eq!(at(None, "[::]:3021"), "http://localhost:3021");
        assert_eq!(at(Some("https://a.example/v"), "0.0.0.0:3021"), "https://a.example/v");
    }

    #[test]
    fn only_loopback_without_a_proxy_is_local() {
        assert!(is_local(&request("127.0.0.1:9", &[])));
        assert!(is_local(&request("[::1]:9", &[])));
        assert!(is_local(&request("[::ffff:127.0.0.1]:9", &[])));
        assert!(!is_local(&request("192.0.2.1:9", &[])));
        assert!(is_local(&request("127.0.0.1:9", &[("host", "LocalHost:3021")])));
        assert!(is_local(&request("127.0.0.1:9", &[("host", "[::1]:3021")])));
        for header in [
            ("x-forwarded-for", "192.0.2.1"),
            ("via", "1.1 proxy"),
            ("x-real-ip", "192.0.2.1"),
            ("origin", "https://evil.example"),
            ("host", "evil.example:3021"),
        ] {
            assert!(!is_local(&request("127.0.0.1:9", &[header])), "{header:?}");
        }
        let mut whole = request("127.0.0.1:9", &[("host", "localhost")]);
        *whole.uri_mut() = "http://evil.example/metrics".parse().unwrap();
        assert!(!is_local(&whole));
        *whole.uri_mut() = "http://localhost/metrics".parse().unwrap();
        assert!(is_local(&whole));
    }
}
