//! The ways out.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use url::Url;

use super::values::{decoded, listed};
use super::{Reader, table};
use crate::egress::{Kind, Proxy, ProxyKind};

/// The largest networks that are given to one holder (RFC 6177, and the registries' first /19s).
const LEAST_PREFIX: u8 = 19;

impl Reader<'_> {
    /// `EGRESS`, or `PROXY`, which is short for a list of one.
    pub(super) fn exits(&mut self) -> Vec<Kind> {
        let proxy = self.optional("PROXY", |text| Ok(vec![proxy(text)?]));
        let listed = self.optional("EGRESS", exits);
        if proxy.is_some() && listed.is_some() {
            let origin = self.raw("PROXY").map(|(_, origin)| origin).unwrap_or(super::Origin::Default);
            self.problem(table::find("PROXY"), origin, "EGRESS is set, too, and says it all");
        }
        listed.or(proxy).unwrap_or_default()
    }
}

/// Addresses, networks of version 6, proxies, and `direct`, by commas.
pub(super) fn exits(text: &str) -> Result<Vec<Kind>, String> {
    let kinds = listed(text).map(exit).collect::<Result<Vec<_>, _>>()?;
    if let Some(twice) = kinds.iter().enumerate().find(|(index, kind)| kinds[..*index].contains(kind)) {
        return Err(format!("{} is in it twice", twice.1));
    }
    match kinds.is_empty() {
        true => Err("nothing is in it".to_owned()),
        false => Ok(kinds),
    }
}

fn exit(item: &str) -> Result<Kind, String> {
    if item == "direct" {
        return Ok(Kind::Direct);
    }
    if item.contains("://") {
        return proxy(item);
    }
    if item.contains('@') {
        // A proxy's password may be in it.
        return Err(
            "what has an @ in it is no proxy: it lacks http:// or socks5://, or has a comma".to_owned()
        );
    }
    if let Ok(address) = item.parse::<IpAddr>().map(|address| address.to_canonical()) {
        return match address.is_unspecified() || address.is_multicast() {
            true => Err(format!("{item:?} is no address that connections can come from")),
            false => Ok(Kind::Address(address)),
        };
    }
    match item.parse::<IpNet>() {
        Ok(IpNet::V6(network)) if network.prefix_len() < LEAST_PREFIX => {
            Err(format!("{item:?} is larger than any network of one machine"))
        }
        Ok(IpNet::V6(network)) => Ok(Kind::Prefix(network.trunc())),
        Ok(IpNet::V4(_)) => Err(format!("{item:?} is a network of version 4; list its addresses one by one")),
        Err(_) => Err(format!("{item:?} is no address, v6 network, proxy, or direct")),
    }
}

/// The message never holds the password.
pub(super) fn proxy(text: &str) -> Result<Kind, String> {
    let url = Url::parse(text).map_err(|_| "a proxy is not a URL".to_owned())?;
    let (kind, port) = match url.scheme() {
        "http" => (ProxyKind::Http, 80),
        // Names go to the proxy by either spelling; PROXY_DNS decides.
        "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
        _ => return Err("a proxy is neither http:// nor socks5://".to_owned()),
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let (Some(host), "" | "/", None) = (host, url.path(), url.query()) else {
        return Err("a proxy is not of the form http://[user:password@]host:port".to_owned());
    };
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => Some((decoded(user), decoded(password.unwrap_or_default()))),
    };
    let port = url.port().unwrap_or(port);
    if port == 0 {
        return Err("a proxy has port 0".to_owned());
    }
    let proxy = Proxy::new(kind, host.to_owned(), port, credentials);
    let proxy = proxy.ok_or("the user name or password of a proxy is not usable")?;
    Ok(Kind::Proxy(Arc::new(proxy)))
}

/// Whether streams leave directly.
pub(super) fn streams(text: &str) -> Result<bool, String> {
    match text {
        "same" => Ok(false),
        "direct" => Ok(true),
        _ => Err(format!("{text:?} is neither same nor direct")),
    }
}

/// Whether names are looked up here.
pub(super) fn dns(text: &str) -> Result<bool, String> {
    match text {
        "remote" => Ok(false),
        "local" => Ok(true),
        _ => Err(format!("{text:?} is neither remote nor local")),
    }
}
