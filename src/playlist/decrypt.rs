//! AES-128 in CBC mode, as bytes come (RFC 8216 §4.3.2.4).

use aes::Aes128;
use aes::cipher::{Array, BlockModeDecrypt, KeyIvInit};
use bytes::{Bytes, BytesMut};

use super::PlaylistError;

/// Bytes of a block.
const BLOCK: usize = 16;

/// Decrypts a segment or a map, in pieces of any length.
pub struct Decryptor {
    cipher: cbc::Decryptor<Aes128>,
    /// What came and is not decrypted yet: at most a block, which may be the last one.
    held: BytesMut,
}

impl Decryptor {
    /// Of one segment or map.
    pub fn new(key: [u8; 16], iv: [u8; 16]) -> Self {
        Self { cipher: cbc::Decryptor::new(&key.into(), &iv.into()), held: BytesMut::new() }
    }

    /// Plain bytes, as far as they are known: at most 15 more than came. Up to a block is held back until more comes, for
    /// the last one holds the padding.
    pub fn push(&mut self, data: Bytes) -> Bytes {
        let whole = (self.held.len() + data.len()).saturating_sub(1) / BLOCK * BLOCK;
        if whole == 0 {
            self.held.extend_from_slice(&data);
            return Bytes::new();
        }
        let (now, later) = data.split_at(whole - self.held.len());
        let mut plain = BytesMut::with_capacity(whole);
        plain.extend_from_slice(&self.held);
        plain.extend_from_slice(now);
        self.held.clear();
        self.held.extend_from_slice(later);
        self.decrypt(&mut plain);
        plain.freeze()
    }

    /// What is left, without the padding (PKCS#7: RFC 5652 §6.3). An error where that is wrong, or the length of all that
    /// came is 0 or no multiple of 16.
    pub fn finish(mut self) -> Result<Bytes, PlaylistError> {
        let mut last = std::mem::take(&mut self.held);
        if last.len() != BLOCK {
            return Err(PlaylistError::Padding);
        }
        self.decrypt(&mut last);
        let count = last.last().copied().unwrap_or(0);
        let kept = BLOCK.checked_sub(count.into()).ok_or(PlaylistError::Padding)?;
        if count == 0 || last[kept..].iter().any(|byte| *byte != count) {
            return Err(PlaylistError::Padding);
        }
        last.truncate(kept);
        Ok(last.freeze())
    }

    fn decrypt(&mut self, whole: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(whole);
        self.cipher.decrypt_blocks(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn decryptor() -> Decryptor {
        let part = |digits| <[u8; 16]>::try_from(bytes(digits)).unwrap();
        Decryptor::new(part("2b7e151628aed2a6abf7158809cf4f3c"), part("000102030405060708090a0b0c0d0e0f"))
    }

    fn decrypted(data: &[u8], piece: usize) -> Result<Vec<u8>, PlaylistError> {
        let (mut decryptor, mut plain) = (decryptor(), Vec::new());
        for piece in data.chunks(piece) {
            plain.extend(decryptor.push(Bytes::copy_from_slice(piece)));
        }
        plain.extend(decryptor.finish()?);
        Ok(plain)
    }

    /// NIST SP 800-38A, F.2.2 CBC-AES128.Decrypt. It has no padding: a block more comes, so that none of it is the last.
    #[test]
    fn the_vectors_of_nist_are_decrypted() {
        let data = bytes(concat!(
            "7649abac8119b246cee98e9b12e9197d",
            "5086cb9b507219ee95db113a917678b2",
            "73bed6b8e3c1743b7116e69e22229516",
            "3ff1caa1681fac09120eca307586e1a7",
            "00000000000000000000000000000000",
        ));
        let expected = bytes(concat!(
            "6bc1bee22e409f96e93d7e117393172a",
            "ae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52ef",
            "f69f2445df4f9b17ad2b417be66c3710",
        ));
        assert_eq!(decryptor().push(data.into()), expected);
    }

    /// What `openssl enc -aes-128-cbc` made of these texts, with that key and that vector.
    #[test]
    fn padding_is_taken_off_whatever_the_pieces() {
        for (data, expected) in [
            ("c84af0b613435d5d9182801a9bd9320b", ""),
            ("d8666ea8aad65cc08354b4bc43d4ff56", "hello"),
            ("d0a0d74b784c307ead59ea292ef22bd17183df21c9ece8882c1c344020edbd17", "sixteen letters."),
            ("49c3276eb5f7a61daa4e0ac7f56d6db5d8603d52e2528dd0930f2c0618a35d84", "twenty letters here."),
        ] {
            let data = bytes(data);
            for piece in 1..=data.len() {
                assert_eq!(decrypted(&data, piece).unwrap(), expected.as_bytes(), "{piece}");
            }
            for length in (0..data.len()).filter(|length| length % BLOCK != 0) {
                assert_eq!(decrypted(&data[..length], 7), Err(PlaylistError::Padding), "{length}");
            }
        }
        assert_eq!(decryptor().finish(), Err(PlaylistError::Padding), "nothing came");
    }

    #[test]
    fn wrong_padding_is_an_error() {
        let data = bytes("49c3276eb5f7a61daa4e0ac7f56d6db5d8603d52e2528dd0930f2c0618a35d84");
        assert_eq!(decrypted(&data[..BLOCK], BLOCK), Err(PlaylistError::Padding), "the end is missing");
        // A bit of a block is the same bit of the plain one that follows.
        for (index, bits) in [(15, 1), (15, 12), (15, 0x1C), (14, 1), (4, 0x80)] {
            let mut data = data.clone();
            data[index] ^= bits;
            assert_eq!(decrypted(&data, 5), Err(PlaylistError::Padding), "{index}");
        }
    }
}
