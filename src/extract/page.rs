//! Page URLs: what may reach yt-dlp at all.

use url::{Host, Url};

/// Longest page URL in bytes, so that a ticket without its link fits a token.
pub(super) const MAX_URL: usize = 2048;
/// Marks data that yt-dlp hands to itself inside a URL; it would let a client inject headers and ids.
const SMUGGLE: &str = "__youtubedl_smuggle";

/// Why a URL is not a page's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageUrlError {
    /// It is not a URL.
    #[error("the URL is malformed; a full one begins with https://")]
    Malformed,
    /// It is over [`MAX_URL`] bytes.
    #[error("the URL is longer than {MAX_URL} bytes")]
    TooLong,
    /// `file:`, `ytsearch:`, …
    #[error("only http and https URLs are taken")]
    Scheme,
    /// `https://user:password@host/`.
    #[error("the URL holds a user name or password")]
    Userinfo,
    /// yt-dlp's own `#__youtubedl_smuggle=`.
    #[error("the URL's fragment is not allowed")]
    Smuggled,
}

/// An `http` or `https` URL with a host, in WHATWG form, without user information or smuggled data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageUrl(Url);

impl PageUrl {
    /// Checks and normalises what a client sent.
    pub fn parse(text: &str) -> Result<Self, PageUrlError> {
        if text.len() > MAX_URL {
            return Err(PageUrlError::TooLong);
        }
        let mut url = Url::parse(text.trim()).map_err(|_| PageUrlError::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PageUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PageUrlError::Userinfo);
        }
        let escaped = url.as_str().contains('%') && percent_decoded(url.as_str()).contains(SMUGGLE);
        if escaped || url.as_str().contains(SMUGGLE) || text.contains(SMUGGLE) {
            return Err(PageUrlError::Smuggled);
        }
        // The root's dot means the same host, but extractors do not know it.
        if let Some(host) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
            url.set_host(Some(&host)).map_err(|_| PageUrlError::Malformed)?;
        }
        if url.as_str().len() > MAX_URL {
            return Err(PageUrlError::TooLong);
        }
        Ok(Self(url))
    }

    /// The normalised URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host in lower case; an address for an address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whose site it is: what somebody has registered of the host's name (publicsuffix.org), or the whole of it.
    pub fn site(&self) -> &str {
        match self.0.host() {
            Some(Host::Domain(host)) => psl::domain_str(host).unwrap_or(host),
            _ => self.host(),
        }
    }

    /// Whether the host is one of `domains` or below one of them.
    pub fn is_within(&self, domains: &[&str]) -> bool {
        let Some(Host::Domain(host)) = self.0.host() else { return false };
        domains.iter().any(|domain| match host.strip_suffix(domain) {
            Some(prefix) => prefix.is_empty() || prefix.ends_with('.'),
            None => false,
        })
    }
}

/// `%5f` and the like, decoded once, as extractors do with URLs that they hand on.
fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.replace(['&', '=', '+'], " ").as_bytes())
        .map(|(name, value)| format!("{name}{value}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_pages() {
        for url in [
            "https://www.tiktok.com/@a/video/1?x=1",
            " http://example.com/ ",
            "https://example.com:8443/#t=3",
        ] {
            assert!(PageUrl::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn refuses_what_is_no_page() {
        use PageUrlError::*;
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL));
        for (url, why) in [
            ("", Malformed),
            ("www.tiktok.com/@a/video/1", Malformed),
            ("https://", Malformed),
            ("https://exa mple.com/", Malformed),
            ("ytsearch:cats", Scheme),
            ("ytsearch5:cats", Scheme),
            ("file:///etc/passwd", Scheme),
            ("ftp://example.com/a.mp4", Scheme),
            ("data:text/html,hello", Scheme),
            ("javascript:alert(1)", Scheme),
            ("https://user@example.com/", Userinfo),
            ("https://user:secret@example.com/", Userinfo),
            ("https://:secret@example.com/", Userinfo),
            ("https://example.com/#__youtubedl_smuggle=%7B%7D", Smuggled),
            ("https://example.com/#%5f_youtubedl_smuggle=%7B%7D", Smuggled),
            ("https://example.com/#__youtubedl_smug\tgle=%7B%7D", Smuggled),
            (&long, TooLong),
        ] {
            assert_eq!(PageUrl::parse(url), Err(why), "{url}");
        }
    }

    #[test]
    fn knows_hosts_from_strings_that_hold_them() {
        let within = |url: &str| PageUrl::parse(url).unwrap().is_within(&["tiktok.com"]);
        assert!(within("https://tiktok.com/"));
        assert!(within("https://www.TikTok.com./"));
        assert!(within("https://vm.tiktok.com/x"));
        for url in [
            "http://169.254.169.254/?x=tiktok.com",
            "https://tiktok.com.example.org/",
            "https://nottiktok.com/",
            "https://example.org/tiktok.com",
        ] {
            assert!(!within(url), "{url}");
        }
    }
}
