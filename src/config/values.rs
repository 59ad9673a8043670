//! Parsers of values. Each says what is wrong with a value; secrets are never repeated.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use url::Url;

use crate::api::Origins;
use crate::telemetry::{self, LogFormat};

pub(super) fn number<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display + Copy,
{
    move |text| match text.parse::<T>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{text:?} is not a whole number from {least} to {most}")),
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{text:?} is neither on nor off")),
    }
}

/// Seconds, or a number with a unit as `90s`, `5m`, `6h`.
pub(super) fn seconds(least: u64, most: u64) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let parsed = match text.parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => humantime::parse_duration(text).ok(),
        };
        parsed
            .filter(|duration| (Duration::from_secs(least)..=Duration::from_secs(most)).contains(duration))
            .ok_or_else(|| format!("{text:?} is not a number of seconds from {least} to {most}"))
    }
}

pub(super) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Each once, and none that an unspecified one of its family (`0.0.0.0`, `::`) stands for, beside which it can't be bound.
pub(super) fn hosts(text: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let listed = addresses(text)?;
    let stands_for = |any: &IpAddr, ip: &IpAddr| any.is_unspecified() && any.is_ipv4() == ip.is_ipv4();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in &listed {
        let is_covered = !ip.is_unspecified() && listed.iter().any(|any| stands_for(any, ip));
        if !is_covered && !addresses.contains(ip) {
            addresses.push(*ip);
        }
    }
    Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

fn addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    let mut addresses = Vec::new();
    for host in listed(text) {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(ip) => addresses.push(ip),
            Err(_) if host == "localhost" => {
                addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
            }
            Err(_) => return Err(format!("{host:?} is not an IP address")),
        }
    }
    match addresses.is_empty() {
        true => Err("no address is in it".to_owned()),
        false => Ok(addresses),
    }
}

pub(super) fn base_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| format!("{text:?} is not a URL"))?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    match plain {
        true => Ok(url.as_str().trim_end_matches('/').to_owned()),
        false => Err(format!("{text:?} is not a plain http or https URL")),
    }
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    listed(text)
        .map(|item| {
            let address = item.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| item.parse()).map_err(|_| format!("{item:?} is not an address or a network"))
        })
        .collect()
}

pub(super) fn origins(text: &str) -> Result<Origins, String> {
    if text == "*" {
        return Ok(Origins::Any);
    }
    let origins = listed(text).map(|item| match Url::parse(item) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(url.origin().ascii_serialization())
        }
        _ => Err(format!("{item:?} is not an origin such as https://example.org")),
    });
    origins.collect::<Result<_, _>>().map(Origins::Listed)
}

pub(super) fn decoded(text: &str) -> String {
    // A plus sign means itself here, unlike in forms.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

pub(super) fn pem_file(text: &str) -> Result<PathBuf, String> {
    let bytes = std::fs::read(text).map_err(|error| format!("{text}: {error}"))?;
    if !CertificateDer::pem_slice_iter(&bytes).any(|certificate| certificate.is_ok()) {
        return Err(format!("{text}: no certificate in PEM form is in it"));
    }
    std::path::absolute(text).map_err(|error| format!("{text}: {error}"))
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    // A bare word that is no level would be taken for a target, and silence all others.
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let bare =
        listed(text).find(|part| !part.contains('=') && !levels.contains(&part.to_lowercase().as_str()));
    if let Some(word) = bare {
        return Err(format!("{word:?} is not one of {}", levels.join(", ")));
    }
    // tracing-subscriber 0.3.23 cuts a directive with a blank before it in the wrong places, also within a character.
    let text = listed(text).collect::<Vec<_>>().join(",");
    telemetry::check_filter(&text).map(|()| text)
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "plain" => Ok(LogFormat::Plain),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither plain nor json")),
    }
}
