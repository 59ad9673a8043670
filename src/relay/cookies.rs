//! Which of a link's cookies go with a request (RFC 6265 §5.4).

use http::HeaderValue;
use url::{Host, Url};

use crate::ticket::Cookie;

/// The value of the `Cookie` header for `url`, if any cookie belongs there.
pub(super) fn header(cookies: &[Cookie], url: &Url) -> Option<String> {
    let pairs: Vec<_> = cookies
        .iter()
        .filter(|cookie| belongs(cookie, url))
        .map(|cookie| format!("{}={}", cookie.name, cookie.value))
        // One that can't stand in a header must not take the others with it.
        .filter(|pair| HeaderValue::from_str(pair).is_ok())
        .collect();
    (!pairs.is_empty()).then(|| pairs.join("; "))
}

fn belongs(cookie: &Cookie, url: &Url) -> bool {
    (!cookie.secure || url.scheme() == "https")
        && domain_matches(&cookie.domain, url)
        && path_matches(&cookie.path, url.path())
}

/// RFC 6265 §5.1.3: the host itself, or below it if the domain begins with a dot and the host is a name.
fn domain_matches(domain: &str, url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let Some(parent) = domain.strip_prefix('.') else { return host.eq_ignore_ascii_case(domain) };
    let parent = parent.to_ascii_lowercase();
    host == parent
        || matches!(url.host(), Some(Host::Domain(_)))
            && host.strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

/// RFC 6265 §5.1.4.
fn path_matches(cookie: &str, path: &str) -> bool {
    match path.strip_prefix(cookie) {
        Some(rest) => rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_only_where_they_belong() {
        for (domain, path, secure, url, goes) in [
            (".tiktok.com", "/", true, "https://v16.tiktok.com/a", true),
            (".tiktok.com", "/", true, "https://tiktok.com/a", true),
            (".tiktok.com", "/", true, "http://v16.tiktok.com/a", false),
            (".tiktok.com", "/", false, "http://v16.tiktok.com/a", true),
            (".tiktok.com", "/", false, "https://nottiktok.com/a", false),
            (".tiktok.com", "/", false, "https://tiktok.com.example.org/a", false),
            ("tiktok.com", "/", false, "https://v16.tiktok.com/a", false),
            ("tiktok.com", "/", false, "https://tiktok.com/a", true),
            (".TikTok.com", "/", false, "https://v16.tiktok.com/a", true),
            (".0.0.1", "/", false, "http://127.0.0.1/a", false),
            ("127.0.0.1", "/", false, "http://127.0.0.1/a", true),
            (".a.com", "/video", false, "https://a.com/video", true),
            (".a.com", "/video", false, "https://a.com/video/1", true),
            (".a.com", "/video", false, "https://a.com/videos", false),
            (".a.com", "/video/", false, "https://a.com/video/1", true),
            (".a.com", "/video/", false, "https://a.com/other", false),
        ] {
            let cookie = Cookie {
                name: "n".into(),
                value: "v".into(),
                domain: domain.into(),
                path: path.into(),
                secure,
            };
            let header = header(&[cookie], &Url::parse(url).unwrap());
            assert_eq!(header, goes.then(|| "n=v".to_owned()), "{domain} {path} {secure} {url}");
        }
    }
}
