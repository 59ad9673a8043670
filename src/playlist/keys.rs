//! How segments are encrypted: `EXT-X-KEY` (RFC 8216 §4.3.2.4), and what the extractor knows better.

use std::sync::Arc;

use super::address::Addresses;
use super::parse::{attribute, initialization_vector};
use super::segments::KeyTag;
use super::{HlsAes, KeyFrom, PlaylistError};

/// Longest name of a method in an error.
const MAX_NAME: usize = 40;

/// What the extractor knows, in place of what the playlist says where segments are encrypted.
#[derive(Debug, Clone, Default)]
pub(super) struct Aes {
    pub(super) key: Option<KeyFrom>,
    pub(super) iv: Option<[u8; 16]>,
}

impl Aes {
    /// As `yt_dlp/downloader/hls.py` and `fragment.py` read it: the key goes before its address, and the address is taken
    /// as it is. AES with longer keys is an error; HLS has none.
    pub(super) fn of(known: Option<&HlsAes>, addresses: &Addresses) -> Result<Self, PlaylistError> {
        let Some(known) = known else { return Ok(Self::default()) };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let key = match (given(&known.key), given(&known.uri)) {
            (Some(key), _) => Some(KeyFrom::Bytes(bytes(&key, true).ok_or(PlaylistError::Attribute("key"))?)),
            (None, Some(address)) => Some(KeyFrom::Url(addresses.plain(&address)?)),
            (None, None) => None,
        };
        let iv = match given(&known.iv) {
            Some(iv) => Some(bytes(&iv, false).ok_or(PlaylistError::Attribute("iv"))?),
            None => None,
        };
        Ok(Self { key, iv })
    }

    /// What an `EXT-X-KEY` says; none where segments are not encrypted from there on. `before` is what the last one said.
    pub(super) fn tag(
        &self,
        list: &str,
        addresses: &Addresses,
        before: Option<&KeyTag>,
    ) -> Result<Option<KeyTag>, PlaylistError> {
        match attribute(list, "METHOD").ok_or(PlaylistError::Attribute("METHOD"))? {
            "NONE" => return Ok(None),
            "AES-128" => {}
            other => return Err(encryption(other)),
        }
        if let Some(format) = attribute(list, "KEYFORMAT").filter(|format| *format != "identity") {
            return Err(encryption(format));
        }
        let iv = match attribute(list, "IV") {
            Some(iv) => Some(initialization_vector(iv).ok_or(PlaylistError::Attribute("IV"))?),
            None => None,
        };
        let address = match self.key {
            Some(_) => "",
            None => attribute(list, "URI").ok_or(PlaylistError::Attribute("URI"))?,
        };
        // Keys are often the same all along, with another vector each.
        let address = match before {
            Some(before) if *before.address == *address => Arc::clone(&before.address),
            _ if address.is_empty() => Arc::from(address),
            _ => {
                addresses.key(address)?;
                Arc::from(address)
            }
        };
        Ok(Some(KeyTag { address, iv }))
    }
}

/// 16 bytes in hexadecimal digits, `0x` in front or not. Zeros in front may be left out where they need not be `whole`.
fn bytes(digits: &str, whole: bool) -> Option<[u8; 16]> {
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    if whole && digits.len() != 32 {
        return None;
    }
    initialization_vector(&format!("0x{digits}"))
}

/// The name comes from a stranger, and goes to the log and to clients.
pub(super) fn encryption(name: &str) -> PlaylistError {
    let plain = |character: &char| character.is_ascii_alphanumeric() || "-_.:".contains(*character);
    PlaylistError::Encryption(name.chars().filter(plain).take(MAX_NAME).collect())
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn addresses() -> Addresses {
        let base = Url::parse("https://cdn.example/a/b.m3u8").unwrap();
        Addresses::new(&base).unwrap().with_queries(Some("t=1"), None)
    }

    fn read(list: &str) -> Result<Option<KeyTag>, PlaylistError> {
        Aes::default().tag(list, &addresses(), None)
    }

    #[test]
    fn only_plain_aes_128_is_read() {
        assert_eq!(read("METHOD=NONE"), Ok(None));
        let key = read(r#"METHOD=AES-128,URI="k",IV=0x10,KEYFORMAT="identity",KEYFORMATVERSIONS="1""#)
            .unwrap()
            .unwrap();
        assert_eq!((&*key.address, key.iv), ("k", Some(u128::to_be_bytes(16))));
        assert_eq!(read(r#"METHOD=AES-128,URI="k""#).unwrap().unwrap().iv, None);
        for (list, expected) in [
            (r#"METHOD=SAMPLE-AES,URI="k""#, PlaylistError::Encryption("SAMPLE-AES".to_owned())),
            (
                r#"METHOD=AES-128,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery""#,
                PlaylistError::Encryption("com.apple.streamingkeydelivery".to_owned()),
            ),
            ("METHOD=<b>\u{7}é,URI=k", PlaylistError::Encryption("b".to_owned())),
            (r#"URI="k""#, PlaylistError::Attribute("METHOD")),
            ("METHOD=AES-128", PlaylistError::Attribute("URI")),
            (r#"METHOD=AES-128,URI="file:///k""#, PlaylistError::Address),
            (r#"METHOD=AES-128,URI="k",IV=16"#, PlaylistError::Attribute("IV")),
            (
                r#"METHOD=AES-128,URI="k",IV=0x100000000000000000000000000000000"#,
                PlaylistError::Attribute("IV"),
            ),
        ] {
            assert_eq!(read(list), Err(expected), "{list:?}");
        }
    }

    #[test]
    fn what_the_extractor_knows_goes_first() {
        let known = |uri: Option<&str>, key: Option<&str>, iv: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            Aes::of(Some(&HlsAes { uri: text(uri), key: text(key), iv: text(iv) }), &addresses())
        };
        let key = "000102030405060708090a0b0c0d0e0F";
        let expected = Some(KeyFrom::Bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]));
        assert_eq!(known(None, Some(key), None).unwrap().key, expected);
        let prefixed = format!("0x{key}");
        let all = known(Some("https://h/k"), Some(&prefixed), Some("ff")).unwrap();
        assert_eq!((all.key.clone(), all.iv), (expected, Some(u128::to_be_bytes(255))));
        let list = "METHOD=AES-128";
        assert!(all.tag(list, &addresses(), None).is_ok_and(|tag| tag.is_some()), "no address is needed");
        let by_address = known(Some("https://h/k"), None, None).unwrap();
        assert_eq!(
            by_address.key,
            Some(KeyFrom::Url(Url::parse("https://h/k").unwrap())),
            "no query is merged"
        );
        for (key, iv) in [("00", "0"), (&*key.repeat(2), "0"), (key, "0x+1"), (key, &*"0".repeat(33))] {
            assert!(known(None, Some(key), Some(iv)).is_err(), "{key} {iv}");
        }
        assert_eq!(known(Some("file:///k"), None, None).unwrap_err(), PlaylistError::Address);
        assert_eq!(known(Some(""), Some(""), Some("")).unwrap().key, None);
    }
}
