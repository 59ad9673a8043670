//! Which sites pages may be of.

use std::fmt;
use std::str::FromStr;

/// A site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// By the name of its extractor, in lower case: `tiktok` is that of `tiktok:user`, too.
    Extractor(String),
    /// By its host, and all hosts below that.
    Host(String),
}

impl FromStr for Site {
    type Err = String;

    /// A name with a dot is a host's.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!("{text:?} is neither a host such as tiktok.com nor an extractor's name such as tiktok")
        };
        if text.contains('.') {
            let host = url::Host::parse(text.trim_start_matches("*.")).map_err(|_| bad())?;
            return Ok(Self::Host(host.to_string().trim_end_matches('.').to_owned()));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b":_-+".contains(&byte);
        match !text.is_empty() && text.bytes().all(is_name) {
            true => Ok(Self::Extractor(text.to_ascii_lowercase())),
            false => Err(bad()),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Extractor(text) | Self::Host(text)) = self;
        formatter.write_str(text)
    }
}

/// A list of sites; never an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sites(Vec<Site>);

impl FromStr for Sites {
    type Err = String;

    /// By commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let sites = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let sites = sites.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        match sites.is_empty() {
            true => Err("no site is in it".to_owned()),
            false => Ok(Self(sites)),
        }
    }
}

impl Sites {
    /// Extractors by name, in lower case.
    pub fn extractors(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|site| match site {
            Site::Extractor(name) => Some(name.as_str()),
            Site::Host(_) => None,
        })
    }

    /// Hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|site| match site {
            Site::Host(host) => Some(host.as_str()),
            Site::Extractor(_) => None,
        })
    }

    /// Whether a page of this host may be one, as far as can be told without knowing its extractor.
    pub(super) fn may_allow(&self, host: &str) -> bool {
        self.extractors().next().is_some() || self.has_host(host)
    }

    /// Whether what an extractor has found on a page of this host is allowed.
    pub(super) fn allows(&self, extractor: Option<&str>, host: &str) -> bool {
        let extractor = extractor.unwrap_or_default().to_ascii_lowercase();
        let is = |name: &str| {
            extractor.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        self.has_host(host) || self.extractors().any(is)
    }

    fn has_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.hosts().any(|listed| {
            host.strip_suffix(listed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_meant_with_all_below_them_and_extractors_with_all_their_kinds() {
        let sites: Sites = "TikTok, vimeo.com,*.example.org".parse().unwrap();
        for (extractor, host, allowed) in [
            (Some("tiktok"), "www.tiktok.com", true),
            (Some("TikTok:user"), "x.example", true),
            (Some("tiktoks"), "x.example", false),
            (Some("vimeo"), "vimeo.com", true),
            (None, "player.vimeo.com.", true),
            (None, "notvimeo.com", false),
            (None, "vimeo.com.evil.example", false),
            (Some("generic"), "a.example.org", true),
            (Some("generic"), "example.net", false),
        ] {
            assert_eq!(sites.allows(extractor, host), allowed, "{extractor:?} {host}");
        }
        assert!(sites.may_allow("anything.example"), "its extractor may be one of the list");
        let hosts: Sites = "vimeo.com".parse().unwrap();
        assert!(hosts.may_allow("vimeo.com") && !hosts.may_allow("anything.example"));
    }

    #[test]
    fn what_is_no_site_is_an_error() {
        for text in ["", ",", "a b", "ti/ktok", "https://tiktok.com", "a..b com"] {
            assert!(text.parse::<Sites>().is_err(), "{text}");
        }
    }
}
