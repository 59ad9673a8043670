//! What a client sends: three messages, each read from the beginning of the bytes that have come so far.
//!
//! A message that is not whole is `None`, and is asked for again with more bytes. What is whole comes with its length.
//! An error that shows before a message is whole stays the same error with more bytes.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::Host;

use super::server::SocksError;
use super::{CONNECT, Destination, LOGIN_VERSION, NAME, USER_PASSWORD, V4, V6, VERSION, is_name};

/// A message and its length, where it is whole.
pub(in crate::egress) type Parsed<T> = Result<Option<(T, usize)>, SocksError>;

/// Longest message: a login with both texts of 255 bytes.
pub(super) const MAX_MESSAGE: usize = 3 + 255 + 255;

/// A user name and a password as they were sent.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::egress) struct Login {
    /// 1 to 255 bytes, no control character.
    pub(in crate::egress) user: String,
    /// 0 to 255 bytes. RFC 1929 knows no empty one, but it is for whoever checks it to refuse it.
    pub(in crate::egress) password: Vec<u8>,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// `VER NMETHODS METHODS` (RFC 1928 §3): whether user name and password are among the methods.
pub(in crate::egress) fn greeting(bytes: &[u8]) -> Parsed<bool> {
    let Some(rest) = versioned(bytes, VERSION)? else { return Ok(None) };
    let Some((methods, rest)) = field(rest) else { return Ok(None) };
    Ok(Some((methods.contains(&USER_PASSWORD), bytes.len() - rest.len())))
}

/// `VER ULEN UNAME PLEN PASSWD` (RFC 1929 §2). A user that is no name is [`SocksError::Login`].
pub(in crate::egress) fn login(bytes: &[u8]) -> Parsed<Login> {
    let Some(rest) = versioned(bytes, LOGIN_VERSION)? else { return Ok(None) };
    let Some((user, rest)) = field(rest) else { return Ok(None) };
    let Some((password, rest)) = field(rest) else { return Ok(None) };
    let user = name(user).ok_or(SocksError::Login)?;
    Ok(Some((Login { user, password: password.to_vec() }, bytes.len() - rest.len())))
}

/// `VER CMD RSV ATYP DST.ADDR DST.PORT` (RFC 1928 §4, §5).
///
/// A command or a name that will not do is told of a whole message only, so that none of it is left unread when the
/// client is answered.
pub(in crate::egress) fn request(bytes: &[u8]) -> Parsed<Destination> {
    let Some(rest) = versioned(bytes, VERSION)? else { return Ok(None) };
    let Some((&[command, reserved, kind], rest)) = rest.split_first_chunk() else { return Ok(None) };
    if reserved != 0 {
        return Err(SocksError::Garbled);
    }
    let address = match kind {
        V4 => rest.split_first_chunk::<4>().map(|(octets, rest)| {
            let host = Host::<&str>::Ipv4(Ipv4Addr::from(*octets));
            (Some(host.to_string()), rest)
        }),
        V6 => rest.split_first_chunk::<16>().map(|(octets, rest)| {
            let host = Host::<&str>::Ipv6(Ipv6Addr::from(*octets));
            (Some(host.to_string()), rest)
        }),
        NAME => field(rest).map(|(text, rest)| (name(text), rest)),
        other => return Err(SocksError::AddressKind(other)),
    };
    let Some((host, rest)) = address else { return Ok(None) };
    let Some((port, rest)) = rest.split_first_chunk() else { return Ok(None) };
    if command != CONNECT {
        return Err(SocksError::Command(command));
    }
    let host = host.ok_or(SocksError::Name)?;
    Ok(Some((Destination { host, port: u16::from_be_bytes(*port) }, bytes.len() - rest.len())))
}

/// What follows the version.
fn versioned(bytes: &[u8], version: u8) -> Result<Option<&[u8]>, SocksError> {
    match bytes.split_first() {
        Some((found, rest)) if *found == version => Ok(Some(rest)),
        Some(_) => Err(SocksError::Garbled),
        None => Ok(None),
    }
}

/// A length of one byte and as many bytes, and what follows them.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn name(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().filter(|text| is_name(text)).map(str::to_owned)
}
