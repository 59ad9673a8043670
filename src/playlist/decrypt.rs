//! AES-128 in CBC mode, as bytes come (RFC 8216 §4.3.2.4).

use bytes::Bytes;

use super::PlaylistError;

/// Decrypts a segment, in pieces of any length.
pub struct Decryptor {}

impl Decryptor {
    /// Of one segment or map.
    pub fn new(key: [u8; 16], iv: [u8; 16]) -> Self {
        let _ = (key, iv);
        Self {}
    }

    /// Plain bytes, as far as they are known. The last block is held back until more comes, for it may hold padding.
    pub fn push(&mut self, data: Bytes) -> Bytes {
        data
    }

    /// What is left, without the padding. An error where that is wrong, or the length no multiple of 16.
    pub fn finish(self) -> Result<Bytes, PlaylistError> {
        Err(PlaylistError::Padding)
    }
}
