//! What can be said of the way out before anything leaves by it: for `sluice check`.

use std::net::{Ipv6Addr, UdpSocket};
use std::path::Path;

use super::Policy;
use super::connector::ConnectError;
use super::dial::Dialer;
use super::own::is_own;
use super::route::{Kind, Way};
use super::trust::{self, TrustError};

/// Some public address (a root name server's); nothing is sent there.
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 0x2, 0x30);

/// Why an egress is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Connections can't come from it.
    #[error("this machine does not have it")]
    NotOurs,
    /// The same of a network.
    #[error("this machine does not have its addresses")]
    NoNetwork,
    /// A proxy that can't be connected to.
    #[error("{0}")]
    Unreachable(String),
}

/// Whether an egress is there: an address of this machine, or a proxy that lets itself be connected to (for 5 s at
/// most). Whether a proxy takes the credentials, the first connection through it will tell.
pub async fn try_exit(exit: &Kind) -> Result<(), Unfit> {
    match exit.way() {
        Way::Direct => Ok(()),
        Way::From(address) if is_own(address) => Ok(()),
        Way::From(_) if matches!(exit, Kind::Prefix(_)) => Err(Unfit::NoNetwork),
        Way::From(_) => Err(Unfit::NotOurs),
        Way::Proxy(proxy) => match Dialer::new(Policy::default(), true).reach(&proxy).await {
            Ok(_) => Ok(()),
            Err(ConnectError::Egress(why)) => Err(Unfit::Unreachable(why.to_string())),
            Err(why) => Err(Unfit::Unreachable(why.to_string())),
        },
    }
}

/// How many certificates a file of trust roots holds.
pub fn count_roots(file: &Path) -> Result<usize, TrustError> {
    trust::count(file)
}

/// How far IPv6 goes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6 {
    /// Not even to this machine itself.
    None,
    /// To this machine, or its network.
    Local,
    /// A route leads to the internet.
    Routed,
}

/// Looks for IPv6 without sending anything.
pub fn ipv6() -> Ipv6 {
    if routed_v6() {
        return Ipv6::Routed;
    }
    match UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => Ipv6::Local,
        Err(_) => Ipv6::None,
    }
}

fn routed_v6() -> bool {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0));
    socket.is_ok_and(|socket| socket.connect((FAR_V6, 443)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_to_be_this_machines() {
        let exit = |text: &str| Kind::Address(text.parse().unwrap());
        assert!(try_exit(&Kind::Direct).await.is_ok());
        assert!(try_exit(&exit("127.0.0.1")).await.is_ok());
        assert!(matches!(try_exit(&exit("8.8.8.8")).await, Err(Unfit::NotOurs)));
        let network = Kind::Prefix("2606:4700::/32".parse().unwrap());
        assert!(matches!(try_exit(&network).await, Err(Unfit::NoNetwork)));
    }
}
