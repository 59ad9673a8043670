//! The ways out, and the door.

use std::io;
use std::net::SocketAddr;

use super::health::{self, HealthError};
use super::report::Check;
use crate::egress::examine::{self, Ipv6, Unfit};
use crate::egress::{self, Kind};
use crate::server;

/// The certificates that sites have to be known by.
pub(super) fn trust_roots(settings: &egress::Settings) -> Check {
    const NAME: &str = "trust-roots";
    let counts: Result<Vec<_>, _> = settings.roots.iter().map(|file| examine::count_roots(file)).collect();
    match counts.as_deref() {
        Ok([own, more @ ..]) => {
            let more: usize = more.iter().sum();
            let of_operator = if more > 0 { format!(", and {more} of CA_FILE") } else { String::new() };
            Check::ok(NAME, format!("{own} of certifi{of_operator}"))
        }
        Ok([]) => Check::fail(NAME, "none", "install the runtime anew"),
        Err(error) => Check::fail(NAME, error.to_string(), "install the runtime anew, or correct CA_FILE"),
    }
}

/// Each way out that is listed. Proxies are connected to, all at a time, and told nothing. As long as one is fit,
/// extractions have a way.
pub(super) async fn exits(settings: &egress::Settings) -> Vec<Check> {
    const NAME: &str = "egress";
    if settings.exits.is_empty() {
        return vec![Check::info(NAME, "none is listed: the machine's own addresses")];
    }
    let tried = futures_util::future::join_all(settings.exits.iter().map(examine::try_exit)).await;
    let is_way = tried.iter().any(Result::is_ok);
    let checks = settings.exits.iter().zip(tried).map(|(exit, tried)| exit_check(NAME, exit, tried, is_way));
    checks.collect()
}

/// `is_way`: whether this one or another is fit.
fn exit_check(name: &'static str, exit: &Kind, tried: Result<(), Unfit>, is_way: bool) -> Check {
    let advice = match &tried {
        Ok(()) if matches!(exit, Kind::Proxy(_)) => {
            return Check::ok(name, format!("{exit} accepts connections"));
        }
        Ok(()) => return Check::ok(name, format!("{exit} is of this machine")),
        Err(Unfit::NotOurs) => format!("add it (ip address add {exit} dev …), or take it out of EGRESS"),
        Err(Unfit::NoNetwork) => format!("ip -6 route add local {exit} dev lo"),
        Err(Unfit::Unreachable(_)) => "start the proxy, or correct PROXY or EGRESS".to_owned(),
    };
    let why = tried.err().map(|unfit| unfit.to_string()).unwrap_or_default();
    let detail = format!("{exit}: {why}");
    if is_way { Check::warn(name, detail, advice) } else { Check::fail(name, detail, advice) }
}

/// How far IPv6 goes; a server without it serves.
pub(super) fn ipv6() -> Check {
    const NAME: &str = "ipv6";
    match examine::ipv6() {
        Ipv6::Routed => Check::info(NAME, "there is a route to the internet"),
        Ipv6::Local => Check::info(NAME, "no route to the internet, so sites are reached by IPv4"),
        Ipv6::None => Check::info(NAME, "none on this machine, so everything goes by IPv4"),
    }
}

/// Whether the server could listen, or who does in its place, who is asked (which wakes a service that systemd starts by
/// its socket).
pub(super) async fn ports(settings: &server::Settings) -> Vec<Check> {
    let tried: Vec<_> =
        settings.listen.iter().map(|address| (*address, server::try_address(*address))).collect();
    let is_missing = |tried: &io::Result<()>| tried.as_ref().is_err_and(server::is_not_here);
    let is_one_here = tried.iter().any(|(_, tried)| !is_missing(tried));
    let mut checks = Vec::new();
    for (address, tried) in tried {
        let check = match tried {
            Ok(()) => Check::ok(PORT, format!("{address} is free")),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken(address, settings).await,
            Err(error) => unusable(address, &error, is_one_here),
        };
        checks.push(check);
    }
    checks
}

const PORT: &str = "port";

async fn taken(address: SocketAddr, settings: &server::Settings) -> Check {
    match health::ask(address, settings.tls.is_some()).await {
        Ok(health::Health::Ready) => {
            Check::ok(PORT, format!("{address} is served by a Sluice that is ready"))
        }
        Ok(health::Health::Unready(why)) => Check::warn(
            PORT,
            format!("{address} is served by a Sluice that is not ready ({why})"),
            "look at its log",
        ),
        Err(HealthError::Stranger | HealthError::Http(_)) => Check::fail(
            PORT,
            format!("{address} is taken by another program"),
            format!("end it (ss -ltnp 'sport = :{}' tells which), or set another PORT", address.port()),
        ),
        Err(HealthError::Connect(_) | HealthError::Timeout) => Check::warn(
            PORT,
            format!(
                "{address}: something listens there and does not answer: \
                 a server that starts or drains, or sluice.socket of systemd"
            ),
            format!("ask again, or see who it is (ss -ltnp 'sport = :{}')", address.port()),
        ),
    }
}

/// `is_one_here`: whether this machine has this address or another of them.
fn unusable(address: SocketAddr, error: &io::Error, is_one_here: bool) -> Check {
    let detail = format!("{address}: {error}");
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Check::fail(
            PORT,
            detail,
            "allow it (AmbientCapabilities=CAP_NET_BIND_SERVICE of systemd), or set a PORT from 1024 on",
        );
    }
    match is_one_here && server::is_not_here(error) {
        true => Check::warn(PORT, detail, "it will be left out; take it out of HOST"),
        false => Check::fail(PORT, detail, "correct HOST and PORT"),
    }
}
