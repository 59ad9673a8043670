//! File extensions, and the content types that go with them.

use http::HeaderValue;
use url::Url;

/// Content types by file extension. What is not here is sent as the CDN calls it, if that is harmless.
const TYPES: [(&str, &str); 29] = [
    ("3gp", "video/3gpp"),
    ("aac", "audio/aac"),
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("flac", "audio/flac"),
    ("flv", "video/x-flv"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpg", "video/mpeg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("png", "image/png"),
    ("srt", "application/x-subrip"),
    ("ts", "video/mp2t"),
    ("ttml", "application/ttml+xml"),
    ("vtt", "text/vtt"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
];

/// Extensions of media and subtitles without a content type worth naming, out of yt-dlp's own list of safe ones.
/// No pages (`mhtml`, `svg`, `xml`), no programs (`swf`), no playlists that a player would follow (`m3u8`, `asx`).
const OTHERS: [&str; 54] = [
    "3g2", "3ga", "ac3", "adts", "aif", "aiff", "alac", "ape", "asf", "ass", "au", "bmp", "divx", "dts",
    "f4a", "f4b", "f4v", "ismt", "ismv", "jfif", "jpe", "json3", "jxl", "lrc", "m2t", "m2ts", "m2v", "m4b",
    "m4r", "m4s", "mid", "mk3d", "mka", "mp2", "mpa", "mpe", "mpeg", "mpga", "mxf", "oga", "ogm", "ogx",
    "qt", "sbv", "scc", "spx", "srv1", "srv2", "srv3", "ssa", "vob", "weba", "wma", "wmv",
];
/// The extension of anything else: nothing opens it by itself.
const UNKNOWN: &str = "bin";

/// An extension if it is one of media, in lower case; else `bin`, so that no site can name a program or a page.
pub(super) fn safe_ext(ext: &str) -> &'static str {
    known(ext).or_else(|| OTHERS.into_iter().find(|other| ext.eq_ignore_ascii_case(other))).unwrap_or(UNKNOWN)
}

fn known(ext: &str) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| ext.eq_ignore_ascii_case(known)).map(|(known, _)| *known)
}

/// The extension of a URL's path, if it is one of a known type.
pub(in crate::api) fn ext_of(url: &str) -> Option<&'static str> {
    let url = Url::parse(url).ok()?;
    known(url.path().rsplit_once('.')?.1)
}

/// The content type of a file, by its name; an image's, and an unknown one's, by what the CDN says, unless
/// that is something that a browser would run.
pub(in crate::api) fn content_type(filename: &str, upstream: Option<&str>) -> HeaderValue {
    let upstream =
        upstream.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let harmless = upstream.filter(|text| {
        ["audio/", "image/", "video/"].iter().any(|kind| text.starts_with(kind)) && text != "image/svg+xml"
    });
    let ext = filename.rsplit_once('.').map(|(_, ext)| ext.to_ascii_lowercase());
    let by_name = ext.and_then(|ext| TYPES.iter().find(|(known, _)| *known == ext)).map(|(_, kind)| *kind);
    match (by_name, harmless) {
        (Some(by_name), Some(upstream))
            if by_name.starts_with("image/") && upstream.starts_with("image/") =>
        {
            HeaderValue::from_str(&upstream).unwrap_or(HeaderValue::from_static(by_name))
        }
        (Some(by_name), _) => HeaderValue::from_static(by_name),
        (None, Some(upstream)) => {
            HeaderValue::from_str(&upstream).unwrap_or(HeaderValue::from_static("application/octet-stream"))
        }
        (None, None) => HeaderValue::from_static("application/octet-stream"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_from_names_and_are_never_pages() {
        for (name, upstream, expected) in [
            ("a.mp4", Some("text/html"), "video/mp4"),
            ("a.mp4", None, "video/mp4"),
            ("a.jpg", Some("image/webp"), "image/webp"),
            ("a.jpg", Some("image/svg+xml"), "image/jpeg"),
            ("a.jpg", Some("text/html"), "image/jpeg"),
            ("a.xyz", Some("text/html; charset=utf-8"), "application/octet-stream"),
            ("a.xyz", Some("image/svg+xml"), "application/octet-stream"),
            ("a", Some("Video/MP4; codecs=x"), "video/mp4"),
            ("a", None, "application/octet-stream"),
        ] {
            assert_eq!(content_type(name, upstream), expected, "{name} {upstream:?}");
        }
        assert_eq!(ext_of("https://a.example/x/y.webp?z=.mp4"), Some("webp"));
        assert_eq!(ext_of("https://a.example/x/y.image"), None);
    }
}
