//! File names and content types of streams.

use http::HeaderValue;
use url::Url;

use crate::extract::Metadata;

/// Longest file name in bytes of UTF-8, extension included; file systems end at 255.
const MAX_NAME: usize = 150;

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

/// `title [id].ext`, or `title [id].language.ext`, as yt-dlp names files.
pub(super) fn name(metadata: &Metadata, language: Option<&str>, ext: &str) -> String {
    let id = metadata.id.as_deref().unwrap_or("video");
    let mut stem = match metadata.title.as_deref() {
        Some(title) => format!("{title} [{id}]"),
        None => id.to_owned(),
    };
    if let Some(language) = language {
        stem.push('.');
        stem.push_str(language);
    }
    clean(&stem, ext)
}

/// A file name without control, bidirectional or path characters, and not too long.
fn clean(stem: &str, ext: &str) -> String {
    let ext: String = ext.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    let safe: String = stem
        .chars()
        .map(|char| match char {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            char if char.is_control() || is_format(char) => ' ',
            char => char,
        })
        .collect();
    let words: Vec<_> = safe.split_whitespace().collect();
    let joined = words.join(" ");
    let stem = joined.trim_start_matches(['.', '-', ' ']);
    let room = MAX_NAME - ext.len() - 1;
    let stem = shorten(stem, room);
    match (stem.is_empty(), ext.is_empty()) {
        (true, true) => "video".to_owned(),
        (true, false) => format!("video.{ext}"),
        (false, true) => stem,
        (false, false) => format!("{stem}.{ext}"),
    }
}

/// Unicode's format characters that change how text around them is shown (bidi overrides and isolates, zero
/// widths, line separators, byte order mark).
fn is_format(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Cuts in the middle, so that the id at the end stays.
fn shorten(stem: &str, room: usize) -> String {
    if stem.len() <= room {
        return stem.trim_end().to_owned();
    }
    let tail_start = stem.rfind(" [").filter(|start| stem.len() - start <= room / 2).unwrap_or(stem.len());
    let tail = &stem[tail_start..];
    let mut end = room - tail.len();
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", stem[..end].trim_end())
}

/// The extension of a URL's path, if it is one of a known type.
pub(super) fn ext_of(url: &str) -> Option<&'static str> {
    let url = Url::parse(url).ok()?;
    let ext = url.path().rsplit_once('.')?.1.to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == ext).map(|(known, _)| *known)
}

/// The content type of a file, by its name; an image's, and an unknown one's, by what the CDN says, unless
/// that is something that a browser would run.
pub(super) fn content_type(filename: &str, upstream: Option<&str>) -> HeaderValue {
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

/// `Content-Disposition` (RFC 6266 §4): a plain ASCII name for old clients, the real one in RFC 8187's form.
pub(super) fn disposition(filename: &str, inline: bool) -> Option<HeaderValue> {
    let kind = if inline { "inline" } else { "attachment" };
    let plain =
        |char| if matches!(char, ' '..='~') && !matches!(char, '"' | '\\' | '%') { char } else { '_' };
    let ascii: String = filename.chars().map(plain).collect();
    HeaderValue::try_from(format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{}", encoded(filename)))
        .ok()
}

/// Percent-encodes all but RFC 8187's `attr-char`.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(title: &str) -> String {
        let metadata = Metadata { id: Some("7301".into()), title: Some(title.into()), ..Metadata::default() };
        name(&metadata, None, "mp4")
    }

    #[test]
    fn names_are_safe_and_keep_their_id() {
        for (title, expected) in [
            ("A dance", "A dance [7301].mp4"),
            ("été 🌞", "été 🌞 [7301].mp4"),
            ("../../etc/passwd", "_.._etc_passwd [7301].mp4"),
            ("a\r\nSet-Cookie: x", "a Set-Cookie_ x [7301].mp4"),
            ("\u{202e}gpj.exe", "gpj.exe [7301].mp4"),
            ("  ", "[7301].mp4"),
            ("-rf", "rf [7301].mp4"),
        ] {
            assert_eq!(named(title), expected);
        }
        for title in ["x".repeat(1000), "é".repeat(1000), "🌞".repeat(1000)] {
            let name = named(&title);
            assert!(name.len() <= MAX_NAME && name.ends_with(" [7301].mp4"), "{name}");
        }
        let metadata = Metadata { id: Some("7".into()), title: Some("T".into()), ..Metadata::default() };
        assert_eq!(name(&metadata, Some("zh-Hans"), "vtt"), "T [7].zh-Hans.vtt");
        assert_eq!(
            name(&Metadata::default(), None, "a/../b"),
            "video.ab",
            "no dots or slashes in an extension"
        );
    }

    #[test]
    fn dispositions_are_one_header() {
        let header = disposition("été \"x\" [1].mp4", false).unwrap();
        assert_eq!(
            header.to_str().unwrap(),
            "attachment; filename=\"_t_ _x_ [1].mp4\"; filename*=UTF-8''%C3%A9t%C3%A9%20%22x%22%20%5B1%5D.mp4"
        );
        assert!(disposition("a.mp4", true).unwrap().to_str().unwrap().starts_with("inline; "));
    }

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
