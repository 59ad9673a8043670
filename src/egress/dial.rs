//! TCP to a site: its name is looked up once, each address is judged, and one of those that passed is connected to.

#![expect(clippy::disallowed_methods, reason = "this room is the way out")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use url::Host;

use super::connector::ConnectError;
use super::own::is_own;
use super::policy::{Forbidden, Policy};
use super::route::{Family, Proxy, ProxyKind, Way};
use super::socks::{self, Destination};
use super::tunnel;

/// How long an address may take before the next one is tried beside it (RFC 8305 §5, "Connection Attempt Delay").
const DELAY: Duration = Duration::from_millis(250);
/// Longest wait for a connection to a proxy.
const REACH: Duration = Duration::from_secs(5);
/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Opens TCP connections to sites, by whichever way.
#[derive(Clone)]
pub(super) struct Dialer {
    policy: Arc<Policy>,
    /// Whether proxies look names up.
    remote_dns: bool,
}

impl Dialer {
    pub(super) fn new(policy: Policy, remote_dns: bool) -> Self {
        Self { policy: Arc::new(policy), remote_dns }
    }

    /// Whether requests in plain http go to this proxy as they are, for it to pass them on: to what was looked up here,
    /// they could not (RFC 9112 §3.2.2: a proxy takes the host from the request's target).
    pub(super) fn forwards(&self, way: &Way) -> bool {
        self.remote_dns && matches!(way, Way::Proxy(proxy) if proxy.kind == ProxyKind::Http)
    }

    /// Judges what can be judged before there is a connection: of a host that a proxy looks up, its name and port.
    pub(super) fn admit(&self, way: &Way, host: &str, port: u16) -> Result<(), Forbidden> {
        match way {
            Way::Proxy(_) if self.remote_dns => self.policy.judge_unresolved(host, port),
            // Each of its addresses is judged as it is dialled.
            _ => Ok(()),
        }
    }

    /// Connects to a host by its name or address, as it is written in a URL. `family`: which is tried first.
    pub(super) async fn dial(
        &self,
        way: &Way,
        family: Option<Family>,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, ConnectError> {
        self.admit(way, host, port)?;
        let source = match way {
            Way::Direct => None,
            Way::From(source) => Some(*source),
            Way::Proxy(proxy) => {
                let host = self.for_proxy(host, port).await?;
                let mut tcp = self.reach(proxy).await?;
                pass(proxy, &mut tcp, &Destination { host, port }).await?;
                return Ok(tcp);
            }
        };
        let mut allowed = self.look_up(host, port).await?;
        if let Some(source) = source {
            allowed.retain(|address| address.is_ipv4() == source.is_ipv4());
            if allowed.is_empty() {
                return Err(ConnectError::Family);
            }
        }
        let tcp = first(&by_turns(allowed, family), source).await.map_err(|error| match error.kind() {
            // Of connect(2) to a site only where the source is at fault.
            io::ErrorKind::AddrNotAvailable if source.is_some() => ConnectError::Egress(error.into()),
            _ => ConnectError::failed(error),
        })?;
        tcp.set_nodelay(true).map_err(ConnectError::failed)?;
        // What is on the other side is what was judged, whatever the machine's own rules have made of the address.
        let peer = tcp.peer_addr().map_err(ConnectError::failed)?;
        self.policy.judge(peer.ip(), peer.port())?;
        Ok(tcp)
    }

    /// Connects to a proxy: the operator's own choice, so that its address is not judged.
    pub(super) async fn reach(&self, proxy: &Proxy) -> Result<TcpStream, ConnectError> {
        let egress = |error: io::Error| ConnectError::Egress(error.into());
        let host = proxy.host.trim_start_matches('[').trim_end_matches(']');
        let connected = async {
            let found: Vec<_> = lookup_host((host, proxy.port)).await?.take(MAX_ADDRESSES).collect();
            let tcp = first(&by_turns(found, None), None).await?;
            tcp.set_nodelay(true)?;
            Ok(tcp)
        };
        timeout(REACH, connected).await.map_err(|late| egress(late.into()))?.map_err(egress)
    }

    /// The addresses of a host that may be connected to. One at least, or it is an error.
    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = match Host::parse(host).map_err(ConnectError::failed)? {
            Host::Ipv4(address) => vec![SocketAddr::new(address.into(), port)],
            Host::Ipv6(address) => vec![SocketAddr::new(address.into(), port)],
            Host::Domain(name) => lookup_host((&*name, port)).await.map_err(ConnectError::failed)?.collect(),
        };
        let allowed = found.iter().copied().filter(|address| self.policy.judge(address.ip(), port).is_ok());
        let allowed: Vec<_> = allowed.take(MAX_ADDRESSES).collect();
        match (allowed.is_empty(), found.is_empty()) {
            (true, false) => Err(Forbidden.into()),
            (true, true) => Err(ConnectError::failed("the name has no address")),
            _ => Ok(allowed),
        }
    }

    /// What a proxy is told: what was judged, and where names are looked up here, an address.
    async fn for_proxy(&self, host: &str, port: u16) -> Result<String, ConnectError> {
        if self.remote_dns {
            return Ok(Host::parse(host).map_err(ConnectError::failed)?.to_string());
        }
        let found = by_turns(self.look_up(host, port).await?, Some(Family::V4));
        let ip = found.first().map(SocketAddr::ip).ok_or_else(|| ConnectError::failed("no address"))?;
        Ok(match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        })
    }
}

/// Has a proxy make a tunnel of a connection to it.
pub(super) async fn pass(proxy: &Proxy, tcp: &mut TcpStream, to: &Destination) -> Result<(), ConnectError> {
    match proxy.kind {
        ProxyKind::Http => tunnel::connect(tcp, to, proxy.authorization.as_ref()).await?,
        ProxyKind::Socks5 => socks::connect(tcp, to, proxy.credentials.as_ref()).await?,
    }
    Ok(())
}

/// Families by turns, beginning with the one that is given, or that of the first (RFC 8305 §4): a family that leads
/// nowhere costs one delay.
fn by_turns(addresses: Vec<SocketAddr>, family: Option<Family>) -> Vec<SocketAddr> {
    let of = |address: &SocketAddr| Family::of(address.ip());
    let Some(first) = family.or_else(|| addresses.first().map(of)) else { return addresses };
    let (mut ones, mut others): (Vec<_>, Vec<_>) =
        addresses.into_iter().rev().partition(|address| of(address) == first);
    let mut ordered = Vec::with_capacity(ones.len() + others.len());
    while !(ones.is_empty() && others.is_empty()) {
        ordered.extend(ones.pop());
        ordered.extend(others.pop());
    }
    ordered
}

/// One connection, from `source` where that is given.
async fn connect(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(address).await };
    let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    let any_port = SocketAddr::new(source, 0);
    match socket.bind(any_port) {
        // It may be of a network that is routed to this machine, and on none of its devices (ipv6(7), IPV6_FREEBIND).
        Err(error)
            if error.kind() == io::ErrorKind::AddrNotAvailable && source.is_ipv6() && is_own(source) =>
        {
            SockRef::from(&socket).set_freebind_v6(true)?;
            socket.bind(any_port)?;
        }
        bound => bound?,
    }
    socket.connect(address).await
}

/// The first connection that is made; each address is tried when the ones before it have failed or are late.
async fn first(addresses: &[SocketAddr], source: Option<IpAddr>) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut waiting = addresses.iter().copied();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            attempts.spawn(connect(address, source));
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
        assert_eq!(by_turns(given.clone(), None), wanted);
        assert_eq!(by_turns(given, Some(Family::V4))[..2], [wanted[1], wanted[0]]);
        assert_eq!(by_turns(vec![], None), []);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = open.local_addr().unwrap();
        assert_eq!(first(&[closed, address], None).await.unwrap().peer_addr().unwrap(), address);
        assert_eq!(first(&[closed], None).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(first(&[], None).await.is_err());
    }

    #[tokio::test]
    async fn nothing_connects_to_what_is_forbidden() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let closed = Dialer::new(Policy::default(), true);
        let opened = Dialer::new(Policy::new(vec!["127.0.0.0/8".parse().unwrap()]), true);
        for host in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost"] {
            let refused = closed.dial(&Way::Direct, None, host, port).await;
            assert!(matches!(refused, Err(ConnectError::Forbidden(_))), "{host}");
            // By the same way, once it is opened.
            assert!(opened.dial(&Way::Direct, None, host, port).await.is_ok(), "{host}");
            listener.accept().await.unwrap();
        }
        let nobody = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending()));
        assert!(nobody.await, "somebody came in");
    }
}
