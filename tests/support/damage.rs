//! Tokens as they come when somebody has had a hand in them. The server's own unit tests use this, too.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fastrand::Rng;

/// Characters of tokens, and at the end some that look like theirs.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.~% \n\0é";
/// How many of them are of base64url.
const PROPER: usize = 64;
/// Bytes of version, key id and nonce.
const HEAD: usize = 1 + 4 + 12;

/// One of the tokens, but for some change; never one of them, and never empty.
pub fn damaged(random: &mut Rng, tokens: &[String; 2]) -> String {
    loop {
        let of = random.usize(..2);
        let (token, other) = (&tokens[of], &tokens[1 - of]);
        let mut damaged = match random.bool() {
            true => rewritten(random, token, other),
            false => sealed_otherwise(random, token, other),
        };
        // Some are damaged more than once.
        if random.u8(..4) == 0 && !damaged.is_empty() {
            damaged = rewritten(random, &damaged, other);
        }
        if !damaged.is_empty() && !tokens.contains(&damaged) {
            return damaged;
        }
    }
}

fn character(random: &mut Rng) -> char {
    let proper = random.u8(..3) > 0;
    let end = if proper { PROPER } else { ALPHABET.chars().count() };
    ALPHABET.chars().nth(random.usize(..end)).unwrap_or('A')
}

/// Changes of the text.
fn rewritten(random: &mut Rng, token: &str, other: &str) -> String {
    let mut chars: Vec<char> = token.chars().collect();
    let at = random.usize(..chars.len());
    let to = random.usize(..chars.len());
    match random.u8(..14) {
        0 => chars[at] = character(random),
        1 => chars.swap(at, to),
        2 => chars.truncate(at),
        3 => chars.insert(at, character(random)),
        4 => drop(chars.remove(at)),
        5 => chars.extend((0..random.usize(1..9)).map(|_| character(random)).collect::<Vec<_>>()),
        6 => chars.extend(std::iter::repeat_n('=', random.usize(1..4))),
        7 => chars[at] = if chars[at].is_ascii_lowercase() { chars[at].to_ascii_uppercase() } else { 'a' },
        8 => chars.iter_mut().for_each(|char| match char {
            '-' => *char = '+',
            '_' => *char = '/',
            _ => {}
        }),
        9 => chars.rotate_left(at),
        10 => chars[at.min(to)..=at.max(to)].reverse(),
        // Two tokens, cut at the same place or not.
        11 => chars = token.chars().take(at).chain(other.chars().skip(at)).collect(),
        12 => chars = token.chars().take(at).chain(other.chars().skip(to)).collect(),
        _ => trailing_bits(random, &mut chars),
    }
    chars.into_iter().collect()
}

/// Sets bits of the last character that stand for nothing.
fn trailing_bits(random: &mut Rng, chars: &mut [char]) {
    let free = match chars.len() % 4 {
        2 => 16,
        3 => 4,
        _ => return,
    };
    let Some(last) = chars.last_mut() else { return };
    let Some(value) = ALPHABET.chars().take(PROPER).position(|char| char == *last) else { return };
    *last = ALPHABET.chars().nth(value - value % free + random.usize(..free)).unwrap_or('A');
}

/// Changes of what the text stands for.
fn sealed_otherwise(random: &mut Rng, token: &str, other: &str) -> String {
    let (Ok(mut bytes), Ok(other)) = (URL_SAFE_NO_PAD.decode(token), URL_SAFE_NO_PAD.decode(other)) else {
        return String::new();
    };
    let at = random.usize(..bytes.len());
    let head = random.usize(..HEAD);
    match random.u8(..11) {
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => (0..random.usize(1..20)).for_each(|_| {
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u8(..8);
        }),
        2 => bytes[head] = random.u8(..),
        3 => bytes[0] = random.u8(..),
        4 => bytes[1 + random.usize(..4)] ^= random.u8(..),
        5 => bytes.truncate(at),
        6 => bytes.extend((0..random.usize(1..40)).map(|_| random.u8(..)).collect::<Vec<_>>()),
        // The head of one, or the tag of one, and the rest of another.
        7 => bytes = [&bytes[..HEAD], &other[HEAD..]].concat(),
        8 => {
            let tag = bytes.len().saturating_sub(16);
            let of_other = other.len().saturating_sub(16);
            bytes = [&bytes[..tag], &other[of_other..]].concat();
        }
        9 => bytes[5..HEAD].fill(0),
        _ => {
            // Nothing of the token but its head, and its length.
            bytes[HEAD..].iter_mut().for_each(|byte| *byte = random.u8(..));
        }
    }
    match random.u8(..10) {
        0 => STANDARD.encode(bytes),
        _ => URL_SAFE_NO_PAD.encode(bytes),
    }
}
