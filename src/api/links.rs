//! The address that links in answers begin with, and who asks.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Request};
use ipnet::IpNet;

use super::client::ClientConnection;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How links are made.
#[derive(Debug, Clone, Default)]
pub struct LinkSettings {
    /// Prefix of links, without a slash at the end; unset, it is taken from the request.
    pub base_url: Option<String>,
    /// Peers whose `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<IpNet>,
}

impl LinkSettings {
    /// `BASE_URL`; else what a trusted proxy says; else the request's validated `Host`; else our own address.
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
            _ => "http",
        };
        let host = forwarded(X_FORWARDED_HOST)
            .and_then(authority)
            .or_else(|| authority(headers.get(HOST)?.to_str().ok()?))
            .or_else(|| Some(connection?.local.to_string()))
            .unwrap_or_else(|| "localhost".to_owned());
        format!("{scheme}://{host}")
    }

    /// Whether an address belongs to a proxy that the operator trusts.
    pub(super) fn is_trusted(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// Whether a request comes from this very host, and not through a proxy on it.
pub(super) fn is_local<B>(request: &Request<B>) -> bool {
    let Some(connection) = request.extensions().get::<ClientConnection>() else { return false };
    let headers = request.headers();
    connection.peer.ip().to_canonical().is_loopback()
        && !headers.contains_key(X_FORWARDED_FOR)
        && !headers.contains_key(FORWARDED)
}

/// The last value of a comma-separated header: the one that the nearest proxy wrote.
fn last(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

/// A host with an optional port, and nothing else.
fn authority(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let fine = !authority.host().is_empty() && authority.as_str().bytes().all(plain);
    fine.then(|| authority.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::client::Reset;
    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get("/").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        request.extensions_mut().insert(ClientConnection {
            peer: peer.parse().unwrap(),
            local: "127.0.0.1:3021".parse().unwrap(),
            reset: Reset::default(),
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
            ("192.0.2.1:9", &[], "http://127.0.0.1:3021"),
            ("192.0.2.1:9", &proxied, "http://inner:3021"),
            ("10.1.2.3:9", &proxied, "https://video.example.org"),
        ] {
            assert_eq!(settings.base_url(&request(peer, headers)), base, "{peer} {headers:?}");
        }
        let fixed = LinkSettings { base_url: Some("https://a.example/v".into()), ..settings };
        assert_eq!(fixed.base_url(&request("10.1.2.3:9", &proxied)), "https://a.example/v");
    }

    #[test]
    fn only_loopback_without_a_proxy_is_local() {
        assert!(is_local(&request("127.0.0.1:9", &[])));
        assert!(is_local(&request("[::1]:9", &[])));
        assert!(is_local(&request("[::ffff:127.0.0.1]:9", &[])));
        assert!(!is_local(&request("192.0.2.1:9", &[])));
        assert!(!is_local(&request("127.0.0.1:9", &[("x-forwarded-for", "192.0.2.1")])));
    }
}
