//! TCP to a site: its name is looked up once, each address is judged, and one of those that passed is connected to.

#![expect(clippy::disallowed_methods, reason = "this room is the way out")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Host;

use super::connector::ConnectError;
use super::policy::{Forbidden, Policy};

/// How long an address may take before the next one is tried beside it (RFC 8305 §5, "Connection Attempt Delay").
const DELAY: Duration = Duration::from_millis(250);
/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Connects to a host by its name or address, as it is written in a URL.
pub(super) async fn dial(policy: &Policy, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let found = match Host::parse(host).map_err(ConnectError::failed)? {
        Host::Ipv4(address) => vec![SocketAddr::new(address.into(), port)],
        Host::Ipv6(address) => vec![SocketAddr::new(address.into(), port)],
        Host::Domain(name) => lookup_host((&*name, port)).await.map_err(ConnectError::failed)?.collect(),
    };
    let allowed = found.iter().copied().filter(|address| policy.judge(address.ip(), port).is_ok());
    let allowed: Vec<_> = by_turns(allowed.take(MAX_ADDRESSES).collect());
    if allowed.is_empty() && !found.is_empty() {
        return Err(Forbidden.into());
    }
    let stream = first(&allowed).await.map_err(ConnectError::failed)?;
    stream.set_nodelay(true).map_err(ConnectError::failed)?;
    // What is on the other side is what was judged, whatever the machine's own rules have made of the address.
    let peer = stream.peer_addr().map_err(ConnectError::failed)?;
    policy.judge(peer.ip(), peer.port())?;
    Ok(stream)
}

/// Families by turns, beginning with that of the first (RFC 8305 §4): a family that leads nowhere costs one delay.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(|address| is_v4(address.ip())) else { return addresses };
    let (mut ones, mut others): (Vec<_>, Vec<_>) =
        addresses.into_iter().rev().partition(|address| is_v4(address.ip()) == first);
    let mut ordered = Vec::with_capacity(ones.len() + others.len());
    while !(ones.is_empty() && others.is_empty()) {
        ordered.extend(ones.pop());
        ordered.extend(others.pop());
    }
    ordered
}

fn is_v4(address: IpAddr) -> bool {
    address.to_canonical().is_ipv4()
}

/// The first connection that is made; each address is tried when the ones before it have failed or are late.
async fn first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut waiting = addresses.iter().copied();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            attempts.spawn(TcpStream::connect(address));
        }
        let late = async {
            // The last one has no successor.
            if next.is_none() {
                std::future::pending::<()>().await;
            }
            sleep(DELAY).await;
        };
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(failed))) => error = failed,
                Some(Err(_)) => {}
                None => return Err(error),
            },
            () = late => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let given = addresses(&["[2a00::1]:1", "[2a00::2]:1", "[2a00::3]:1", "1.1.1.1:1", "1.1.1.2:1"]);
        let wanted = addresses(&["[2a00::1]:1", "1.1.1.1:1", "[2a00::2]:1", "1.1.1.2:1", "[2a00::3]:1"]);
        assert_eq!(by_turns(given), wanted);
        assert_eq!(by_turns(vec![]), []);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = open.local_addr().unwrap();
        assert_eq!(first(&[closed, address]).await.unwrap().peer_addr().unwrap(), address);
        assert_eq!(first(&[closed]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(first(&[]).await.is_err());
    }

    #[tokio::test]
    async fn nothing_connects_to_what_is_forbidden() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let opened = Policy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        for host in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost"] {
            let refused = dial(&Policy::default(), host, port).await;
            assert!(matches!(refused, Err(ConnectError::Forbidden(_))), "{host}");
            // By the same way, once it is opened.
            assert!(dial(&opened, host, port).await.is_ok(), "{host}");
            listener.accept().await.unwrap();
        }
        let nobody = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending()));
        assert!(nobody.await, "somebody came in");
    }
}
