//! Why a proxy gave no tunnel, whichever protocol it speaks.

use std::io;

/// Why there is no tunnel. No text names the destination or the credentials, or is the proxy's own.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// It wants credentials, or other ones: HTTP 407, or none of our SOCKS methods, or a login that it refused.
    #[error("the proxy refused the credentials")]
    Credentials,
    /// The proxy works, but not to this destination.
    #[error("the proxy refused the destination")]
    Refused(#[source] Refusal),
    /// What it sent is not its protocol.
    #[error("the proxy's answer is not its protocol")]
    Garbled,
    /// The connection to it broke or ended before there was an answer.
    #[error("the connection to the proxy broke")]
    Gone(#[from] io::Error),
}

/// How a destination was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A status code of HTTP, neither 1xx nor 2xx, nor 407.
    #[error("HTTP status {0}")]
    Status(u16),
    /// A reply code of SOCKS other than 0 (RFC 1928 §6); those that it does not define are given all the same.
    #[error("SOCKS reply {0}")]
    Reply(u8),
    /// The protocol cannot say it: nothing was asked.
    #[error("the name cannot be sent")]
    Unsayable,
}

impl ProxyError {
    /// Whether it is the proxy that is of no use now, for any destination.
    pub(super) fn is_proxys_own(&self) -> bool {
        match self {
            Self::Credentials | Self::Garbled | Self::Gone(_) => true,
            Self::Refused(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_destination_is_not_the_proxys_own_fault() {
        let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
        for own in [ProxyError::Credentials, ProxyError::Garbled, ProxyError::Gone(gone)] {
            assert!(own.is_proxys_own(), "{own}");
        }
        for refusal in [Refusal::Status(502), Refusal::Reply(4), Refusal::Unsayable] {
            assert!(!ProxyError::Refused(refusal).is_proxys_own(), "{refusal}");
        }
    }
}
