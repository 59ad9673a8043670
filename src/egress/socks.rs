//! SOCKS5 (RFC 1928) with a user name and a password (RFC 1929), as a server and as a client. CONNECT only.

mod client;
pub(super) mod parse;
mod server;
#[cfg(test)]
mod tests;

pub(super) use client::{Credentials, connect};
pub(super) use parse::Login;
#[cfg(any(test, fuzzing))]
pub(super) use server::SocksError;
pub(super) use server::{Accepted, Reply, accept, reply};

/// RFC 1928 §3.
const VERSION: u8 = 5;
/// RFC 1929 §2.
const LOGIN_VERSION: u8 = 1;
/// Methods of RFC 1928 §3.
const NO_LOGIN: u8 = 0;
const USER_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xFF;
/// The one command of RFC 1928 §4 that is spoken here.
const CONNECT: u8 = 1;
/// Kinds of addresses, RFC 1928 §5.
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;

/// Where a tunnel leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// A name, or an address as in a URL: v6 in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Whether the protocol can carry it as a name, and it is a text at all: 1 to 255 bytes with no control character.
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
}
