//! Names in headers.

use http::HeaderValue;

/// `Content-Disposition` (RFC 6266 §4): a plain ASCII name for old clients, the real one in RFC 8187's form.
pub(in crate::api) fn disposition(filename: &str, inline: bool) -> Option<HeaderValue> {
    let kind = if inline { "inline" } else { "attachment" };
    // Appendix D: no backslash or quote, which clients unescape differently, and no percent sign, which some decode.
    let plain =
        |char| if matches!(char, ' '..='~') && !matches!(char, '"' | '\\' | '%') { char } else { '_' };
    let ascii: String = filename.chars().map(plain).collect();
    HeaderValue::try_from(format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{}", encoded(filename)))
        .ok()
}

/// Percent-encodes all but RFC 8187's `attr-char`.
pub(in crate::api) fn encoded(text: &str) -> String {
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
    fn whatever_the_name_the_header_has_two_parameters() {
        for char in (0..0x3000).filter_map(char::from_u32) {
            let header = disposition(&format!("a{char}41.mp4"), false).unwrap();
            let (plain, extended) = header
                .to_str()
                .unwrap()
                .strip_prefix("attachment; filename=\"")
                .and_then(|rest| rest.split_once("\"; filename*=UTF-8''"))
                .unwrap();
            assert!(!plain.contains(['"', '\\', '%']) && plain.len() == 8, "{plain:?}");
            let attr_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~%".contains(&byte);
            assert!(extended.bytes().all(attr_char), "{extended:?}");
        }
    }
}
