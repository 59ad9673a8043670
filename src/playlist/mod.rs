//! Playlists: HLS (RFC 8216) and lists of fragments, read to the segments that make up a video.
//!
//! Pure: text in, addresses out. Nothing is fetched here. Memory is at most a few times the text that was read,
//! whatever it says, and the time to read it grows with its length alone.

mod address;
mod decrypt;
mod fragments;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod keys;
mod master;
mod media;
mod parse;
#[cfg(test)]
mod properties;
mod records;
mod segments;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use url::Url;

use address::Addresses;
pub use decrypt::Decryptor;
pub use fragments::Fragments;
use keys::Aes;
pub use master::{Variant, best};
pub use media::Media;
use segments::Builder;
pub use segments::{Key, KeyFrom, Map, Segment, Segments};

/// Settings of this room.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest playlist, in bytes.
    pub bytes: usize,
    /// Most segments of a playlist.
    pub segments: usize,
}

/// What an extractor of yt-dlp says of a playlist: the fields of that names in `yt_dlp/downloader/hls.py`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    /// Query to be merged into the addresses of segments and maps: `extra_param_to_segment_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_query: Option<String>,
    /// The same for keys: `extra_param_to_key_url`. Without it they get `segment_query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_query: Option<String>,
    /// In place of what the playlist says: `hls_aes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aes: Option<HlsAes>,
    /// The playlist's text, where it is known already: `hls_media_playlist_data`. Not looked at here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<String>,
}

/// How segments are decrypted in place of what the playlist says: yt-dlp's `hls_aes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HlsAes {
    /// Address of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The key in hexadecimal digits, `0x` in front or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The initialization vector in hexadecimal digits, `0x` in front or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iv: Option<String>,
}

/// Why a playlist can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistError {
    /// It does not begin with `#EXTM3U`.
    #[error("this is no playlist")]
    NotAPlaylist,
    /// It is longer than [`Limits::bytes`].
    #[error("the playlist has more bytes than MAX_PLAYLIST_BYTES")]
    TooLong,
    /// It has more segments than [`Limits::segments`].
    #[error("the playlist has more segments than MAX_SEGMENTS")]
    TooManySegments,
    /// It has more variants than a player could choose from.
    #[error("the playlist has too many variants")]
    TooManyVariants,
    /// An address is no address, or one of another scheme than `http` and `https`, or too long.
    #[error("an address in the playlist can't be used")]
    Address,
    /// A number is none, or beyond 64 bits.
    #[error("a number in the playlist can't be read")]
    Number,
    /// A byte range is empty, ends beyond 64 bits, or continues nothing.
    #[error("a byte range in the playlist can't be read")]
    Range,
    /// A tag lacks an attribute, or it can't be read.
    #[error("the attribute {0} is missing or can't be read")]
    Attribute(&'static str),
    /// The segments are encrypted in another way than with AES-128 and a plain key.
    #[error("encrypted with {0}")]
    Encryption(String),
    /// What was decrypted does not end as PKCS#7 says: the key is another one, or the end is missing.
    #[error("what was decrypted ends wrongly")]
    Padding,
}

/// A playlist, read.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made, and not kept")]
pub enum Playlist {
    /// The same video in several qualities, each with a playlist of its own.
    Master(Vec<Variant>),
    /// The segments of a video.
    Media(Media),
}

impl Playlist {
    /// Reads a playlist that was had from `base`, after all redirects: its addresses are relative to that. Whether it is a
    /// playlist of playlists, and of which depth, is for the caller to bound.
    pub fn parse(text: &[u8], base: &Url, extras: &Extras, limits: &Limits) -> Result<Self, PlaylistError> {
        if text.len() > limits.bytes {
            return Err(PlaylistError::TooLong);
        }
        let text = parse::text(text)?;
        let addresses = Addresses::new(base)?;
        if master::is_master(&text) {
            return master::read(&text, &addresses).map(Self::Master);
        }
        let aes = Aes::of(extras.aes.as_ref(), &addresses)?;
        let addresses = addresses.with_queries(extras.segment_query.as_deref(), extras.key_query.as_deref());
        media::read(&text, Builder::new(addresses, aes, limits)).map(Self::Media)
    }
}
