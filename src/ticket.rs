//! Tickets: what a stream token says, and the sealing and opening of tokens.
//!
//! A token is `base64url(version ‖ key id ‖ nonce ‖ sealed)`: AES-256-GCM (NIST SP 800-38D) with a random
//! 96-bit nonce; version and key id are in the clear and authenticated. Whoever holds a token may fetch what
//! it names and nothing else, until it expires.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::egress::Route;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod key;
#[cfg(test)]
mod properties;

pub use key::{KeyError, KeyMaterial, StateKey, state_file, state_key, try_state};

/// Longest token in bytes. Proxies cut request lines at 4 or 8 KiB.
pub const MAX_TOKEN: usize = 4096;

/// Longest wait for a link that is not good yet: YouTube's, for as long as an advertisement would be shown.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const CLEAR_LEN: usize = 1 + KEY_ID_LEN;

/// A cookie as the site set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie {
    /// Name.
    pub name: String,
    /// Value, as it goes into the `Cookie` header.
    pub value: String,
    /// Host that the cookie belongs to; with a leading dot, its subdomains too (RFC 6265 §5.1.3).
    pub domain: String,
    /// Path prefix that the cookie belongs to (RFC 6265 §5.1.4).
    #[serde(default = "root_path")]
    pub path: String,
    /// Whether it may travel over https only.
    #[serde(default)]
    pub secure: bool,
}

fn root_path() -> String {
    "/".into()
}

/// A file on the site's CDN, with what the CDN wants to see before it serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `http` or `https` address.
    pub url: String,
    /// Request headers (no cookies).
    #[serde(default, rename = "http_headers", skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Cookies that the page set and the CDN asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<Cookie>,
    /// Bytes per request, where the CDN slows down whoever asks for more (yt-dlp's
    /// `downloader_options.http_chunk_size`).
    #[serde(default, rename = "chunk_size", skip_serializing_if = "Option::is_none")]
    pub chunk: Option<NonZeroU64>,
    /// Unix seconds before which the CDN may refuse it (yt-dlp's `available_at`).
    #[serde(rename = "available_at", default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// Whether it has no beginning to count bytes from, so that what breaks off is over: a broadcast in one file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_resume: bool,
    /// The way by which the page was fetched: the CDN may serve that address alone.
    #[serde(rename = "r", default, skip_serializing_if = "Route::is_any")]
    pub route: Route,
}

impl Link {
    /// How long it is not good yet, up to [`LONGEST_WAIT`].
    pub fn wait(&self) -> Duration {
        let then = self.not_before.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        let wait = then.and_then(|then| then.duration_since(SystemTime::now()).ok());
        wait.unwrap_or_default().min(LONGEST_WAIT)
    }
}

/// TikTok's names for the sizes of an author's picture, the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Hash, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AvatarSize {
    /// About 100 pixels square.
    Thumb,
    /// About 720 pixels square.
    Medium,
    /// About 1080 pixels square.
    Larger,
}

/// Which part of an extraction a ticket names, so that it can be had again from the page.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// The format with this `format_id`.
    Format(String),
    /// The page's thumbnail.
    Thumbnail,
    /// One of a photo post's images, counted from 0.
    Image(u32),
    /// The author's picture.
    Avatar(AvatarSize),
    /// The subtitles in a language, as a file with an extension.
    Subtitle {
        /// yt-dlp's language key.
        language: String,
        /// File extension.
        ext: String,
        /// Whether a machine wrote them.
        #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
        automatic: bool,
        /// Which of several files that are alike in all of this, counted from 0.
        #[serde(rename = "k", default, skip_serializing_if = "is_first")]
        nth: u32,
    },
}

fn is_first(nth: &u32) -> bool {
    *nth == 0
}

/// What a stream token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Address of the page.
    #[serde(rename = "p")]
    pub page: String,
    /// Part of the page's extraction.
    #[serde(rename = "i")]
    pub item: Item,
    /// File name for the client, not yet made safe for a header.
    #[serde(rename = "n")]
    pub filename: String,
    /// Where the file is. Absent where it did not fit into the token, and where the item is made of segments, whose list
    /// would not: extract the page again.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

#[derive(Serialize)]
struct SealedRef<'a> {
    #[serde(rename = "x")]
    expires: u64,
    #[serde(flatten)]
    ticket: &'a Ticket,
}

#[derive(Deserialize)]
struct Sealed {
    #[serde(rename = "x")]
    expires: u64,
    #[serde(flatten)]
    ticket: Ticket,
}

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Forged, damaged, sealed with a key that is gone, or of another version.
    #[error("the token is not valid")]
    Invalid,
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
}

/// Settings of this room.
#[derive(Debug)]
pub struct Settings {
    /// Keys, the one that seals first.
    pub keys: Vec<KeyMaterial>,
    /// How long a token opens.
    pub ttl: Duration,
}

struct Key {
    id: [u8; KEY_ID_LEN],
    aead: LessSafeKey,
}

/// Seals tickets into tokens and opens them.
pub struct Sealer {
    current: Key,
    old: Vec<Key>,
    ttl: Duration,
    random: SystemRandom,
}

impl Sealer {
    /// Derives the keys. Fails where `settings.keys` is empty.
    pub fn new(settings: &Settings) -> Result<Self, KeyError> {
        let mut keys = settings.keys.iter().map(derive);
        let current = keys.next().ok_or(KeyError::Missing)??;
        let old = keys.collect::<Result<_, _>>()?;
        Ok(Self { current, old, ttl: settings.ttl, random: SystemRandom::new() })
    }

    /// When a token ends that is sealed now, in Unix seconds.
    pub fn expiry(&self) -> u64 {
        unix_now() + self.ttl.as_secs()
    }

    /// Seals a ticket. One too long for a token loses its link ([`Ticket::link`]); if it is still too long,
    /// there is no token.
    pub fn seal(&self, ticket: &Ticket) -> Result<Option<String>, KeyError> {
        let expires = self.expiry();
        let token = self.seal_whole(ticket, expires)?;
        if token.len() <= MAX_TOKEN {
            return Ok(Some(token));
        }
        let token = self.seal_whole(&Ticket { link: None, ..ticket.clone() }, expires)?;
        Ok((token.len() <= MAX_TOKEN).then_some(token))
    }

    fn seal_whole(&self, ticket: &Ticket, expires: u64) -> Result<String, KeyError> {
        self.seal_bytes(serde_json::to_vec(&SealedRef { expires, ticket }).map_err(|_| KeyError::Crypto)?)
    }

    fn seal_bytes(&self, mut sealed: Vec<u8>) -> Result<String, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| KeyError::Crypto)?;
        let mut token = vec![VERSION];
        token.extend_from_slice(&self.current.id);
        let aad = Aad::from(token.clone());
        token.extend_from_slice(&nonce);
        self.current
            .aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| KeyError::Crypto)?;
        token.append(&mut sealed);
        Ok(BASE64.encode(token))
    }

    /// Opens a token.
    pub fn open(&self, token: &str) -> Result<Ticket, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let mut bytes = BASE64.decode(token).map_err(|_| TokenError::Invalid)?;
        let (clear, rest) = bytes.split_at_mut_checked(CLEAR_LEN).ok_or(TokenError::Invalid)?;
        let (nonce, sealed) = rest.split_at_mut_checked(NONCE_LEN).ok_or(TokenError::Invalid)?;
        if clear[0] != VERSION {
            return Err(TokenError::Invalid);
        }
        let key = std::iter::once(&self.current)
            .chain(&self.old)
            .find(|key| key.id == clear[1..])
            .ok_or(TokenError::Invalid)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TokenError::Invalid)?;
        let plain =
            key.aead.open_in_place(nonce, Aad::from(&*clear), sealed).map_err(|_| TokenError::Invalid)?;
        let sealed: Sealed = serde_json::from_slice(plain).map_err(|_| TokenError::Invalid)?;
        if sealed.expires <= unix_now() {
            return Err(TokenError::Expired);
        }
        Ok(sealed.ticket)
    }
}

/// HKDF (RFC 5869): one secret gives the key and its public id.
fn derive(material: &KeyMaterial) -> Result<Key, KeyError> {
    let prk = Salt::new(HKDF_SHA256, b"sluice").extract(material.bytes());
    let key = prk.expand(&[b"token key 1"], &AES_256_GCM).map_err(|_| KeyError::Crypto)?;
    let mut id = [0; 32];
    prk.expand(&[b"token key id 1"], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut id))
        .map_err(|_| KeyError::Crypto)?;
    let mut short = [0; KEY_ID_LEN];
    short.copy_from_slice(&id[..KEY_ID_LEN]);
    Ok(Key { id: short, aead: LessSafeKey::new(UnboundKey::from(key)) })
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "ticket/tests.rs"]
mod tests;
