//! The client's side: a tunnel through somebody else's proxy.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::super::proxy_error::{ProxyError, Refusal};
use super::{
    CONNECT, Destination, LOGIN_VERSION, NAME, NO_LOGIN, NO_METHOD, USER_PASSWORD, V4, V6, VERSION, is_name,
};

/// What a proxy wants to see, each of a length that fits (RFC 1929 §2).
#[derive(Clone, PartialEq, Eq)]
pub(in crate::egress) struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// None where one of them is not 1 to 255 bytes long.
    pub(in crate::egress) fn new(user: String, password: String) -> Option<Self> {
        let fits = |text: &str| (1..=255).contains(&text.len());
        (fits(&user) && fits(&password)).then_some(Self { user, password })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

/// Asks for a tunnel; after `Ok` the stream is the tunnel, and nothing of what goes through it has been read.
///
/// Addresses go as such and names as names, which the proxy looks up. Time limits are the caller's.
pub(in crate::egress) async fn connect<S>(
    stream: &mut S,
    destination: &Destination,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(destination).ok_or(ProxyError::Refused(Refusal::Unsayable))?;
    let greeting: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, NO_LOGIN, USER_PASSWORD],
        None => &[VERSION, 1, NO_LOGIN],
    };
    send(stream, greeting).await?;
    match (read(stream).await?, credentials) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, USER_PASSWORD], Some(credentials)) => log_in(stream, credentials).await?,
        ([VERSION, NO_METHOD], _) => return Err(ProxyError::Credentials),
        _ => return Err(ProxyError::Garbled),
    }
    send(stream, &request).await?;
    let kind = match read(stream).await? {
        [VERSION, 0, 0, kind] => kind,
        // The address after it says nothing, and not every proxy sends it.
        [VERSION, code, 0, _] => return Err(ProxyError::Refused(Refusal::Reply(code))),
        _ => return Err(ProxyError::Garbled),
    };
    let address = match kind {
        V4 => 4,
        V6 => 16,
        NAME => {
            let [length] = read(stream).await?;
            usize::from(length)
        }
        _ => return Err(ProxyError::Garbled),
    };
    // And the port. Where the proxy connects from is of no use here.
    let mut bound = [0; 255 + 2];
    stream.read_exact(&mut bound[..address + 2]).await?;
    Ok(())
}

/// RFC 1929 §2.
async fn log_in<S>(stream: &mut S, credentials: &Credentials) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut login = vec![LOGIN_VERSION];
    append(&mut login, &credentials.user);
    append(&mut login, &credentials.password);
    send(stream, &login).await?;
    match read(stream).await? {
        [LOGIN_VERSION, 0] => Ok(()),
        [LOGIN_VERSION, _] => Err(ProxyError::Credentials),
        _ => Err(ProxyError::Garbled),
    }
}

/// The whole request (RFC 1928 §4); none where the host is no name that it could carry.
fn request(destination: &Destination) -> Option<Vec<u8>> {
    let host = &*destination.host;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let mut request = vec![VERSION, CONNECT, 0];
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        request.push(V4);
        request.extend(address.octets());
    } else if let Some(address) = bare.and_then(|host| host.parse::<Ipv6Addr>().ok()) {
        request.push(V6);
        request.extend(address.octets());
    } else if is_name(host) {
        request.push(NAME);
        append(&mut request, host);
    } else {
        return None;
    }
    request.extend(destination.port.to_be_bytes());
    Some(request)
}

/// A text after its length, which is known to be 255 at most.
fn append(message: &mut Vec<u8>, text: &str) {
    debug_assert!(text.len() <= 255, "it would be cut");
    message.push(text.len() as u8);
    message.extend(text.bytes());
}

async fn send<S>(stream: &mut S, bytes: &[u8]) -> Result<(), ProxyError>
where
    S: AsyncWrite + Unpin,
{
    stream.write_all(bytes).await?;
    Ok(stream.flush().await?)
}

async fn read<S, const N: usize>(stream: &mut S) -> Result<[u8; N], ProxyError>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
