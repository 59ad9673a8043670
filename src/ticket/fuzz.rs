//! What must hold of tokens, whatever is sent as one. A check that fails panics.
//!
//! `scripts/fuzz` calls this with what it comes upon, and the property tests with what they make up.

use std::sync::LazyLock;
use std::time::Duration;

use super::{Item, KeyMaterial, Sealer, Settings, Ticket, TokenError};

/// The same in every run, so that what was found is found again. Who does not have the key makes no token, and nobody
/// here looks at it.
static SEALER: LazyLock<Option<Sealer>> = LazyLock::new(|| {
    let keys = vec![KeyMaterial::new(b"the key of the fuzz targets").ok()?];
    Sealer::new(&Settings { keys, ttl: Duration::from_secs(3600) }).ok()
});

/// Longest JSON of a ticket that has a token for sure, also with its defaults written out.
const MAX_HELD: usize = 1200;

/// A token as a client may send it; what a token holds, as an older or newer server may have sealed it; and a ticket's
/// texts, whose token is damaged where the first four bytes say.
pub fn token(data: &[u8]) {
    let Some(sealer) = &*SEALER else { panic!("there is no sealer") };
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(sealer.open(text), Err(TokenError::Invalid), "a token that nobody made");
    }
    held(sealer, data);
    let Some((damage, text)) = data.split_first_chunk::<4>() else { return };
    made(sealer, *damage, &String::from_utf8_lossy(text));
}

/// Whatever is sealed is a ticket or not, and one that is opens again.
fn held(sealer: &Sealer, plain: &[u8]) {
    if plain.len() > MAX_HELD {
        return;
    }
    let Ok(token) = sealer.seal_bytes(plain.to_vec()) else { panic!("it can't be sealed") };
    if let Ok(ticket) = sealer.open(&token) {
        let again = sealer.seal(&ticket);
        let Ok(Some(again)) = again else { panic!("{ticket:?} has no token: {again:?}") };
        assert_eq!(sealer.open(&again), Ok(ticket));
    }
}

/// What is sealed comes back; a token that is another one, by whatever byte, does not open.
fn made(sealer: &Sealer, damage: [u8; 4], text: &str) {
    let half = text.chars().count() / 2;
    let (page, filename) = (text.chars().take(half).collect(), text.chars().skip(half).collect());
    let ticket = Ticket { page, item: Item::Format(text.to_owned()), filename, link: None };
    let Ok(Some(token)) = sealer.seal(&ticket) else { return };
    let at = usize::from(u16::from_le_bytes([damage[0], damage[1]])) % token.len();
    let mut bytes = token.clone().into_bytes();
    match damage[2] % 4 {
        0 => bytes[at] = damage[3] & 0x7F,
        1 => bytes.truncate(at),
        2 => bytes.insert(at, damage[3] & 0x7F),
        _ => bytes.rotate_left(at),
    }
    let damaged = String::from_utf8_lossy(&bytes);
    if damaged != token {
        assert_eq!(sealer.open(&damaged), Err(TokenError::Invalid), "{damaged} opens in place of {token}");
    }
    assert_eq!(sealer.open(&token), Ok(ticket));
}
